"""What only some processors have one instruction for, in as few as the processor allows."""

from __future__ import annotations

from jit.arm32.bits import BFI, UBFX, Bits
from jit.arm32.cpus import Feature
from jit.arm32.data_processing import DataProcessing
from jit.arm32.encoding import Encoding
from jit.arm32.multiply import MLS, Multiply
from jit.arm32.operands import lsl
from jit.arm32.registers import Register
from jit.arm32.synchronization import Synchronization
from jit.codegen.processor import OperandError


class Substitutes(DataProcessing, Bits, Multiply, Synchronization):
    """A *scratch* register may be changed. Flags are not."""

    def extract(self, rd: Register, rn: Register, lsb: int, width: int, *, signed: bool = False) -> None:
        """rd = *width* bits of rn from bit *lsb* on, zero- or sign-extended: ubfx or sbfx, else up to two shifts."""
        if lsb < 0 or width < 1 or lsb + width > 32:
            raise OperandError(f"extract: {width} bits of {rn} from bit {lsb} on")
        shift, above = self.asr if signed else self.lsr, 32 - width - lsb
        if self._can(UBFX):
            (self.sbfx if signed else self.ubfx)(rd, rn, lsb, width)
        elif width == 32:
            self.mov(rd, rn)
        elif not above:
            shift(rd, rn, lsb)
        else:
            self.lsl(rd, rn, above)
            shift(rd, rd, 32 - width)

    def insert(self, rd: Register, rn: Register, lsb: int, width: int) -> None:
        """*width* bits of rd from bit *lsb* on = the lowest bits of rn: bfi, else up to four instructions.

        These turn rd until the field can be shifted out, put in the new one at the upper end, and turn on.
        """
        if rd is rn or lsb < 0 or width < 1 or lsb + width > 32:
            raise OperandError(f"insert: {width} bits of {rn} from bit {lsb} of {rd} on")
        if self._can(BFI):
            self.bfi(rd, rn, lsb, width)
        elif width == 32:
            self.mov(rd, rn)
        else:
            if lsb:
                self.ror(rd, rd, lsb)
            self.lsr(rd, rd, width)
            self.orr(rd, rd, lsl(rn, 32 - width))
            if lsb + width < 32:
                self.ror(rd, rd, 32 - width - lsb)

    def multiply_subtract(self, rd: Register, rn: Register, rm: Register, ra: Register, *, scratch: Register) -> None:
        """rd = ra - rn * rm: mls, else mul and sub."""
        if scratch is ra:
            raise OperandError(f"multiply_subtract: the scratch register {scratch} is an operand")
        if self._can(MLS):
            self.mls(rd, rn, rm, ra)
        else:
            self.mul(scratch, rn, rm)
            self.sub(rd, ra, scratch)

    def barrier(self, scratch: Register) -> None:
        """Accesses before this are seen before those after it: dmb, else what ARMv6 has for it, which wants a zero."""
        if self.has(Feature.V7):
            self.dmb()
        else:
            self.mov(scratch, 0)
            self.mcr_dmb(scratch)

    def _can(self, encoding: Encoding) -> bool:
        return encoding.feature is None or self.has(encoding.feature)
