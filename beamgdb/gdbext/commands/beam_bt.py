"""The command `beam-bt`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from functools import cached_property

import gdb

from beamgdb.gdbext import current_frame, session, term_printing
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.commands.eterm import integer
from beamgdb.gdbext.progress import Progress
from beamgdb.gdbext.style import function, heading, source
from beamgdb.memory import Unreadable
from beamgdb.terms.tags import CATCH, IMMED2_MASK
from beamgdb.vm import backtrace, calls
from beamgdb.vm.backtrace import Level
from beamgdb.vm.node import Node, Unavailable
from beamgdb.vm.processes import Process
from beamgdb.vm.schedulers import NORMAL

PID = re.compile(r"<?(?:0\.)?(\d+)\.(\d+)>?")
LIMIT = re.compile(r"(^|(?<=\s))-limit\s+\S+")
SCHEDULER = "sched"
"""In the names of normal schedulers' threads: `1_scheduler` in OTP 25, `erts_sched_1` in 27."""

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


class Running:
    """The processes that scheduler threads run now: GDB's frames know where they are, the VM's own notes do not."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def selected(self) -> Process | None:
        """The process that the selected thread runs."""
        thread = gdb.selected_thread()
        if thread is None or not thread.is_valid():
            return None
        process = current_frame.process(gdb.newest_frame())
        if process is not None:
            return process
        return next((self._node.processes.at(at) for at, one in self._dirty.items() if one == thread), None)

    @cached_property
    def _dirty(self) -> dict[int, gdb.InferiorThread]:
        """Threads of dirty schedulers that work for a process, by its address. They run no Erlang code: it is their
        data that tells whom they work for."""
        threads = {_handle(thread, self._node): thread for thread in gdb.selected_inferior().threads()}
        return {
            scheduler.current_process: threads[scheduler.thread]
            for scheduler in self._node.schedulers
            if scheduler.kind != NORMAL and scheduler.current_process and scheduler.thread in threads
        }

    def levels(self, process: Process) -> Iterator[Level]:
        """The stack of a process, running or not."""
        entry = self._threads.get(process.address)
        if entry is None:
            return backtrace.of_waiting(self._node, process)
        _, level, top = entry
        return backtrace.levels(self._node, process, level.pc, top, level.calling)

    def where(self, process: Process) -> str:
        """On which thread it runs, empty for a process that does not."""
        entry = self._threads.get(process.address)
        thread = entry[0] if entry else self._dirty.get(process.address)
        if thread is None:
            return ""
        # Threads of a core file have no names.
        return f" on thread {thread.num}" + (f" ({thread.name})" if thread.name else "")

    def in_erlang(self, process: Process) -> bool:
        """Whether a thread runs Erlang code of the process, so that what the VM saved for it is out of date."""
        return process.address in self._threads

    @cached_property
    def _threads(self) -> dict[int, tuple[gdb.InferiorThread, Level, int]]:
        return dict(_running_erlang())


def _count(text: str) -> int:
    """A number of frames."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of frames")
    return int(text)


def _handle(thread: gdb.InferiorThread, node: Node) -> int:
    """The thread's `pthread_t`, 0 where GDB cannot tell."""
    try:
        return int.from_bytes(thread.handle(), node.memory.byteorder)
    except (gdb.error, RuntimeError):
        return 0


def _running_erlang() -> Iterator[tuple[int, tuple[gdb.InferiorThread, Level, int]]]:
    """Threads in Erlang code: address of the process, thread, innermost Erlang function and the top of its frame."""
    before, frame = gdb.selected_thread(), _selected_frame()
    try:
        for thread in gdb.selected_inferior().threads():
            if thread.name and SCHEDULER not in thread.name and thread != before:
                continue
            thread.switch()
            found = current_frame.first_erlang(gdb.newest_frame())
            if found is not None and found.erlang.process is not None:
                innermost = found.gdb_frame.newer() is None
                level = Level(found.erlang.pc, not innermost, found.erlang.place, ())
                yield found.erlang.process.address, (thread, level, found.erlang.top)
    finally:
        if before is not None and before.is_valid():
            before.switch()
        if frame is not None and frame.is_valid():
            frame.select()


def _selected_frame() -> gdb.Frame | None:
    try:
        return gdb.selected_frame()
    except gdb.error:
        return None


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
