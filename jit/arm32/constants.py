"""Operations with any constant, in as few instructions as it allows."""

from __future__ import annotations

from jit.arm32.conditions import AL, Condition
from jit.arm32.cpus import Feature
from jit.arm32.data_processing import DataProcessing
from jit.arm32.float_moves import FloatMoves
from jit.arm32.immediates import float_immediate, modified, split_modified
from jit.arm32.load_store import LoadStore
from jit.arm32.registers import PC, R12, Double, Register
from jit.arm32.relocations import External
from jit.codegen.processor import Label, OperandError

_MASK = 0xFFFF_FFFF


class Constants(DataProcessing, LoadStore, FloatMoves):
    """Constants are signed or unsigned 32-bit integers. A *scratch* register is changed only where one is needed."""

    def mov_constant(self, rd: Register, value: int, cond: Condition = AL, *, literal: bool = False) -> None:
        """rd = value: mov, mvn or movw, else movw and movt, or a load where *literal* says that it is preferred.

        Without movw: mov and orr, mvn and bic, else a load.
        """
        value = _unsigned("mov", value)
        if modified(value) is not None:
            self.mov(rd, value, cond)
        elif modified(~value & _MASK) is not None:
            self.mvn(rd, ~value & _MASK, cond)
        elif not self.has(Feature.V6T2):
            self._mov_in_parts(rd, value, cond)
        elif value <= 0xFFFF:
            self.movw(rd, value, cond)
        elif literal:
            self.ldr_literal(rd, value, cond)
        else:
            self.movw(rd, value & 0xFFFF, cond)
            self.movt(rd, value >> 16, cond)

    def mov_address(self, rd: Register, symbol: External | Label, cond: Condition = AL) -> None:
        """rd = an address, by movw and movt with relocations, else from a literal pool."""
        if not self.has(Feature.V6T2):
            self.ldr_literal(rd, symbol, cond)
            return
        self.movw(rd, symbol, cond)
        self.movt(rd, symbol, cond)

    def move(self, into: Register, source: Register) -> None:
        """A register = another one; nothing if they are the same."""
        if into is not source:
            self.mov(into, source)

    def add_constant(
        self, rd: Register, rn: Register, value: int, cond: Condition = AL, *, scratch: Register = R12
    ) -> None:
        """rd = rn + value: up to two instructions add or sub, else *scratch*. Nothing at all where that does it."""
        if rd is PC or rn is PC:
            raise OperandError("add: a sum with any constant cannot be of or in pc")
        value = _unsigned("add", value)
        if not value:
            if rd is not rn:
                self.mov(rd, rn, cond)
        elif modified(value) is not None:
            self.add(rd, rn, value, cond)
        elif modified(-value & _MASK) is not None:
            self.sub(rd, rn, -value & _MASK, cond)
        elif parts := split_modified(value):
            self.add(rd, rn, parts[0], cond)
            self.add(rd, rd, parts[1], cond)
        elif parts := split_modified(-value):
            self.sub(rd, rn, parts[0], cond)
            self.sub(rd, rd, parts[1], cond)
        else:
            self._into_scratch(scratch, rn, value, cond)
            self.add(rd, rn, scratch, cond)

    def and_constant(
        self, rd: Register, rn: Register, value: int, cond: Condition = AL, *, scratch: Register = R12
    ) -> None:
        """rd = rn & value: and, bic, else by *scratch*."""
        value = _unsigned("and", value)
        if modified(value) is not None:
            self.and_(rd, rn, value, cond)
        elif modified(~value & _MASK) is not None:
            self.bic(rd, rn, ~value & _MASK, cond)
        else:
            self._into_scratch(scratch, rn, value, cond)
            self.and_(rd, rn, scratch, cond)

    def cmp_constant(self, rn: Register, value: int, cond: Condition = AL, *, scratch: Register = R12) -> None:
        """The flags of rn - value: cmp, cmn, or by *scratch*."""
        value = _unsigned("cmp", value)
        if modified(value) is not None:
            self.cmp(rn, value, cond)
        elif modified(-value & _MASK) is not None:
            # The same flags: cmn differs from cmp with the negative only for 0 and -2**31, which cmp can have.
            self.cmn(rn, -value & _MASK, cond)
        else:
            self._into_scratch(scratch, rn, value, cond)
            self.cmp(rn, scratch, cond)

    def vmov_constant(self, dd: Double, value: float, cond: Condition = AL) -> None:
        """dd = value: vmov, or a load from a literal pool."""
        if float_immediate(value) is not None and self.has(Feature.VFP3):
            self.vmov(dd, value, cond)
        else:
            self.vldr_literal(dd, value, cond)

    def _mov_in_parts(self, rd: Register, value: int, cond: Condition) -> None:
        if parts := split_modified(value):
            self.mov(rd, parts[0], cond)
            self.orr(rd, rd, parts[1], cond)
        elif parts := split_modified(~value):
            self.mvn(rd, parts[0], cond)
            self.bic(rd, rd, parts[1], cond)
        else:
            self.ldr_literal(rd, value, cond)

    def _into_scratch(self, scratch: Register, rn: Register, value: int, cond: Condition) -> None:
        if scratch is rn:
            raise OperandError(f"the constant {value} needs a scratch register, which cannot be the operand {rn}")
        self.mov_constant(scratch, value, cond)


def _unsigned(mnemonic: str, value: int) -> int:
    if not -(1 << 31) <= value < 1 << 32:
        raise OperandError(f"{mnemonic}: the constant {value} does not fit 32 bits")
    return value & _MASK
