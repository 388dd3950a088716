"""`beamgdb report`: what somebody needs to know of a core file who does not know GDB.

GDB is run for it, with the extension, and asked one thing after the other; nothing is run that the core file names.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from beamgdb import core_file
from beamgdb.core_file import NoCore
from jit.system.command_line import Parser, one_line


@dataclass(frozen=True)
class Section:
    """A part of the report: its key in JSON, its title, and the command that tells it."""

    key: str
    title: str
    command: str


SECTIONS: Final = (
    Section("why", "Why", "beam-why"),
    Section("processes_by_memory", "Processes with most memory", "beam-ps -sort memory -limit 10"),
    Section("processes_by_queue", "Processes with most messages", "beam-ps -where queue>0 -sort queue -limit 10"),
    Section("waits", "Who waits for an answer of whom", "beam-waits -limit 20"),
    Section("stacks", "Where most processes are", "beam-stacks -limit 5"),
    Section("ets_by_memory", "ETS tables with most memory", "beam-ets -sort memory -limit 10"),
    Section("binaries", "Largest binaries", "beam-binaries -limit 10"),
)

SAFE: Final = (
    "set auto-load no", "set debuginfod enabled off", "set pagination off", "set confirm off",
    "set history save off",
)  # fmt: skip
"""Before GDB reads a file: nothing that lies beside it, or that it names, is run, and nothing is asked of a server."""

TOLD_ERRORS: Final = 3
"""Lines that GDB has said last, which are shown where it has not come to the first section."""


class NoReport(Exception):
    """There is no report; the text is one line that says why, and what to do."""


@dataclass(frozen=True)
class Told:
    """What a command has told, or why it has not."""

    text: str | None
    error: str | None


def main(gdb: Callable[[], str], loader: Path, arguments: Sequence[str]) -> int:
    """Print the report; the exit status: 1 if something of it is missing. `gdb` gives the path of GDB. Raises
    `NoReport`, OSError, LookupError."""
    parser = Parser(
        prog="beamgdb report",
        description="Tell why the node died that wrote a core file, and what was in it. The exit status is 1 if "
        "something could not be told.",
    )
    parser.add_argument("core", metavar="CORE", type=Path, help="the core file")
    parser.add_argument("--json", action="store_true", help="print one object, with a key for each section")
    parser.add_argument(
        "--program", metavar="BEAM", type=Path, help="the beam.smp that wrote it, if it is not where it was"
    )
    parser.add_argument("--sysroot", metavar="ROOT", type=Path, help="the folder that has its libraries as / had them")
    wanted = parser.parse_args(arguments)
    program = wanted.program or program_of(wanted.core)
    if not program.is_file():
        raise NoReport(f"{program}: no such program: give the beam.smp that wrote the core file with --program")
    command = _command(gdb(), loader, program, wanted.core, wanted.sysroot, wanted.json)
    return _as_json(command) if wanted.json else _as_text(command)


def program_of(core: Path) -> Path:
    """The program that a core file names. Raises `NoReport`, OSError."""
    try:
        found = core_file.read(core).program
    except NoCore as error:
        raise NoReport(str(error)) from None
    if found is None:
        raise NoReport(f"{core} does not tell which program wrote it: give the beam.smp with --program")
    return Path(found)


def _command(
    gdb: str, loader: Path, program: Path, core: Path, sysroot: Path | None, as_json: bool
) -> tuple[list[str], str]:
    """GDB's command line, and with what a line begins that has a section."""
    token = secrets.token_hex(16)
    commands = [f"{one.command}{' -json' if as_json else ''}" for one in SECTIONS]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() and not as_json else 0
    settings = [*SAFE, *([f"set sysroot {sysroot.absolute()}"] if sysroot is not None else [])]
    ask = f"python from beamgdb.gdbext import told; told.all_of({token!r}, {commands!r})"
    line = [
        gdb, "-nx", "-q", "-batch", *(word for one in settings for word in ("-iex", one)), "-ix", str(loader),
        "-ex", f"set width {width}", "-ex", ask, str(program.absolute()), str(core.absolute()),
    ]  # fmt: skip
    return line, token


def _told(command: tuple[list[str], str]) -> Iterator[tuple[Section, Told]]:
    """The sections, each as soon as it is there."""
    line, token = command
    environment = {**os.environ, "DEBUGINFOD_URLS": ""}
    pipe = subprocess.PIPE
    count, said = 0, list[str]()
    with subprocess.Popen(
        line, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True, errors="replace",
        env=environment,
    ) as gdb:  # fmt: skip
        try:
            assert gdb.stdout is not None
            for text in gdb.stdout:
                if text.startswith(token):
                    found = json.loads(text[len(token) :])
                    yield SECTIONS[count], Told(found["text"], found["error"])
                    count += 1
                elif not count and text.strip():
                    said = [*said[1 - TOLD_ERRORS :], text.strip()]
        except BaseException:
            gdb.kill()
            raise
    if count < len(SECTIONS):
        raise NoReport(f"GDB has ended early{': ' if said else ''}{'; '.join(map(one_line, said))}")


def _as_text(command: tuple[list[str], str]) -> int:
    status = 0
    for section, told in _told(command):
        if section is not SECTIONS[0]:
            print(f"\n== {section.title} ==\n")
        elif told.error is not None:
            # What it is not of the others do not tell either.
            raise NoReport(told.error)
        if told.error is not None:
            status = 1
        print(told.text.rstrip("\n") if told.text is not None else f"(not known: {one_line(told.error or '')})")
        sys.stdout.flush()
    return status


def _without_warnings(text: str) -> str:
    """What a command has printed, but for what GDB has said meanwhile, of registers that a core file lacks."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("warning: "))


def _as_json(command: tuple[list[str], str]) -> int:
    report: dict[str, object] = {}
    errors: dict[str, str] = {}
    for section, told in _told(command):
        report[section.key] = json.loads(_without_warnings(told.text)) if told.text is not None else None
        if told.error is not None:
            errors[section.key] = told.error
    if "why" in errors:
        raise NoReport(errors["why"])
    print(json.dumps({**report, "errors": errors}))
    return 1 if errors else 0
