"""Signals that are no messages, in the queue of a process that has not come to handle them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.harness.erl import running_node
from tests.harness.gdb import Gdb

#: One scheduler runs this from the signals on to the native function, so the process that they are for does not run.
SENDS = """
    register(target, spawn(fun() -> receive never -> ok end end)),
    Send = fun Send() ->
        Target = whereis(target),
        Ref = erlang:monitor(process, Target), exit(Target, normal), Target ! hello, exit(Target, normal),
        stages:c_function(x),
        erlang:demonitor(Ref, [flush]),
        receive after 10 -> Send() end
    end,
    spawn(Send)
"""


def test_kinds(ebin: Path) -> None:
    with running_node(ebin, " ".join(SENDS.split()), "+S", "1:1") as node, Gdb() as gdb:
        gdb.attach(node.pid)
        gdb.cmd("set breakpoint pending on")
        gdb.cmd("tbreak -function stage_reached")
        assert gdb.go("continue").reason == "breakpoint-hit"
        shown = json.loads(gdb.cmd("beam-process -json target"))
        assert shown["signals"] == ["2 exit", "1 monitor"]
        text = gdb.cmd("beam-process target")
        assert "  signals:      2 exit, 1 monitor\n" in text
