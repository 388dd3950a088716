"""`beamgdb symbols`: the map for perf, compared with that which a node writes itself if it is told to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from beamgdb.code.module import CODE_INFO, NO_CODE
from tests.harness.erl import Node, running_node
from tests.harness.gdb import GDB, REPOSITORY
from tests.harness.patience import PATIENCE


def symbols(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "beamgdb", "--gdb", GDB, "symbols", *map(str, arguments)], capture_output=True,
        text=True, timeout=3 * PATIENCE, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip


def read(path: Path) -> dict[str, tuple[int, int]]:
    """Start and end of each function or fragment, by its name; of one that is there twice the last one."""
    found = {}
    for line in path.read_text().splitlines():
        start, size, name = line.split(" ", 2)
        found[name] = int(start, 16), int(start, 16) + int(size, 16)
    return found


def test_what_the_node_writes_itself(ebin: Path, tmp_path: Path) -> None:
    """A function begins here where it is called, and there behind the few bytes that tracing changes."""
    with running_node(ebin, "busy:start()", "+JPperf", "map") as node:
        own = Path(f"/tmp/perf-{node.pid}.map")
        try:
            expected = read(own)
            done = symbols(node.pid, "-o", tmp_path / "map")
        finally:
            own.unlink()
        os.kill(node.pid, 0)  # it still runs
    assert (done.returncode, done.stderr) == (0, "")
    assert f"perf record -p {node.pid} " in done.stdout
    assert (tmp_path / "map").stat().st_mode & 0o777 == 0o600
    found = read(tmp_path / "map")
    assert "$busy:spin/2" in found
    assert "$global::process_main" in expected
    for name, (start, end) in expected.items():
        if not name.endswith((CODE_INFO, *NO_CODE)):
            assert found[name][0] <= start < end == found[name][1], name


def test_where_there_is_something(busy_node: Node, tmp_path: Path) -> None:
    """Also if it is a link, which leads to something else."""
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.write_text("mine")
    link.symlink_to(mine)
    pid = busy_node.pid
    for output in (mine, link):
        done = symbols(pid, "-o", output)
        expected = f"beamgdb: {output} is there already: give --force, or name another file with -o\n"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)
    assert symbols(pid, "-o", link, "--force").returncode == 0
    assert mine.read_text() == "mine"
    assert not link.is_symlink()
    assert "$busy:spin/2" in read(link)


@pytest.mark.parametrize(
    ("pid", "said"),
    [("-1", "-1"), ("0", "0 is no process"), ("x", "invalid int value: 'x'"), ("4194305", "4194305 is no process")],
)
def test_what_is_no_process(pid: str, said: str) -> None:
    done = symbols(pid)
    assert done.returncode != 0
    assert said in done.stderr


def test_what_is_no_node(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "1000"]) as other:
        done = symbols(other.pid, "-o", tmp_path / "map")
        other.kill()
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "this program is no beam.smp" in done.stderr
    assert not (tmp_path / "map").exists()
