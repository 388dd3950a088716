"""Calls in flight between the servers of waiting.erl."""

from __future__ import annotations

import json
import re

import pytest

from tests.matrix.conftest import Scene

pytestmark = pytest.mark.no_frames


def test_calls_and_deadlocks(scene: Scene) -> None:
    pids = dict(re.findall(r"^waiting (\w+) (<[\d.]+>)", scene.said, re.M))
    assert len(pids) == 5
    rows = {row["called"]: row for row in json.loads(json_of(scene.gdb.cmd("beam-waits -json")))}
    assert {name: rows[name]["for_called"] for name in pids if name in rows} == {
        "w_a": "w_b", "w_b": "w_a", "w_c": "w_a", "w_d": "w_a",
    }  # fmt: skip
    for name in ("w_a", "w_b", "w_c", "w_d"):
        row = rows[name]
        assert (row["pid"], row["for"]) == (pids[name], pids[row["for_called"]])
        assert row["for_status"] == "waiting"
    assert rows["w_c"]["for_queue"] == 3
    text = scene.on_a_terminal("beam-waits")
    circle = re.findall(r"^Deadlock: (<\S+>) waits for (<\S+>) waits for (<\S+>)$", text, re.M)
    assert [(set(found), found[0] == found[2]) for found in circle] == [({pids["w_a"], pids["w_b"]}, True)]
    assert max(map(len, text.splitlines())) < 80


def json_of(text: str) -> str:
    """Without the notes that follow."""
    return text[: text.rindex("]") + 1]
