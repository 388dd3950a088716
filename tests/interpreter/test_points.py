"""Where points of `process_main` have the instruction and the stack pointer, from real handlers."""

from __future__ import annotations

import pytest

from beamgdb.interpreter.points import CURRENT, Finder, Points
from beamgdb.interpreter.symbolic import arm32
from tests.code.module_image import layout_of
from tests.interpreter.handlers import BY_RELEASE, ROLES, START, follower, listed

CALLS_NIF = {25: 0x4688, 27: 0x5CDE}
"""Where `call_nif` goes on after the call of the native function (`blx`)."""


@pytest.fixture(params=BY_RELEASE)
def release(request: pytest.FixtureRequest) -> int:
    assert isinstance(request.param, int)
    return request.param


@pytest.fixture
def points(release: int) -> Points:
    handlers = BY_RELEASE[release]
    finder = Finder(ROLES[release], layout_of(release), arm32.Arm32.ARGUMENTS)
    return finder.find(listed(handlers), follower(handlers), START)


def test_each_handler_begins_with_the_state_in_its_place(release: int, points: Points) -> None:
    for offset, _ in BY_RELEASE[release].values():
        assert points[offset, False].instructions == (("r4", 0),)
        assert points[offset, False].stack == ROLES[release].stack


def test_a_handler_that_has_moved_on(release: int, points: Points) -> None:
    """The last instruction of `move_nx`, a jump to the next handler: I is two words further."""
    offset, code = BY_RELEASE[release]["move_nx"]
    assert points[offset + len(code) // 2 - 2, False].instructions == (("r4", 8),)


def test_while_a_nif_runs_the_process_has_noted_it(release: int, points: Points) -> None:
    """The register of I holds the environment then; `Process.current` points to the three words before the function's
    first instruction. The stack pointer is in `Process.stop`, for the native function may move the stack."""
    point = points[CALLS_NIF[release], True]
    assert point.instructions == ((CURRENT, -12),)
    assert point.stack is None


def test_a_register_that_a_callee_may_change_is_no_place(release: int, points: Points) -> None:
    for (_, calling), point in points.items():
        if calling:
            assert not {place for place, _ in point.instructions} & set(arm32.Arm32.ARGUMENTS)


def test_another_handlers_beginning_is_not_reached_with_a_state_of_this_one(release: int) -> None:
    """Two handlers, the first of which goes straight on to the second, with I a word further."""
    handlers = {"i_recv_set": (0x100, "0434"), "i_loop_rec_f": (0x102, "a046")}  # adds r4, #4; mov r8, r4
    code = {"both": (0x100, "0434a046")}
    finder = Finder(ROLES[release], layout_of(release), arm32.Arm32.ARGUMENTS)
    found = finder.find(listed(handlers), follower(code), START)
    assert found[0x102, False].instructions == (("r4", 0),)
