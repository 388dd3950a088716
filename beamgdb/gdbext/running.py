"""The processes that scheduler threads run now: GDB's frames know where they are, the VM's own notes do not.

Unwinding a thread takes many packets where the target is remote. So a thread is looked at only if it may be the one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import chain, islice

import gdb

from beamgdb.gdbext import current_frame, gdb_text, standing
from beamgdb.gdbext.dirty_frames import LARGEST_STACK
from beamgdb.gdbext.unwinder import register_reader
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.threads import ThreadRow
from beamgdb.vm import backtrace, trace_frames
from beamgdb.vm.backtrace import Level, StackEnds
from beamgdb.vm.frame import ErlangFrame
from beamgdb.vm.processes import Process
from beamgdb.vm.schedulers import NORMAL, Scheduler

THREAD_POINTERS = {"x86_64": "fs_base"}
"""By architecture: the register that has a thread's `pthread_t` (System V ABI, x86-64 supplement: the thread pointer).
GDB may have no `pthread_t`s: its libthread_db must be that of the program's libc."""

RunningAt = tuple[gdb.InferiorThread, ErlangFrame, bool, "tuple[int | None, tuple[int, ...]] | None"]
"""A thread in Erlang code: the frame of its innermost Erlang function, or of what the first one of a process returns to
where none is left; whether that has called something else; and the NIF that it has called, as `current_frame.nif_call`
has it."""


