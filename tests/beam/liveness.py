"""Which registers are live before each operation of a function, by what ``effects`` says of the operations."""

from __future__ import annotations

from collections.abc import Iterable

from jit.beam.effects import effects
from jit.beam.operands import BeamRegister, X, Y
from jit.beam.operations import Function, Operation

Live = frozenset[BeamRegister]

#: What the VM tells a handler of an exception in x registers.
_TOLD_TO_HANDLER = frozenset(map(X, range(4)))


class Liveness:
    """``before[i]`` are the registers live before operation i; there is one more entry, for the end."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.operations = function.operations
        self.effects = [effects(operation) for operation in function.operations]
        self.index = {op.operands[0]: i for i, op in enumerate(self.operations) if op.name == "label"}
        self.before: list[Live] = [frozenset()] * (len(self.operations) + 1)
        changed = True
        while changed:
            changed = False
            for i in reversed(range(len(self.operations))):
                live = self._before(i)
                if live != self.before[i]:
                    self.before[i] = live
                    changed = True

    def at(self, label: int) -> Live:
        return self.before[self.index[label]]

    def _before(self, i: int) -> Live:
        effect, operation = self.effects[i], self.operations[i]
        live = frozenset(effect.uses)
        if effect.falls_through:
            after = _with_values(self.before[i + 1], effect.live) - frozenset(effect.defines)
            after = frozenset(Y(r.number + effect.trim) if isinstance(r, Y) else r for r in after)
            live |= frozenset(r for r in after if not (effect.frame > 0 and isinstance(r, Y)))
        for label in effect.labels:
            there = _with_values(self.at(label), effect.live_at_labels)
            live |= there - _TOLD_TO_HANDLER - frozenset(effect.defines) if _handles(operation) else there
        return live

    def lost(self, i: int) -> Live:
        """Registers that are live after operation i, but have no value there."""
        effect, operation = self.effects[i], self.operations[i]
        lost: Live = frozenset()
        if effect.falls_through:
            after = self.before[i + 1] - frozenset(effect.defines)
            lost |= after - _with_values(after, effect.live)
            if effect.frame and operation.name not in ("allocate_zero", "allocate_heap_zero"):
                lost |= _of(Y, after)
        for label in effect.labels:
            # wait_timeout reads its time only when it is executed first.
            if not (operation.name == "wait_timeout" and self.operations[self.index[label] + 1] is operation):
                lost |= self.at(label) - _with_values(self.at(label), effect.live_at_labels)
            if _handles(operation):
                lost |= _of(X, self.at(label)) - _TOLD_TO_HANDLER
        return lost

    def idle(self, i: int) -> Live:
        """Registers that operation i writes and nobody reads."""
        return frozenset(self.effects[i].defines) - self.before[i + 1]


def _handles(operation: Operation) -> bool:
    return operation.name in ("try", "catch")


def _of(kind: type[X] | type[Y], live: Iterable[BeamRegister]) -> Live:
    return frozenset(register for register in live if isinstance(register, kind))


def _with_values(live: Live, first_lost: int | None) -> Live:
    """The registers of *live* that keep their values where x registers from *first_lost* on lose theirs."""
    if first_lost is None:
        return live
    return frozenset(register for register in live if not (isinstance(register, X) and register.number >= first_lost))
