"""Commands take few packets where the target is remote: each is a round trip, over a slow line or to an emulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.packets import PROCESSES, STOP_AGAIN, session
from tests.harness.targets import TARGETS, Target

FEW = 40
"""Packets: "a few dozen"."""


@pytest.mark.parametrize("target", [target for target in TARGETS if not target.sandbox.native], ids=str)
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
            assert packets.total() <= FEW + (PROCESSES if command == "beam-bt busy" else 0), (command, packets)
        assert "busy:loop/1" in said
        packets, said, _ = node.counted(lambda: node.gdb.cmd("beam-bt all"))
        processes = said.count("Process <")
        assert processes > PROCESSES
        assert packets.total() <= FEW + 4 * processes
