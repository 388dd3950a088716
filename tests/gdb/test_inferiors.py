"""Several programs in one GDB: what ends or is left of one of them is nothing to the others."""

from __future__ import annotations

import re
from pathlib import Path

from tests.gdb.stages import SOON, functions, read_frames
from tests.harness.erl import running_node
from tests.harness.gdb import Gdb, one_line_error

BEGIN = "stages:start()"


def stops_in_third(gdb: Gdb) -> bool:
    """Whether a new breakpoint on a function in JIT code is hit."""
    said = gdb.cmd("beam-break stages:third/1")
    stop = gdb.go("continue", timeout=SOON)
    gdb.cmd("delete")
    return "pending" not in said and stop.reason == "breakpoint-hit"


def regions(gdb: Gdb) -> list[int]:
    """Where those begin that are read-only."""
    return [int(start, 16) for start in re.findall(r"^\d+ +[yn]\s+(0x\w+) 0x\w+ ro", gdb.cmd("info mem"), re.M)]


def test_two_nodes_and_another_program(ebin: Path) -> None:
    """The kernel lets GDB write into code of neither node: it is told so for both, and each for as long as it is
    there. Regions of the user's stay."""
    with running_node(ebin, BEGIN) as one, running_node(ebin, BEGIN) as other, Gdb() as gdb:
        gdb.cmd("set mem inaccessible-by-default off")
        gdb.cmd("mem 0x1000 0x2000 ro")
        (own,) = regions(gdb)
        gdb.attach(one.pid)
        gdb.cmd("add-inferior")
        gdb.cmd("inferior 2")
        gdb.attach(other.pid)
        both = regions(gdb)
        assert own in both
        gdb.cmd("inferior 1")
        assert stops_in_third(gdb)
        gdb.cmd("inferior 2")
        assert stops_in_third(gdb)
        gdb.cmd("detach")
        assert own in regions(gdb)
        assert len(regions(gdb)) < len(both)
        gdb.cmd("file /bin/true")
        assert gdb.go("run", timeout=SOON).reason == "exited-normally"
        gdb.cmd("inferior 1")
        assert stops_in_third(gdb)
        assert functions(read_frames(gdb.cmd("bt 1"))) == ["stages:third/1"]
        gdb.cmd("detach")
        assert regions(gdb) == [own]
        assert "on" not in gdb.cmd("show mem inaccessible-by-default").split()[-1]


def test_watchpoints_take_hardware_too(ebin: Path) -> None:
    """With one breakpoint and two watchpoints a step over a call has no room: it says so, and the node stays."""
    with running_node(ebin, BEGIN) as node, Gdb() as gdb:
        gdb.attach(node.pid)
        gdb.cmd("beam-break stages:leaf/3")
        assert gdb.go("continue", timeout=SOON).reason == "breakpoint-hit"
        for offset in (20000, 20100, 20200):
            gdb.cmd(f"watch -l *(long *) ($rsp - {offset})")
        said = gdb.cmd("beam-next", check=False)
        assert "hardware breakpoints of the processor are taken: delete or disable one, or a watchpoint" in said
        assert functions(read_frames(gdb.cmd("bt 1"))) == ["stages:leaf/3"]


def test_a_breakpoint_stays_when_another_node_comes_and_goes(ebin: Path) -> None:
    with running_node(ebin, BEGIN) as one, running_node(ebin, BEGIN) as other, Gdb() as gdb:
        gdb.attach(one.pid)
        gdb.cmd("beam-break stages:third/1")
        gdb.cmd("add-inferior")
        gdb.cmd("inferior 2")
        gdb.attach(other.pid)
        gdb.cmd("detach")
        gdb.cmd("inferior 1")
        assert gdb.go("continue", timeout=SOON).reason == "breakpoint-hit"
        assert functions(read_frames(gdb.cmd("bt 1"))) == ["stages:third/1"]


def test_one_that_is_still_empty(ebin: Path) -> None:
    """There is no process whose program could be named."""
    with running_node(ebin, BEGIN) as node, Gdb() as gdb:
        gdb.attach(node.pid)
        gdb.cmd("add-inferior")
        gdb.cmd("inferior 2")
        assert "no program is loaded: attach to a process" in one_line_error(gdb, "beam-ps")
