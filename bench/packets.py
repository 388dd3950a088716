"""Packets that commands take over GDB's remote protocol, with a busy node under qemu-user.

Run from the repository's root: ``python -m bench.packets [TARGET...]``; targets are named as `armhf-27`. Packets are
counted by the relay between GDB and the stub, which sends at most 2 KiB of memory in one. What a command reads, later
ones at the same stop need not read again: so the order matters.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jit.sandbox.debuggee import Debuggee, debuggee
from tests.harness.erl import READY, SETTINGS
from tests.harness.gdb import Gdb, GdbError, Load
from tests.harness.patience import PATIENCE
from tests.harness.targets import TARGETS, Target

PROCESSES = 100
BUSY = (
    f"[spawn(fun() -> receive {{stop, N}} -> N end end) || N <- lists:seq(1, {PROCESSES})], busy:start(),"
    f' io:format("{READY}~n").'
)
STOP_AGAIN = "continue, interrupt"
BREAK = "beam-break busy:outer/3"
TO_BREAK = "continue to the break"
PLAIN = ("bt", STOP_AGAIN, "bt")
COMMANDS = (
    "beam-info", "bt", STOP_AGAIN, "bt", STOP_AGAIN, "beam-bt", "beam-bt init", "beam-bt all",
    BREAK, TO_BREAK, "bt", "beam-bt", "xreg", "yreg", "eterm x0", "beam-next",
)  # fmt: skip


@dataclass(frozen=True)
class Session:
    """A GDB with a node, and the packets it has sent."""

    gdb: Gdb
    node: Debuggee
    said: Path

    def counted(self, act: Callable[[], object]) -> tuple[Counter[str], str, float]:
        """Packets by kind that something takes, what it returns as text, and seconds."""
        before, start = self.node.packets, time.monotonic()
        text = str(act())
        return self.node.packets - before, text, time.monotonic() - start

    def do(self, command: str) -> str:
        """Give a command; if it resumes the target, wait until that stops."""
        if command == STOP_AGAIN:
            self.gdb.cmd("continue")
            time.sleep(0.1)
            return self.gdb.interrupted()
        if command in (TO_BREAK, "beam-next"):
            return self.gdb.go("continue" if command == TO_BREAK else command).text
        try:
            return self.gdb.cmd(command)
        except GdbError as refused:  # where a stop was in a thread that runs no Erlang
            return str(refused)

    def run_until_busy(self) -> None:
        """From the first instruction until all has been started and the node does nothing but work."""
        self.gdb.cmd("continue")
        deadline = time.monotonic() + 4 * PATIENCE
        while READY not in self.said.read_text():
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(0.1)
        time.sleep(1)


@contextmanager
def session(target: Target, ebin: Path, load: Load) -> Iterator[Session]:
    """A node that is busy and a GDB that is connected to it."""
    said = ebin / "said"
    arguments = ["-noinput", "-pa", str(ebin), "-eval", BUSY]
    with (
        said.open("wb") as output,
        debuggee(target.sandbox, arguments, stdout=output, stderr=subprocess.STDOUT, environment=SETTINGS) as node,
        Gdb(*target.sandbox.gdb_settings(ebin), str(target.sandbox.beam), load=load) as gdb,
    ):
        yield Session(gdb, node, said)


def row(name: str, packets: Counter[str], text: str, seconds: float) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in packets.most_common(4))
    return f"{name:28}{packets.total():9}{seconds:9.2f} s  {len(text.splitlines()):6} lines   {kinds}"


def measure(target: Target, ebin: Path, load: Load, commands: tuple[str, ...]) -> None:
    """Print the table of one GDB."""
    print(f"\n{f'{target}, ' + ('with beamgdb' if load else 'plain GDB'):28}{'packets':>9}")
    with session(target, ebin, load) as now:
        print(row("target remote", *now.counted(lambda: now.gdb.go(f"target remote {now.node.address}").text)))
        print(row("until it is busy", *now.counted(now.run_until_busy)))
        print(row("interrupt", *now.counted(lambda: now.gdb.interrupt().text)))
        for command in commands:
            print(row(command, *now.counted(partial(now.do, command))))


def main(names: list[str]) -> None:
    """Tables for all targets under qemu, or those named."""
    for target in TARGETS:
        if target.emulated and (not names or str(target) in names):
            with tempfile.TemporaryDirectory(prefix="beamgdb-bench-") as folder:
                target.compile(Path(folder))
                measure(target, Path(folder), None, PLAIN)
                measure(target, Path(folder), "-ix", COMMANDS)


if __name__ == "__main__":
    os.environ["VIRTUAL_ENV"] = sys.prefix
    main(sys.argv[1:])
