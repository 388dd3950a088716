"""Last exceptions, in states that no program reaches on demand."""

from __future__ import annotations

import pytest

from beamgdb.vm.exceptions import Exceptions
from jit.otp.tags import NIL
from jit.otp.vm_flags import ERTS_PSFLG
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
