"""A NIF dereferences NULL below three Erlang frames: under GDB, and post mortem."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gdb.stages import functions, line_of, read_backtrace, read_frames
from tests.harness.erl import Release, running_node
from tests.harness.gdb import Gdb, GdbError, command_line

MAP, LIST, TUPLE, BINARY = '#{reason => "why it died"}', "[1,2,3]", "{order,66}", '<<"payload">>'

#: Of the calls, innermost first.
PLACES = [f"crash.erl:{line_of('crash', f'Answer = {call}(')}" for call in ("read_null", "inner", "middle")]


@pytest.fixture(scope="module")
def crashed(ebin: Path, release: Release) -> Iterator[Gdb]:
    """A session that has run the node until it died."""
    node = command_line(release.beam, release.arguments(ebin, "crash:run()", "-S", "2:2", "-MIscs", "32"))
    with Gdb(*node, environment=release.environment()) as gdb:
        gdb.cmd("handle all nostop noprint pass")
        gdb.cmd("handle SIGSEGV stop print")
        stop = gdb.go("run")
        assert stop.results["signal-name"] == "SIGSEGV"
        yield gdb


@pytest.fixture(scope="module")
def crash_core(crashed: Gdb, tmp_path_factory: pytest.TempPathFactory) -> Path:
    core = tmp_path_factory.mktemp("crash") / "core"
    crashed.cmd(f"gcore {core}")
    return core


@pytest.fixture(scope="module", params=["live", "core"])
def dead(request: pytest.FixtureRequest, crashed: Gdb, crash_core: Path, release: Release) -> Iterator[Gdb]:
    """The session with the dying node, then one on its core: nothing but `bt` may be needed."""
    if request.param == "live":
        yield crashed
        return
    with Gdb(str(release.beam), str(crash_core)) as gdb:
        yield gdb


def test_backtrace(dead: Gdb) -> None:
    frames = read_frames(dead.cmd("bt"))
    names = functions(frames)
    assert names[0] == "read_null"
    assert frames[0].place.endswith("crash_nif.c:10")
    assert names[2:6] == ["global::call_nif_shared", "crash:inner/2", "crash:middle/3", "crash:outer/2"]
    assert frames[2].note == "crash:read_null/1"
    assert [frame.arguments for frame in frames[3:6]] == [
        {"x0": "42", "x1": BINARY},
        {"x0": TUPLE, "x1": LIST, "x2": BINARY},
        {"x0": MAP, "x1": LIST},
    ]
    assert [frame.place for frame in frames[3:6]] == PLACES
    assert names[-2:] == ["start_thread", "clone3"]


def test_erlang_backtrace(dead: Gdb) -> None:
    shown = read_backtrace(dead.cmd("beam-bt"))
    assert re.match(r"Process <0\.\d+\.0>, spawned as erlang:apply/2: running on thread \d+", shown.heading)
    assert "None" not in shown.heading
    # The NIF, and who has called it.
    assert shown.names()[:4] == ["crash:read_null/1", "crash:inner/2", "crash:middle/3", "crash:outer/2"]
    assert [set(one.registers.values()) for one in shown.functions[1:4]] == [
        {"42", BINARY},
        {TUPLE, LIST, BINARY},
        {MAP, LIST},
    ]
    assert all(Path(one.file).name == "crash.erl" for one in shown.functions[1:4])


def test_the_function_that_called(dead: Gdb) -> None:
    dead.cmd("frame 0")
    dead.cmd("up 3")
    assert "Answer = read_null({last, Number})," in dead.cmd("frame")
    assert BINARY in dead.cmd("yreg")
    with pytest.raises(GdbError, match="not available"):
        dead.cmd("xreg")
    dead.cmd("frame 0")


def test_the_instruction(dead: Gdb) -> None:
    assert "*nowhere" in dead.cmd("frame 0")
    assert re.search(r"nowhere = (\(.*\) )?0x0|nowhere = <optimized out>", dead.cmd("info locals"))


def why(gdb: Gdb) -> Any:
    return json.loads(gdb.cmd("beam-why -json"))["stop"]


def test_why_whatever_language_is_set(dead: Gdb) -> None:
    """What the extension asks of GDB it asks in C."""
    told = why(dead)
    assert (told["signal"], told["address"]) == ("SIGSEGV", 0)
    for language in ("ada", "fortran", "pascal", "rust"):
        dead.cmd(f"set language {language}")
        try:
            assert why(dead) == told, language
        finally:
            dead.cmd("set language auto")


def test_a_signal_that_was_sent(ebin: Path) -> None:
    """It has no address: where that would be, the kernel has put the number of who sent it."""
    with running_node(ebin, "ok") as node, Gdb() as gdb:
        gdb.cmd("handle SIGSEGV stop print")
        gdb.attach(node.pid)
        os.kill(node.pid, signal.SIGSEGV)
        assert gdb.go("continue").results["signal-name"] == "SIGSEGV"
        told = why(gdb)
        assert (told["signal"], told["address"]) == ("SIGSEGV", None)