class Running:
    """What threads run, as `views.threads.Threads` has it. Holds as long as the target stands still."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._positions: dict[gdb.InferiorThread, tuple[int, RunningAt] | None] = {}

    def selected(self) -> Process | None:
        """The process that the selected thread runs. Raises `Unavailable` where processes are not known."""
        standing.require_selected()
        table = self._node.processes
        thread = gdb.selected_thread()
        if thread is None or not thread.is_valid():
            return None
        process = current_frame.process(gdb.newest_frame())
        if process is not None:
            return process
        return next((table.at(at) for at, one in self._dirty.items() if one == thread), None)

    def levels(self, process: Process) -> Iterator[Level]:
        """The stack of a process, whose thread stands still if it is on one."""
        position = self._position(process)
        if position is None and not _tells_process(self._node) and process.is_running():
            return _on_some_thread()
        if position is None:
            return backtrace.of_waiting(self._node, process)
        _, frame, calling, nif = position
        is_base = frame.place.is_internal and not trace_frames.kind(frame.place)
        levels = iter(()) if is_base else backtrace.of_frame(self._node, process, frame, calling)
        if nif is None:
            return levels
        place, arguments = nif
        if place is not None:
            return chain([Level(place, False, None, (), arguments=arguments)], levels)
        return chain((one._replace(arguments=arguments) for one in islice(levels, 1)), levels)

    def moves(self, process: Process) -> bool:
        """Whether the process goes on while it is looked at: a thread runs it, in non-stop mode."""
        if not self._runs or self._position(process) is not None:
            return False
        thread = self._thread(process)
        return thread in self._runs if thread is not None else process.is_running()

    def thread(self, process: Process) -> ThreadRow | None:
        """The thread that it runs on, None if it does not run."""
        position = self._position(process)
        thread = position[0] if position else self._thread(process)
        return ThreadRow(thread.num, gdb_text.thread_name(thread)) if thread is not None else None

    def of_scheduler(self, scheduler: Scheduler) -> ThreadRow | None:
        """The thread of a scheduler, where GDB knows `pthread_t`s or the scheduler runs a process."""
        thread = self._handles.get(scheduler.thread)
        if thread is not None:
            return ThreadRow(thread.num, gdb_text.thread_name(thread))
        process = scheduler.current_process
        return self.thread(self._node.processes.at(process)) if process else None

    def name_schedulers(self) -> None:
        """Give threads that have no name the one that the VM had given them."""
        release = self._node.term_tags.release
        for scheduler in self._node.schedulers:
            thread = self._handles.get(scheduler.thread)
            if thread is not None and not gdb_text.thread_name(thread):
                thread.name = scheduler.thread_name(release)

    def in_erlang(self, process: Process) -> bool:
        """Whether a thread runs Erlang code of the process, so that what the VM saved for it is out of date."""
        return self._position(process) is not None

    def stack_top(self, process: Process) -> int | None:
        """Where y0 of the innermost Erlang function is, of a process whose Erlang code a thread runs."""
        position = self._position(process)
        return position[1].top if position is not None else None

    @cached_property
    def _schedulers(self) -> dict[int, Scheduler]:
        """The schedulers that work for a process, by its address, as far as they can be read."""
        if not _tells_process(self._node):
            return {}
        return {process: one for one in self._node.schedulers if (process := _process_of(one))}

    def by_schedulers(self) -> Iterator[Process]:
        """The processes that schedulers work for."""
        return map(self._node.processes.at, self._schedulers)

    def _thread(self, process: Process) -> gdb.InferiorThread | None:
        """The thread that works for the process, where that has been found without looking at its frames."""
        if process.address in self._dirty:
            return self._dirty[process.address]
        scheduler = self._schedulers.get(process.address)
        thread = self._handles.get(scheduler.thread) if scheduler is not None and self._runs else None
        return thread if thread in self._runs else None

    @cached_property
    def _runs(self) -> list[gdb.InferiorThread]:
        """Threads that do not stand still."""
        return standing.running()

    @cached_property
    def _threads(self) -> list[gdb.InferiorThread]:
        return list(gdb.selected_inferior().threads())

    @cached_property
    def _handles(self) -> dict[int, gdb.InferiorThread]:
        """Threads by their `pthread_t`, where GDB can tell, or a register has it."""
        known = {handle: thread for thread in self._threads if (handle := _handle(thread, self._node))}
        register = THREAD_POINTERS.get(self._node.identity.arch or "")
        if known or register is None:
            return known
        return {pointer: thread for thread, pointer in self._read(register).items() if pointer}

    @cached_property
    def _dirty(self) -> dict[int, gdb.InferiorThread]:
        """Threads of dirty schedulers that work for a process, by its address. They run no Erlang code: it is their
        data that tells whom they work for."""
        dirty = {at: self._of_dirty(at, one) for at, one in self._schedulers.items() if one.kind != NORMAL}
        return {at: thread for at, thread in dirty.items() if thread is not None}

    def _of_dirty(self, process: int, scheduler: Scheduler) -> gdb.InferiorThread | None:
        """The thread of a dirty scheduler. Where GDB does not know `pthread_t`s, it is one whose stack leads to the
        process; or, where stacks cannot be followed so far, that on the stack of the scheduler."""
        if scheduler.thread in self._handles:
            return self._handles[scheduler.thread]
        with _selection_kept():
            below = [one for one in self._candidates(scheduler) if self._is_below(one, scheduler)]
            for thread in below:
                found = self._of_thread(thread)
                if found is not None and found[0] == process:
                    return thread
        nearest = min(below, key=lambda one: self._below(one, scheduler.thread), default=None)
        return nearest if nearest is not None and self._of_thread(nearest) is None else None

    def _is_below(self, thread: gdb.InferiorThread, scheduler: Scheduler) -> bool:
        """Whether a thread may be on the stack of a scheduler: no other one's is nearer."""
        distance = self._below(thread, scheduler.thread)
        return distance < LARGEST_STACK and distance == min(self._below(thread, one) for one in self._pthreads)

    @cached_property
    def _pthreads(self) -> list[int]:
        """The `pthread_t`s of all schedulers."""
        return [one.thread for one in self._node.schedulers]

    def _position(self, process: Process) -> RunningAt | None:
        scheduler = self._schedulers.get(process.address)
        if scheduler is None or scheduler.kind != NORMAL:
            return None
        with _selection_kept():
            for thread in self._candidates(scheduler):
                found = self._of_thread(thread)
                if found is not None and found[0] == process.address:
                    return found[1]
        return None

    def _candidates(self, scheduler: Scheduler) -> Iterator[gdb.InferiorThread]:
        """Threads, the likeliest to be that of the scheduler first."""
        chosen = gdb.selected_thread()
        selected = chosen if chosen not in self._runs else None
        if selected is not None and _handle(selected, self._node) in (0, scheduler.thread):
            # GDB has not yet asked for the others, and knows the frames of this one.
            yield selected
        by_handle = self._handles.get(scheduler.thread)
        if by_handle is not None:
            yield from () if by_handle in self._runs else (by_handle,)
            return
        # On its own stack, or in Erlang code, for which BeamAsm uses another.
        still = [one for one in self._threads if one not in self._runs]
        on_stack = [(self._below(one, scheduler.thread), one.num, one) for one in still]
        yield from (one for _, _, one in sorted(on_stack, key=lambda entry: entry[:2]))

    def _below(self, thread: gdb.InferiorThread, handle: int) -> int:
        """How far below its scheduler's `pthread_t` a thread's stack pointer is; a large number for one elsewhere."""
        distance = handle - self._stack_pointers.get(thread, 0)
        return distance if 0 < distance < LARGEST_STACK else LARGEST_STACK

    @cached_property
    def _stack_pointers(self) -> dict[gdb.InferiorThread, int]:
        return self._read("sp")

    def _read(self, register: str) -> dict[gdb.InferiorThread, int]:
        """What a register holds in the threads that stand still."""
        found = {}
        with _selection_kept():
            for thread in self._threads:
                if thread not in self._runs:
                    thread.switch()
                    found[thread] = register_reader(gdb.newest_frame())(register) or 0
        return found

    def _of_thread(self, thread: gdb.InferiorThread) -> tuple[int, RunningAt] | None:
        """The process that a thread runs Erlang code of, and where."""
        if thread not in self._positions:
            thread.switch()
            self._positions[thread] = _position(thread)
        return self._positions[thread]


