"""Condition codes (the manual's A8.3)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """When an instruction is executed; ``number`` is the field cond, ``name`` the suffix of the mnemonic."""

    number: int
    name: str

    @property
    def inverse(self) -> Condition:
        """True exactly when this one is false; raises ValueError for AL, which is never false."""
        if self is AL:
            raise ValueError("the condition al has no inverse")
        return CONDITIONS[self.number ^ 1]

    def __str__(self) -> str:
        return self.name


_NAMES = ("eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al")

#: By number.
CONDITIONS = tuple(Condition(number, name) for number, name in enumerate(_NAMES))

EQ, NE, CS, CC, MI, PL, VS, VC, HI, LS, GE, LT, GT, LE, AL = CONDITIONS
HS, LO = CS, CC  # unsigned "higher or same" and "lower"
