"""Which BEAM registers hold a value before each operation of a function, and which still hold an argument.

A register holds a value from the operation that writes it up to one that loses it (a call, or a garbage collection that
is not told of the register), whether it is still wanted or not: this is what a debugger can show. Where control comes
from several places, a register has a value only if it has one on every way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jit.beam.effects import Effects
from jit.beam.operands import MAX_REGISTER, BeamRegister, X, Y, register_of
from jit.beam.operations import Function, Operation

#: Registers are bits of a mask: x registers from bit 0 on, y registers from this one on. There are 1024 x registers.
Y_BIT: Final = MAX_REGISTER + 1
X_MASK: Final = (1 << Y_BIT) - 1
#: What a handler of exceptions finds in x registers.
_EXCEPTION: Final = 0b1111
_HANDLED: Final = ("try", "catch")
#: Operations that may have written some of their results when they fail.
_WRITE_AS_THEY_GO: Final = ("get_map_elements", "bs_match")


@dataclass(frozen=True, slots=True)
class Values:
    """``known`` registers hold values; for each argument of the function, the registers that hold it."""

    known: int
    arguments: tuple[int, ...]

    def __and__(self, other: Values) -> Values:
        """What is known on both of two ways."""
        return Values(self.known & other.known, tuple(one & two for one, two in zip(self.arguments, other.arguments)))


@dataclass(frozen=True, slots=True)
class InMemory:
    """Masks of x registers before each operation: those that are live, and those of them that are in memory."""

    live: Sequence[int]
    stored: Sequence[int]

    def seen(self, at: int, values: Values) -> Values:
        """Without registers that are live but elsewhere: when they are dead, nobody stores them any more."""
        return Values(values.known & ~(self.live[at] & ~self.stored[at]), values.arguments)

    def written(self, at: int) -> int:
        """Which registers an operation writes to any purpose: the others may not be in memory."""
        return ~X_MASK | (self.live[at + 1] if at + 1 < len(self.live) else 0)


def bit(register: BeamRegister | None) -> int:
    """The mask of an x or y register; 0 for anything else."""
    if isinstance(register, X):
        return 1 << register.number
    return 1 << (Y_BIT + register.number) if isinstance(register, Y) else 0


def mask(registers: Sequence[BeamRegister]) -> int:
    """The mask of registers."""
    total = 0
    for register in registers:
        total |= bit(register)
    return total


def values_before(
    function: Function, operations: Sequence[Operation], effect: Sequence[Effects], in_memory: InMemory
) -> list[Values | None]:
    """What is known before each operation; None for those that control never comes to.

    Of x registers that are not live, those are known whose value is in memory.
    """
    return _Analysis(function, operations, effect, in_memory).run()


class _Analysis:
    def __init__(
        self, function: Function, operations: Sequence[Operation], effect: Sequence[Effects], in_memory: InMemory
    ) -> None:
        self.operations = operations
        self.in_memory = in_memory
        self.effects = effect
        self.before: list[Values | None] = [None] * (len(operations) + 1)
        self.places = {one.operands[0]: at for at, one in enumerate(operations) if one.name == "label"}
        self.entry = self.places[function.entry]
        known = (1 << function.arity) - 1
        self.before[self.entry] = Values(known, tuple(1 << number for number in range(function.arity)))
        self.constant = _written_once(effect)

    def run(self) -> list[Values | None]:
        """Follow all ways until nothing more is learnt: mostly that takes one pass, and another one after a loop."""
        again = True
        while again:
            again = False
            for at in (*range(self.entry, len(self.operations)), *range(self.entry)):
                again = self._follow(at) or again
        return self.before[:-1]

    def _follow(self, at: int) -> bool:
        """Tell the operations that come after one; whether one that has been told its own already learns anything."""
        if (values := self.before[at]) is None:
            return False
        values = self.before[at] = self.in_memory.seen(at, values)
        operation, effect = self.operations[at], self.effects[at]
        after = _after(operation, effect, values, self.in_memory.written(at))
        again = self._come(at + 1, after, at) if effect.falls_through else False
        for label in effect.labels:
            if label in self.places:
                there = self._caught(after) if operation.name in _HANDLED else _failed(operation, effect, values)
                again = self._come(self.places[label], there, at) or again
        return again

    def _come(self, place: int, values: Values, origin: int) -> bool:
        old = self.before[place]
        new = values if old is None else old & values
        if new == old:
            return False
        self.before[place] = new
        return self._order(place) <= self._order(origin)

    def _order(self, at: int) -> int:
        """When an operation has its turn in a pass: those from the entry on are first."""
        return (at - self.entry) % len(self.before)

    def _caught(self, after: Values) -> Values:
        """At a handler: an operation between may have written other values into y registers."""
        arguments = tuple(one & self.constant for one in after.arguments)
        return Values(after.known & ~X_MASK | _EXCEPTION, arguments)


def _written_once(effect: Sequence[Effects]) -> int:
    """The y registers that one operation writes, and none renames."""
    if any(one.trim for one in effect):
        return 0
    count = Counter(register for one in effect for register in set(one.defines) if isinstance(register, Y))
    return mask([register for register, times in count.items() if times == 1])


def _after(operation: Operation, effect: Effects, before: Values, wanted: int) -> Values:
    """What is known when control goes on behind an operation, of whose results those in *wanted* are in memory."""
    kept = ~lost(effect.live)
    written = mask(effect.defines)
    known = before.known & kept & ~written | written & wanted
    arguments = [one & kept & ~written for one in before.arguments]
    if operation.name == "move":
        source, target = (bit(register_of(operand)) for operand in operation.operands)
        arguments = [new | target if old & source else new for new, old in zip(arguments, before.arguments)]
    elif operation.name == "swap":
        one, other = (bit(register_of(operand)) for operand in operation.operands)
        arguments = [_swapped(old, one, other) for old in before.arguments]
    if effect.frame:
        known, arguments = known & X_MASK, [one & X_MASK for one in arguments]
    elif effect.trim:
        known, arguments = _trimmed(known, effect.trim), [_trimmed(one, effect.trim) for one in arguments]
    return Values(known, tuple(arguments))


def _failed(operation: Operation, effect: Effects, before: Values) -> Values:
    """What is known at a label that an operation goes to."""
    kept = ~lost(effect.live_at_labels)
    if operation.name in _WRITE_AS_THEY_GO:
        kept &= ~mask(effect.defines)
    return Values(before.known & kept, tuple(one & kept for one in before.arguments))


def lost(live: int | None) -> int:
    """The x registers that have no value behind an operation that leaves so many: see ``Effects.live``."""
    return 0 if live is None else X_MASK & ~((1 << live) - 1)


def _swapped(registers: int, one: int, other: int) -> int:
    rest = registers & ~(one | other)
    return rest | (other if registers & one else 0) | (one if registers & other else 0)


def _trimmed(registers: int, count: int) -> int:
    return registers & X_MASK | registers >> (Y_BIT + count) << Y_BIT
