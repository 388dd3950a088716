"""What commands that look at all processes take, on core files of nodes with very many.

Run from the repository's root: ``python -m bench.crowd [PROCESSES ...]``, 10000 and 100000 unless others are named. A
million makes a core file of 11 GB in $TMPDIR, of a node with as much memory. Seconds are processor time inside GDB,
without its start; the peak is that of its memory while a command runs, with what others have left; reads are those that
GDB is asked for. Processes are listed with NumPy, as in `.venv`, unless GDB's Python is another one than that.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from tests.harness.erl import Node, running_node
from tests.harness.gdb import batch

DEFAULT = (10_000, 100_000)

#: Each with a dictionary, a map, a binary of its own and two messages.
CROWD = (
    "Crowd = [spawn(fun() -> Bin = <<N:64, (binary:copy(<<0>>, 100))/binary>>, put(key, N), put(bin, Bin),"
    " Map = #{{n => N, list => [N, N + 1]}}, receive never -> {{Map, Bin}} end end) || N <- lists:seq(1, {count})],"
    " [P ! {{hello, N}} || P <- Crowd, N <- [1, 2]], receive after 1000 -> ok end"
)

COMMANDS = (
    "beam-ps -limit 10", "beam-ps -sort memory -limit 10", "beam-ps -where queue>2", "beam-ps -limit 10000000",
    "beam-ps -json", "beam-top", "beam-process code_server", "complete beam-process code",
    "complete beam-process <0.1", "beam-stacks", "beam-waits", "beam-why",
    "beam-binaries -limit 10", "beam-bt -limit 1 all", "beam-heap", "beam-refs code_server", "beam-verify",
    "beam-crashdump {folder}/erl_crash.dump",
)  # fmt: skip

MEASURE = """
import re, time
from pathlib import Path
import gdb
from beamgdb.gdbext import session
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
gdb.execute("beam-info", to_string=True)
print("peak", peak())
memory = session.require().node.memory
for command in {commands!r}:
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    reads, start = memory.reads, time.process_time()
    text = gdb.execute(command, to_string=True)
    print("took", time.process_time() - start, len(text), memory.reads - reads, peak(), command)
"""


def core_of(node: Node, core: Path) -> None:
    """Write a core file of a node."""
    batch("-p", str(node.pid), "-ex", f"gcore {core}", load=None)


def bench(count: int) -> None:
    """The table for so many processes."""
    with tempfile.TemporaryDirectory() as folder:
        core, script = Path(folder) / "core", Path(folder) / "measure.py"
        commands = [command.format(folder=folder) for command in COMMANDS]
        script.write_text(MEASURE.format(commands=commands))
        with running_node(Path(folder), CROWD.format(count=count), "+P", str(2 * count)) as node:
            core_of(node, core)
            beam = node.release.beam
        said = batch(str(beam), str(core), "-x", str(script), load="-ix")
        (before,) = re.findall(r"^peak (\d+)$", said, re.M)
        print(f"\n{count} processes, a core file of {core.stat().st_size / 1e9:.1f} GB; {before} MB before all")
        dump = Path(folder) / "erl_crash.dump"
        print(f"{dump.stat().st_size / 1e6:.0f} MB of crash dump")
    for seconds, size, reads, peak, command in re.findall(r"^took ([\d.e-]+) (\d+) (\d+) (\d+) (.*)$", said, re.M):
        each = float(seconds) / count * 1e6
        print(
            f"{command:32}{float(seconds):8.2f} s{each:9.2f} µs and {int(reads) / count:5.2f} reads a process"
            f"{int(size) / 1e6:8.1f} MB of text, {peak} MB"
        )


def main() -> None:
    """Print a table for each number of processes."""
    for count in map(int, sys.argv[1:] or map(str, DEFAULT)):
        bench(count)


if __name__ == "__main__":
    main()
