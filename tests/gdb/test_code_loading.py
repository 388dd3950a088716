"""Modules that are loaded, purged and replaced while GDB is attached."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gdb.stages import SOON, breakpoint_number, functions, read_frames
from tests.harness.erl import Node, running_node
from tests.harness.gdb import Gdb


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def node(ebin: Path, folder: Path) -> Iterator[Node]:
    """A node that loads and purges later.erl when told: see loads.erl."""
    with running_node(ebin, f'loads:start("{folder}")') as node:
        yield node


@pytest.fixture
def gdb(node: Node) -> Iterator[Gdb]:
    with Gdb() as session:
        session.attach(node.pid)
        yield session


def run_until_done(gdb: Gdb, folder: Path, what: str) -> None:
    """Have the node do something while it runs."""
    (folder / what).touch()
    gdb.cmd("continue")
    deadline = time.monotonic() + SOON
    while not (folder / f"{what}.done").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    gdb.interrupt()


def start_of(gdb: Gdb, name: str) -> int:
    match = re.search(r"starts at address (0x[0-9a-f]+)", gdb.cmd(f"info line -function {name}"))
    assert match
    return int(match[1], 16)


def test_a_pending_breakpoint_is_hit_at_the_first_call(gdb: Gdb, folder: Path) -> None:
    gdb.cmd("set breakpoint pending on")
    text = gdb.cmd("break -function later:called/1")
    assert "pending" in text
    number = re.search(r"reakpoint (\d+) \(", text)
    assert number
    (folder / "load").touch()
    stop = gdb.go("continue", timeout=SOON)
    assert (stop.reason, stop.results["bkptno"]) == ("breakpoint-hit", number[1])
    shown = read_frames(gdb.cmd("bt"))
    # loads:called/2 called it last: its frame is gone.
    assert functions(shown)[:2] == ["later:called/1", "loads:turn/3"]
    first = re.fullmatch(r"\{round,(\d+)\}", shown[0].arguments["x0"])
    assert first
    assert shown[0].place.startswith("later.erl:")
    stop = gdb.go("continue", timeout=SOON)
    second = re.fullmatch(r"\{round,(\d+)\}", read_frames(gdb.cmd("bt 1"))[0].arguments["x0"])
    assert second
    assert int(second[1]) == int(first[1]) + 1


def test_a_pending_breakpoint_on_a_line(gdb: Gdb, folder: Path) -> None:
    gdb.cmd("set breakpoint pending on")
    assert "pending" in gdb.cmd("break later.erl:10")
    (folder / "load").touch()
    assert gdb.go("continue", timeout=SOON).reason == "breakpoint-hit"
    assert read_frames(gdb.cmd("bt 1"))[0].place == "later.erl:10"


def test_a_module_loaded_later_appears(gdb: Gdb, folder: Path) -> None:
    assert "later:" not in gdb.cmd("info functions -q ^later:")
    before = modules(gdb)
    run_until_done(gdb, folder, "load")
    assert "later:called/1" in gdb.cmd("info functions -q ^later:")
    assert modules(gdb) == before + 1
    assert 'of "later.erl"' in gdb.cmd("info line -function later:called/1")
    number = breakpoint_number(gdb.cmd("break -function later:called/1"))
    stop = gdb.go("continue", timeout=SOON)
    assert int(stop.results["bkptno"]) == number


def test_a_purged_module_vanishes(gdb: Gdb, folder: Path) -> None:
    run_until_done(gdb, folder, "load")
    start, before = start_of(gdb, "later:called/1"), modules(gdb)
    assert gdb.cmd(f"info symbol {start:#x}").startswith("later:called/1")
    run_until_done(gdb, folder, "purge")
    assert "later:" not in gdb.cmd("info functions -q ^later:")
    assert "later:" not in gdb.cmd(f"info symbol {start:#x}")
    assert modules(gdb) == before - 1
    run_until_done(gdb, folder, "other")
    assert "later:" not in gdb.cmd(f"info symbol {start:#x}")
    assert "busy:loop/1" in gdb.cmd("info functions -q ^busy:")
    owner = gdb.cmd(f"info symbol {start_of(gdb, 'busy:loop/1'):#x}")
    assert owner.startswith("busy:loop/1")


def test_a_breakpoint_in_a_purged_module_does_no_harm(gdb: Gdb, folder: Path) -> None:
    run_until_done(gdb, folder, "load")
    gdb.cmd("break -function later:called/1")
    assert gdb.go("continue", timeout=SOON).reason == "breakpoint-hit"
    (folder / "purge").touch()
    for _ in range(50):
        gdb.cmd("continue")
        time.sleep(0.2)
        if (folder / "purge.done").exists():
            break
        if gdb.running:
            gdb.interrupt()
        else:
            gdb.wait_stop()
    if gdb.running:
        gdb.interrupt()
    run_until_done(gdb, folder, "other")
    assert "beam.smp" in gdb.cmd("info inferiors")


def modules(gdb: Gdb) -> int:
    match = re.search(r"^code: +(\d+) modules", gdb.cmd("beam-info"), re.M)
    assert match
    return int(match[1])
