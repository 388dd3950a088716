"""Threads that run while a user looks: nothing is shown as if they stood still."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest

from tests.gdb.stages import read_backtrace
from tests.gdb.test_robustness import QUESTIONS
from tests.harness.erl import Node
from tests.harness.gdb import Gdb, one_line_error
from tests.harness.gdb_facts import is_true

SCHEDULERS = tuple(rf"(?:{number}_scheduler|erts_sched_{number})" for number in (1, 2))
"""Names of threads as patterns: OTP 27 has others."""

SOON = 30.0


def thread_of(gdb: Gdb, name: str) -> str:
    match = re.search(rf'^[* ] +(\d+) +(?:Thread|LWP) .*"{name}', gdb.cmd("info threads"), re.M)
    assert match
    return match[1]


def select(gdb: Gdb, number: str) -> None:
    """Select a thread, also one that runs. After `thread N` in its console GDB 10 goes on with the one before."""
    gdb.mi(f"-thread-select {number}")


def wait_until(gdb: Gdb, is_so: Callable[[list[bool]], bool]) -> None:
    """Wait for threads to run or stand as `is_so` says, given whether each runs."""
    deadline = time.monotonic() + SOON
    while not is_so(["(running)" in line for line in gdb.cmd("info threads").splitlines() if "LWP" in line]):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_program_that_runs_in_the_background(busy_node: Node) -> None:
    with Gdb() as gdb:
        gdb.attach(busy_node.pid)
        gdb.cmd("beam-info")
        gdb.cmd("continue &")
        try:
            for command in (*QUESTIONS, "beam-next", "beam-finish", "beam-disas lists:map/2"):
                assert "is running" in one_line_error(gdb, command)
        finally:
            gdb.go("interrupt")
        assert "busy:loop/1" in gdb.cmd("beam-bt busy")


@pytest.fixture(scope="module")
def nonstop(busy_node: Node) -> Iterator[Gdb]:
    """A session in non-stop mode in which only the first thread stands still, which is no scheduler."""
    with Gdb() as gdb:
        gdb.cmd("set non-stop on")
        gdb.cmd(f"attach {busy_node.pid}")
        whole = is_true("stops all threads when it attaches")
        wait_until(gdb, lambda runs: not any(runs) if whole else not runs[0])
        gdb.cmd("continue -a &")
        wait_until(gdb, all)
        select(gdb, "1")
        gdb.cmd("interrupt")
        wait_until(gdb, lambda runs: not runs[0] and all(runs[1:]))
        yield gdb
        gdb.cmd("interrupt -a")
        wait_until(gdb, lambda runs: not any(runs) if whole else not runs[0])


def test_a_process_whose_thread_runs(nonstop: Gdb) -> None:
    # It stands in the run queue for a moment whenever its turn is over.
    deadline = time.monotonic() + SOON
    while "spawned as busy:loop/1: runnable\n" in (said := nonstop.cmd("beam-bt busy")):
        assert time.monotonic() < deadline
    assert re.match(r"Process <0\.\d+\.0> busy, .*: running on thread \d+ \((\d_scheduler|erts_sched_\d)\)\n", said)
    assert "not stopped" in said
    assert "#0" not in said


def test_a_process_that_waits(nonstop: Gdb) -> None:
    said = nonstop.cmd("beam-bt init")
    assert "#0" in said
    assert "threads are running: what is shown may have changed" in said


def test_all(nonstop: Gdb) -> None:
    deadline = time.monotonic() + SOON
    while "spawned as busy:loop/1: runnable\n" in (said := nonstop.cmd("beam-bt all")):
        assert time.monotonic() < deadline
    assert "init:loop/1" in said
    assert "busy:spin" not in said
    assert "threads are running" in said


#: GDB 10 attaches in non-stop mode so that threads which it calls running stand still, and none of them can be stopped.
lets_run = pytest.mark.skipif(not is_true("stops all threads when it attaches"), reason="GDB 10 lets no thread run")


@lets_run
def test_the_selected_thread_runs(nonstop: Gdb) -> None:
    select(nonstop, thread_of(nonstop, SCHEDULERS[0]))
    try:
        for command in ("beam-bt", "xreg", "yreg", "freg", "beam-next", "beam-finish", "p $_xreg(0)"):
            assert "the selected thread is running" in one_line_error(nonstop, command)
    finally:
        select(nonstop, "1")


@lets_run
def test_a_thread_that_is_stopped_shows_its_process(nonstop: Gdb) -> None:
    # It may go from one scheduler to the other meanwhile.
    for scheduler in SCHEDULERS:
        number = thread_of(nonstop, scheduler)
        select(nonstop, number)
        nonstop.cmd("interrupt")
        wait_until(nonstop, lambda runs, at=int(number) - 1: not runs[at])  # type: ignore[misc]
    names = read_backtrace(nonstop.cmd("beam-bt busy").partition("beamgdb:")[0]).names()
    assert names[-1] == "busy:loop/1"
    select(nonstop, "1")
