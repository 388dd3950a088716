"""What `beam-top` shows of a node that stands still; of one that goes on, test_breakpoints.py tells."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.harness.gdb import Gdb
from tests.matrix.conftest import Scene
from tests.matrix.test_processes import listed
from tests.matrix.test_waits import json_of

pytestmark = pytest.mark.no_frames


def top(gdb: Gdb, arguments: str = "") -> list[dict[str, Any]]:
    """What it lists."""
    rows: list[dict[str, Any]] = json.loads(json_of(gdb.cmd(f"beam-top -json {arguments}")))
    return rows


def test_before_it_has_run(scene: Scene) -> None:
    """The first time, and on a core always, it is what each has run in all."""
    shown, rows = top(scene.gdb), listed(scene)
    assert {row["ran"] for row in shown} == {None}
    assert [row["reductions"] for row in shown] == sorted((row["reductions"] for row in rows.values()), reverse=True)
    assert {row["pid"]: row["reductions"] for row in shown} == {pid: row["reductions"] for pid, row in rows.items()}
    lines = scene.on_a_terminal("beam-top").splitlines()
    assert max(map(len, lines)) <= 80
    more = f"({len(rows) - 20} more processes: -limit 20)"
    assert re.match(r"\(RAN, .* is there from the second beam-top on", " ".join(lines[lines.index(more) + 1 :]))
