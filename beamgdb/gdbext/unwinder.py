"""Takes GDB through the frames of Erlang code."""

from __future__ import annotations

from typing import Any

import gdb
from gdb.unwinder import Unwinder as GdbUnwinder

from beamgdb.gdbext import c_expressions, c_frames, dirty_frames, session, target_memory
from beamgdb.gdbext.extension import extension
from beamgdb.interpreter.operations import Unsupported
from beamgdb.late import dataclass
from beamgdb.machine_code.reading import ReadRegister
from beamgdb.memory import Unreadable
from beamgdb.unwinding.interpreter import InterpreterUnwinder
from beamgdb.unwinding.unwinder import Unwinder
from beamgdb.vm.frame import ErlangFrame
from beamgdb.vm.model import Unavailable


@dataclass(frozen=True)
class _ErlangFrameId:
    """What `PendingFrame.create_unwind_info` wants."""

    sp: gdb.Value
    pc: gdb.Value
    special: gdb.Value


def unwinder_of(current: session.Session) -> Unwinder | None:
    """The unwinder of the session's VM, None for an architecture without one."""
    current.refresh_code()
    return current.per_code.unwinder


def is_repeated(frame: gdb.Frame) -> bool:
    """Whether this is the second frame that `process_main` has when it runs interpreted code."""
    current = session.known()
    unwinder = unwinder_of(current) if current else None
    return isinstance(unwinder, InterpreterUnwinder) and unwinder.is_second(register_reader(frame))


def register_reader(frame: Any) -> ReadRegister:
    """Registers of a GDB frame, pending or not; what the frame does not know is None."""

    def read(name: str) -> int | None:
        try:
            value = frame.read_register(name)
            if value.is_optimized_out:
                return None
            return int(value.cast(c_expressions.word())) & _mask()
        except (gdb.error, ValueError):
            target_memory.check_not_lost()
            return None

    return read


def erlang_frame(frame: gdb.Frame) -> ErlangFrame | None:
    """What is known of a frame if it is one of Erlang code."""
    current = session.find()
    unwinder = unwinder_of(current) if current else None
    if unwinder is None:
        return None
    return unwinder.frame(register_reader(frame), is_innermost(frame))


def is_innermost(frame: gdb.Frame) -> bool:
    """Whether the frame's pc is its next instruction, not a return address."""
    newer = frame.newer()
    return newer is None or newer.type() == gdb.SIGTRAMP_FRAME


class ErlangUnwinder(GdbUnwinder):
    """Registered with GDB; answers for frames of Erlang code."""

    def __init__(self) -> None:
        super().__init__("beamgdb")

    def __call__(self, pending_frame: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        return target_memory.unwound(lambda: self._unwound(pending_frame))

    def _unwound(self, pending_frame: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        current = session.known()
        if current is None:
            return None
        is_first = extension().first_frames.is_first(pending_frame)
        if is_first:
            # GDB unwinds a thread anew whenever it may have run: also where no event says so, as when it steps over a
            # call or evaluates the condition of a breakpoint.
            current.forget()
        try:
            unwinder = unwinder_of(current)
            read = register_reader(pending_frame)
            found = unwinder.unwind(read, is_first) if unwinder else None
            if found is None and unwinder is not None and not is_first:
                found = dirty_frames.unwind(current.node, unwinder, read)
        except (Unreadable, Unavailable, Unsupported, KeyError):
            return None
        if found is None:
            return None
        kind = c_expressions.word()

        def value(number: int) -> gdb.Value:
            return gdb.Value(number & _mask()).cast(kind)

        info = pending_frame.create_unwind_info(
            _ErlangFrameId(value(found.id_stack), value(found.id_code), value(found.id_special))
        )
        for name, content in found.registers.items():
            info.add_saved_register(name, value(content))
        return info


def _mask() -> int:
    return (1 << 8 * c_expressions.word_size()) - 1


def install() -> None:
    """Register the unwinder for all programs; it answers only for a known VM."""
    extension().first_frames.connect()
    c_frames.install()
    gdb.unwinder.register_unwinder(None, ErlangUnwinder(), replace=True)
