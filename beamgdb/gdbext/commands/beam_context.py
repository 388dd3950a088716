"""The command `beam-context`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

import gdb

from beamgdb.gdbext import context
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.parameters import SECTIONS
from beamgdb.views.typed import brief


class BeamContext(Command):
    """Show where the program stands: source, Erlang stack, registers.

    `set beam-context on` has this shown after each stop. SECTION is one of these, and those that are shown without it
    are said by `set beam-context-sections`:

      source     the source around the current line; where its file is not
                 found, code
      stack      the process, and its first frames with arguments and
                 y registers; `y0 = x1 = T`: argument 1 is kept in y0
      registers  x registers with arguments that are still there
      code       operations and machine code around the current one

    It is about the selected frame, or where that is one of C the Erlang function that has called it. Lines are cut to
    fit the terminal. `list`, `beam-bt`, `xreg` and `beam-disas` show all of each.

    -json prints an object with a key for each section, of which more is told."""

    name = "beam-context"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-json", "--json", action="store_true")
        parser.add_argument("sections", metavar="SECTION", nargs="*", type=_section)

    def words(self, before: str, start: str) -> Iterable[str]:
        return (one for one in SECTIONS if one not in before.split())

    def in_atomvm(self, arguments: argparse.Namespace) -> None:
        self.run(arguments)

    def run(self, arguments: argparse.Namespace) -> None:
        if arguments.json:
            wanted = arguments.sections or extension().parameters.context_sections
            gdb.write(json.dumps(context.as_json(wanted)) + "\n")
            return
        gdb.write(context.text(arguments.sections))


def _section(text: str) -> str:
    """A section, for argparse."""
    if text not in SECTIONS:
        raise argparse.ArgumentTypeError(f"{brief(text)} is no section: there are {', '.join(SECTIONS)}")
    return text


def install() -> None:
    """Define the command."""
    BeamContext()
