"""Looking changes nothing: neither memory nor registers nor where the threads are."""

from __future__ import annotations

import re
import tempfile
import zlib
from pathlib import Path

from tests.gdb import every_command
from tests.gdb.conftest import EVERYTHING, reached
from tests.harness.erl import running_node
from tests.harness.gdb import Gdb

#: Besides what all commands are asked that look.
LOOKING = (
    "complete beam-bt ", "bt", "bt -full", "thread apply all bt", "up 4", "yreg", "yreg -raw", "down", "info frame",
    "info locals", "info args", "p $_yreg(0)", "p $_arg(0)", "p argument", "eterm argument",
    "eterm -boxed argument - 2",
    'p $_streq($_eterm(argument), "x")', "p $_eterm(argument)", "info symbol $pc", "info line -function lists:map/2",
    "disassemble 'lists:reverse/1'", "info functions ^lists:m", "list -function stages:third/1",
    "info scope -function lists:map/2", "frame 0",
)  # fmt: skip

#: Bytes; larger mappings are reserves of the allocators, of which next to nothing is used.
LARGEST = 64 << 20


def checksums(pid: int) -> dict[str, int]:
    """A checksum of each mapping of a process."""
    found = {}
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            bounds, permissions, *_ = line.split()
            start, stop = (int(word, 16) for word in bounds.split("-"))
            if not permissions.startswith("r") or stop - start > LARGEST or "[v" in line:
                continue
            memory.seek(start)
            found[line] = zlib.crc32(memory.read(stop - start))
    return found


def registers(gdb: Gdb) -> str:
    return gdb.cmd("thread apply all info registers")


def assert_looks_only(gdb: Gdb, pid: int) -> None:
    thread = re.search(r"^\* (\d+)", gdb.cmd("info threads"), re.M)
    assert thread
    gdb.cmd("frame 0")
    before = checksums(pid), registers(gdb), gdb.cmd("info threads"), gdb.cmd("info breakpoints")
    assert len(before[0]) > 20
    with tempfile.TemporaryDirectory() as folder:
        for command in (*every_command.lines(gdb, "terms_holder", folder), *LOOKING):
            gdb.cmd(command, check=False)
    gdb.cmd(f"thread {thread[1]}")
    gdb.cmd("frame 0")
    after = checksums(pid), registers(gdb), gdb.cmd("info threads"), gdb.cmd("info breakpoints")
    assert {line for line, crc in before[0].items() if after[0].get(line) != crc} == set()
    assert after == before


def test_in_a_nif(ebin: Path) -> None:
    with running_node(ebin, EVERYTHING) as node, reached(node, "stage_reached") as (gdb, _):
        gdb.cmd("beam-info")
        assert_looks_only(gdb, node.pid)


def test_right_after_attaching(ebin: Path, tmp_path: Path) -> None:
    """The extension reads what is there and makes its symbols in its own files."""
    with running_node(ebin, EVERYTHING) as node:
        with Gdb(load=None) as gdb:
            # GDB itself puts breakpoints of its own into libraries only while the process runs.
            gdb.attach(node.pid)
            before = checksums(node.pid)
            gdb.cmd(f"source {Path(__file__).resolve().parents[2] / 'gdbinit'}")
            for command in (*every_command.lines(gdb, "terms_holder", tmp_path), *LOOKING):
                gdb.cmd(command, check=False)
            assert checksums(node.pid) == before
        # And afterwards the node goes on.
        state = Path(f"/proc/{node.pid}/stat").read_text().rpartition(")")[2].split()[0]
        assert state in "RS"
