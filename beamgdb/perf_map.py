"""`beamgdb symbols`: names of Erlang functions for Linux's perf, which BeamAsm writes only for nodes with `+JPperf`.

The format is that of perf (tools/perf/Documentation/jit-interface.txt), and names begin with a dollar sign, as the
node's own do (beam_jit_metadata.cpp).
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from beamgdb.asked_gdb import Attached, Gdb, NoAnswer
from jit.system import whole_files
from jit.system.command_line import one_line


class NoMap(Exception):
    """The map cannot be written; the text is one line that says why, and what to do."""


def usual(pid: int) -> Path:
    """Where perf looks for the map of a process."""
    return Path(f"/tmp/perf-{pid}.map")


DESCRIPTION: Final = (
    "Write which Erlang function each piece of a node's machine code is, for perf. The node stands still meanwhile, "
    "for a second or two. Functions that are loaded later are not in it."
)


def arguments(parser: ArgumentParser) -> None:
    """Declare what `beamgdb symbols` takes."""
    parser.add_argument("pid", metavar="PID", type=int, help="the process of the node, as ps shows it")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="the file (default: /tmp/perf-PID.map)")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")


def run(gdb: Gdb, wanted: Namespace) -> int:
    """Write the map; the exit status. Raises `NoAnswer`, `NoMap`, OSError."""
    if wanted.pid <= 0 or not Path(f"/proc/{wanted.pid}").exists():
        raise NoMap(f"{wanted.pid} is no process")
    output: Path = wanted.output or usual(wanted.pid)
    code: list[tuple[int, int, str]] = []
    for told in gdb.ask(Attached(wanted.pid), "code(TOKEN)"):
        if told["error"] is not None:
            # Where GDB could not attach, it has said why.
            why = told["error"] if told["attached"] else "; ".join(told["said"]) or "GDB cannot attach to it"
            raise NoAnswer(f"{wanted.pid}: {why}")
        code += told["code"]
    try:
        with whole_files.new_file(output, replace=wanted.force) as file:
            file.write("".join(map(_line, sorted(code))).encode(errors="backslashreplace"))
    except FileExistsError:
        raise NoMap(f"{output} is there already: give --force, or name another file with -o") from None
    print(f"{output}: {len(code)} pieces of code")
    print("To see what the node does for ten seconds:")
    print(f"    perf record -p {wanted.pid} -- sleep 10 && perf report")
    if output != usual(wanted.pid):
        print(f"perf looks for it at {usual(wanted.pid)}, of the user who runs it or of root.")
    return 0


def _line(code: tuple[int, int, str]) -> str:
    start, end, name = code
    return f"{start:x} {end - start:x} ${one_line(name)}\n"
