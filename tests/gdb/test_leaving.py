"""A remote target that runs, in whose code there is something, which GDB cannot take out before it stands: GDB leaves
it, or deletes breakpoints."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE
from tests.harness.targets import Session, Target, session

BEATING = 'spawn(fun F() -> io:format("beat~n"), timer:sleep(100), F() end)'


@pytest.fixture
def running() -> Iterator[Session]:
    """A node that is interpreted under qemu, and comes to a breakpoint all the time whose condition is false."""
    target = Target("armhf", 27)
    with session(target, "remote", target.ebin, BEATING, is_ready=True) as one:
        one.gdb.cmd("beam-break io:format/1 if 0")
        one.gdb.cmd("continue &")
        await_beats(one, 2)
        yield one


def await_beats(one: Session, count: int) -> None:
    """Wait until the node has told so many more times that it lives."""
    before, deadline = one.said.count("beat"), time.monotonic() + PATIENCE
    while one.said.count("beat") < before + count:
        assert time.monotonic() < deadline, one.said[-500:]
        time.sleep(0.05)


def test_deleting(running: Session) -> None:
    gdb = running.gdb
    gdb.mi("-break-delete 1")
    assert gdb.cmd("info breakpoints").startswith("No breakpoints")
    await_beats(running, 2)
    gdb.go("interrupt")
    loads = re.search(r"^(-\d+) .* <erts_update_ranges", gdb.cmd("maintenance info breakpoints"), re.M)
    assert loads
    assert " keep n " in loads[0]
    gdb.cmd("continue &")
    await_beats(running, 2)
    gdb.go("interrupt")


def test_detaching(running: Session) -> None:
    said = running.gdb.cmd("detach", check=False)
    assert said.endswith("The program is stopped first: `detach` follows.\n")
    assert running.gdb.wait_stop().reason == "signal-received"
    deadline = time.monotonic() + PATIENCE
    while "<null>" not in running.gdb.cmd("info inferiors"):
        assert time.monotonic() < deadline
    await_beats(running, 10)


def test_quitting(running: Session) -> None:
    """GDB kills what qemu's stub has begun: it does not die of a trap."""
    with pytest.raises(EOFError):
        quits(running.gdb)
    assert "uncaught target signal" not in running.said


def quits(gdb: Gdb) -> None:
    gdb.cmd("quit", check=False)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        gdb.cmd("echo")
