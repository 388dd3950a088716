"""The command `beam-bt`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from itertools import chain

import gdb

from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import machine_word, session, term_printing
from beamgdb.gdbext.atomvm import running as atomvm
from beamgdb.gdbext.commands import completion
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.commands.list_command import write
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.running import Running
from beamgdb.gdbext.style import GdbStyler
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views import process_named, stack, tagged
from beamgdb.views.atomvm import stack as atomvm_stack
from beamgdb.views.stack import DamageRow, ProcessRow, StackRow, Stacks
from beamgdb.views.typed import brief, natural
from beamgdb.vm.model import Unavailable

_OPTION = re.compile(r"(?:^|(?<=\s))(?:-limit\s+\S+|--?json(?=\s|$))")


class BeamBt(Command):
    """Print the Erlang stack of a process, with its y registers as terms.

    PROCESS is a pid (<0.80.0> or 0.80.0), a registered name, or the address of a Process structure; without it, the
    process that the selected thread runs. `all` prints the stacks of all processes. The process may be running,
    waiting or exiting; a process that runs on a scheduler is shown as that scheduler's thread has it.

    -limit N, before or after PROCESS, stops after N frames of each process; without it 1000 are shown, and 1 MiB of
    text at most. A y register that holds a catch shows the code that handles it. A frame that tracing has put onto the
    stack shows what it is for. -json prints an array of objects, of which each says in `row` what it is."""

    name = "beam-bt"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-limit", metavar="N", type=_count, default=stack.FRAMES)
        parser.add_argument("-json", "--json", action="store_true")
        parser.add_argument("process", metavar="PROCESS | all", nargs="?")

    def split(self, text: str) -> list[str]:
        """A pid's angle brackets mean nothing special here, and a quoted atom keeps its quotes and blanks."""
        options = [word for option in _OPTION.findall(text) for word in option.split()]
        process = _OPTION.sub("", text).strip()
        return [*options, *([process] if process else ())]

    def words(self, before: str, start: str) -> Iterable[str]:
        # One by one: what is known before something goes wrong is offered.
        return () if before.rstrip().endswith("-limit") else chain(["all"], completion.processes(start))

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        running, limit = Running(node), arguments.limit
        if arguments.process == "all":
            if arguments.json:
                _write_json(_all_rows(node, running, limit))
            else:
                _show_all(node, running, limit)
            return
        if arguments.process is not None:
            process = process_named.find(node, arguments.process, machine_word.evaluated)
        else:
            selected = running.selected()
            if selected is None:
                raise Unavailable("the selected thread runs no Erlang process (try `beam-bt all`, or `thread N`)")
            process = selected
        rows = stack.rows(node, process, running, term_printing.terms(node), limit)
        if arguments.json:
            _write_json(rows)
            return
        for row in rows:
            for line in stack.lines(row, GdbStyler()):
                gdb.write(line + "\n")

    def run_in_atomvm(self, arguments: argparse.Namespace, vm: AtomVm) -> None:
        threads = atomvm.Running(vm)
        stacks = atomvm_stack.Stacks(vm, threads, term_printing.any_terms(vm), arguments.limit)
        is_all = arguments.process == "all"
        rows = stacks.all() if is_all else stacks.of(atomvm.meant(vm, threads, arguments.process))
        if arguments.json:
            _write_json(rows)
            return
        is_first = True
        for row in rows:
            if isinstance(row, ProcessRow) and not is_first:
                gdb.write("\n")
            is_first = False
            for line in stack.lines(row, GdbStyler()):
                gdb.write(line + "\n")


def _count(text: str) -> int:
    """A number of frames."""
    number = natural(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{brief(text)} is no number of frames")
    return number


def _write_json(rows: Iterable[StackRow]) -> None:
    for line in tagged.lines(rows):
        gdb.write(line + "\n")


def _all_rows(node: Node, running: Running, limit: int) -> Iterator[StackRow]:
    """Those of all processes, one after the other."""
    stacks = stack.Stacks(node, running, term_printing.terms(node), limit)
    with ProgressLine("processes", _number_of_processes(node)) as progress:
        for found in stack.processes(node, running):
            if isinstance(found, DamageRow):
                yield found
            else:
                yield from stacks.of(found)
            progress.advance()


def _show_all(node: Node, running: Running, limit: int) -> None:
    damaged: list[DamageRow] = []
    stacks = stack.Stacks(node, running, term_printing.terms(node), limit)
    with ProgressLine("processes", _number_of_processes(node)) as progress:
        write(_texts(stacks, damaged, progress))
    for line in stack.damaged_lines(damaged):
        gdb.write(line + "\n")


def _texts(stacks: Stacks, damaged: list[DamageRow], progress: ProgressLine) -> Iterator[str]:
    """The stacks of all processes; `damaged` gets what cannot be shown."""
    for found in stacks.everything(GdbStyler()):
        if isinstance(found, DamageRow):
            damaged.append(found)
        else:
            yield f"{found}\n"
        progress.advance()


def _number_of_processes(node: Node) -> int:
    try:
        return node.processes.count()
    except Unreadable:
        return 0


def install() -> None:
    """Define the command."""
    BeamBt()
