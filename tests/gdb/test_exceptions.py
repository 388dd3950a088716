"""Processes in the midst of an exception that nobody catches, from when it is raised until they exit: see `dies/2` of
raising.erl."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE
from tests.harness.targets import Target, session


class Raised(NamedTuple):
    """How the VM keeps an exception when it is raised, its reason while a handler is looked for, with which reason the
    process exits, and what has failed, with its arguments."""

    state: str
    class_: str
    reason: str
    handled: str | None
    exits: str
    function: str = "raising:fail/2"
    arguments: str | None = None


#: By the kind of what fails. Of the VM's own the kind is noted first, which a guard that fails leaves behind too.
KINDS = {
    "badmatch": Raised("unclear", "error", "{badmatch,_}", "{badmatch,_}", "{badmatch,{an,argument}}"),
    "function_clause": Raised(
        "unclear", "error", "function_clause", "function_clause", "function_clause", "raising:only_lists/2",
        "[{an,argument},2]",
    ),
    "own": Raised("raised", "error", "{an,argument}", None, "{an,argument}"),
    "throw": Raised("raised", "throw", "{an,argument}", None, "{nocatch,{an,argument}}"),
}  # fmt: skip


def stop_at(gdb: Gdb, function: str) -> dict[str, Any]:
    """Go on to a function of the VM; what is told of the process that the thread runs, by itself and among all."""
    gdb.cmd(f"tbreak -function {function}")
    stop = gdb.go("continue", timeout=PATIENCE)
    assert stop.reason == "breakpoint-hit", stop
    pid = re.search(r"^Process (<\S+?>)", gdb.cmd("beam-bt"), re.M)
    assert pid
    (row,) = json.JSONDecoder().raw_decode(gdb.cmd(f"beam-exceptions -json {pid[1]}"))[0]
    assert row in json.JSONDecoder().raw_decode(gdb.cmd("beam-exceptions -json"))[0]
    assert row["pid"] == pid[1]
    return {name: row[name] for name in ("state", "class", "reason", "in", "arguments")}


def test_what_nobody_catches(tmp_path: Path) -> None:
    target = Target("amd64", 27)
    kinds = ", ".join(KINDS)
    start = f'[spawn(raising, dies, ["{tmp_path}/" ++ atom_to_list(Kind), Kind]) || Kind <- [{kinds}]]'
    with session(target, "attached", target.ebin, start) as one:
        for kind, raised in KINDS.items():
            (tmp_path / kind).touch()
            row = stop_at(one.gdb, "handle_error")
            assert list(row.values()) == [raised.state, raised.class_, raised.reason, None, None]
            # The reason is a variable of C by now: it is not said to be what the VM has put in its place.
            row = stop_at(one.gdb, "add_stacktrace")
            place = row.pop("in")
            assert list(row.values()) == ["raised", "error", raised.handled, raised.arguments]
            assert re.fullmatch(re.escape(raised.function) + r"( at \S*raising\.erl:\d+)?", place)
            row = stop_at(one.gdb, "erts_continue_exit_process")
            module, name, arity = re.split("[:/]", raised.function)
            trace = f"[{{{module},{name},{raised.arguments or arity},[{{file,"
            assert row["reason"].startswith(f"{{{raised.exits},{trace}")
            assert [row["state"], row["in"], row["arguments"]] == ["exiting", None, None]
