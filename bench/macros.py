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

#: A modern GDB ends the list of the macros with an error; so the processes are named to them one by one too.
EACH = "each"

MEASURE = """
import time
import gdb
def each():
    tab, most = (int(gdb.parse_and_eval(f"(long) erts_proc.r.o.{{name}}")) for name in ("tab", "max"))
    others = {{0, int(gdb.parse_and_eval("(long) &erts_invalid_process"))}}
    words = bytes(gdb.selected_inferior().read_memory(tab, 8 * most))
    failed = []
    for at in set(int.from_bytes(words[at : at + 8], "little") for at in range(0, 8 * most, 8)) - others:
        try:
            gdb.set_convenience_variable("process", at)
            gdb.execute("etp-process-info $process")
        except gdb.error as error:
            failed.append(str(error))
    if failed:
        raise gdb.GdbError(f"{{len(failed)}} of them end with an error, such as: {{failed[0]}}")
for command in {commands!r}:
    start, error = time.process_time(), ""
    try:
        each() if command == {each!r} else gdb.execute(command)
    except (gdb.error, gdb.GdbError) as found:
        error = f", then: {{found}}"
    print()
    gdb.write("\\n")
    print("took", time.process_time() - start, command + error)
"""

#: Commands, and what is printed once for each process.
MACROS, OURS = (("etp-processes", EACH), "  Pid: "), (("beam-info", "beam-ps -json"), '{"pid": ')


def measured(beam: Path, core: Path, folder: Path, commands: tuple[str, ...], load: Load, before: list[str]) -> str:
    """What GDB says of commands, after what it is given `before`."""
    script = folder / "measure.py"
    script.write_text(MEASURE.format(commands=commands, each=EACH))
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
        for (asked, mark), before in ((MACROS, ["-ix", str(commands)]), (OURS, [])):
            load: Load = None if before else "-ix"
            said = measured(sandbox.beam, core, folder, asked, load, [*settings, *before])
            for text, seconds, command in re.findall(r"(.*?)^took ([\d.e-]+) (.*?)$", said, re.M | re.S):
                shown = text.count(mark)
                each = f", {float(seconds) / shown * 1e6:.1f} µs each" if shown else ""
                print(f"{float(seconds):9.2f} s for {shown} processes{each}: {command}")


def main() -> None:
    """Print both, if there is what they need."""
    if len(sys.argv) < 3:
        print("left out: python -m bench.macros BUILD ETP_COMMANDS tells of OTP's own macros")
        return
    bench(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else DEFAULT)


if __name__ == "__main__":
    main()
