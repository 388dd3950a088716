"""Last exceptions, in states that no program reaches on demand."""

from __future__ import annotations

import pytest

from beamgdb.terms.source import Limits
from beamgdb.views.exceptions import ExceptionColumns
from beamgdb.views.terms import Terms
from beamgdb.vm import exceptions
from beamgdb.vm.exceptions import Exceptions
from jit.otp.tags import ARITY_SHIFT, BOXED, NIL, TUPLE_HEADER
from jit.otp.vm_flags import ERTS_PSFLG
from tests.views.test_rows import Unseen
from tests.vm.image import Image
from tests.vm.test_processes import process_table

BADKEY = 19 << 10 | 0x50
"""`EXC_BADKEY`: its number, `EXF_LOG` and `EXF_SAVETRACE`."""

ERROR, HANDLED_ERROR = 0x50, 0x10
"""`EXC_ERROR`, and what `PRIMARY_EXCEPTION` leaves of it."""

RUNNING = ERTS_PSFLG["RUNNING"]


@pytest.mark.parametrize(
    ("freason", "state", "found"),
    [
        # What no handler has seen yet is raised now, if it runs; or a guard has failed, now or long ago.
        (BADKEY, 0, []),
        (BADKEY, RUNNING, [("unclear", "badkey", "error", None)]),
        # No guard fails by `error/1`.
        (ERROR, RUNNING, [("raised", "", "error", NIL)]),
        (HANDLED_ERROR, 0, [("over", None, "error", None)]),
    ],
)
def test_what_a_reason_without_a_trace_tells(
    freason: int, state: int, found: list[tuple[str, str | None, str, int | None]]
) -> None:
    image = Image()
    fields = {"freason": freason, "fvalue": NIL, "ftrace": NIL, "state": state}
    image.symbols["erts_proc"] = process_table(image, {5: 0}, fields).address
    exceptions = Exceptions(image.node(), lambda process: iter(()))
    assert [(one.state, one.kind, one.class_, one.value) for one in exceptions] == found
    assert not exceptions.damaged


@pytest.mark.parametrize(("bound", "begins_with"), [("MAX_TUPLES", NIL), ("MAX_TRIES", None)])
def test_more_tuples_than_are_searched(bound: str, begins_with: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said of whom, whatever the tuples begin with."""
    monkeypatch.setattr(exceptions, bound, 7)
    for number, notes in ((7, []), (8, ["(<0.5.0>: so many tuples that the oldest were not searched for a trace)"])):
        image = Image()
        heap = image.block(4 * 8 * number)
        first = heap | BOXED if begins_with is None else begins_with
        image.poke(heap, *[3 << ARITY_SHIFT | TUPLE_HEADER, first, NIL, NIL] * number)
        fields = {
            "freason": HANDLED_ERROR, "fvalue": NIL, "ftrace": NIL, "heap": heap, "htop": heap + 4 * 8 * number,
            "stop": heap + 4 * 8 * number, "hend": heap + 4 * 8 * number,
        }  # fmt: skip
        image.symbols["erts_proc"] = process_table(image, {5: 0}, fields).address
        node = image.node()
        shown = ExceptionColumns(node, Unseen(node), Terms(node, Limits()), None, lambda: None)
        assert [one.state for one in shown.items()] == ["over"]
        assert list(shown.notes()) == notes
