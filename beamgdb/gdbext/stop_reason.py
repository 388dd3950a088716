"""Where the program stands, and the signal that it stopped for."""

from __future__ import annotations

import signal

import gdb

from beamgdb.gdbext import current_frame
from beamgdb.gdbext.c_names import c_name
from beamgdb.gdbext.connection import is_core
from beamgdb.gdbext.unwinder import erlang_frame
from beamgdb.terms.quoting import bare
from beamgdb.views.threads import ThreadRow
from beamgdb.views.why import AT_ADDRESS, CFrameRow, Stop


def stop() -> Stop:
    """Of the selected thread."""
    thread = gdb.selected_thread()
    name, address = _signal(thread)
    row = ThreadRow(thread.num, bare(thread.name or "")) if thread is not None and thread.is_valid() else None
    return Stop(name, address, row, tuple(_frames()))


def _signal(thread: gdb.InferiorThread | None) -> tuple[str | None, int | None]:
    """The name of the signal that came in a thread and the address that it was for, as far as they are known."""
    number = _evaluated("$_siginfo.si_signo")
    if not number and is_core() and (thread is None or thread.num == 1):
        # What the program died of: that came in the thread that GDB makes the first one of a core file.
        number = _evaluated("$_exitsignal")
    try:
        name = signal.Signals(number).name if number else None
    except ValueError:
        name = f"signal {number}"
    address = _evaluated("(unsigned long) $_siginfo._sifields._sigfault.si_addr") if name in AT_ADDRESS else None
    return name, address


def _evaluated(expression: str) -> int | None:
    try:
        return int(gdb.parse_and_eval(expression))
    except (gdb.error, ValueError, OverflowError):
        return None


def _frames() -> list[CFrameRow]:
    """The frames of C code down to the first one of Erlang."""
    found: list[CFrameRow] = []
    try:
        newest = gdb.newest_frame()
    except gdb.error:
        return found
    for frame in current_frame.outwards(newest):
        if erlang_frame(frame) is not None:
            break
        pc = frame.pc()
        library = gdb.solib_name(pc)
        name = frame.name() or c_name(pc)
        found.append(CFrameRow(pc, bare(name) if name else None, bare(library) if library else None))
    return found
