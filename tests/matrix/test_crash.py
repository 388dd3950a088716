"""A NIF dereferences NULL below three Erlang frames: while GDB watches, and post mortem."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.gdb.stages import functions, read_backtrace, read_frames
from tests.gdb.test_crash import BINARY, LIST, MAP, PLACES, TUPLE
from tests.harness.gdb import Gdb
from tests.matrix.conftest import erlang_only

#: An Erlang function for the interpreter, which has a frame of its own there.
NIF = "crash:read_null/1"


def test_backtrace(dead: Gdb) -> None:
    shown = read_frames(dead.cmd("bt"))
    assert functions(shown)[0] == "read_null"
    assert shown[0].place.endswith("crash_nif.c:10")
    erlang = [frame for frame in erlang_only(shown) if frame.function != NIF][:3]
    assert functions(erlang) == ["crash:inner/2", "crash:middle/3", "crash:outer/2"]
    assert [frame.arguments for frame in erlang] == [
        {"x0": "42", "x1": BINARY},
        {"x0": TUPLE, "x1": LIST, "x2": BINARY},
        {"x0": MAP, "x1": LIST},
    ]
    assert [frame.place for frame in erlang] == PLACES


def test_erlang_backtrace(dead: Gdb) -> None:
    shown = read_backtrace(dead.cmd("beam-bt"))
    assert "running on thread" in shown.heading
    calls = [one for one in shown.functions if one.function != NIF][:3]
    assert [one.function for one in calls] == ["crash:inner/2", "crash:middle/3", "crash:outer/2"]
    assert [set(one.registers.values()) for one in calls] == [
        {"42", BINARY},
        {TUPLE, LIST, BINARY},
        {MAP, LIST},
    ]
    assert all(Path(one.file).name == "crash.erl" for one in calls)


def test_the_instruction(dead: Gdb) -> None:
    assert "*nowhere" in dead.cmd("frame 0")


def test_why(dead: Gdb) -> None:
    """A core of a node under qemu is written when the harness ends it by SIGABRT, in the thread that is selected."""
    shown = dead.cmd("beam-why").splitlines()
    assert re.match("SIG(SEGV|ABRT) in thread |No signal is known", shown[0])
    assert re.fullmatch(r"#0  0x[0-9a-f]+ in read_null from \S+/crash_nif\.so", shown[1])
    assert any(re.match(r"Process <\S+>, spawned as .*: running on thread \d+", line) for line in shown)
    assert any("crash:inner/2" in line for line in shown)
    told = json.loads(dead.cmd("beam-why -json"))
    assert [count["what"] for count in told["counts"]] == ["processes", "atoms"]
    assert all(0 < count["count"] < count["limit"] for count in told["counts"])
    assert told["foreign"]["function"] == "read_null"
    assert told["largest"][0]["amount"] == max(row["memory"] for row in json.loads(dead.cmd("beam-ps -json")))
    if told["stop"]["signal"]:
        assert (told["stop"]["signal"], told["stop"]["address"]) in (("SIGSEGV", 0), ("SIGABRT", None))
        called = r"(, called as crash:read_null/1,)?"
        assert re.match(rf"\S+/crash_nif\.so: C code in it{called} ran when ", told["suspects"][0])


def test_why_from_a_thread_that_did_not_die(dead: Gdb, request: pytest.FixtureRequest) -> None:
    """The signal is not told as if it had come there. Of cores that the kernel writes GDB sets `$_exitsignal`, for all
    threads; only the first has a `$_siginfo`. In those of qemu 10 any may have died, and its stub tells one signal of
    all threads."""
    threads = dead.cmd("info threads")
    (first,), other = re.findall(r"^\* +(\d+)", threads, re.M), re.findall(r"^  +(\d+)", threads, re.M)
    dead.cmd("set $_exitsignal = 11")
    dead.cmd(f"thread {other[0]}")
    heading = dead.cmd("beam-why").splitlines()[0]
    dead.cmd("python from beamgdb.gdbext import told; told.all_of('', ['beam-why -json'])")
    asked_of = re.search(r"\* +(\d+)", dead.cmd("info threads"))
    dead.cmd("set $_exitsignal = $_")
    dead.cmd(f"thread {first}")
    elsewhere = re.fullmatch(
        rf"No signal is known: it stands in thread {other[0]}( \(.*?\))?"
        rf"(?P<told>; SIG(SEGV|ABRT) came in thread {first}: `thread {first}`)?", heading
    )  # fmt: skip
    assert elsewhere, heading
    # (A report begins with the thread that has crashed.)
    assert asked_of
    assert asked_of[1] == (first if elsewhere["told"] else other[0])
    assert elsewhere["told"] or request.node.callspec.params["dead"][1] == "core"
