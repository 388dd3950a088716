"""ARM64 as capstone writes it: instructions, registers, numbers and operands in memory, destination first."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

import capstone

SIZE: Final = 4
"""Bytes of an instruction."""

REGISTERS: Final = frozenset(f"x{n}" for n in range(31))
MEMORY: Final = re.compile(r"\[(\w+)(?:, (?:#(-?\w+)|(\w+)[^\]]*))?\](!?)(?:, #(-?\w+))?$")
"""A memory operand: base, displacement, index, `!` where the base is written before, displacement written after."""

_CONSTANTS: Final = ("mov", "movz", "movn", "orr")
_CONSTANT: Final = re.compile(r"(?P<register>[xw]\d+), (?P<zero>[xw]zr, )?#(?P<number>-?\w+)(?:, lsl #(?P<shift>\d+))?")
_CACHE_LIMIT: Final = 100_000
"""Distinct instructions remembered."""


def instructions(code: bytes, start: int) -> list[tuple[int, str, str]]:
    """Address, mnemonic and operands of each word. Words that are no instruction have a mnemonic that is none.

    What puts a constant into a register is `mov`, with the number that is there then, never below 0: as assembler has
    it (Arm Architecture Reference Manual, C6.2, MOV). Capstone 5 writes most of it so, with a sign, capstone 4 none.
    """
    return [
        (at, *_as_mov(name, operands)) if name in _CONSTANTS else (at, name, operands)
        for at, _, name, operands in _disassembler().disasm_lite(code, start)
    ]


@lru_cache(_CACHE_LIMIT)
def _as_mov(mnemonic: str, operands: str) -> tuple[str, str]:
    """An instruction as `mov` if it only puts a constant into a register, else as it is."""
    found = _CONSTANT.fullmatch(operands)
    if found is None or (mnemonic == "orr") != bool(found["zero"]):
        return mnemonic, operands
    number = int(found["number"], 0) << int(found["shift"] or "0")
    mask = (1 << (32 if found["register"][0] == "w" else 64)) - 1
    return "mov", f"{found['register']}, #{(~number if mnemonic == 'movn' else number) & mask:#x}"


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
