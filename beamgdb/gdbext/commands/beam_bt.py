"""The command `beam-bt`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from itertools import chain

import gdb

from beamgdb.gdbext import machine_word, session, term_printing
from beamgdb.gdbext.commands import completion
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.commands.list_command import write
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.running import Running
from beamgdb.gdbext.style import GdbStyler
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views import process_named, stack
from beamgdb.views.stack import DamageRow, Stacks
from beamgdb.views.typed import brief, natural
from beamgdb.vm.model import Unavailable
from beamgdb.vm.processes import Process

LIMIT = re.compile(r"(^|(?<=\s))-limit\s+\S+")


class BeamBt(Command):
    """Print the Erlang stack of a process, with its y registers as terms.

    PROCESS is a pid (<0.80.0> or 0.80.0), a registered name, or the address of a Process structure; without it, the
    process that the selected thread runs. `all` prints the stacks of all processes. The process may be running,
    waiting or exiting; a process that runs on a scheduler is shown as that scheduler's thread has it.

    -limit N, before or after PROCESS, stops after N frames of each process; without it 1000 are shown, and 1 MiB of
    text at most. A y register that holds a catch shows the code that handles it. A frame that tracing has put onto the
    stack shows what it is for."""

    name = "beam-bt"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-limit", metavar="N", type=_count, default=stack.FRAMES)
        parser.add_argument("process", metavar="PROCESS | all", nargs="?")

    def split(self, text: str) -> list[str]:
        """A pid's angle brackets mean nothing special here, and a quoted atom keeps its quotes and blanks."""
        option = LIMIT.search(text)
        process = LIMIT.sub("", text).strip()
        return [*(option[0].split() if option else ()), *([process] if process else ())]

    def words(self, before: str, start: str) -> Iterable[str]:
        # One by one: what is known before something goes wrong is offered.
        return () if before.rstrip().endswith("-limit") else chain(["all"], completion.processes(start))

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        running, limit = Running(node), arguments.limit
        if arguments.process is None:
            process = running.selected()
            if process is None:
                raise Unavailable("the selected thread runs no Erlang process (try `beam-bt all`, or `thread N`)")
            _show(node, process, running, limit)
        elif arguments.process == "all":
            _show_all(node, running, limit)
        else:
            _show(node, process_named.find(node, arguments.process, machine_word.evaluated), running, limit)


def _count(text: str) -> int:
    """A number of frames."""
    number = natural(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{brief(text)} is no number of frames")
    return number


def _show(node: Node, process: Process, running: Running, limit: int) -> None:
    for row in stack.rows(node, process, running, term_printing.terms(node), limit):
        for line in stack.lines(row, GdbStyler()):
            gdb.write(line + "\n")


def _show_all(node: Node, running: Running, limit: int) -> None:
    damaged: list[DamageRow] = []
    stacks = stack.Stacks(node, running, term_printing.terms(node), limit)
    with ProgressLine("processes", _number_of_processes(node)) as progress:
        write(_lines(stack.processes(node, running), stacks, damaged, progress))
    for line in stack.damaged_lines(damaged):
        gdb.write(line + "\n")


def _lines(
    every: Iterable[Process | DamageRow], stacks: Stacks, damaged: list[DamageRow], progress: ProgressLine
) -> Iterator[str]:
    """The stacks of all processes; `damaged` gets what cannot be shown."""
    styler = GdbStyler()
    for found in every:
        if isinstance(found, DamageRow):
            damaged.append(found)
        else:
            yield from stacks.lines(found, styler)
            yield ""
        progress.advance()


def _number_of_processes(node: Node) -> int:
    try:
        return node.processes.count()
    except Unreadable:
        return 0


def install() -> None:
    """Define the command."""
    BeamBt()
