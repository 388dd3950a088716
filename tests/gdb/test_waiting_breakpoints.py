"""Breakpoints in modules that are loaded later, which get a condition only after they were set, as editors give it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.gdb.stages import SOON, breakpoint_number
from tests.harness.erl import running_node
from tests.harness.gdb import Gdb
from tests.harness.targets import Target, session

TRUE = "1 == 1"


def is_enabled(gdb: Gdb, number: int) -> bool:
    found = re.search(rf"^{number} .*? ([yn]) ", gdb.cmd("info breakpoints"), re.M)
    assert found
    return found[1] == "y"


def waits_then_is_hit(gdb: Gdb, folder: Path, given: str) -> None:
    """later.erl is loaded, where `given` sets a breakpoint; never.erl is not."""
    gdb.cmd("set breakpoint pending on")
    off, never = (breakpoint_number(gdb.cmd(f"{given} {name}:called/1")) for name in ("later", "never"))
    number = breakpoint_number(gdb.cmd(f"{given} later:inner/1"))
    for one in (off, never, number):
        gdb.cmd(f"condition {one} {TRUE}")
    gdb.cmd(f"disable {off}")
    (folder / "load").touch()
    stop = gdb.go("continue", timeout=SOON)
    assert (stop.reason, stop.results["bkptno"]) == ("breakpoint-hit", str(number))
    assert [is_enabled(gdb, one) for one in (off, never, number)] == [False, True, True]
    # What a user disables now stays so.
    gdb.cmd(f"disable {number}")
    gdb.cmd("tbreak later.erl:5")
    assert gdb.go("continue", timeout=SOON).reason == "breakpoint-hit"
    assert [is_enabled(gdb, one) for one in (off, never, number)] == [False, True, False]


@pytest.mark.parametrize("given", ["beam-break", "break -function"])
def test_compiled(ebin: Path, tmp_path: Path, given: str) -> None:
    with running_node(ebin, f'loads:start("{tmp_path}")') as node, Gdb() as gdb:
        gdb.attach(node.pid)
        waits_then_is_hit(gdb, tmp_path, given)


def test_interpreted(tmp_path: Path) -> None:
    target = Target("armhf", 27)
    with session(target, "remote", target.ebin, f'loads:start("{tmp_path}")') as one:
        waits_then_is_hit(one.gdb, tmp_path, "break -function")
