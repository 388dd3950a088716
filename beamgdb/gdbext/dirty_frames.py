"""From C code of a dirty scheduler to the Erlang function that has called it.

Such a thread has a stack of C alone: the Erlang stack of the process that it works for lies elsewhere, as the VM has
saved it. So the caller of `erts_dirty_process_main` is given as that function, and outside of it are the frames of the
process; those of the thread's start are left out.
"""

from __future__ import annotations

from beamgdb.gdbext.c_names import c_name
from beamgdb.machine_code.reading import ReadRegister
from beamgdb.node import Node
from beamgdb.roots.texts import DIRTY_MAIN
from beamgdb.unwinding.unwinder import Unwinder, Unwound
from beamgdb.vm.processes import Process
from beamgdb.vm.schedulers import NORMAL
from beamgdb.vm.stack import stack_end

MAIN = DIRTY_MAIN
"""What runs NIFs and BIFs for processes on dirty schedulers, and collects their garbage (beam_common.c)."""

LARGEST_STACK = 64 << 20
"""Bytes of a scheduler thread's stack, at most."""

MAX_SIZE = 1 << 16
"""Bytes of `MAIN` at most: of a symbol the size is not known."""


def unwind(node: Node, unwinder: Unwinder, read: ReadRegister) -> Unwound | None:
    """One step outwards from the frame of `MAIN`, which has called something. None where it is no such frame, or works
    for no process that is known. May raise `Unreadable`, `Unavailable` and KeyError."""
    pc, sp, start = read("pc"), read("sp"), node.symbol(MAIN)
    if pc is None or sp is None or start is None or not _is_main(node, start, pc):
        return None
    process = process_of_thread(node, sp)
    if process is None:
        return None
    reader, word = node.stack(), node.memory.word_size
    top = reader.y0(process.record["stop"])
    slot = reader.return_slot(top, stack_end(process, top))
    if slot is None:
        return None
    registers = unwinder.saved_registers(process, node.memory.word(slot), slot + word, sp)
    return Unwound(sp, start, 0, registers)


def process_of_thread(node: Node, sp: int) -> Process | None:
    """The process that the thread with this stack pointer, which runs `MAIN`, works for; None where that is not known.
    A thread's `pthread_t` is the address of a structure right above its stack. May raise `Unreadable`."""
    above = [(one.thread - sp, one) for one in node.schedulers if 0 < one.thread - sp < LARGEST_STACK]
    if not above:
        return None
    _, nearest = min(above, key=lambda entry: entry[0])
    is_one = nearest.kind != NORMAL and nearest.current_process
    return node.processes.at(nearest.current_process) if is_one else None


def _is_main(node: Node, start: int, pc: int) -> bool:
    """Whether a return address is in `MAIN`, which begins at `start`."""
    distance = pc - (start & ~1)
    size = node.roots.size(MAIN) if node.roots is not None else None
    if size is not None:
        return 0 < distance <= size
    return 0 < distance < MAX_SIZE and (c_name(pc - 1) or "").partition("+")[0] == MAIN
