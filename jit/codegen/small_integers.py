"""Which integers a runtime has as immediate terms, and what is known of values that may be such."""

from __future__ import annotations

from dataclasses import dataclass

from jit.beam.types import Type, TypeKind


@dataclass(frozen=True)
class SmallIntegers:
    """Those from ``least`` to ``greatest``."""

    least: int
    greatest: int

    def __contains__(self, value: int) -> bool:
        return self.least <= value <= self.greatest

    def have_all(self, type: Type) -> bool:
        """Whether a value of the type is sure to be one of them."""
        if not type.is_only(TypeKind.INTEGER) or type.lowest is None or type.highest is None:
            return False
        return type.lowest in self and type.highest in self

    def bounds(self, type: Type) -> tuple[int, int]:
        """The least and the greatest of them that a value of the type may be."""
        lowest = self.least if type.lowest is None else max(type.lowest, self.least)
        highest = self.greatest if type.highest is None else min(type.highest, self.greatest)
        return lowest, highest
