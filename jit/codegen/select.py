"""How a number is looked for among others: a table, or which comparisons in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label

#: So many numbers are compared one after the other; more are halved first.
_FEW: Final = 3
#: From so many on there may be a table of jumps, if at least half of it is in use.
_MANY: Final = 5

#: A number, and where it goes.
Case = tuple[int, Label]


@dataclass(frozen=True)
class OneByOne:
    """Compare with each in turn."""

    cases: Sequence[Case]


@dataclass(frozen=True)
class Halved:
    """Compare with the one in the middle; what is less goes on with one plan, what is more with the other."""

    middle: Case
    less: OneByOne | Halved
    more: OneByOne | Halved


@dataclass(frozen=True)
class Table:
    """A table for consecutive numbers from ``least`` on; None for one that is not among the cases."""

    least: int
    targets: Sequence[Label | None]


Plan = OneByOne | Halved | Table


def plan(cases: Sequence[Case]) -> Plan:
    """How to find one of these numbers, of which there is one at least. Raises Unsupported if one stands twice."""
    rows = sorted(cases, key=lambda case: case[0])
    targets = dict(rows)
    if len(targets) < len(rows):
        raise Unsupported("two cases of one value")
    least, size = rows[0][0], rows[-1][0] - rows[0][0] + 1
    if len(rows) < _MANY or size > 2 * len(rows):
        return _halved(rows)
    return Table(least, [targets.get(number) for number in range(least, least + size)])


def _halved(rows: Sequence[Case]) -> OneByOne | Halved:
    if len(rows) <= _FEW:
        return OneByOne(rows)
    middle = len(rows) // 2
    return Halved(rows[middle], _halved(rows[:middle]), _halved(rows[middle + 1 :]))
