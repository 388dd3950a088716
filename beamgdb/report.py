"""`beamgdb report`: what somebody needs to know of a core file who does not know GDB."""

from __future__ import annotations

import json
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from beamgdb import pack
from beamgdb.asked_gdb import Gdb, NoAnswer, Opened
from beamgdb.late import dataclass
from jit.system.command_line import one_line


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


@dataclass(frozen=True)
class Told:
    """What a command has told, or why it has not, and what GDB has said instead of taking the core file."""

    text: str | None
    error: str | None
    said: str


DESCRIPTION: Final = (
    "Tell why the node died that wrote a core file, and what was in it. The exit status is 1 if something could not be "
    "told."
)


def arguments(parser: ArgumentParser) -> None:
    """Declare what `beamgdb report` takes."""
    parser.add_argument(
        "core", metavar="CORE", type=Path, help="the core file, or what `beamgdb pack` has made of one, or its folder"
    )
    parser.add_argument("--json", action="store_true", help="print one object, with a key for each section")
    parser.add_argument(
        "--program", metavar="BEAM", type=Path, help="the beam.smp that wrote it, if it is not where it was"
    )
    parser.add_argument("--sysroot", metavar="ROOT", type=Path, help="the folder that has its libraries as / had them")


def run(gdb: Gdb, wanted: Namespace) -> int:
    """Print the report; the exit status: 1 if something of it is missing. Raises `NoAnswer`, `pack.NoPack`, OSError."""
    with pack.whatever(wanted.core, wanted.program) as found:
        if wanted.sysroot is not None:
            found = replace(found, sysroot=wanted.sysroot)
        answers = _told(gdb, found, wanted.json)
        return _as_json(answers) if wanted.json else _as_text(answers)


def _told(gdb: Gdb, opened: Opened, as_json: bool) -> Iterator[tuple[Section, Told]]:
    """The sections, each as soon as it is there."""
    commands = [f"{one.command}{' -json' if as_json else ''}" for one in SECTIONS]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() and not as_json else 0
    count = 0
    for answer in gdb.ask(opened, f"all_of(TOKEN, {commands!r})", f"set width {width}"):
        said = "" if answer["taken"] else "; ".join(answer["said"])
        yield SECTIONS[count], Told(answer["text"], answer["error"], said)
        count += 1
    if count < len(SECTIONS):
        raise NoAnswer(f"GDB has ended early, before {commands[count]}")


def _as_text(answers: Iterator[tuple[Section, Told]]) -> int:
    status = 0
    for section, told in answers:
        if section is not SECTIONS[0]:
            print(f"\n== {section.title} ==\n")
        elif told.error is not None:
            # What it is not of the others do not tell either.
            raise _nothing_told(told)
        if told.error is not None:
            status = 1
        print(told.text.rstrip("\n") if told.text is not None else f"(not known: {one_line(told.error or '')})")
        sys.stdout.flush()
    return status


def _nothing_told(told: Told) -> NoAnswer:
    """Where not even the first command has told anything, which GDB may have said why."""
    return NoAnswer(f"GDB does not take the core file: {told.said}" if told.said else str(told.error))


def _without_warnings(text: str) -> str:
    """What a command has printed, but for what GDB has said meanwhile, of registers that a core file lacks."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("warning: "))


def _as_json(answers: Iterator[tuple[Section, Told]]) -> int:
    report: dict[str, object] = {}
    errors: dict[str, str] = {}
    for section, told in answers:
        report[section.key] = json.loads(_without_warnings(told.text)) if told.text is not None else None
        if told.error is not None and section is SECTIONS[0]:
            raise _nothing_told(told)
        if told.error is not None:
            errors[section.key] = told.error
    print(json.dumps({**report, "errors": errors}))
    return 1 if errors else 0
