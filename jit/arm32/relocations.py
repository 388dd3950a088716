"""Places in code whose value is known only when the code has an address (ELF for the ARM Architecture, 5.6).

S is the symbol's address, A the addend, P the address of the place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class R_ARM(IntEnum):
    """Relocation types, as ELF's r_type."""

    ABS32 = 2  # S + A
    CALL = 28  # ((S + A) - P) >> 2 in imm24; for bl and blx, which the linker exchanges where the callee is Thumb code
    JUMP24 = 29  # the same for b and conditional bl
    MOVW_ABS_NC = 43  # (S + A) & 0xffff in imm4:imm12
    MOVT_ABS = 44  # (S + A) >> 16 in imm4:imm12


@dataclass(frozen=True, slots=True)
class External:
    """The address of a symbol that this code does not define, plus *addend* bytes."""

    name: str
    addend: int = 0


@dataclass(frozen=True, slots=True)
class Relocation:
    """One place, *offset* bytes into the code. ``symbol`` None stands for the start of the code.

    The word at the place holds the addend too, in the form that ELF's REL sections want, which have none of their own.
    """

    offset: int
    type: R_ARM
    symbol: str | None
    addend: int
