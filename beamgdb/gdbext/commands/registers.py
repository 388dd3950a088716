"""The commands `xreg`, `yreg` and `freg`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import gdb

from beamgdb.atomvm.vm import AtomVm
from beamgdb.code.symbol_file import X_VARIABLES
from beamgdb.gdbext import current_frame, session, term_printing
from beamgdb.gdbext.atomvm import registers as atomvm
from beamgdb.gdbext.commands.command import Command
from beamgdb.views import registers
from beamgdb.views.registers import FloatRow, RegisterRow
from beamgdb.views.terms import Terms
from beamgdb.views.typed import brief, natural


class _Registers(Command):
    """Shows registers of one kind."""

    category = gdb.COMMAND_DATA
    letter: str

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("number", metavar="N", nargs="?", type=self._number)
        parser.set_defaults(raw=False)

    def _number(self, text: str) -> int:
        """N, also written with the letter: `xreg x3`."""
        number = natural(text.removeprefix(self.letter))
        if number is None:
            raise argparse.ArgumentTypeError(f"{brief(text)} is no register number")
        return number

    def run(self, arguments: argparse.Namespace) -> None:
        raw = session.require().node.memory.word_size if arguments.raw else 0
        for row in self.rows(arguments.number):
            gdb.write(registers.line(row, raw) + "\n")

    def run_in_atomvm(self, arguments: argparse.Namespace, vm: AtomVm) -> None:
        raw = vm.memory.word_size if arguments.raw else 0
        for row in self.rows_in_atomvm(vm, arguments.number):
            gdb.write(registers.line(row, raw) + "\n")

    def rows(self, number: int | None) -> Iterable[RegisterRow | FloatRow]:
        """What to show: one register, or all. Raises `Unavailable`."""
        raise NotImplementedError

    def rows_in_atomvm(self, vm: AtomVm, number: int | None) -> Iterable[RegisterRow | FloatRow]:
        """The same in an AtomVM."""
        raise NotImplementedError


class _TermRegisters(_Registers):
    """Registers that hold terms."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-raw", action="store_true")
        super().arguments(parser)

    def rows_in_atomvm(self, vm: AtomVm, number: int | None) -> Iterable[RegisterRow]:
        terms = term_printing.any_terms(vm)
        return (RegisterRow(name, word, terms.text(word)) for name, word in atomvm.registers(vm, self.letter, number))


class XRegisters(_TermRegisters):
    """Print x registers of the current Erlang frame as terms.

    Without N the first 16 are shown. Which of them the function still uses, only its code tells: others hold what was
    left there. A function that has called another one has no x registers until that returns. With -raw each term comes
    after its machine word. $_xreg(N) is the same in expressions."""

    name = "xreg"
    letter = "x"

    def rows(self, number: int | None) -> Iterable[RegisterRow]:
        if number is not None:
            return [registers.row("x", number, current_frame.x_register(number), _terms())]
        frame = current_frame.selected()
        if frame.erlang.x_registers is None:
            frame.x_register(0)
        shown = range(max(X_VARIABLES, frame.erlang.place.code.arity or 0))
        return registers.rows("x", shown, frame.x_register, _terms())


class YRegisters(_TermRegisters):
    """Print y registers of the current Erlang frame as terms.

    They are the frame's variables on the stack, and live across calls. With -raw each term comes after its machine
    word. $_yreg(N) is the same in expressions."""

    name = "yreg"
    letter = "y"

    def rows(self, number: int | None) -> Iterable[RegisterRow]:
        if number is not None:
            return [registers.row("y", number, current_frame.y_register(number), _terms())]
        words = current_frame.selected().words()
        if not words:
            gdb.write("This frame has no y registers.\n")
        return registers.rows("y", range(len(words)), words.__getitem__, _terms())


class FloatRegisters(_Registers):
    """Print float registers of the current Erlang frame.

    They hold unboxed floats inside of float expressions only; at other times they hold what was left there."""

    name = "freg"
    letter = "f"

    def rows(self, number: int | None) -> Iterable[FloatRow]:
        wanted = range(current_frame.FLOAT_REGISTERS) if number is None else (number,)
        return (FloatRow(f"f{number}", current_frame.f_register(number)) for number in wanted)

    def rows_in_atomvm(self, vm: AtomVm, number: int | None) -> Iterable[FloatRow]:
        return (FloatRow(name, content) for name, content in atomvm.floats(vm, number))


def _terms() -> Terms:
    return term_printing.terms(session.require().node)


def install() -> None:
    """Define the commands."""
    XRegisters()
    YRegisters()
    FloatRegisters()
