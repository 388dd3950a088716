"""What becomes of values that x registers have, and which of them must be in memory."""

from __future__ import annotations

from jit.beam.effects import effects
from jit.beam.operands import BeamLabel, Integer, X, Y
from jit.beam.operations import Operation, operation
from jit.codegen.cache import Cache, Fate, Keeps
from jit.codegen.liveness import live_before
from jit.erts.arm32.conventions import CACHE


def fate(*body: Operation, keeps: Keeps = Keeps.ALL, x: int = 1) -> Fate:
    """Of the value that an x register has before the first operation, all of which keep the same."""
    told = [effects(one) for one in body]
    return Cache(CACHE, body, told, live_before(body, told), [keeps] * len(body)).fate(x, 0)


READ = operation("move", X(1), X(0))
RETURN = operation("return")


def test_one_that_is_read_in_straight_code_needs_no_memory() -> None:
    assert fate(READ, RETURN) == Fate(read=True, needs_memory=False)
    assert fate(operation("move", Integer(7), Y(0)), READ, RETURN) == Fate(read=True, needs_memory=False)


def test_one_that_is_never_read_is_of_no_use() -> None:
    assert fate(operation("move", Integer(7), X(1)), READ, RETURN) == Fate(read=False, needs_memory=False)
    assert fate(operation("move", Integer(7), X(0)), RETURN) == Fate(read=False, needs_memory=False)


def test_where_control_may_go_elsewhere_it_is_looked_for_in_memory() -> None:
    elsewhere = [operation("label", 7), READ, RETURN]
    assert fate(operation("is_nil", BeamLabel(7), X(0)), READ, RETURN, *elsewhere) == Fate(read=True, needs_memory=True)
    not_wanted = [operation("label", 7), RETURN]
    assert fate(operation("is_nil", BeamLabel(7), X(0)), READ, RETURN, *not_wanted) == Fate(
        read=True, needs_memory=False
    )


def test_operations_that_look_at_memory_find_it_there() -> None:
    assert fate(READ, RETURN, keeps=Keeps.COPIES) == Fate(read=True, needs_memory=True)
    unread = operation("move", Integer(7), Y(0))
    assert fate(unread, READ, RETURN, keeps=Keeps.NOTHING) == Fate(read=False, needs_memory=True)


def test_one_that_is_wanted_too_far_ahead_is_in_memory() -> None:
    others = [operation("move", Integer(number), Y(0)) for number in range(100)]
    assert fate(*others, READ, RETURN) == Fate(read=False, needs_memory=True)
    assert fate(READ, *others, READ, RETURN) == Fate(read=True, needs_memory=True)


def test_a_jump_leaves_the_straight_code() -> None:
    jump = [operation("jump", BeamLabel(7)), operation("label", 7), READ, RETURN]
    assert fate(*jump) == Fate(read=False, needs_memory=True)
