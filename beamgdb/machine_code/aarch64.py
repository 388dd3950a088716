"""ARM64 as capstone writes it: instructions, registers, numbers and operands in memory, destination first."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import capstone

SIZE: Final = 4
"""Bytes of an instruction."""

REGISTERS: Final = frozenset(f"x{n}" for n in range(31))
MEMORY: Final = re.compile(r"\[(\w+)(?:, (?:#(-?\w+)|(\w+)[^\]]*))?\](!?)(?:, #(-?\w+))?$")
"""A memory operand: base, displacement, index, `!` where the base is written before, displacement written after."""


def instructions(code: bytes, start: int) -> list[tuple[int, str, str]]:
    """Address, mnemonic and operands of each word. Words that are no instruction have a mnemonic that is none."""
    return [(at, name, operands) for at, _, name, operands in _disassembler().disasm_lite(code, start)]


@cache
def _disassembler() -> capstone.Cs:
    disassembler = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    disassembler.skipdata = True
    return disassembler


def to_number(text: str) -> int:
    """A number; addresses before the start of the code are negative."""
    value = int(text, 0)
    return value - (1 << 64) if value >> 63 == 1 else value


def inserted(value: int, operand: str) -> int:
    """What `movk` makes of a register's value. `operand`: `#n` or `#n, lsl #shift`."""
    part, _, shift_text = operand.partition(", lsl #")
    shift = int(shift_text or "0", 0)
    return value & ~(0xFFFF << shift) | int(part[1:], 0) << shift


def wide(register: str) -> str:
    """The 64-bit register that a register is part of."""
    return "x" + register[1:] if register[:1] == "w" and register[1:].isdigit() else register
