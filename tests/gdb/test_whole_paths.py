"""Breakpoints on lines of a file that is named by its whole path, as editors and those who copy it do."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.erl import running_node
from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE

SOURCE = """
-module(till).
-export([loop/1]).
loop(N) ->
    receive after 20 -> ok end,
    loop(N + 1).
"""
LINE = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a module was compiled by a path from there, with a blank in the folder's own name."""
    folder = tmp_path_factory.mktemp("whole") / "my app"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "till.erl").write_text(SOURCE)
    subprocess.run(["erlc", "+debug_info", "src/till.erl"], cwd=folder, check=True, timeout=PATIENCE)
    return folder


@pytest.fixture(scope="module")
def gdb(folder: Path) -> Iterator[Gdb]:
    with running_node(folder, "spawn(till, loop, [0])") as node, Gdb() as session:
        session.attach(node.pid)
        yield session


@pytest.mark.parametrize("command", ["beam-break WHOLE", "beam-break MOVED", "beam-break NEAR", 'break "WHOLE"'])
def test_a_whole_path(gdb: Gdb, folder: Path, command: str) -> None:
    """Also where the source is elsewhere now, or was compiled in a container."""
    places = {"WHOLE": folder / "src/till.erl", "MOVED": "/my app/src/till.erl", "NEAR": "src/till.erl"}
    for name, path in places.items():
        command = command.replace(name, str(path))
    said = gdb.cmd(f"{command}:{LINE}")
    assert ("till:loop/1" if command.startswith("beam") else f"line {LINE}") in said
    stop = gdb.go("continue")
    assert stop.reason == "breakpoint-hit", stop
    assert "till:loop/1" in gdb.cmd("bt 1")
    gdb.cmd("delete")


def test_another_file_of_the_name(gdb: Gdb) -> None:
    assert "is not loaded yet" in gdb.cmd(f"beam-break /my app/lib/till.erl:{LINE}")
    gdb.cmd("delete")
