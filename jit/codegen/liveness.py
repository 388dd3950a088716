"""Which x registers hold values that are still wanted before each operation of a function, and which y none yet."""

from __future__ import annotations

from collections.abc import Sequence

from jit.beam.effects import Effects
from jit.beam.operands import X, Y
from jit.beam.operations import Operation

#: Where control goes there is an exception, which leaves no x register as it was.
_HANDLED = ("try", "catch")


def live_before(operations: Sequence[Operation], told: Sequence[Effects]) -> list[int]:
    """For each operation a bit mask of the x registers that it or a later one reads before they are written.

    *told* are the effects of the operations. The collector reads what an operation says that there is (``LIVE``).
    """
    places = {operation.operands[0]: at for at, operation in enumerate(operations) if operation.name == "label"}
    live = [0] * (len(operations) + 1)
    changed = True
    while changed:  # loops in a function are rare: mostly twice
        changed = False
        for at in range(len(operations) - 1, -1, -1):
            effect = told[at]
            after = live[at + 1] if effect.falls_through else 0
            elsewhere = 0
            if operations[at].name not in _HANDLED:
                for label in effect.labels:
                    elsewhere |= live[places[label]] if label in places else 0
            before = _before(effect, after, elsewhere)
            if before != live[at]:
                live[at], changed = before, True
    return live[:-1]


def _before(effect: Effects, after: int, elsewhere: int) -> int:
    """*after*: what is live at the next operation; *elsewhere*: at labels, where nothing has been written."""
    before = after & ~mask(effect.defines)
    if effect.live is not None:
        before = (1 << effect.live) - 1
    if effect.live_at_labels is not None:
        elsewhere &= (1 << effect.live_at_labels) - 1
    return before | elsewhere | mask(effect.uses)


def unwritten_before(operations: Sequence[Operation], told: Sequence[Effects]) -> list[int]:
    """For each operation a bit mask of the y registers that may hold anything, as nothing has been written there yet.

    The compiler initialises them before operations that may collect garbage or raise (beam_ssa_codegen.erl,
    need_y_init), so there are none where exceptions are caught.
    """
    places = {operation.operands[0]: at for at, operation in enumerate(operations) if operation.name == "label"}
    unwritten = [0] * (len(operations) + 1)
    changed = any(effect.frame > 0 for effect in told)  # before there is a frame nothing is unwritten
    while changed:
        changed = False
        for at, (operation, effect) in enumerate(zip(operations, told)):
            before = unwritten[at]
            if not before and effect.frame <= 0:
                continue
            if effect.falls_through:
                after = _unwritten_after(before, effect)
                if after & ~unwritten[at + 1]:
                    unwritten[at + 1] |= after
                    changed = True
            if operation.name not in _HANDLED:
                for label in effect.labels:
                    if label in places and before & ~unwritten[places[label]]:
                        unwritten[places[label]] |= before
                        changed = True
    return unwritten[:-1]


def _unwritten_after(before: int, effect: Effects) -> int:
    if effect.frame:
        return (1 << effect.frame) - 1 if effect.frame > 0 else 0
    written = sum(1 << one.number for one in set(effect.defines) if isinstance(one, Y))
    return (before & ~written) >> effect.trim


def mask(registers: Sequence[object]) -> int:
    """A bit for each x register."""
    bits = 0
    for register in registers:
        if isinstance(register, X):
            bits |= 1 << register.number
    return bits
