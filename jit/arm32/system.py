"""Flags, traps and instructions that do nothing (the manual's A5.2.11, A5.2.12 and A5.5)."""

from __future__ import annotations

from jit.arm32.buffer import Buffer
from jit.arm32.conditions import AL, Condition
from jit.arm32.encoding import Encoding
from jit.arm32.registers import Register

_HINT = {"mask == 0": "is another instruction (a hint) with mask 0"}

NOP = Encoding("nop{cond}", "cond 0011001000001111000000000000", "NOP, A1")
UDF = Encoding("udf {trap}", "111001111111 imm12 1111 imm4", "UDF, A1")
BKPT = Encoding("bkpt {trap}", "111000010010 imm12 0111 imm4", "BKPT, A1")
SVC = Encoding("svc{cond} #{imm24}", "cond 1111 imm24", "SVC, A1")
MRS = Encoding("mrs{cond} {Rd}, apsr", "cond 000100001111 Rd 000000000000", "MRS, A1")
MSR = Encoding("msr{cond} {mask}, {Rn}", "cond 000100 10 mask 0011110000 0000 Rn", "MSR (register), A1", never=_HINT)

_NZCVQ = 2


class System(Buffer):
    """Access to the flags, and traps."""

    def nop(self, cond: Condition = AL) -> None:
        """Do nothing."""
        self._emit(NOP.encode(cond=cond.number))

    def udf(self, value: int = 0) -> None:
        """Be undefined for ever (a signal SIGILL); *value*, 16 bits, is for those who look."""
        self._emit(UDF.encode(imm12=value >> 4, imm4=value & 15))

    def bkpt(self, value: int = 0) -> None:
        """Stop for a debugger; *value* is 16 bits."""
        self._emit(BKPT.encode(imm12=value >> 4, imm4=value & 15))

    def svc(self, value: int = 0, cond: Condition = AL) -> None:
        """Call the operating system; *value* is 24 bits."""
        self._emit(SVC.encode(cond=cond.number, imm24=value))

    def mrs(self, rd: Register, cond: Condition = AL) -> None:
        """rd = the flags, in bits 31 to 27."""
        self._emit(MRS.encode(cond=cond.number, Rd=rd.number))

    def msr(self, rn: Register, cond: Condition = AL) -> None:
        """The flags N, Z, C, V and Q = bits 31 to 27 of rn."""
        self._emit(MSR.encode(cond=cond.number, mask=_NZCVQ, Rn=rn.number))
