"""Symbol files lie in a folder that goes with its GDB, or with the next one that starts."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.harness.erl import Node
from tests.harness.gdb import Gdb, batch


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of GDBs that are started now."""
    found = tmp_path / "temporary"
    found.mkdir()
    monkeypatch.setenv("TMPDIR", str(found))
    return found


def test_folders_of_killed_gdbs_go_and_no_others(busy_node: Node, folder: Path, tmp_path: Path) -> None:
    killed, living = Gdb(), Gdb()
    try:
        killed.attach(busy_node.pid)
        killed.cmd("beam-info")
        (left,) = folder.iterdir()
        pid = int(killed.cmd("python import os; print(os.getpid())"))
        os.kill(pid, signal.SIGKILL)
        killed.close()
        assert list(left.iterdir())
        living.attach(busy_node.pid)
        living.cmd("beam-info")
        (kept,) = set(folder.iterdir()) - {left}

        own = tmp_path / "own"
        own.mkdir()
        (own / "erlang-1.elf").touch()
        (folder / "beamgdb-symbols-aaaaaaaa").symlink_to(own)
        (folder / "beamgdb-symbols-bbbbbbbb").mkdir(0o700)
        (folder / "beamgdb-symbols-bbbbbbbb" / "thesis.txt").touch()
        (folder / "beamgdb-symbols-cccccccc").mkdir(0o700)
        (folder / "beamgdb-symbols-cccccccc" / "erlang-1.elf").touch()
        (folder / "beamgdb-symbols-dddddddd").mkdir(0o700)
        (folder / "beamgdb-symbols-dddddddd").chmod(0o777)

        assert batch(load="-ix") == ""
        names = {path.name for path in folder.iterdir()}
        assert names == {kept.name, *(f"beamgdb-symbols-{8 * letter}" for letter in "abd")}
        assert list(own.iterdir())
        assert list(kept.iterdir())
        assert "busy:loop/1" in living.cmd("info functions -q -n ^busy:loop/1$")
    finally:
        killed.close()
        living.close()
    assert not kept.exists()
