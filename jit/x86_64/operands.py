"""Operands of instructions: registers, memory, conditions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True, eq=False)
class Register:
    """A register of 64 bits; there is one object for each: the constants below.

    ``number`` is that in DWARF (System V ABI, AMD64, 3.6.2), ``code`` what instructions hold.
    """

    number: int
    code: int
    name: str

    def __str__(self) -> str:
        return self.name


#: In the order of their numbers in DWARF.
REGISTERS: Final = (
    *(
        Register(number, code, name)
        for number, (name, code) in enumerate(
            {"rax": 0, "rdx": 2, "rcx": 1, "rbx": 3, "rsi": 6, "rdi": 7, "rbp": 5, "rsp": 4}.items()
        )
    ),
    *(Register(number, number, f"r{number}") for number in range(8, 16)),
)
RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP, R8, R9, R10, R11, R12, R13, R14, R15 = REGISTERS
#: The number in DWARF of the column of return addresses.
RETURN_ADDRESS: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What is at base + index * scale + displacement. ``rsp`` can be no index.

    ``at`` gives the same object for the same place: those who remember what they made of one need not look into it.
    """

    base: Register
    displacement: int = 0
    index: Register | None = None
    scale: int = 1


@lru_cache(maxsize=4096)
def at(base: Register, displacement: int = 0, index: Register | None = None, scale: int = 1) -> Memory:
    """Memory at base + index * scale + displacement."""
    return Memory(base, displacement, index, scale)


class Condition(Enum):
    """What flags tell of a comparison; the value is what instructions hold (the manual's B.1.4.7)."""

    OVERFLOW = 0x0
    BELOW = 0x2
    ABOVE_EQUAL = 0x3
    EQUAL = 0x4
    DIFFERENT = 0x5
    BELOW_EQUAL = 0x6
    ABOVE = 0x7
    LESS = 0xC
    GREATER_EQUAL = 0xD
    LESS_EQUAL = 0xE
    GREATER = 0xF
