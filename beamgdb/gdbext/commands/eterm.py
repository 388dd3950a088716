"""The command `eterm`."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import asdict

import gdb

from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import current_frame, older_gdb, session, term_printing
from beamgdb.gdbext.atomvm import registers as atomvm
from beamgdb.gdbext.commands.command import Command, leading_options
from beamgdb.gdbext.machine_word import machine_word
from beamgdb.views import term_parts
from beamgdb.views.terms import AnyTerms
from jit.otp.tags import BOXED

_OPTION = re.compile(r"\s*(-boxed|--?json)(?=\s)")
_REGISTER = re.compile("([xy])([0-9]{1,4})")


class Eterm(Command):
    """Print the value of an expression as an Erlang term.

    EXPRESSION is anything that GDB can evaluate to a word: a variable, a CPU register ($rdi), a number, or
    *(unsigned long *)ADDRESS for what lies in memory; or the name of an x or y register (y0), as xreg and yreg show
    them. With -boxed its value is the plain address of a heap object.

    -json prints an object with the text, the word, and the parts of a list, tuple or map, each with its own word, by
    which `eterm -json WORD` shows the parts of that: `set beam-width` of them.

    Pointers into code show as <cp module:function/arity+offset>, header words as such; what cannot be read or is no
    term is shown in angle brackets. `set beam-depth`, `beam-width` and `beam-bytes` limit what is printed."""

    name = "eterm"
    category = gdb.COMMAND_DATA
    completer = gdb.COMPLETE_EXPRESSION

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-boxed", action="store_true")
        parser.add_argument("-json", "--json", action="store_true")
        parser.add_argument("expression", metavar="EXPRESSION", nargs=1)

    def split(self, text: str) -> list[str]:
        """The expression is one argument, whatever it contains."""
        flags, rest = leading_options(_OPTION, text)
        return [*flags, *(["--", rest] if rest else ())]

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        (expression,) = arguments.expression
        self._print(arguments, word(expression) & node.memory.address_mask, term_printing.terms(node))

    def run_in_atomvm(self, arguments: argparse.Namespace, vm: AtomVm) -> None:
        (expression,) = arguments.expression
        register = _REGISTER.fullmatch(expression)
        found = atomvm.register(vm, register[1], int(register[2])) if register else None
        if found is None:
            found = machine_word(older_gdb.value(expression))
        self._print(arguments, found & vm.memory.address_mask, term_printing.any_terms(vm))

    def _print(self, arguments: argparse.Namespace, found: int, terms: AnyTerms) -> None:
        if arguments.json:
            found = found | BOXED if arguments.boxed else found
            gdb.write(json.dumps(asdict(term_parts.row(terms, found))) + "\n")
            return
        gdb.write((terms.boxed if arguments.boxed else terms.text)(found) + "\n")


def word(expression: str) -> int:
    """The word that an expression has. A register of the BEAM can be named as such, unless a variable has its name: x0
    to x15 and y0 to y15 are variables where they are; elsewhere y0 and y1 are functions of C's own library."""
    register = _REGISTER.fullmatch(expression)
    if register is None:
        return machine_word(older_gdb.value(expression))
    try:
        value = older_gdb.value(expression)
    except gdb.error:
        value = None
    if value is not None and value.type.strip_typedefs().code != gdb.TYPE_CODE_FUNC and not value.is_optimized_out:
        return machine_word(value)
    read = current_frame.x_register if register[1] == "x" else current_frame.y_register
    return read(int(register[2]))


def install() -> None:
    """Define the command."""
    Eterm()
