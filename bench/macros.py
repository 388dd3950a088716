"""What OTP's own macros for GDB take to list all processes of a core file, and `beam-ps` beside them.

Run from the repository's root: ``python -m bench.macros BUILD ETP_COMMANDS [PROCESSES]``, 10000 unless another number
is named. BUILD is the folder of an Erlang/OTP that was built with debug information, as `tools/debug_beam` makes it;
ETP_COMMANDS the `etp-commands` or `etp-commands.in` of its sources. Seconds are processor time inside GDB, without its
start; the macros print a text of several lines for each process, `beam-ps` an object with all columns.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from bench.crowd import CROWD
from tests.harness import builds
from tests.harness.core import dump_core
from tests.harness.erl import READY, Node, installed_release, running
from tests.harness.gdb import Load, batch

DEFAULT = 10_000
HOURS = 4 * 3600.0
"""Seconds after which the macros are given up."""

MEASURE = """
import time
import gdb
for command in {commands!r}:
    start = time.process_time()
    try:
        text = gdb.execute(command, to_string=True)
    except gdb.error as error:
        text = ""
        print(f"{{command}}: {{error}}")
    print("took", time.process_time() - start, text.count({mark!r}), command)
"""

#: What is printed once for each process.
MACROS, OURS = (("etp-processes",), "\n  Pid: "), (("beam-info", "beam-ps -json"), '\n{"pid": ')


def measured(beam: Path, core: Path, folder: Path, what: tuple[tuple[str, ...], str], before: list[str]) -> str:
    """What GDB says of commands, after what it is given `before`."""
    script = folder / "measure.py"
    script.write_text(MEASURE.format(commands=what[0], mark=what[1]))
    load: Load = "-ix" if what is OURS else None
    return batch(*before, str(beam), str(core), "-x", str(script), load=load, timeout=HOURS)


def bench(build: Path, macros: Path, count: int) -> None:
    """The lines for so many processes."""
    beam = next(build.glob("bin/*/beam.smp"))
    sandbox = builds.sandbox(beam)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        core, output, commands = folder / "core", folder / "output", folder / "etp-commands"
        commands.write_text(macros.read_text().replace("@ERL_TOP@", str(macros.resolve().parents[3])))
        start = f'{CROWD.format(count=count)}, io:format("{READY}~n").'
        arguments = ["-noinput", "+P", str(2 * count), "+MIscs", "32", "-eval", start]
        with running(sandbox.command(arguments), output) as process:
            dump_core(Node(process.pid, installed_release(), folder), core)
        print(f"{count} processes, a core file of {core.stat().st_size / 1e6:.0f} MB, {beam.name} of {build.name}")
        settings = sandbox.gdb_settings(folder)
        for what, before in ((MACROS, ["-ix", str(commands)]), (OURS, [])):
            said = measured(sandbox.beam, core, folder, what, [*settings, *before])
            for line in said.splitlines():
                if line.startswith(what[0][-1]):
                    print(line)
            for seconds, shown, command in re.findall(r"^took ([\d.e-]+) (\d+) (.*)$", said, re.M):
                each = f"{float(seconds) / int(shown) * 1e6:9.1f} µs each" if int(shown) else ""
                print(f"{command:16}{float(seconds):9.2f} s  {shown} processes{each}")


def main() -> None:
    """Print both, if there is what they need."""
    if len(sys.argv) < 3:
        print("left out: python -m bench.macros BUILD ETP_COMMANDS tells of OTP's own macros")
        return
    bench(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else DEFAULT)


if __name__ == "__main__":
    main()
