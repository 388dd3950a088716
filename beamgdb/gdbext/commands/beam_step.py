"""The commands `beam-step`, `beam-next` and `beam-finish`."""

from __future__ import annotations

import argparse

import gdb

from beamgdb.gdbext import current_frame, session, term_printing
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.stepping import compiled_walk, interpreted_walk, position
from beamgdb.gdbext.stepping.position import Position
from beamgdb.gdbext.stepping.resume import Ended, Interrupted


def _line(start: Position, into: bool) -> None:
    if session.require().node.is_interpreter:
        interpreted_walk.line(start, into)
    else:
        compiled_walk.line(start, into)


def _out(start: Position) -> bool:
    if session.require().node.is_interpreter:
        return interpreted_walk.out(start)
    return compiled_walk.out(start)


def _show(before: Position) -> None:
    """Print where the process is: the line, and the function unless it is the same call of it."""
    found = current_frame.first_erlang(gdb.newest_frame())
    if found is None:
        gdb.execute("frame")
        return
    found.gdb_frame.select()
    text = gdb.execute("frame", to_string=True)
    first, _, rest = text.partition("\n")
    gdb.write(rest if rest and position.of(found).is_same_call(before) else text)


NON_VALUE = 0
"""`THE_NON_VALUE` (erl_term.h), which is in x0 when an exception has come to its handler."""


class _Step(Command):
    """A step, COUNT times."""

    category = gdb.COMMAND_RUNNING
    repeats = True
    into: bool

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("count", metavar="COUNT", nargs="?", type=_count, default=1)

    def run(self, arguments: argparse.Namespace) -> None:
        start = position.newest()
        try:
            for _ in range(arguments.count):
                start = position.newest()
                _line(start, self.into)
        except (Ended, Interrupted) as reason:
            gdb.write(str(reason))
            return
        _show(start)


class BeamStep(_Step):
    """Step to the next line of Erlang code, into functions that are called.

    The step follows the process: it ends where that one gets to another line, also on another scheduler and after it
    has waited for a message. BIFs and NIFs are stepped over. COUNT is the number of steps; they end early where
    something else stops the program. When the process ends, that is said."""

    name = "beam-step"
    into = True


class BeamNext(_Step):
    """Step to the next line of Erlang code, over functions that are called.

    As beam-step, but calls are run until they return. A function that is called in place of this one, by a tail call,
    is run until it returns or calls this one again. An exception ends the step where it is caught."""

    name = "beam-next"
    into = False


class BeamFinish(Command):
    """Run until the selected Erlang function has returned, and print its value.

    It follows the process, as beam-step does. When the function raises an exception, it ends where that is caught."""

    name = "beam-finish"
    category = gdb.COMMAND_RUNNING
    repeats = True

    def run(self, arguments: argparse.Namespace) -> None:
        start = position.selected()
        gdb.write(f"Run till exit of {start.place.code.name}\n")
        try:
            returned = _out(start)
        except (Ended, Interrupted) as reason:
            gdb.write(str(reason))
            return
        _show(start)
        value = current_frame.x_register(0)
        # A handler of exceptions may be right behind the call.
        if returned and value != NON_VALUE:
            gdb.write(f"Value returned is {term_printing.text(session.require().node, value)}\n")
        else:
            gdb.write("An exception was raised, and is caught here.\n")


def _count(text: str) -> int:
    """A number of steps."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of steps")
    return int(text)


def install() -> None:
    """Define the commands."""
    BeamStep()
    BeamNext()
    BeamFinish()
