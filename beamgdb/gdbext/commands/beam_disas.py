"""The command `beam-disas`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import gdb

from beamgdb.code.loaded import Place
from beamgdb.gdbext import code_listing, current_frame, session
from beamgdb.gdbext.commands import completion
from beamgdb.gdbext.commands.command import Command, leading_options
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.style import GdbStyler
from beamgdb.node import Node
from beamgdb.views import tagged
from beamgdb.views.disassembly import listing
from beamgdb.views.disassembly.listing import FunctionListing, bytecode_of
from beamgdb.views.location import BadLocation, FunctionLocation, parse
from beamgdb.vm.model import Unavailable

_OPTION = re.compile(r"\s*(-bytecode(?=\s)|--?json(?=\s)|-beam\s+(\"[^\"]*\"|\S+))")


class BeamDisas(Command):
    """Show the code of an Erlang function, with source lines and operations.

    FUNCTION is MODULE:FUNCTION/ARITY, or as Elixir writes it; the arity may be left out where there is only one.
    Without it, the function of the selected frame is shown, with => where that is. Of machine code, > marks where jumps
    in the function lead; what is no instruction shows as data (.byte, .quad, .word).

    Native code and code of the JIT are shown with the operations that they were compiled from, if the module's .beam
    file is found; -beam names it. For native code without it, the interpreter's own instructions stand for them. Of
    interpreted code the loaded instructions are shown; with -bytecode also for a function that has native code. -json
    prints an array of objects, of which each says in `row` what it is."""

    name = "beam-disas"
    category = gdb.COMMAND_DATA

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-bytecode", action="store_true")
        parser.add_argument("-beam", metavar="FILE", default="")
        parser.add_argument("-json", "--json", action="store_true")
        parser.add_argument("function", metavar="FUNCTION", nargs="?")

    def split(self, text: str) -> list[str]:
        """A function's quotes are its own."""
        options, rest = leading_options(_OPTION, text)
        words = [word.strip('"') for word in options]
        return [*words, rest] if rest else words

    def words(self, before: str, start: str) -> Iterable[str]:
        if before.rstrip().endswith("-beam"):
            return completion.beam_files(start)
        return completion.functions(start, with_lines=False)

    def run(self, arguments: argparse.Namespace) -> None:
        current = session.require()
        node = current.node
        sources = code_listing.sources(current)
        path = Path(arguments.beam).expanduser() if arguments.beam else None
        wanted = self._wanted(node, arguments.function, arguments.bytecode)
        rows = (row for place, pc in wanted for row in FunctionListing(sources, place, pc, path).rows())
        styler = GdbStyler()
        for line in tagged.lines(rows) if arguments.json else (listing.line(row, styler) for row in rows):
            gdb.write(line + "\n")

    def _wanted(self, node: Node, text: str | None, bytecode: bool) -> Iterator[tuple[Place, int | None]]:
        """The code that is meant, with the address where the selected frame is. Raises `Unavailable`."""
        try:
            frame = current_frame.selected().erlang
        except Unavailable:
            if text is None:
                raise
            frame = None
        if text is None:
            assert frame is not None
            yield (bytecode_of(node, frame.place) if bytecode else frame.place), frame.pc
            return
        try:
            location, _ = parse(text, node.code)
        except BadLocation as error:
            self.parser.error(str(error))
        if not isinstance(location, FunctionLocation):
            self.parser.error("a function is wanted, MODULE:FUNCTION/ARITY")
        entries = location.addresses(node.code)
        if not entries:
            missing = location.missing(node.code, extension().parameters.syntax)
            raise Unavailable(missing or f"the module {location.module} is not loaded")
        for place in filter(None, map(node.code.find, entries)):
            yield (bytecode_of(node, place) if bytecode else place), frame.pc if frame is not None else None


def install() -> None:
    """Define the command."""
    BeamDisas()
