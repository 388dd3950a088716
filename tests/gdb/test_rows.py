"""What commands show, asked for by a script: rows that JSON can have."""

from __future__ import annotations

import json

from tests.gdb.conftest import Looking
from tests.gdb.stages import read_backtrace

SCRIPT = (
    "python import json; from dataclasses import asdict; "
    "from beamgdb.gdbext import session, term_printing; from beamgdb.gdbext.running import Running; "
    "from beamgdb.views import stack; "
    "node = session.require().node; threads = Running(node); terms = term_printing.terms(node); "
    "print(json.dumps([asdict(row) for row in stack.rows(node, threads.selected(), threads, terms)]))"
)


def test_the_rows_of_a_stack(looking: Looking) -> None:
    process, *frames = json.loads(looking.gdb.cmd(SCRIPT))
    shown = read_backtrace(looking.gdb.cmd("beam-bt"))
    assert f"P{process['description'][1:]}: running on thread {process['thread']['number']}" in shown.heading
    assert [frame["function"] for frame in frames] == shown.names()
    variables = {one["name"]: one["text"] for one in frames[0]["variables"]}
    assert variables == shown.functions[0].registers
