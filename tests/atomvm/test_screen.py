"""A real AtomVM on the full screen, as a person uses it: one that the screen starts, one that runs already, and a core
file. The environment variable ATOMVM names it; see `test_debuggee.py`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.atomvm import host
from tests.atomvm.test_debuggee import SOURCE, STACK, target
from tests.atomvm.test_real_vm import ATOMVM
from tests.codegen.native_node import erlc
from tests.gdb.test_screen import screen
from tests.harness.terminal import Terminal

pytestmark = [
    pytest.mark.skipif(not ATOMVM, reason="ATOMVM names no AtomVM to look at"),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="not installed: tmux"),
]

FRAMES = r"(?s:.*)".join(rf"^(=>|  ) #{at} +debuggee:{re.escape(name)} at " for at, (name, _) in enumerate(STACK))


@pytest.fixture(scope="module")
def beam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """debuggee.beam, of one that GDB can run."""
    if host.TOOLS[target()][1]:
        pytest.skip("qemu runs this AtomVM, and the screen knows it as any remote stub")
    return erlc(SOURCE, tmp_path_factory.mktemp("debuggee"))


def looked_at(seat: Terminal) -> None:
    """The panes, where the first process is in `inner/2`; those that AtomVM has nothing for say so in a line."""
    seat.press("3")
    seat.awaited(rf"^Process <0\.1\.0>: running on thread \d+\n{FRAMES}")
    seat.press("5")
    seat.awaited(r"^<0\.2\.0> +\d+ +2 +waiting +shop +debuggee:server/2$")
    seat.press("/")
    seat.type("name=shop")
    assert "<0.1.0>" not in seat.awaited(r"^── 5 Processes  /name=shop  ─+\nPID(?s:.*)^<0\.2\.0>(?s:.*)^── 0")
    seat.press("Home", "Enter")
    seat.awaited(r"^Process <0\.2\.0> shop: waiting$(?s:.*)^ +messages: +2$(?s:.*)^ +a_key = \{its,value\}$")
    seat.press("4")
    seat.awaited(r"^debuggee:inner/2, interpreted, \d+ bytes$")
    for key in ("7", "8"):
        seat.press(key)
        seat.awaited(r"^\(beam-(schedulers|ets) is for Erlang/OTP: AtomVM has ")


def test_one_that_is_started_here(beam: Path, tmp_path: Path) -> None:
    """It is begun where a function was to be stopped at, what it prints is on the screen, and it is quit."""
    with screen(tmp_path, "--screen", "--args", ATOMVM, str(beam)) as seat:
        seat.awaited(r"^ beamgdb .* c: begin; the program has not begun *$")
        seat.press("b")
        seat.type("debuggee:inner/2")
        seat.awaited(r"^Breakpoint on debuggee:inner/2, which is not loaded yet")
        seat.press("Escape")
        seat.awaited(r"^ \? keys")
        seat.press("2", "c")
        seat.awaited(r"^=> +\d+  inner\(Shown, Terms\) ->$")
        looked_at(seat)
        seat.press("x")
        seat.awaited(r"^ +▸ x0 = \{seen,3\}$")
        seat.press("Home", "Enter")
        seat.awaited(r"^ +\[2\] = 3$")
        seat.press("1")
        seat.awaited(r"^── 1 Why  ─+\n\w+ in thread \d+")
        seat.press(":")
        seat.type("delete")
        seat.awaited(r"^`delete` removes all breakpoints\.")
        seat.press("y")
        seat.type("continue")
        seat.awaited(r"^\{seen,3\}$")
        seat.press("Escape")
        seat.awaited(r"^ \? keys")
        seat.press("q", "y")
        seat.awaited(r"^Pane is dead \(status 0")


def test_one_that_runs_and_its_core(beam: Path, tmp_path: Path) -> None:
    """It is among what can be chosen, and goes on when it is let go."""
    with subprocess.Popen([ATOMVM, beam], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as vm:
        try:
            with screen(tmp_path) as seat:
                seat.awaited(rf"^debuggee\.beam  pid {vm.pid}, ")
                seat.press("q")
                seat.awaited(r"^Pane is dead \(status 0")
            with screen(tmp_path, str(vm.pid)) as seat:
                seat.awaited(r"^ beamgdb  debuggee\.beam \(pid .*   stopped: ")
                seat.press("5")
                seat.awaited(r"^<0\.3\.0> .* debuggee:idle/1$")
                seat.press(":")
                seat.type(f"generate-core-file {tmp_path}/core")
                seat.awaited(r"^Saved corefile ")
                seat.press("Escape")
                seat.awaited(r"^ \? keys")
                seat.press("q", "y")
                seat.awaited(r"^Pane is dead \(status 0")
            assert "TracerPid:\t0\n" in Path(f"/proc/{vm.pid}/status").read_text()
        finally:
            os.kill(vm.pid, signal.SIGKILL)
    with screen(tmp_path) as seat:
        seat.awaited(r"^core  \d{4}-.*, core file of .*AtomVM$")
        seat.press("Enter")
        seat.awaited(r"^── 1 Why  ─+\n.* in thread \d+")
        seat.press("5")
        seat.awaited(r"^<0\.3\.0> .* debuggee:idle/1$")
        seat.press("q")
        seat.awaited(r"^Pane is dead \(status 0")
