"""The assembler, with an instruction that holds the offset of a label in the code."""

from __future__ import annotations

from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.data_processing import MOVT, MOVW
from jit.arm32.registers import Register
from jit.codegen.processor import Label, OperandError

_ALWAYS: Final = 14
_HALF: Final = 0xFFFF
_WHOLE: Final = 0xFFFF_FFFF


class CodeAssembler(Assembler):
    """Code that knows its own offsets."""

    def mov_offset(self, rd: Register, label: Label, shift: int = 0, *, within: int = 1 << 24) -> None:
        """rd = the offset of *label* from the beginning of the code in bytes, shifted left.

        One that is not bound yet will be within so many bytes. Raises OperandError later if it is not.
        """
        farthest = self.offset + within if label.offset is None else label.offset
        halves = (0, 16) if farthest << shift > _HALF else (0,)
        most = _WHOLE if len(halves) > 1 else _HALF
        for from_bit, move in zip(halves, (MOVW, MOVT)):
            self._offset_half(move.encode(cond=_ALWAYS, imm4=0, Rd=rd.number, imm12=0), label, shift, from_bit, most)

    def _offset_half(self, word: int, label: Label, shift: int, from_bit: int, most: int) -> None:
        def fill(instruction: int, offset: int) -> int:
            value = offset << shift
            if value > most:
                raise OperandError(f"movw: the offset {offset} does not fit")
            half = value >> from_bit & _HALF
            return instruction | (half & 0xF000) << 4 | half & 0xFFF

        if label.offset is not None:
            self._emit(fill(word, label.offset))
        else:
            self._wait(label, 0, fill)
            self._emit(word)
