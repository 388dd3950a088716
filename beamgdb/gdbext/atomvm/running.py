"""The processes that threads of AtomVM run now, and where: C frames know that, the VM's own notes do not."""

from __future__ import annotations

from functools import cached_property
from typing import Final, NamedTuple

import gdb

from beamgdb.atomvm import native_frames
from beamgdb.atomvm.contexts import RUNNING, Context
from beamgdb.atomvm.frames import Frame, Position
from beamgdb.atomvm.modules import Broken
from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import c_expressions, gdb_text, machine_word
from beamgdb.gdbext.atomvm import session
from beamgdb.memory import Unreadable
from beamgdb.views.atomvm import process_named
from beamgdb.views.threads import ThreadRow
from beamgdb.vm.model import Unavailable

LOOPS: Final = ("scheduler_entry_point", "context_execute_loop")
"""The C function that interprets bytecode and calls native code: which one that is depends on whether there are threads
(opcodesswitch.h)."""

_CALLING: Final = ("jit_call_ext", "jit_call_fun", "jit_apply")
"""What native code ends with to call a function of which it has none: where that returns to tells where it is, although
code may be between that several functions share (jit.c)."""

_LEAVING: Final = ("scheduler_run", "scheduler_run0", "scheduler_wait", "scheduler_next", "scheduler_terminate")
"""C functions in which a thread has left a process, and looks for another one: `LOOPS` has its variables for the first
one until then, although that may have gone on in another thread, or be no more (scheduler.c). They serve ports."""

_CONTEXT: Final = "ctx"


class Work(NamedTuple):
    """What a thread does: for which process or port, and where that is, None where it cannot be told."""

    thread: ThreadRow
    context: Context
    position: Position | None


class Running:
    """What threads run; it holds as long as the target stands still."""

    def __init__(self, vm: AtomVm) -> None:
        self._vm = vm

    @cached_property
    def _by_address(self) -> dict[int, Work]:
        found = {}
        for thread in session.threads():
            work = self._of_thread(thread)
            if work is not None:
                found[work.context.address] = work
        return found

    def all(self) -> tuple[Work, ...]:
        """What all threads run."""
        return tuple(self._by_address.values())

    def of(self, context: Context) -> Work | None:
        """By which thread a process is run, None if it is by none."""
        return self._by_address.get(context.address)

    def selected(self) -> Work | None:
        """What the selected thread runs."""
        thread = gdb.selected_thread()
        return self._of_thread(thread) if thread is not None and thread.is_valid() else None

    def _of_thread(self, thread: gdb.InferiorThread) -> Work | None:
        context, calls = 0, False
        native: Position | None = None
        inner = ""
        for level, frame in enumerate(session.frames()):
            name = gdb_text.frame_name(frame)
            if native is None:
                native = self.native(frame)
                calls = native is not None and inner in _CALLING
                inner = name
            if name not in LOOPS and name not in _LEAVING:
                # (Whom a message is sent to is another process, which C functions do not call so.)
                context = dict(session.pointers(frame, "Context")).get(_CONTEXT, context)
                continue
            row = ThreadRow(thread.num, gdb_text.text(lambda: thread.name))
            if name in _LEAVING:
                port = self._run(context)
                return Work(row, port, None) if port is not None and port.is_port else None
            own = dict(session.pointers(frame, "Context")).get(_CONTEXT, 0)
            process = next((one for one in map(self._run, (own, context)) if one is not None), None)
            if process is None:
                return None
            position = None if calls else native
            return Work(row, process, position or self._in_loop(frame, process, is_innermost=level == 0))
        return None

    def _run(self, address: int) -> Context | None:
        """The process or port at an address, None if there is none, or if it is not run."""
        if not address:
            return None
        context = self._vm.contexts.at(address)
        try:
            return context if context.record["global"] == self._vm.record.address and context.flags & RUNNING else None
        except Unreadable:
            return None

    def native(self, frame: gdb.Frame) -> Position | None:
        """Where in native code a frame is, None if it is elsewhere."""
        try:
            address = frame.pc()
            module = self._vm.modules.of_code(address)
            if module is None or not module.native:
                return None
            stack = int(frame.read_register("sp").cast(c_expressions.word()))
            found = native_frames.unwind(self._vm.memory, module, address, stack, in_loop)
            within = found.within if found is not None else address
            is_return = within != address or frame.newer() is not None
            return Position(module, within - module.native, is_return=is_return)
        except (Unreadable, Broken, gdb.error):
            return None

    def _in_loop(self, frame: gdb.Frame, process: Context, *, is_innermost: bool) -> Position | None:
        """Where a process is by the variables of `LOOPS`, while no frame is of native code."""
        modules, stacks = self._vm.modules, self._vm.stacks
        try:
            module = modules.by_address(variable(frame, "mod"))
            if module is not None and module.native:
                # Native code leaves its frame to a function of the VM that it ends with, as to call another module.
                return stacks.returning(process.record["cp"])
            address = variable(frame, "pc")
            module = modules.of_code(address) if address else None
            if module is None or module.native:
                return None
            offset = module.file.operation_at(address - module.bytecode, is_begun=not is_innermost)
            return Position(module, offset)
        except (Unreadable, Broken):
            return None

    def frames(self, context: Context) -> list[Frame]:
        """The Erlang frames of a process, wherever it is. Raises `Unreadable`."""
        work = self.of(context)
        position = work.position if work is not None else self._vm.stacks.saved(context)
        return list(self._vm.stacks.frames(context, position))


def in_loop(address: int) -> bool:
    """Whether an address is in one of `LOOPS`."""
    block = gdb.block_for_pc(address)
    while block is not None and block.function is None:
        block = block.superblock
    return block is not None and block.function is not None and block.function.name in LOOPS


def variable(frame: gdb.Frame, name: str) -> int:
    """The value of a variable of a frame in whichever of its blocks, 0 if it has none now."""
    try:
        block: gdb.Block | None = frame.block()
        while block is not None:
            for symbol in block:
                if symbol.name == name and (symbol.is_variable or symbol.is_argument):
                    value = frame.read_var(symbol)
                    return 0 if value.is_optimized_out else int(value.cast(c_expressions.word()))
            block = block.superblock if block.function is None else None
    except (gdb.error, RuntimeError, ValueError):
        pass
    return 0


def meant(vm: AtomVm, running: Running, text: str | None) -> Context:
    """The process that a user means, without a text the one that the selected thread runs. Raises `Unavailable`."""
    if text is not None:
        return process_named.find(vm, text, machine_word.evaluated)
    work = running.selected()
    if work is None:
        raise Unavailable("the selected thread runs no Erlang process (try `beam-bt all`, or `thread N`)")
    return work.context
