"""Calls in flight between the servers of waiting.erl, and of stuck.erl."""

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
    sentences = scene.gdb.cmd("beam-waits").splitlines()
    circles = [re.findall(r"<\S+>", line) for line in sentences if line.startswith("Deadlock: ")]
    assert all(circle[0] == circle[-1] for circle in circles)
    stuck = re.findall(r"^stuck (\w+) (<[\d.]+>)$", scene.said, re.M)
    kinds = ({pid for kind, pid in stuck if kind == which} for which in ("multi_call", "statem", "init"))
    expected = [{pids["w_a"], pids["w_b"]}, *kinds]
    # (A gen_statem of OTP 25 has another process ask for it.)
    assert sorted(sorted({*circle} & set.union(*expected)) for circle in circles) == sorted(map(sorted, expected))
    assert max(map(len, scene.on_a_terminal("beam-waits").splitlines())) < 80


def json_of(text: str) -> str:
    """Without the notes that follow."""
    return text[: text.rindex("]") + 1]
