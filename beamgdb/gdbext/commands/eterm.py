"""The command `eterm`."""

from __future__ import annotations

import argparse

import gdb

from beamgdb.gdbext import older_gdb, session, term_printing
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.machine_word import machine_word


class Eterm(Command):
    """Print the value of an expression as an Erlang term.

    EXPRESSION is anything that GDB can evaluate to a word: a variable, a CPU register ($rdi), a number, or
    *(unsigned long *)ADDRESS for what lies in memory. With -boxed its value is the plain address of a heap object.

    Pointers into code show as <cp module:function/arity+offset>, header words as such; what cannot be read or is no
    term is shown in angle brackets. `set beam-depth`, `beam-width` and `beam-bytes` limit what is printed."""

    name = "eterm"
    category = gdb.COMMAND_DATA
    completer = gdb.COMPLETE_EXPRESSION

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-boxed", action="store_true")
        parser.add_argument("expression", metavar="EXPRESSION", nargs=1)

    def split(self, text: str) -> list[str]:
        """The expression is one argument, whatever it contains."""
        flag, _, rest = text.strip().partition(" ")
        if flag == "-boxed":
            return [flag, rest.strip()] if rest.strip() else [flag]
        return ["--", text.strip()] if text.strip() else []

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        (expression,) = arguments.expression
        word = machine_word(older_gdb.value(expression)) & node.memory.address_mask
        terms = term_printing.terms(node)
        gdb.write((terms.boxed if arguments.boxed else terms.text)(word) + "\n")


def install() -> None:
    """Define the command."""
    Eterm()
