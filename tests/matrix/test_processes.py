"""The list of processes, compared with what the node says of each of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.harness.gdb import one_line_error
from tests.matrix.conftest import Scene
from tests.views.listed import table

#: What process_info/2 calls it, and the column.
COLUMNS = {
    "registered_name": "name", "status": "status", "message_queue_len": "queue", "current_function": "current",
    "initial_call": "spawned", "parent": "parent",
}  # fmt: skip


def said(scene: Scene) -> dict[str, dict[str, str]]:
    """What the node has said, by pid."""
    found: dict[str, dict[str, str]] = {}
    for pid, key, value in re.findall(r"^process (<\S+>) (\w+) (.*?)\r?$", scene.said, re.M):
        found.setdefault(pid, {})[key] = value
    return found


def listed(scene: Scene, arguments: str = "") -> dict[str, dict[str, Any]]:
    """What is listed, by pid."""
    return {row["pid"]: row for row in json.loads(scene.gdb.cmd(f"beam-ps -json {arguments}"))}


def test_what_the_node_says_of_each(scene: Scene) -> None:
    rows, expected = listed(scene), said(scene)
    assert len(expected) == 11
    assert len(rows) >= int(scene.facts["processes"])
    for pid, facts in expected.items():
        row = rows[pid]
        for key, column in COLUMNS.items():
            if key in facts:
                # A process without a name has an empty list for one.
                value = None if facts[key] == "[]" else facts[key]
                assert (str(row[column]) if row[column] is not None else None) == value, (facts, column)


def test_reductions(scene: Scene) -> None:
    """To answer takes some more."""
    rows = listed(scene)
    answered = {pid: int(facts["reductions"]) for pid, facts in said(scene).items() if "reductions" in facts}
    assert answered
    assert all(0 <= rows[pid]["reductions"] - reductions < 50 for pid, reductions in answered.items())


def test_memory(scene: Scene) -> None:
    """A structure and the heaps. (Messages are in what the node says, where they are on the heap.)"""
    rows, word = listed(scene), 4 if scene.target.arch == "armhf" else 8
    left = {
        rows[pid]["memory"] - word * int(facts["total_heap_size"])
        for pid, facts in said(scene).items()
        if facts.get("message_queue_len") == "0"
    }
    assert len(left) == 1
    assert 300 < left.pop() < 1000


def test_those_that_are_wanted(scene: Scene) -> None:
    rows, expected = listed(scene), said(scene)
    full = {pid for pid, facts in expected.items() if int(facts["message_queue_len"]) >= 5}
    assert set(listed(scene, "-where queue>=5")) & set(expected) == full
    assert set(listed(scene, "-where name~population -where queue>=5")) == set()
    (named,) = listed(scene, "-where \"name='a name'\"")
    assert rows[named]["name"] == "'a name'"
    assert list(listed(scene, "-sort queue -limit 1")) == [max(rows, key=lambda pid: rows[pid]["queue"])]
    first = list(listed(scene, "-sort memory -reverse"))
    assert [rows[pid]["memory"] for pid in first] == sorted(row["memory"] for row in rows.values())


def test_the_text(scene: Scene) -> None:
    text = scene.gdb.cmd("beam-ps")
    assert max(map(len, text.splitlines())) < 80
    shown = table(text)
    rows = listed(scene)
    assert [(row["PID"], int(row["MEMORY"]), int(row["QUEUE"]), row["STATUS"]) for row in shown] == [
        (pid, row["memory"], row["queue"], row["status"]) for pid, row in rows.items()
    ]
    assert scene.gdb.cmd("beam-ps -limit 1").splitlines()[-1] == f"({len(rows) - 1} more processes: -limit 1)"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("-sort size", "'size' is no column: there are pid, "),
        ("-where queue", "'queue' is no condition such as queue>1000"),
        ("-where queue=many", "'queue=many': queue is a number"),
        ("-where size>1", "'size' is no column"),
        ("-limit x", "argument -limit: 'x' is no number of lines"),
        ("x", "unrecognized arguments: x"),
    ],
)
def test_what_cannot_be_listed(scene: Scene, arguments: str, said: str) -> None:
    assert one_line_error(scene.gdb, f"beam-ps {arguments}").startswith(f"beam-ps: {said}")
