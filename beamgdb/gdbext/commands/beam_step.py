"""The commands `beam-step`, `beam-next`, `beam-finish` and `beam-receive`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import gdb

from beamgdb.gdbext import context, current_frame, front_end, machine_word, session, term_printing
from beamgdb.gdbext.breakpoints.compiled import TooMany
from beamgdb.gdbext.commands import completion
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.debug_adapter import DebugAdapter
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.running import Running
from beamgdb.gdbext.stepping import compiled_walk, interpreted_walk, position
from beamgdb.gdbext.stepping.position import Position
from beamgdb.gdbext.stepping.resume import Ended, Interrupted
from beamgdb.views import process_named, steps
from beamgdb.views.process_details import Details, Items
from beamgdb.views.typed import brief, natural

MOST_WAITING = 1000
"""Messages that a process has left waiting before, of which is told what comes behind them."""


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
    text = front_end.taken("frame")
    first, _, rest = text.partition("\n")
    gdb.write(rest if rest and position.of(found).is_same_call(before) else text)


class _StepCommand(Command):
    """A step, COUNT times."""

    category = gdb.COMMAND_RUNNING
    looks = False
    repeats = True
    into: bool

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("count", metavar="COUNT", nargs="?", type=_count, default=1)

    def run(self, arguments: argparse.Namespace) -> None:
        with context.once(), extension().part(DebugAdapter).one_step():
            self._run(arguments)

    def _run(self, arguments: argparse.Namespace) -> None:
        start = position.newest()
        try:
            for _ in range(arguments.count):
                start = position.newest()
                _line(start, self.into)
        except (Ended, Interrupted) as reason:
            gdb.write(str(reason))
            return
        except TooMany:
            if int(gdb.newest_frame().pc()) != start.pc:
                _show(start)
            raise
        _show(start)


class BeamStep(_StepCommand):
    """Step to the next line of Erlang code, into functions that are called.

    The step follows the process: it ends where that one gets to another line, also on another scheduler and after it
    has waited for a message. BIFs and NIFs are stepped over. COUNT is the number of steps; they end early where
    something else stops the program. When the process ends, that is said."""

    name = "beam-step"
    into = True


class BeamNext(_StepCommand):
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
    looks = False
    repeats = True

    def run(self, arguments: argparse.Namespace) -> None:
        with context.once(), extension().part(DebugAdapter).one_step():
            self._run()

    def _run(self) -> None:
        start = position.selected()
        gdb.write(f"Run till exit of {term_printing.function(start.place.code.name)}\n")
        try:
            returned = _out(start)
        except (Ended, Interrupted) as reason:
            gdb.write(str(reason))
            return
        _show(start)
        terms, x0 = term_printing.terms(session.require().node), current_frame.x_register(0)
        gdb.write(steps.line(steps.returned(terms, x0, returned)) + "\n")
        if returned:
            extension().part(DebugAdapter).returned = term_printing.value(x0)


class BeamReceive(Command):
    """Run until a process that waits for a message goes on.

    PROCESS is a pid, a registered name or an address, as for beam-bt. It goes on when a message has come, or the time
    of its receive is up. The program stops there, in whichever thread that is, before a message is taken; the first
    message that has come since is told. `beam-next` and `beam-step` go on from there, and in compiled code the same
    command again to the next time that the process comes there."""

    name = "beam-receive"
    category = gdb.COMMAND_RUNNING
    looks = False

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("process", metavar="PROCESS")

    def words(self, before: str, start: str) -> Iterable[str]:
        return completion.processes(start) if not before.strip() else ()

    def run(self, arguments: argparse.Namespace) -> None:
        with context.once(), extension().part(DebugAdapter).one_step():
            self._run(arguments)

    def _run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        start = position.waiting(node, process_named.find(node, arguments.process, machine_word.evaluated))
        before = self._messages(start, 0).count
        try:
            (interpreted_walk if node.is_interpreter else compiled_walk).scheduled(start)
        except (Ended, Interrupted) as reason:
            gdb.write(str(reason))
            return
        _show(start)
        # (Messages that it did not want stay, before those that come.)
        found = self._messages(start, before + 1 if before is not None and before < MOST_WAITING else 0)
        if before is not None and found.count is not None and found.count <= before:
            gdb.write("No message has come: the time is up.\n")
        elif before is not None and len(found.shown) > before:
            gdb.write(f"Message: {found.shown[before]}\n")
        else:
            gdb.write("A message has come.\n")

    def _messages(self, start: Position, limit: int) -> Items:
        node = session.require().node
        return Details(node, Running(node), term_printing.terms(node), limit).of(start.process).messages


def _count(text: str) -> int:
    """A number of steps."""
    number = natural(text)
    if not number:
        raise argparse.ArgumentTypeError(f"{brief(text)} is no number of steps")
    return number


def install() -> None:
    """Define the commands."""
    BeamStep()
    BeamNext()
    BeamFinish()
    BeamReceive()
