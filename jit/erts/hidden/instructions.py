"""Where control goes in 32-bit ARM code, by the bits of its instructions (Arm Architecture Reference Manual, ARMv7-A).

Addresses of Thumb code have bit 0 set, as in pointers to functions.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from jit.image.image import Image

_ALWAYS: Final = 14


class Step(NamedTuple):
    """One instruction.

    ``to`` is where it may go, ``calls`` whether that comes back, ``is_indirect`` whether it goes where a register says.
    ``goes_on`` is whether control may come to the next one. ``conditional`` is of Thumb's ``it``: how many instructions
    behind it have a condition. ``table`` is of a jump by a table: bytes of an entry.
    """

    size: int
    to: int | None = None
    calls: bool = False
    is_indirect: bool = False
    goes_on: bool = True
    conditional: int = 0
    table: int = 0


class Code:
    """The code of a program, without the tables that jumps go by: no instruction of it is at those."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._steps: dict[int, Step] = {}

    def bits(self, address: int, size: int) -> int | None:
        """So many bytes of the program's file as a number; None where it has none."""
        content = self._image.read(address, size)
        return None if content is None else int.from_bytes(content, "little")

    def step(self, address: int) -> Step:
        """The instruction at an address. Where there is none, nothing goes on."""
        found = self._steps.get(address)
        if found is None:
            found = self._steps[address] = self._thumb(address & ~1) if address & 1 else self._arm(address)
        return found

    def table(self, address: int, entry: int, count: int) -> list[int]:
        """Where a jump at an address goes by the table that follows it, of so many entries (A8.8.238, TBB and TBH)."""
        start = (address & ~1) + 4
        content = self._image.read(start, entry * count) or b""
        return [start + 2 * one | 1 for (one,) in struct.iter_unpack("<B" if entry == 1 else "<H", content)]

    def condition(self, address: int) -> int | None:
        """The condition of a branch (A8.3), None for what is no branch with one."""
        at, step = address & ~1, self.step(address)
        if step.to is None or step.calls or not step.goes_on:
            return None
        word = self.bits(at, 2 if address & 1 else 4) or 0
        if not address & 1:
            return word >> 28
        if step.size == 4:
            return word >> 6 & 15
        return word >> 8 & 15 if word & 0xF000 == 0xD000 else None

    def tests(self, address: int, bit: int) -> tuple[bool, bool]:
        """Whether an instruction shifts a bit to the sign, and whether it tests just this one, for a branch behind it
        (A8.8.94 and A8.8.240: LSL and TST with a constant)."""
        at, size = address & ~1, self.step(address).size
        word = self.bits(at, 2) or 0
        if not address & 1:
            whole = self.bits(at, 4) or 0
            return False, whole & 0xFFF0FFFF == 0xE3100000 | 1 << bit
        if size == 2:
            return word >> 6 == 31 - bit, False
        return False, word & 0xFFF0 == 0xF010 and self.bits(at + 2, 2) == 0x0F00 | 1 << bit

    def literal(self, address: int) -> tuple[int, int] | None:
        """The register and the word that an instruction loads from near by (A8.8.64, LDR of a literal)."""
        at = address & ~1
        if not address & 1:
            word = self.bits(at, 4) or 0
            if word & 0x0F7F0000 != 0x051F0000:
                return None
            return self._loaded(word >> 12 & 15, at + 8, word & 0xFFF, bool(word >> 23 & 1))
        first = self.bits(at, 2) or 0
        if first & 0xF800 == 0x4800:
            return self._loaded(first >> 8 & 7, at + 4 & ~3, 4 * (first & 0xFF), True)
        if first & 0xFF7F == 0xF85F:
            second = self.bits(at + 2, 2) or 0
            return self._loaded(second >> 12, at + 4 & ~3, second & 0xFFF, bool(first >> 7 & 1))
        return None

    def _loaded(self, register: int, base: int, distance: int, is_behind: bool) -> tuple[int, int] | None:
        word = self.bits(base + distance if is_behind else base - distance, 4)
        return None if word is None else (register, word)

    def adds_counter(self, address: int) -> tuple[int, int] | None:
        """The register to which an instruction adds the program counter, also to load from there, and its value."""
        at = address & ~1
        if address & 1:
            first = self.bits(at, 2) or 0
            return (first >> 4 & 8 | first & 7, at + 4) if first & 0xFF78 == 0x4478 else None
        word = self.bits(at, 4) or 0
        if word & 0x0FFF0FF0 in (0x008F0000, 0x079F0000):
            return word & 15, at + 8
        return None

    def _arm(self, at: int) -> Step:
        word = self.bits(at, 4)
        if word is None:
            return Step(4, goes_on=False)
        condition = word >> 28
        always = condition == _ALWAYS
        if condition == 15:
            if word >> 25 & 7 == 5:  # blx to Thumb code
                return Step(4, (at + 8 + _signed(word & 0xFFFFFF, 24) * 4 + (word >> 23 & 2)) | 1, calls=True)
            return Step(4)
        if word >> 25 & 7 == 5:
            calls = bool(word >> 24 & 1)
            return Step(4, at + 8 + 4 * _signed(word & 0xFFFFFF, 24), calls=calls, goes_on=calls or not always)
        if word & 0x0FFFFFF0 == 0x012FFF30:  # blx register
            return Step(4, calls=True, is_indirect=True)
        writes_pc = (
            word & 0x0FFFFFF0 == 0x012FFF10  # bx
            or (word & 0x0C10F000 == 0x0410F000 and word & 0x02000010 != 0x02000010)  # ldr pc; else sdiv and others
            or word & 0x0E108000 == 0x08108000  # ldm with pc
            or (word & 0x0C00F000 == 0x0000F000 and word & 0x01800000 != 0x01000000 and word & 0x90 != 0x90)
        )
        return Step(4, is_indirect=writes_pc, goes_on=not (writes_pc and always))

    def _thumb(self, at: int) -> Step:
        first = self.bits(at, 2)
        if first is None:
            return Step(2, goes_on=False)
        if first >> 11 < 0b11101:
            return self._short(at, first)
        second = self.bits(at + 2, 2)
        if second is None:
            return Step(4, goes_on=False)
        if first & 0xF800 == 0xF000 and second & 0x8000:
            return _branch(at, first, second)
        if first & 0xFFF0 == 0xE8D0 and second & 0xFFE0 == 0xF000:
            return Step(4, goes_on=False, is_indirect=True, table=1 + (second >> 4 & 1))
        loads_pc = (
            first & 0xFF70 == 0xF850 and second >> 12 == 15  # ldr pc
        ) or (first & 0xFE50 in (0xE810, 0xE910) and first & 0x0180 in (0x0080, 0x0100) and bool(second & 0x8000))
        return Step(4, is_indirect=loads_pc, goes_on=not loads_pc)

    def _short(self, at: int, word: int) -> Step:
        if word & 0xF000 == 0xD000 and word >> 8 & 15 < 14:
            return Step(2, at + 4 + 2 * _signed(word & 0xFF, 8) | 1)
        if word & 0xFF00 == 0xDE00:  # udf
            return Step(2, goes_on=False)
        if word & 0xF800 == 0xE000:
            return Step(2, at + 4 + 2 * _signed(word & 0x7FF, 11) | 1, goes_on=False)
        if word & 0xF500 == 0xB100:  # cbz, cbnz
            return Step(2, at + 4 + ((word >> 3 & 31) << 1) + ((word >> 9 & 1) << 6) | 1)
        if word & 0xFF80 == 0x4780:
            return Step(2, calls=True, is_indirect=True)
        if word & 0xFF80 == 0x4700 or word & 0xFF00 == 0xBD00 or word & 0xFF87 == 0x4687:  # bx, pop pc, mov pc
            return Step(2, is_indirect=True, goes_on=False)
        if word & 0xFF00 == 0xBF00 and (mask := word & 15):
            return Step(2, conditional=4 - (mask & -mask).bit_length() + 1)
        return Step(2)


def _branch(at: int, first: int, second: int) -> Step:
    """Branches of Thumb code that take two halfwords (A8.8.18, A8.8.25)."""
    sign, j1, j2 = first >> 10 & 1, second >> 13 & 1, second >> 11 & 1
    kind = second & 0x5000
    if kind == 0:  # with a condition, if it is one
        if first >> 6 & 15 >= _ALWAYS:
            return Step(4)
        far = sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3F) << 12 | (second & 0x7FF) << 1
        return Step(4, at + 4 + _signed(far, 21) | 1)
    distance = (
        sign << 24 | (j1 ^ sign ^ 1) << 23 | (j2 ^ sign ^ 1) << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
    )
    distance = _signed(distance, 25)
    if kind == 0x1000:
        return Step(4, at + 4 + distance | 1, goes_on=False)
    if kind == 0x5000:
        return Step(4, at + 4 + distance | 1, calls=True)
    return Step(4, (at + 4 & ~3) + distance & ~3, calls=True)  # blx to ARM code


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value
