"""Branches (the manual's A5.5)."""

from __future__ import annotations

from jit.arm32.buffer import Buffer
from jit.arm32.conditions import AL, Condition
from jit.arm32.encoding import Encoding
from jit.arm32.references import fill_branch
from jit.arm32.registers import Register
from jit.arm32.relocations import R_ARM, External
from jit.codegen.processor import Called, Jumped, Label, OperandError

B = Encoding("b{cond} {branch_target}", "cond 1010 imm24", "B, A1")
BL = Encoding("bl{cond} {branch_target}", "cond 1011 imm24", "BL, BLX (immediate), A1")
BLX = Encoding("blx {branch_target}", "1111101 H imm24", "BL, BLX (immediate), A2")
BX = Encoding("bx{cond} {Rm}", "cond 000100101111111111110001 Rm", "BX, A1")
BLX_REGISTER = Encoding("blx{cond} {Rm}", "cond 000100101111111111110011 Rm", "BLX (register), A1")


class Branches(Buffer):
    """Branches to labels and symbols within 32 MiB, or to the address in a register (whose bit 0 selects Thumb)."""

    def b(self, target: Label | External, cond: Condition = AL) -> None:
        """Go on at *target*."""
        word = B.encode(cond=cond.number, imm24=0)
        self.branches += 1
        jumped = Jumped(*self._next, None if isinstance(target, External) else target, always=cond is AL)
        if isinstance(target, External):
            self._emit_relocated(word, R_ARM.JUMP24, target, jumped)
        else:
            self._emit_referring(word, target, fill_branch, jumped)
        if cond is AL:
            self.unreachable()

    def jump(self, target: Label) -> None:
        """Go on at *target*."""
        self.b(target)

    def bl(self, target: Label | External, cond: Condition = AL) -> None:
        """Call *target*: lr becomes the address of what follows. A symbol may be Thumb code if *cond* is AL."""
        word = BL.encode(cond=cond.number, imm24=0)
        self.branches += 1
        if isinstance(target, External):
            self._emit_relocated(word, R_ARM.CALL if cond is AL else R_ARM.JUMP24, target, Called(*self._next, None))
        else:
            self._emit_referring(word, target, fill_branch, Called(*self._next, target))

    def bx(self, rm: Register, cond: Condition = AL) -> None:
        """Go on at the address in rm."""
        self.branches += 1
        self._emit(BX.encode(cond=cond.number, Rm=rm.number), Jumped(*self._next, None, always=cond is AL))
        if cond is AL:
            self.unreachable()

    def blx(self, target: Register | External, cond: Condition = AL) -> None:
        """Call the address in a register, or a symbol that is Thumb code, which cannot be conditional."""
        self.branches += 1
        if isinstance(target, External):
            if cond is not AL:
                raise OperandError(f"blx: a call of the symbol {target.name} cannot be conditional")
            self._emit_relocated(BLX.encode(H=0, imm24=0), R_ARM.CALL, target, Called(*self._next, None))
        else:
            self._emit(BLX_REGISTER.encode(cond=cond.number, Rm=target.number), Called(*self._next, None))
