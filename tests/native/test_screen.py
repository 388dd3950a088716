"""The full-screen interface on 32-bit ARM: native code in the interpreter, under qemu, and over a slow line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from beamgdb.asked_gdb import Gdb
from beamgdb.cli import LOADER
from beamgdb.screen.command import command
from jit.sandbox.debuggee import debuggee
from tests.harness.erl import SETTINGS
from tests.harness.gdb import GDB, REPOSITORY
from tests.harness.slow_line import SlowLine, slow_line
from tests.harness.targets import Target
from tests.harness.terminal import Terminal, terminal
from tests.native.conftest import Shop

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="not installed: tmux")

SHOW = """
import asyncio, sys
from beamgdb.screen.screen import Screen
from beamgdb.screen.targets import Target
async def show():
    await Screen(Target("shop on armhf", sys.argv[1:], is_started=True)).run()
asyncio.run(show())
"""
"""What `beamgdb --arch armhf --otp 27` does with the command line of GDB."""


@contextmanager
def shown(shop: Shop, folder: Path) -> Iterator[tuple[Terminal, SlowLine]]:
    """The screen, on a node of its own with the native modules of `shop`, which has not begun; and the line to it."""
    sandbox, quiet = Target("armhf", shop.session.target.otp).sandbox, subprocess.DEVNULL
    run = ["-noinput", "-pa", str(shop.ebin), "-s", "native", "-eval", "shop:start()."]
    with (
        debuggee(sandbox, run, stdout=quiet, stderr=quiet, environment=SETTINGS) as node,
        slow_line(node.relay.port) as line,
    ):
        words = [word.replace(node.address, line.address) for word in node.gdb_arguments(shop.ebin)]
        environment = {"PYTHONPATH": str(REPOSITORY), "VIRTUAL_ENV": sys.prefix, "NO_COLOR": "1"}
        started = (sys.executable, "-c", SHOW, *command(Gdb(GDB, LOADER), words))
        with terminal(started, folder, environment, folder) as seat:
            yield seat, line


@pytest.mark.parametrize("shop_session", [27], indirect=True, ids=str)
def test_native_code_on_a_slow_line(shop_session: Shop, tmp_path: Path) -> None:
    """A native function and an interpreted one on one stack. Then each packet takes 50 ms: answers take their time, and
    the screen obeys keys meanwhile."""
    with shown(shop_session, tmp_path) as (seat, line):
        seat.awaited(r"^ beamgdb  shop on armhf   stopped: ")
        seat.press(":")
        for where in ("counter:add/2", "shop:deliver/2"):
            seat.type(f"beam-break {where}")
            seat.awaited(rf"^Breakpoint \d on {where}, which is not loaded yet")
        seat.press("Escape")
        seat.awaited(r"^ \? keys")
        seat.press("3", "c")
        stack = seat.awaited(r"^=> #0 +shop:deliver/2 ")
        assert re.search(r"^ beamgdb .* breakpoint 2, in shop:deliver/2 \(thread ", stack), stack
        seat.press(":")
        seat.type("disable 2")
        seat.press("Escape")
        seat.awaited(r"^ \? keys")
        seat.press("c")
        stack = seat.awaited(r"^=> #0 +counter:add/2 (?s:.*)^── 0")
        assert re.search(r"^=> #0 +counter:add/2 (?s:.*)^ +#\d +shop:total/3 at shop.erl:\d+", stack, re.M), stack
        line.delay = 0.05
        seat.press("5")
        seat.awaited(r"^── 5 Processes  waiting for GDB")
        seat.press("3")
        seat.awaited(r"^── 3 Stack  ─+\nProcess <0\.\d+\.0> shop, ")
        seat.press("r", "5")
        seat.awaited(r"^── 5 Processes  waiting for GDB")
        seat.press("C-c")
        seat.awaited(r"^\(.*Quit.*\)|^<0\.\d+\.0> ")
        line.delay = 0
        seat.press("r")
        seat.awaited(r"^── 5 Processes  ─+\nPID(?s:.*)^<0\.\d+\.0> .* code_server$")
        seat.press("q", "y")
        seat.awaited(r"^Pane is dead \(status 0")
