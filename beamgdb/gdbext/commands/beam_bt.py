"""The command `beam-bt`."""

from __future__ import annotations

import argparse
import re

import gdb

from beamgdb.gdbext import session, term_printing
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.commands.eterm import integer
from beamgdb.gdbext.progress import Progress
from beamgdb.gdbext.running import Running
from beamgdb.gdbext.style import function, heading, source
from beamgdb.memory import Unreadable
from beamgdb.terms.tags import CATCH, IMMED2_MASK
from beamgdb.vm import backtrace, calls
from beamgdb.vm.backtrace import Level
from beamgdb.vm.node import Node, Unavailable
from beamgdb.vm.processes import Process

PID = re.compile(r"<?(?:0\.)?(\d+)\.(\d+)>?")
LIMIT = re.compile(r"(^|(?<=\s))-limit\s+\S+")
MAX_LEVELS = 1_000_000
"""Frames of one process at most."""


class BeamBt(Command):
    """Print the Erlang stack of a process, with its y registers as terms.

    PROCESS is a pid (<0.80.0> or 0.80.0), a registered name, or the address of a Process structure; without it, the
    process that the selected thread runs. `all` prints the stacks of all processes. The process may be running,
    waiting or exiting; a process that runs on a scheduler is shown as that scheduler's thread has it.

    -limit N, before or after PROCESS, stops after N frames of each process. A y register that holds a catch shows the
    code that handles it."""

    name = "beam-bt"
    completer = None

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-limit", metavar="N", type=_count, default=MAX_LEVELS)
        parser.add_argument("process", metavar="PROCESS | all", nargs="?")

    def split(self, text: str) -> list[str]:
        """A pid's angle brackets mean nothing special here, and a quoted atom keeps its quotes and blanks."""
        option = LIMIT.search(text)
        process = LIMIT.sub("", text).strip()
        return [*(option[0].split() if option else ()), *([process] if process else ())]

    def complete(self, text: str, word: str) -> list[str]:
        current = session.find()
        if current is None:
            return []
        names = ["all"]
        for process in current.node.processes:
            try:
                name = process.registered_name()
                names.append(current.node.term(name if name else process.id))
            except Unreadable:
                continue
        # GDB completes the last word only, and a pid has several.
        return [name[len(text) - len(word) :] for name in names if name.startswith(text)]

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        running = Running(node)
        if arguments.process is None:
            self._selected(node, running, arguments.limit)
        elif arguments.process == "all":
            self._all(node, running, arguments.limit)
        else:
            process = find_process(node, arguments.process)
            show(node, process, running, arguments.limit)

    def _selected(self, node: Node, running: Running, limit: int) -> None:
        process = running.selected()
        if process is None:
            raise Unavailable("the selected thread runs no Erlang process (try `beam-bt all`, or `thread N`)")
        show(node, process, running, limit)

    def _all(self, node: Node, running: Running, limit: int) -> None:
        with Progress("processes", node.processes.count()) as progress:
            for process in node.processes:
                try:
                    show(node, process, running, limit)
                except (Unreadable, Unavailable) as error:
                    gdb.write(f"Process at {process.address:#x}: {error}\n")
                gdb.write("\n")
                progress.advance()


def _count(text: str) -> int:
    """A number of frames."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of frames")
    return int(text)


def find_process(node: Node, text: str) -> Process:
    """The process that a user means; raises `Unavailable`."""
    pid = PID.fullmatch(text)
    if pid is not None:
        process = node.processes.lookup(int(pid[1]), int(pid[2]))
        if process is None:
            raise Unavailable(f"no process {text}: it has ended, or never was")
        return process
    for process in node.processes:
        name = process.registered_name()
        if name and node.term(name).strip("'") == text.strip("'"):
            return process
    return _process_at(node, text)


def _process_at(node: Node, text: str) -> Process:
    try:
        address = integer(gdb.parse_and_eval(text))
    except gdb.error:
        raise Unavailable(f"no process is registered as {text}, and it is no pid or address") from None
    process = node.processes.at(address & node.memory.address_mask)
    if not node.processes.is_process(process):
        raise Unavailable(f"there is no process at {address:#x}")
    return process


def show(node: Node, process: Process, running: Running, limit: int) -> None:
    """Print a process and its stack."""
    title = calls.spawned_as(node, process).removeprefix("p")
    gdb.write(heading(f"P{title}: {process.status()}{running.where(process)}") + "\n")
    arguments = [] if running.in_erlang(process) else backtrace.saved_arguments(process)
    for number, level in enumerate(running.levels(process)):
        if number >= limit:
            gdb.write(f"(more frames follow: -limit {limit})\n")
            return
        gdb.write(f"#{number:<3}{_position(node, level, process)}\n")
        for index, word in enumerate(arguments if number == 0 else ()):
            gdb.write(f"      x{index} = {term_printing.text(node, word)}\n")
        for index, word in enumerate(level.y_registers):
            gdb.write(f"      y{index} = {_y_register(node, word)}\n")


def _position(node: Node, level: Level, process: Process) -> str:
    if level.place is None:
        # A scheduled NIF or BIF goes on in a few words made for it, and the VM has noted which it is.
        call = process.current_call() if not level.calling else None
        return f"{level.pc:#x} in {function(calls.mfa(node, *call)) if call else '<unknown code>'}"
    text = f"{level.pc:#x} in {function(level.place.code.name)}+{level.pc - level.place.code.start}"
    where = node.code.where(level.lookup)
    return f"{text} at {source(where.file, where.line)}" if where else text


def _y_register(node: Node, word: int) -> str:
    text = term_printing.text(node, word)
    return f"{text} (catch)" if word & IMMED2_MASK == CATCH and "catch" not in text else text


def install() -> None:
    """Define the command."""
    BeamBt()
