"""Nodes that are stopped in the middle of a collection, a send, an exit, a purge, and a table that changes its size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.erl import running_node
from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE

#: What reads that which is being changed.
QUESTIONS = (
    "beam-ps", "beam-process c_collects", "beam-bt all", "beam-heap", "beam-ets", "beam-ets-objects t_resized",
    "beam-binaries", "beam-purge", "beam-waits", "beam-why",
)  # fmt: skip

#: Functions of the VM, or what is written meanwhile: an expression for its address, and how often it is written before.
FUNCTIONS = {"an exit": "erts_continue_exit_process", "a purge": "erts_queue_release_literals"}
WRITTEN = {
    "a collection": ("process_named.find(node, 'c_collects', int).record.field_address('heap')", 1),
    "a send": ("process_named.find(node, 'c_receives', int).record.field_address('sig_inq.first')", 1),
    "a resize": ("node.record('DbTableHash', ets.find(node, 't_resized', int).address).field_address('nslots')", 3),
}


@pytest.fixture(scope="module")
def gdb(ebin: Path) -> Iterator[Gdb]:
    with running_node(ebin, "changing:start()") as node, Gdb() as session:
        session.attach(node.pid)
        session.cmd("handle all nostop noprint pass")
        session.cmd("python from beamgdb.gdbext import session; from beamgdb.views import ets, process_named")
        yield session


@pytest.mark.parametrize("what", [*FUNCTIONS, *WRITTEN])
def test_all_is_told_or_said_to_be_missing(gdb: Gdb, what: str) -> None:
    """And nothing is called wrong that is only being changed."""
    if what in FUNCTIONS:
        times = 1
        gdb.cmd(f"tbreak -function {FUNCTIONS[what]}")
    else:
        expression, times = WRITTEN[what]
        gdb.cmd(f"python node = session.require().node; print({expression})")
        address = gdb.cmd(f"python print({expression})").strip()
        gdb.cmd(f"watch -location *(unsigned long *) {address}")
    for _ in range(times):
        gdb.go("continue", timeout=PATIENCE)
    gdb.cmd("delete")
    for command in QUESTIONS:
        said = gdb.cmd(command)
        assert "internal error" not in said, command
    assert "nothing wrong in " in gdb.cmd("beam-verify")


#: One that has its object written anew all the time, each time of other things, where the one before was.
OVERWRITES = (
    "register(overwrites, spawn(fun() -> ets:new(t_overwritten, [named_table, {write_concurrency, true}]), "
    "(fun Again(N) -> ets:insert(t_overwritten, {key, {N, b, c, d, e}}), "
    "ets:insert(t_overwritten, {key, [N, b, c]}), Again(N + 1) end)(1) end))"
)


@pytest.mark.parametrize(
    ("schedulers", "said"),
    [
        ("1", "<PID> may be just changing it: with one scheduler nobody locks tables"),
        ("2", "one table is being changed"),
    ],
)
def test_an_object_that_is_half_written(ebin: Path, schedulers: str, said: str) -> None:
    """Where nobody has a lock it may be damage, and may be none."""
    with running_node(ebin, OVERWRITES, "+S", schedulers) as node, Gdb() as gdb:
        gdb.attach(node.pid)
        gdb.cmd("python from beamgdb.gdbext import session; from beamgdb.views import ets")
        table = "ets.find(session.require().node, 't_overwritten', int)"
        element = gdb.cmd(f"python print((next(iter({table}.objects())) & ~7) + 16)").strip()
        # The word that leads to the part, and the part's first: which of them is written first depends on the build.
        gdb.cmd(f"watch -location *(unsigned long *) {element}")
        gdb.cmd(f"watch -location *(unsigned long *) (*(unsigned long *) {element} & ~7)")
        (pid,) = re.findall(r"(<\S+>) ", gdb.cmd("beam-ps -where name=overwrites"))
        expected = said.replace("<PID>", pid)
        for _ in range(4):
            gdb.go("continue", timeout=PATIENCE)
            found = gdb.cmd("beam-verify")
            if expected in found:
                break
        assert expected in found
        assert ("\nnothing wrong in " in f"\n{found}") is (schedulers == "2")
