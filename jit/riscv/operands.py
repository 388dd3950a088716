"""Operands of instructions: registers, and how two of them compare."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


@dataclass(frozen=True, slots=True, eq=False)
class Register:
    """A register; ``number`` is what instructions hold, and its number in DWARF. There is one object for each: the
    constants below."""

    number: int
    name: str

    def __str__(self) -> str:
        return self.name


_NAMES: Final = "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6"
#: By number, with the names that the ABI gives them.
REGISTERS: Final = tuple(Register(number, name) for number, name in enumerate(_NAMES.split()))
ZERO, RA, SP, GP, TP, T0, T1, T2, S0, S1, A0, A1, A2, A3, A4, A5 = REGISTERS[:16]
A6, A7, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11, T3, T4, T5, T6 = REGISTERS[16:]


class Condition(Enum):
    """How two registers compare; the value is what branches hold. ``LESS`` and ``GREATER_EQUAL`` are of numbers with a
    sign, ``BELOW`` and ``ABOVE_EQUAL`` of those without."""

    EQUAL = 0
    DIFFERENT = 1
    LESS = 4
    GREATER_EQUAL = 5
    BELOW = 6
    ABOVE_EQUAL = 7

    @property
    def opposite(self) -> Condition:
        """What holds where this does not."""
        return Condition(self.value ^ 1)
