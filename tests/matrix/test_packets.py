"""Commands take few packets where the target is remote: each is a round trip, over a slow line or to an emulator."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.packets import PROCESSES, STOP_AGAIN, Session, session
from tests.harness.targets import TARGETS, Target

FEW = 40
"""Packets that a stack takes at most."""

ATOMS = 12
"""Those of init's state that no other command has asked for."""

MORE = 120
"""The same for commands that show many terms, or for which GDB itself reads much: it unwinds C frames for `bt`."""


STOPS = 20
"""Most of them in the busy process: other threads seldom do anything."""


@pytest.mark.parametrize("target", [target for target in TARGETS if target.emulated], ids=str)
def test_few_packets(target: Target, ebin_for: Callable[[Target], Path]) -> None:
    with session(target, ebin_for(target), "-ix") as node:
        node.gdb.go(f"target remote {node.node.address}")
        node.run_until_busy()
        node.gdb.interrupt()
        node.gdb.cmd("bt")
        for command in ("bt", "beam-bt", "beam-bt init", "xreg", "beam-bt busy"):
            packets, said = _where_erlang_runs(node, command)
            # Each process has to be asked for its name, and each atom of the state of init: three packets at first.
            counts = {"bt": MORE, "xreg": MORE, "beam-bt busy": FEW + PROCESSES, "beam-bt init": FEW + 3 * ATOMS}
            most = counts.get(command, FEW)
            assert packets.total() <= most, (command, packets, said)
        assert "busy:loop/1" in said
        packets, said, _ = node.counted(lambda: node.gdb.cmd("beam-bt all"))
        processes = said.count("Process <")
        assert processes > PROCESSES
        assert packets.total() <= FEW + 4 * processes


def _where_erlang_runs(node: Session, command: str) -> tuple[Counter[str], str]:
    """The packets that a command takes after a stop in a thread that runs Erlang, and what it says."""
    for _ in range(STOPS):
        # What is told of a stop where no thread runs Erlang, or another than the selected one, takes packets too.
        if re.search("runs Erlang|works for", node.do(STOP_AGAIN)):
            continue
        packets, said, _ = node.counted(lambda: node.gdb.cmd(command, check=False))
        # `bt` shows C frames too: GDB itself reads more for what Erlang calls than for what is Erlang's. Where the
        # interpreter runs a function, the first frame is the interpreter itself, process_main.
        in_erlang = command != "bt" or re.search(r"^#0 .*(busy:|process_main \(\))", said, re.M)
        if in_erlang and "the selected thread runs no Erlang" not in said:
            return packets, said
    pytest.fail(f"{STOPS} stops, and none in Erlang")
