"""The built-in table against a running stock node: every process is where the table says, and makes sense."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.harness import erl, gdb

HERE = Path(__file__).parent
NODE = "Pid = spawn(fun() -> put(a, b), receive stop -> ok end end), register(marked, Pid), Pid ! one, Pid ! two"


def test_processes_schedulers_and_node(start_node: Callable[..., erl.Node]) -> None:
    node = start_node(NODE)
    root = str(gdb.REPOSITORY)
    script = f"python import sys; sys.path.insert(0, {root!r})"
    said = gdb.batch("-p", str(node.pid), "-ex", script, "-x", str(HERE / "walk_node.py"))
    found = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    processes = found["processes"]
    assert len(processes) == found["count"] > 10
    for process in processes:
        assert process["id"] & 0xF == 3, "erl_term.h: the tag of an internal pid"
        assert process["heap"] <= process["htop"] <= process["stop"] <= process["hend"]
        assert process["hend"] - process["heap"] == 8 * process["heap_sz"]
        assert process["old_heap"] <= process["old_htop"] <= process["old_hend"]
        assert process["max_arg_reg"] >= 6
        assert process["registered_owner"] in (0, process["address"])
    by_name = {process["name"]: process for process in processes}
    assert by_name["init"]["initial"] == ["erl_init", "start", 2]
    assert by_name["kernel_sup"]["initial"] == ["proc_lib", "init_p", 5]
    marked = by_name["marked"]
    assert marked["initial"] == ["erlang", "apply", 2]
    assert (marked["dictionary_size"], marked["messages"]) == (1, 2)
    assert [s["no"] for s in found["schedulers"]] == [1, 2]
    assert all(s["run_queue_owner"] == s["address"] for s in found["schedulers"])
    assert found["node"] == "nonode@nohost"
    assert {"ac_tab", "logger"} <= set(found["tables"])