def _process_of(scheduler: Scheduler) -> int:
    """The process that a scheduler works for, 0 without one, or where that cannot be read."""
    try:
        return scheduler.current_process
    except Unreadable:
        return 0


def _on_some_thread() -> Iterator[Level]:
    """The stack of a process of which it is not known where it runs: what the VM has saved of it is out of date."""
    raise StackEnds("it runs, and on which thread is not known: ErtsSchedulerData.current_process is not proved")
    yield


def _tells_process(node: Node) -> bool:
    """Whether it is known where schedulers note whom they work for. If not, there was none yet that works."""
    return node.layout.has("ErtsSchedulerData", "current_process")


def _position(thread: gdb.InferiorThread) -> tuple[int, RunningAt] | None:
    newest = gdb.newest_frame()
    # What the first function of a process ends with, such as a NIF, is called for what that returns to.
    found = current_frame.first_erlang(newest) or current_frame.base(newest)
    if found is None or found.erlang.process is None:
        return None
    try:
        nif = current_frame.nif_call(found)
    except (Unreadable, KeyError):
        nif = None
    return found.erlang.process.address, (thread, found.erlang, found.gdb_frame.newer() is not None, nif)


def _handle(thread: gdb.InferiorThread, node: Node) -> int:
    """The thread's `pthread_t`, 0 where GDB cannot tell."""
    try:
        return int.from_bytes(thread.handle(), node.memory.byteorder)
    except (gdb.error, RuntimeError):
        return 0


@contextmanager
def _selection_kept() -> Iterator[None]:
    """Threads and frames may be selected meanwhile."""
    thread = gdb.selected_thread()
    try:
        frame = gdb.selected_frame()
    except gdb.error:
        frame = None
    try:
        yield
    finally:
        if thread is not None and thread.is_valid() and thread != gdb.selected_thread():
            thread.switch()
            if frame is not None and frame.is_valid():
                frame.select()
