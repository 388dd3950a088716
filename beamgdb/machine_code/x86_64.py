"""x86-64 as capstone writes it: names of registers, operands in memory, and where calls and jumps lead.

Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.
"""

from __future__ import annotations

import re
from typing import Final, Optional

from beamgdb.machine_code.reading import ReadMemory

WORD: Final = 8
"""Bytes of a word."""

WIDE: Final = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi")
_PARTS: Final = {
    **{name: wide for wide in WIDE for name in ("e" + wide[1:], wide[1:])},
    **{half: f"r{half[0]}x" for half in ("al", "ah", "bl", "bh", "cl", "ch", "dl", "dh")},
    "sil": "rsi",
    "dil": "rdi",
    "bpl": "rbp",
    "spl": "rsp",
    **{f"r{n}{part}": f"r{n}" for n in range(8, 16) for part in "dwb"},
}
"""Names of parts of registers -> the 64-bit register."""
LOW_HALVES: Final = {"e" + name[1:]: name for name in WIDE} | {f"r{n}d": f"r{n}" for n in range(8, 16)}
"""Names of the lower 32 bits, writing which clears the upper -> the 64-bit register."""

_SIZES: Final = {"byte": 1, "word": 2, "dword": 4, "qword": 8, "xmmword": 16, "ymmword": 32, "zmmword": 64}
ADDRESSES: Final = (1 << 64) - 1
_MEMORY: Final = re.compile(r"(?:(\w+) ptr )?(?:[c-gs]s:)?\[(.+)\](?: ?\{.*\})?")
_TERM: Final = re.compile(r"([+-])? ?(?:(0x[0-9a-f]+|\d+)|([a-z]\w*)(\*\d)?)")
_JUMP_NEAR: Final = b"\xe9"
_CALL_NEAR: Final = 0xE8
CALL_THROUGH: Final = b"\xff\x15"
"""`call` of a position-relative address, and of what a position-relative word holds."""
JUMP_THROUGH: Final = b"\xff\x25"
_JUMP: Final = re.compile(b"[\x40-\x4f]?(" + _JUMP_NEAR + b"|" + JUMP_THROUGH + b")(.{4})", re.DOTALL)
"""`jmp` to, or through, a position-relative address."""

MemoryOperand = tuple[int, Optional[str], tuple[str, ...], int]
"""Size in bytes, base register, index registers, displacement."""


def memory_operand(operand: str) -> MemoryOperand | None:
    """`operand` as a memory operand; None if it is a register or a number."""
    found = _MEMORY.search(operand)
    if found is None:
        return None
    registers: list[str] = []
    scaled: list[str] = []
    displacement = 0
    for sign, number, register, scale in _TERM.findall(found[2]):
        if number:
            displacement += -int(number, 0) if sign == "-" else int(number, 0)
        else:
            (scaled if scale and scale != "*1" else registers).append(register)
    base = registers.pop(0) if registers else None
    return _SIZES.get(found[1] or "", 64), base, (*registers, *scaled), displacement


def whole_register(operand: str) -> str:
    """The 64-bit register that an operand is, or is part of; any other operand as it is."""
    return _PARTS.get(operand, operand)


def call_target(return_address: int, read: ReadMemory) -> int | None:
    """What the call that returns to `return_address` calls, None where it varies or is no call."""
    code = read(return_address - 6, 6)
    if code is None:
        return None
    target: int | None = return_address + int.from_bytes(code[2:], "little", signed=True)
    if code[1] != _CALL_NEAR:
        target = _word(target, read) if target is not None and code[:2] == CALL_THROUGH else None
    beyond = jump_at(target, read) if target is not None else None
    return target if beyond is None else beyond


def jump_at(address: int, read: ReadMemory) -> int | None:
    """Where the unconditional jump at `address` leads; None if there is none."""
    found = _JUMP.match(read(address, WORD) or b"")
    if found is None:
        return None
    target = (address + found.end() + int.from_bytes(found[2], "little", signed=True)) & ADDRESSES
    return target if found[1] == _JUMP_NEAR else _word(target, read)


def _word(address: int, read: ReadMemory) -> int | None:
    raw = read(address, WORD)
    return int.from_bytes(raw, "little") if raw else None
