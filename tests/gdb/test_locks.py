"""Locks that are held while the node stands in C code of the VM."""

from __future__ import annotations

import json
from pathlib import Path

from tests.harness.erl import running_node
from tests.harness.gdb import Gdb

INSERTS = (
    "register(inserts, spawn(fun() -> ets:new(t_locked, [named_table]), "
    "ets:new(t_tree, [named_table, ordered_set, {write_concurrency, true}]), "
    "(fun Again(N) -> [ets:insert(Table, {N rem 10, N}) || Table <- [t_locked, t_tree]], Again(N + 1) end)(1) end))"
)


def test_a_table_that_is_written(ebin: Path) -> None:
    """It says that it is, and the VM has noted who inserts now."""
    with running_node(ebin, INSERTS) as node, Gdb() as gdb:
        gdb.attach(node.pid)
        assert not [row for row in json.loads(gdb.cmd("beam-locks -json")) if row["state"] == "free"]
        gdb.cmd("tbreak -function db_put_hash")
        gdb.go("continue")
        rows = json.loads(gdb.cmd("beam-locks -json"))
        (pid,) = (row["pid"] for row in json.loads(gdb.cmd("beam-ps -json -where name=inserts")))
        (main,) = (row for row in rows if row["of"] == pid)
        (table,) = (row for row in rows if row["of"] == "t_locked")
        assert (main["lock"], main["state"], main["holder"][: len(pid)]) == ("main", "held", pid)
        assert (table["lock"], table["state"], table["waits"]) == ("table", "written", None)
        assert table["holder"] == f"perhaps {pid}"
        # Of a tree with write_concurrency it is one of its trees, and the table is read.
        gdb.cmd("tbreak -function db_put_tree_common")
        gdb.go("continue")
        rows = [row for row in json.loads(gdb.cmd("beam-locks -json")) if row["of"] == "t_tree"]
        assert ("tree 0 of table", "written", f"perhaps {pid}") in {
            (row["lock"], row["state"], row["holder"]) for row in rows
        }
