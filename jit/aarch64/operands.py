"""Operands of instructions: registers, conditions, and numbers that logical instructions hold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


@dataclass(frozen=True, slots=True, eq=False)
class Register:
    """A register of 64 bits; ``number`` is what instructions hold, and its number in DWARF. There is one object for
    each: the constants below."""

    number: int
    name: str

    def __str__(self) -> str:
        return self.name


#: By number; the last is sp or, where an instruction does not have that, zero.
REGISTERS: Final = (*(Register(number, f"x{number}") for number in range(31)), Register(31, "sp"))
X0, X1, X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14, X15 = REGISTERS[:16]
X16, X17, X18, X19, X20, X21, X22, X23, X24, X25, X26, X27, X28, X29, X30, SP = REGISTERS[16:]
LR: Final = X30


@dataclass(frozen=True, slots=True)
class Shifted:
    """A register whose value is shifted before it is used; ``type`` is what instructions hold."""

    register: Register
    type: int
    amount: int


def lsl(register: Register, amount: int) -> Shifted:
    """A register, shifted left."""
    return Shifted(register, 0, amount)


def lsr(register: Register, amount: int) -> Shifted:
    """A register, shifted right, with zeros coming in."""
    return Shifted(register, 1, amount)


def asr(register: Register, amount: int) -> Shifted:
    """A register, shifted right, with the sign coming in."""
    return Shifted(register, 2, amount)


class Condition(Enum):
    """What flags tell of a comparison; the value is what instructions hold (the manual's C1.2.4)."""

    EQUAL = 0
    DIFFERENT = 1
    BELOW = 3
    OVERFLOW = 6
    ABOVE = 8
    GREATER_EQUAL = 10
    LESS = 11
    GREATER = 12
    LESS_EQUAL = 13


def bitmask(value: int) -> int | None:
    """The fields N, immr and imms of a logical immediate of 64 bits, in their place; None if *value* is none.

    It is an element of 2 to 64 bits, repeated: ones, rotated right (the manual's DecodeBitMasks).
    """
    value &= (1 << 64) - 1
    for size in (2, 4, 8, 16, 32, 64):
        element = value & (1 << size) - 1
        if element * (((1 << 64) - 1) // ((1 << size) - 1)) != value:
            continue
        ones = element.bit_count()
        run = (1 << ones) - 1
        for rotation in range(size if 0 < ones < size else 0):
            if (run >> rotation | run << size - rotation) & (1 << size) - 1 == element:
                imms = (~(2 * size - 1) & 0x3F) | ones - 1
                return (size == 64) << 22 | rotation << 16 | imms << 10
        return None
    return None
