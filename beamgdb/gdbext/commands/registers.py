"""The commands `xreg`, `yreg` and `freg`."""

from __future__ import annotations

import argparse

import gdb

from beamgdb.beamasm.symbol_file import X_VARIABLES
from beamgdb.gdbext import current_frame, session, term_printing
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.printers import NOT_AVAILABLE
from beamgdb.vm.node import Unavailable


class _Registers(Command):
    """Shows registers of one kind."""

    category = gdb.COMMAND_DATA
    letter: str

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("number", metavar="N", nargs="?", type=self._number)

    def _number(self, text: str) -> int:
        """N, also written with the letter: `xreg x3`."""
        digits = text.removeprefix(self.letter)
        if not digits.isdecimal():
            raise argparse.ArgumentTypeError(f"{text!r} is no register number")
        return int(digits)

    def show(self, number: int, text: str) -> None:
        gdb.write(f"{self.letter + str(number):<4} {text}\n")


class _TermRegisters(_Registers):
    """Registers that hold terms."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-raw", action="store_true")
        super().arguments(parser)

    def show_word(self, number: int, word: int, raw: bool) -> None:
        """A register's term, with the machine word before it on request."""
        node = session.require().node
        text = term_printing.text(node, word)
        self.show(number, f"{word:#0{2 + 2 * node.memory.word_size}x} {text}" if raw else text)


class XRegisters(_TermRegisters):
    """Print x registers of the current Erlang frame as terms.

    Without N the first 16 are shown. Which of them the function still uses, only its code tells: others hold what was
    left there. A function that has called another one has no x registers until that returns. With -raw each term comes
    after its machine word. $_xreg(N) is the same in expressions."""

    name = "xreg"
    letter = "x"

    def run(self, arguments: argparse.Namespace) -> None:
        if arguments.number is not None:
            self.show_word(arguments.number, current_frame.x_register(arguments.number), arguments.raw)
            return
        frame = current_frame.selected()
        if frame.erlang.x_registers is None:
            frame.x_register(0)
        for number in range(max(X_VARIABLES, frame.erlang.place.code.arity or 0)):
            try:
                self.show_word(number, frame.x_register(number), arguments.raw)
            except Unavailable:
                self.show(number, NOT_AVAILABLE)


class YRegisters(_TermRegisters):
    """Print y registers of the current Erlang frame as terms.

    They are the frame's variables on the stack, and live across calls. With -raw each term comes after its machine
    word. $_yreg(N) is the same in expressions."""

    name = "yreg"
    letter = "y"

    def run(self, arguments: argparse.Namespace) -> None:
        if arguments.number is not None:
            self.show_word(arguments.number, current_frame.y_register(arguments.number), arguments.raw)
            return
        words = current_frame.selected().words()
        if not words:
            gdb.write("This frame has no y registers.\n")
        for number, word in enumerate(words):
            self.show_word(number, word, arguments.raw)


class FloatRegisters(_Registers):
    """Print float registers of the current Erlang frame.

    They hold unboxed floats inside of float expressions only; at other times they hold what was left there."""

    name = "freg"
    letter = "f"

    def run(self, arguments: argparse.Namespace) -> None:
        wanted = range(current_frame.FLOAT_REGISTERS) if arguments.number is None else (arguments.number,)
        for number in wanted:
            self.show(number, repr(current_frame.f_register(number)))


def install() -> None:
    """Define the commands."""
    XRegisters()
    YRegisters()
    FloatRegisters()
