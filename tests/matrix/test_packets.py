"""Commands take few packets where the target is remote: each is a round trip, over a slow line or to an emulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.packets import PROCESSES, STOP_AGAIN, session
from tests.harness.targets import TARGETS, Target

FEW = 40
"""Packets that a stack takes at most."""

MORE = 120
"""The same for commands that show many terms, or for which GDB itself reads much: it unwinds C frames for `bt`."""


@pytest.mark.parametrize("target", [target for target in TARGETS if target.emulated], ids=str)
def test_few_packets(target: Target, ebin_for: Callable[[Target], Path]) -> None:
    with session(target, ebin_for(target), "-ix") as node:
        node.gdb.go(f"target remote {node.node.address}")
        node.run_until_busy()
        node.gdb.interrupt()
        node.gdb.cmd("bt")
        for command in ("bt", "beam-bt", "beam-bt init", "xreg", "beam-bt busy"):
            node.do(STOP_AGAIN)
            packets, said, _ = node.counted(lambda command=command: node.gdb.cmd(command, check=False))  # type: ignore[misc]
            # Each process has to be asked for its name.
            most = {"bt": MORE, "xreg": MORE, "beam-bt busy": FEW + PROCESSES}.get(command, FEW)
            assert packets.total() <= most, (command, packets)
        assert "busy:loop/1" in said
        packets, said, _ = node.counted(lambda: node.gdb.cmd("beam-bt all"))
        processes = said.count("Process <")
        assert processes > PROCESSES
        assert packets.total() <= FEW + 4 * processes
