"""The command `eterm`."""

from __future__ import annotations

import argparse

import gdb

from beamgdb.gdbext import session, term_printing
from beamgdb.gdbext.commands.command import Command


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
        word = integer(gdb.parse_and_eval(expression)) & node.memory.address_mask
        if arguments.boxed:
            gdb.write(node.boxed(word, term_printing.limits()) + "\n")
        else:
            gdb.write(node.term(word, term_printing.limits()) + "\n")


def integer(value: gdb.Value) -> int:
    """A value as a machine word; raises `gdb.GdbError` for what has none."""
    if value.is_optimized_out:
        raise gdb.GdbError("the value is not available in this frame")
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_FUNC:
        return int(value.address or 0)
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_FLT):
        raise gdb.GdbError(f"a value of type {value.type} is no machine word")
    return int(value)


def install() -> None:
    """Define the command."""
    Eterm()
