"""Machine code as text: capstone's, with names for places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, Cs

from jit.thumb.buffer import PC_AHEAD

_WORD: Final = 4
#: A place that an instruction names.
_TARGET: Final = re.compile(r"(?:b|bl|b\w\w|b\.w) #(0x[0-9a-f]+|\d+)$")
#: A constant that an instruction loads: they stand behind all that load them.
_LOAD, _LOAD_MASK = 0x4800, 0xF800


def listing(code: bytes, instructions: int, names: Mapping[int, str]) -> Iterator[tuple[int, str, str]]:
    """Each instruction, or word of data: its offset, itself, and what it means. What follows so many bytes is data.

    What is no whole word at the end is left out.
    """
    decoder = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
    constants: set[int] = set()
    offset = 0
    while offset + 2 <= len(code):
        if offset in constants or offset >= instructions:
            size, text = _WORD, f".word 0x{_number(code, offset, _WORD):08x}"
            if offset + size > len(code):
                return
        else:
            half = _number(code, offset, 2)
            decoded = next(decoder.disasm_lite(code[offset : offset + _WORD], offset, 1), None)
            size, text = 2, f".short 0x{half:04x}"
            if decoded is not None:
                _, size, mnemonic, operands = decoded
                text = f"{mnemonic} {operands}".rstrip()
            if half & _LOAD_MASK == _LOAD:
                constants.add((offset + PC_AHEAD & ~3) + _WORD * (half & 0xFF))
            if found := _TARGET.match(text):
                target = int(found[1], 0)
                text = text[: found.start(1) - 1] + names.get(target, f"{target:#x}")
        is_data = text.startswith(".word")
        shown = _number(code, offset, size) if is_data or size == 2 else _in_order(code, offset)
        yield offset, f"{shown:0{2 * size}x}", text
        offset += size


def _number(code: bytes, offset: int, size: int) -> int:
    return int.from_bytes(code[offset : offset + size], "little")


def _in_order(code: bytes, offset: int) -> int:
    """An instruction of 32 bits, whose first half is the upper one."""
    return _number(code, offset, 2) << 16 | _number(code, offset + 2, 2)


def branch_target(code: bytes, offset: int, *, link: bool) -> int | None:
    """Where an instruction bl, with *link*, or b.w leads to; None if it is another one."""
    first, second = _number(code, offset, 2), _number(code, offset + 2, 2)
    if not 0 <= offset <= len(code) - _WORD or first >> 11 != 0x1E or second & 0xD000 != (0xD000 if link else 0x9000):
        return None
    sign = first >> 10 & 1
    upper = sum((second >> bit & 1 ^ sign ^ 1) << at for bit, at in ((13, 23), (11, 22)))
    return offset + PC_AHEAD + (upper | (first & 0x3FF) << 12 | (second & 0x7FF) << 1) - (sign << 24)
