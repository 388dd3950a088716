"""The last exceptions of processes, by those of raising.erl, of which the node has told what Erlang sees of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.matrix.conftest import Scene
from tests.views.listed import table

pytestmark = pytest.mark.no_frames


def said(scene: Scene) -> dict[str, dict[str, list[str]]]:
    """What the node has said, by pid."""
    found: dict[str, dict[str, list[str]]] = {}
    for pid, key, value in re.findall(r"^raised (<\S+>) (\w+) (.*?)\r?$", scene.said, re.M):
        found.setdefault(pid, {}).setdefault(key, []).append(value)
    return found


def functions(row: dict[str, Any]) -> list[str]:
    """Those of the module in the stack of a row, but for the outermost: it differs."""
    names = [one.partition(" at ")[0] for one in (row["stack"] or "").split(" < ")]
    return [name for name in names if name.startswith("raising:") and not re.match("raising:(keep|stay)/", name)]


def test_what_the_node_says_of_each(scene: Scene) -> None:
    rows = {row["pid"]: row for row in json.loads(scene.gdb.cmd("beam-exceptions -json"))}
    expected = said(scene)
    assert len(expected) == 18
    for pid, facts in expected.items():
        row, kind = rows[pid], facts["kind"][0]
        assert [row["state"], row["class"]] == [facts["state"][0], facts["class"][0]], facts
        if row["state"] == "over":
            assert (row["reason"], row["stack"]) == (None, None)
            continue
        # (Of values that are not kept it is said that they are not.)
        known = {"badarith": "badarith", "function_clause": "function_clause", "badmatch": "{badmatch,_}"}
        assert row["reason"] == known.get(kind)
        assert functions(row) == facts["function"], facts
        assert row["arguments"] == facts.get("arguments", [None])[0]
        assert re.search(r"(^| < )raising:once/2 at (\S*/)?raising\.erl:54( < |$)", row["stack"]), row["stack"]
        assert (row["held"] is not None) is (row["state"] == "handled")
        if row["state"] == "handled":
            number = re.fullmatch(r"y\d+ of frame (\d+), raising:once/2", row["held"])
            assert number
            assert re.search(rf"^#{number[1]} .* in raising:once/2", scene.gdb.cmd(f"beam-bt {pid}"), re.M)


def test_those_without_one(scene: Scene) -> None:
    """A process that has done nothing but wait is not listed."""
    idle = re.search(r"^process (<\S+>) kind idle", scene.said, re.M)
    assert idle
    assert idle[1] not in scene.gdb.cmd("beam-exceptions")
    assert scene.gdb.cmd(f"beam-exceptions {idle[1]}").splitlines()[-1] == "(none)"


def test_a_guard_that_has_failed(scene: Scene) -> None:
    """It leaves the kind of what has failed behind, and is no exception."""
    guarded = re.findall(r"^guarded (<\S+>) (\w+) false\r?$", scene.said, re.M)
    assert {failing for _, failing in guarded} == {"arithmetic", "key"}
    listed = {row["pid"] for row in json.loads(scene.gdb.cmd("beam-exceptions -json"))}
    assert not listed & {pid for pid, _ in guarded}


def test_text(scene: Scene) -> None:
    pids = [pid for pid, facts in said(scene).items() if facts["state"] == ["handled"]]
    text = scene.on_a_terminal(f"beam-exceptions {pids[0]}")
    assert max(map(len, text.splitlines())) < 80
    (row,) = table(text)
    assert (row["PID"], row["STATE"], row["CLASS"], row["REASON"]) == (pids[0], "handled", "error", "badarith")
    # Those of which most is known come first.
    states = [row["STATE"] for row in table(scene.on_a_terminal("beam-exceptions -where called~raising"))]
    assert states == [*["handled"] * 6, *["caught"] * 6, *["over"] * 6]
