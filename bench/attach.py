"""Time until an Erlang stack is on the screen: after attaching to a full node, and for all processes of a crowded one.

Run from the repository's root: ``python -m bench.attach``. Seconds are measured inside GDB, from the command `attach`
on; GDB's own start is not part of them.
"""

from __future__ import annotations

import re
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.harness.erl import Node, running_node
from tests.harness.gdb import Load, batch

RUNS = 7
APPLICATIONS = ("kernel", "stdlib", "compiler")
PROCESSES = 10_000

FULL = (
    "Modules = lists:append([begin application:load(A), {ok, Ms} = application:get_key(A, modules), Ms end"
    f" || A <- [{', '.join(APPLICATIONS)}]]), ok = code:ensure_modules_loaded(Modules)"
)
CROWDED = f"[spawn(fun() -> receive {{N, stop}} -> N end end) || N <- lists:seq(1, {PROCESSES})]"


@dataclass(frozen=True)
class Subject:
    """A GDB that is timed: how it loads the extension, and the command whose answer ends the time."""

    name: str
    load: Load
    command: str


PLAIN = Subject("plain GDB: attach, bt", None, "bt")
EXTENDED = Subject("with beamgdb: attach, beam-bt init", "-ix", "beam-bt init")


def timed(*commands: str) -> tuple[str, str]:
    """Arguments of GDB that run commands and print how long it took."""
    run = "; ".join(f"gdb.execute({command!r})" for command in commands)
    return "-ex", f"python import time; start = time.perf_counter(); {run}; print('took', time.perf_counter() - start)"


def seconds(said: str) -> float:
    """What `timed` printed. Raises RuntimeError where it did not come so far."""
    found = re.search(r"^took ([\d.e-]+)$", said, re.M)
    if found is None:
        raise RuntimeError(f"no time in what GDB said: {said[-2000:]}")
    return float(found[1])


def attach_seconds(node: Node, subject: Subject) -> float:
    """One run in a GDB of its own."""
    return seconds(batch(*timed(f"attach {node.pid}", subject.command), load=subject.load))


def header(subject: str, runs: int) -> str:
    return f"{f'{subject}; {runs} runs':36}{'best':>12}{'median':>12}"


def row(name: str, best: float, median: float, unit: str = "s") -> str:
    return f"{name:36}{best:9.2f} {unit:2}{median:9.2f} {unit:2}".rstrip()


def bench_attach(ebin: Path) -> None:
    """The table of attaching, plain GDB and ours in turn."""
    with running_node(ebin, FULL) as node:
        info = batch("-p", str(node.pid), "-ex", "beam-info", load="-ix")
        loaded = re.search(r"^code: +(\d+ modules), (\d+ functions)", info, re.M)
        print(header(", ".join(loaded.groups()) if loaded else "unknown code", RUNS))
        pairs = [(attach_seconds(node, PLAIN), attach_seconds(node, EXTENDED)) for _ in range(RUNS)]
    without, extended = ((min(runs), statistics.median(runs)) for runs in zip(*pairs))
    print(row(PLAIN.name, *without))
    print(row(EXTENDED.name, *extended))
    print(row("difference", extended[0] - without[0], extended[1] - without[1]))
    print(row("ratio", extended[0] / without[0], extended[1] / without[1], "x"))


def bench_all_processes(ebin: Path) -> None:
    """All stacks of a node with many processes."""
    with running_node(ebin, CROWDED) as node:
        runs, stacks, size = [], 0, 0
        for _ in range(3):
            said = batch("-p", str(node.pid), *timed("beam-bt all"), load="-ix")
            runs.append(seconds(said))
            stacks, size = len(re.findall(r"^Process <", said, re.M)), len(said)
    print(f"\n{header(f'{stacks} processes, {size / 1e6:.1f} MB', len(runs))}")
    print(row("beam-bt all", min(runs), statistics.median(runs)))
    print(row("per process", min(runs) / stacks * 1e6, statistics.median(runs) / stacks * 1e6, "µs"))


def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as ebin:
        bench_attach(Path(ebin))
        bench_all_processes(Path(ebin))


if __name__ == "__main__":
    main()
