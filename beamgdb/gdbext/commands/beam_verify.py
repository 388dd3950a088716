"""The command `beam-verify`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

import gdb

from beamgdb.gdbext import machine_word, session
from beamgdb.gdbext.commands.list_command import PIECES, limit_of
from beamgdb.gdbext.commands.options_around import OptionsAround
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.views import process_named, verify
from beamgdb.views.verify import Verified, WrongRow

SHOWN = 100
"""Lines, unless more are asked for."""


class BeamVerify(OptionsAround):
    """Look for what is wrong on heaps: which word is the first bad one.

    Gone through are the heaps, stacks, messages and dictionaries of all processes, or of PROCESS, and then objects of
    ETS tables and literals of modules. Wrong are words with tags that no term has, headers that introduce nothing or
    more than there is, pointers that lead to nowhere, to no term or into the heap of another process, return addresses
    that are none, lists of what is outside of a heap that lead astray or in a circle, and heaps that overlap.

    Then counts of references are compared with what was found: of binaries outside of heaps, of what magic references
    lead to, such as resources of NIFs, and of funs. One that counts fewer than there are is freed while it is in use;
    so it is when a NIF releases a resource once too often. Of those that count more it is said how many there are.

    Processes that are being collected, made or ended, and tables that are being changed, are passed over, and counted.
    (Where there is one scheduler tables have no locks: what may be a change that is under way is said to be so.)
    There is a line for the first such word of each block of memory, with the term that it is in: whoever wrote there
    last, a NIF perhaps, is the one to ask. The text of a damaged term is what can be made of it.

    PROCESS is as in `beam-process`. -limit N shows N lines; without it 100. -json prints an array of objects."""

    name = "beam-verify"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-limit", metavar="N", type=limit_of)
        parser.add_argument("-json", "--json", action="store_true")
        parser.add_argument("process", metavar="PROCESS", nargs="?")

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        text = arguments.process
        process = process_named.find(node, text, machine_word.evaluated) if text is not None else None
        limit = arguments.limit if arguments.limit is not None or arguments.json else SHOWN
        rows: list[WrongRow] = []
        with ProgressLine(PIECES, 0) as progress:
            found = Verified(node, process, progress.advance)
            for row in found.rows():
                if limit is None or len(rows) < limit:
                    rows.append(row)
        walked, stream = found.walked(), gdb.STDERR if arguments.json else gdb.STDOUT
        if arguments.json:
            gdb.write(json.dumps([asdict(row) for row in rows]) + "\n")
        else:
            gdb.write("".join(f"{verify.line(row)}\n" for row in rows))
        if len(rows) < walked.wrong:
            gdb.write(f"({walked.wrong - len(rows)} more: -limit {limit})\n", stream)
        for note in found.notes():
            gdb.write(note + "\n", stream)
        gdb.write(verify.summary(walked) + "\n", stream)


def install() -> None:
    """Define the command."""
    BeamVerify()
