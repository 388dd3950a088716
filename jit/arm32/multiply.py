"""Multiplication (the manual's A5.2.5, A5.4.4) and division."""

from __future__ import annotations

from jit.arm32.buffer import Buffer
from jit.arm32.conditions import AL, Condition
from jit.arm32.cpus import Feature
from jit.arm32.encoding import Encoding
from jit.arm32.registers import Register

_HALVES = {"RdHi == RdLo": "the two halves of the result need two registers"}

MUL = Encoding("mul{S}{cond} {Rd}, {Rn}, {Rm}", "cond 0000000 S Rd 0000 Rm 1001 Rn", "MUL, A1")
MLA = Encoding("mla{S}{cond} {Rd}, {Rn}, {Rm}, {Ra}", "cond 0000001 S Rd Ra Rm 1001 Rn", "MLA, A1")
MLS = Encoding("mls{cond} {Rd}, {Rn}, {Rm}, {Ra}", "cond 00000110 Rd Ra Rm 1001 Rn", "MLS, A1",
               feature=Feature.V6T2)  # fmt: skip
UMAAL = Encoding("umaal{cond} {RdLo}, {RdHi}, {Rn}, {Rm}", "cond 00000100 RdHi RdLo Rm 1001 Rn", "UMAAL, A1",
                 never=_HALVES)  # fmt: skip
UMULL = Encoding("umull{S}{cond} {RdLo}, {RdHi}, {Rn}, {Rm}", "cond 0000100 S RdHi RdLo Rm 1001 Rn", "UMULL, A1",
                 never=_HALVES)  # fmt: skip
UMLAL = Encoding("umlal{S}{cond} {RdLo}, {RdHi}, {Rn}, {Rm}", "cond 0000101 S RdHi RdLo Rm 1001 Rn", "UMLAL, A1",
                 never=_HALVES)  # fmt: skip
SMULL = Encoding("smull{S}{cond} {RdLo}, {RdHi}, {Rn}, {Rm}", "cond 0000110 S RdHi RdLo Rm 1001 Rn", "SMULL, A1",
                 never=_HALVES)  # fmt: skip
SMLAL = Encoding("smlal{S}{cond} {RdLo}, {RdHi}, {Rn}, {Rm}", "cond 0000111 S RdHi RdLo Rm 1001 Rn", "SMLAL, A1",
                 never=_HALVES)  # fmt: skip
SMMUL = Encoding("smmul{cond} {Rd}, {Rn}, {Rm}", "cond 01110101 Rd 1111 Rm 0001 Rn", "SMMUL, A1")
SDIV = Encoding("sdiv{cond} {Rd}, {Rn}, {Rm}", "cond 01110001 Rd 1111 Rm 0001 Rn", "SDIV, A1",
                feature=Feature.DIVISION)  # fmt: skip
UDIV = Encoding("udiv{cond} {Rd}, {Rn}, {Rm}", "cond 01110011 Rd 1111 Rm 0001 Rn", "UDIV, A1",
                feature=Feature.DIVISION)  # fmt: skip


class Multiply(Buffer):
    """Products and quotients of core registers. The forms with an s at the end set the flags N and Z."""

    def mul(self, rd: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = rn * rm, the lower 32 bits."""
        self._emit(MUL.encode(cond=cond.number, S=0, Rd=rd.number, Rm=rm.number, Rn=rn.number))

    def muls(self, rd: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = rn * rm, and flags."""
        self._emit(MUL.encode(cond=cond.number, S=1, Rd=rd.number, Rm=rm.number, Rn=rn.number))

    def mla(self, rd: Register, rn: Register, rm: Register, ra: Register, cond: Condition = AL) -> None:
        """rd = ra + rn * rm."""
        self._emit(MLA.encode(cond=cond.number, S=0, Rd=rd.number, Ra=ra.number, Rm=rm.number, Rn=rn.number))

    def mlas(self, rd: Register, rn: Register, rm: Register, ra: Register, cond: Condition = AL) -> None:
        """rd = ra + rn * rm, and flags."""
        self._emit(MLA.encode(cond=cond.number, S=1, Rd=rd.number, Ra=ra.number, Rm=rm.number, Rn=rn.number))

    def mls(self, rd: Register, rn: Register, rm: Register, ra: Register, cond: Condition = AL) -> None:
        """rd = ra - rn * rm."""
        self._require(MLS)
        self._emit(MLS.encode(cond=cond.number, Rd=rd.number, Ra=ra.number, Rm=rm.number, Rn=rn.number))

    def umaal(self, rd_lo: Register, rd_hi: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd_hi:rd_lo = rn * rm + rd_hi + rd_lo, unsigned."""
        self._long(UMAAL, rd_lo, rd_hi, rn, rm, cond=cond.number)

    def umull(self, rd_lo: Register, rd_hi: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd_hi:rd_lo = rn * rm, unsigned."""
        self._long(UMULL, rd_lo, rd_hi, rn, rm, cond=cond.number, S=0)

    def umulls(self, rd_lo: Register, rd_hi: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd_hi:rd_lo = rn * rm, unsigned, and flags."""
        self._long(UMULL, rd_lo, rd_hi, rn, rm, cond=cond.number, S=1)

    def umlal(self, rd_lo: Register, rd_hi: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd_hi:rd_lo += rn * rm, unsigned."""
        self._long(UMLAL, rd_lo, rd_hi, rn, rm, cond=cond.number, S=0)

    def umlals(self, rd_lo: Register, rd_hi: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd_hi:rd_lo += rn * rm, unsigned, and flags."""
        self._long(UMLAL, rd_lo, rd_hi, rn, rm, cond=cond.number, S=1)

    def smull(self, rd_lo: Register, rd_hi: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd_hi:rd_lo = rn * rm, signed."""
        self._long(SMULL, rd_lo, rd_hi, rn, rm, cond=cond.number, S=0)

    def smulls(self, rd_lo: Register, rd_hi: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd_hi:rd_lo = rn * rm, signed, and flags."""
        self._long(SMULL, rd_lo, rd_hi, rn, rm, cond=cond.number, S=1)

    def smlal(self, rd_lo: Register, rd_hi: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd_hi:rd_lo += rn * rm, signed."""
        self._long(SMLAL, rd_lo, rd_hi, rn, rm, cond=cond.number, S=0)

    def smlals(self, rd_lo: Register, rd_hi: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd_hi:rd_lo += rn * rm, signed, and flags."""
        self._long(SMLAL, rd_lo, rd_hi, rn, rm, cond=cond.number, S=1)

    def smmul(self, rd: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = rn * rm, signed, the upper 32 bits."""
        self._emit(SMMUL.encode(cond=cond.number, Rd=rd.number, Rm=rm.number, Rn=rn.number))

    def sdiv(self, rd: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = rn / rm, signed, towards zero; 0 when rm is 0."""
        self._require(SDIV)
        self._emit(SDIV.encode(cond=cond.number, Rd=rd.number, Rm=rm.number, Rn=rn.number))

    def udiv(self, rd: Register, rn: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = rn / rm, unsigned; 0 when rm is 0."""
        self._require(UDIV)
        self._emit(UDIV.encode(cond=cond.number, Rd=rd.number, Rm=rm.number, Rn=rn.number))

    def _long(
        self, encoding: Encoding, rd_lo: Register, rd_hi: Register, rn: Register, rm: Register, **fields: int
    ) -> None:
        registers = {"RdLo": rd_lo.number, "RdHi": rd_hi.number, "Rm": rm.number, "Rn": rn.number}
        self._emit(encoding.encode(**registers, **fields))
