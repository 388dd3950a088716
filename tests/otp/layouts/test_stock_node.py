"""The built-in tables against running stock nodes: every process is where the table says, and makes sense; and the
variables that a stripped beam.smp has no symbols for are found."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from jit.sandbox.debuggee import debuggee
from jit.sandbox.pairs import PAIRS, Pair
from jit.sandbox.sandbox import Sandbox
from tests.harness import gdb

HERE = Path(__file__).parent

NODE = """
Pid = spawn(fun() -> put(a, b), receive stop -> ok end end), register(marked, Pid), Pid ! one, Pid ! two,
Write = fun() -> file:write_file("{file}", [[atom_to_list(M), 10] || M <- erlang:loaded()]) end,
ok = Write(), ok = Write(), erlang:halt().
"""

TABLES = {
    ("armhf", 25): ["13.1.5", "arm32", "emu"],
    ("armhf", 27): ["15.2.7", "arm32", "emu"],
    ("arm64", 27): ["15.2.7", "aarch64", "jit"],
    ("amd64", 25): ["13.1.5", "x86_64", "jit"],
    ("amd64", 27): ["15.2.7", "x86_64", "jit"],
}


#: Those that export their symbols, by which `walk_node` and this test stop and find them.
EXPORTING = [pair for pair in PAIRS if (pair.arch, pair.otp) in TABLES]


@pytest.fixture(scope="module", params=EXPORTING, ids=lambda pair: pair.name)
def pair(request: pytest.FixtureRequest) -> Pair:
    """Each of Debian's VMs in turn. What hides its symbols is looked at in tests/matrix."""
    chosen: Pair = request.param
    return chosen


@pytest.fixture(scope="module")
def found(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `walk_node` tells of a node of this VM that is about to halt; and which modules it says it has loaded."""
    file = tmp_path_factory.mktemp("walk") / "loaded"
    node = ("+S", "2:2", "-noinput", "-eval", NODE.format(file=file).replace("\n", " "))
    folders = [str(gdb.REPOSITORY), sysconfig.get_path("purelib")]
    paths = f"python import sys; sys.path.extend({folders!r})"
    script = ["-ex", paths, "-x", str(HERE / "walk_node.py"), "-ex", "kill"]
    sandbox = Sandbox(pair.arch, pair.otp).ensure()
    until = ["-ex", "break halt_2", "-ex"]
    if sandbox.native:
        settings = sandbox.gdb_settings()
        command = sandbox.beam_command(node)
        said = gdb.batch(*settings, *until, "run", *script, "--args", *command, environment=sandbox.environment())
    else:
        with debuggee(sandbox, node, stdout=subprocess.DEVNULL) as waiting:
            said = gdb.batch(*waiting.gdb_arguments(), *until, "continue", *script)
    lines = [line for line in said.splitlines() if line.startswith("{")]
    assert lines, said
    walked: dict[str, Any] = json.loads(lines[0])
    return walked | {"loaded": file.read_text().split()}


def test_the_table_is_the_right_one(found: dict[str, Any], pair: Pair) -> None:
    assert found["vm"] == TABLES[pair.arch, pair.otp]


def test_processes(found: dict[str, Any]) -> None:
    processes = found["processes"]
    assert len(processes) == found["count"] > 10
    for process in processes:
        assert process["id"] & 0xF == 3, "erl_term.h: the tag of an internal pid"
        assert process["heap"] <= process["htop"] <= process["stop"] <= process["hend"]
        assert process["hend"] - process["heap"] == found["word_size"] * process["heap_sz"]
        assert process["old_heap"] <= process["old_htop"] <= process["old_hend"]
        assert process["max_arg_reg"] >= 6
        assert process["registered_owner"] in (0, process["address"])
    by_name = {process["name"]: process for process in processes}
    assert by_name["init"]["initial"] == ["erl_init", "start", 2]
    assert by_name["kernel_sup"]["initial"] == ["proc_lib", "init_p", 5]
    marked = by_name["marked"]
    assert marked["initial"] == ["erlang", "apply", 2]
    assert (marked["dictionary_size"], marked["messages"]) == (1, 2)


def test_schedulers_and_node(found: dict[str, Any]) -> None:
    assert [s["no"] for s in found["schedulers"]] == [1, 2]
    assert all(s["run_queue_owner"] == s["address"] for s in found["schedulers"])
    assert found["node"] == "nonode@nohost"
    assert {"ac_tab", "logger"} <= set(found["tables"])


def test_all_code_is_found_without_symbols(found: dict[str, Any]) -> None:
    code = found["code"]
    assert code["recovered"] == ["r", "write_ptr", "bccix"]
    assert sorted(code["modules"]) == sorted(found["loaded"])
    assert code["handlers"] > 300, "beam_catches.c: about 380 after the start"
