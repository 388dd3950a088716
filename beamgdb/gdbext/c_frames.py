"""Takes GDB through frames of C in a beam.smp for 32-bit ARM without unwind information.

GDB itself looks for the start of the function by its symbol, which static functions have not, and takes the frame of
another function for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gdb
from gdb.unwinder import Unwinder

from beamgdb.gdbext import c_expressions, program_file, session, target_memory
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.program_file import ProgramFile
from beamgdb.gdbext.session import Session
from beamgdb.gdbext.target_memory import InferiorMemory
from beamgdb.memory import Memory, Unreadable

if TYPE_CHECKING:
    # Not before they are needed: these import a disassembler, which takes time to load.
    from beamgdb.machine_code.reading import ReadMemory, ReadRegister
    from beamgdb.unwinding.c_arm32.unwinder import CUnwinder


class CFrames(Unwinder):
    """Registered with GDB; answers for frames in the text of the program."""

    def __init__(self) -> None:
        super().__init__("beamgdb-c")

    def __call__(self, pending_frame: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        return target_memory.unwound(lambda: self._unwound(pending_frame))

    def _unwound(self, pending_frame: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        current = session.known()
        if current is None or current.node.identity.arch != "arm32":
            return None
        unwinder = _unwinder(current)
        if unwinder is None:
            return None
        is_first = extension().first_frames.is_first(pending_frame)
        if is_first:
            # As in `unwinder`: no event may have said that the thread has run.
            current.forget()
        read_memory = current.node.memory.try_read
        found = unwinder.unwind(_register_reader(pending_frame), read_memory, is_first)
        if found is None:
            return None
        word = c_expressions.unsigned(4)
        frame_id = FrameId(gdb.Value(found.cfa).cast(word), gdb.Value(found.function_start & ~1).cast(word))
        info = pending_frame.create_unwind_info(frame_id)
        for name, content in found.registers.items():
            kind = pending_frame.read_register(name).type
            info.add_saved_register(name, gdb.Value(content.to_bytes(kind.sizeof, "little"), kind))
        return info


class FrameId:
    """What `PendingFrame.create_unwind_info` wants of a frame that its stack and its function tell from others."""

    def __init__(self, sp: gdb.Value, pc: gdb.Value) -> None:
        self.sp = sp
        self.pc = pc


def _unwinder(current: Session) -> CUnwinder | None:
    """The unwinder of the program; None where there is none, or GDB needs none."""
    file = program_file.find(*current.named)
    if file is not current.c_unwinder[0]:
        current.c_unwinder = (file, _new_unwinder(file) if file is not None else None)
    return current.c_unwinder[1]


def _new_unwinder(file: ProgramFile) -> CUnwinder | None:
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    from beamgdb.unwinding.c_arm32.functions import functions_of
    from beamgdb.unwinding.c_arm32.unwinder import CUnwinder

    try:
        with file.path.open("rb") as stream:
            elf = ELFFile(stream)
            # Tables for exceptions tell only of calls, not of other instructions; of a core GDB does not use them.
            if elf.get_section_by_name(".debug_frame"):
                return None
            functions = functions_of(stream)
    except (ELFError, OSError):
        return None

    read_memory = _memory_reader(InferiorMemory(4, "little"))
    return CUnwinder(functions, file.bias, lambda at, size: file.read(at, size) or read_memory(at, size))


def _register_reader(frame: gdb.PendingFrame) -> ReadRegister:
    def read(name: str) -> int | None:
        try:
            value: Any = frame.read_register(name)
            if value.is_optimized_out:
                return None
            # GDB shows a double word as a union.
            return int(value["u64"]) if name[0] == "d" else int(value.cast(c_expressions.unsigned(4)))
        except (gdb.error, ValueError):
            target_memory.check_not_lost()
            return None

    return read


def _memory_reader(memory: Memory) -> ReadMemory:
    def read(address: int, size: int) -> bytes | None:
        try:
            return memory.read(address, size)
        except Unreadable:
            return None

    return read


def install() -> None:
    """Register the unwinder for all programs; it answers only for a known VM. Unwinders registered later come first."""
    gdb.unwinder.register_unwinder(None, CFrames(), replace=True)
