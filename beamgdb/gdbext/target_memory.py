"""Memory of the process or core file that GDB debugs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import gdb

from beamgdb.gdbext import ctrl_c
from beamgdb.gdbext.program_file import ProgramFile
from beamgdb.memory import READ_LIMIT, Unreadable
from jit.object.target import ByteOrder

Answer = TypeVar("Answer")


class TargetLost(gdb.GdbError):
    """What was debugged is no more, since a stub has closed the connection while it was asked: nothing can be read."""

    def __init__(self) -> None:
        super().__init__("the connection to the target is closed: nothing of it can be read any more")


class TargetEnded(gdb.GdbError):
    """The process has ended while GDB had it stopped: GDB itself sees that when it would resume it, unless it has
    breakpoints to insert first, which it cannot."""

    def __init__(self) -> None:
        pid = gdb.selected_inferior().pid
        super().__init__(
            f"process {pid} has ended while GDB had it stopped, as by `kill -9`: nothing of it can be read any more "
            "(`kill` has GDB forget it)"
        )


def check_not_lost() -> None:
    """Where GDB has refused something: raises `TargetLost` if that is so because there is no target any more."""
    if gdb.selected_inferior().pid == 0:
        raise TargetLost


def unwound(unwind: Callable[[], Answer | None]) -> Answer | None:
    """Do the work of an unwinder for GDB. With the target GDB frees the frame, which it goes on to look at after an
    answer or an error: what it takes for Ctrl-C is all that makes it give up the frame. Of a process that has ended GDB
    says itself what it cannot read."""
    try:
        return unwind()
    except TargetLost:
        raise KeyboardInterrupt from None
    except TargetEnded:
        return None


class InferiorMemory:
    """`Memory` of the selected inferior."""

    def __init__(self, word_size: int, byteorder: ByteOrder, file: ProgramFile | None = None) -> None:
        """`file`: where to read what is surely the same there, since the target is slow, or a core that lacks it."""
        self.word_size = word_size
        self.byteorder: ByteOrder = byteorder
        self._file = file
        self.process: int | None = None
        """The process, if it is one of this machine: it may end while GDB has it stopped."""
        self._replaced: dict[int, bytes] = {}

    def read(self, address: int, size: int) -> bytes:
        """Exactly `size` bytes at `address`; raises `Unreadable`, and what ends whatever is done: `TargetLost` and
        `TargetEnded`."""
        ctrl_c.check()
        if not 0 <= size <= READ_LIMIT:
            # GDB ends if there is not so much memory.
            raise Unreadable(address, size)
        known = self._file.read(address, size) if self._file else None
        if known is not None:
            return known
        if not size:
            return b""  # for which GDB is not asked: from 14 on that is an error
        try:
            data = bytes(gdb.selected_inferior().read_memory(address, size))
        except (gdb.error, OverflowError, MemoryError):
            check_not_lost()
            self.check_not_ended()
            raise Unreadable(address, size) from None
        if self._file:
            data = self._file.overlaid(address, data)
        return self._true(address, data) if self._replaced else data

    def check_not_ended(self) -> None:
        """Raises `TargetEnded` if nothing can be read of the process any more."""
        if self.process is not None and not _is_alive(self.process):
            raise TargetEnded

    def hide(self, address: int, original: bytes) -> None:
        """Give these bytes, whatever is in memory there: a debugger has put something else for as long as the target
        runs."""
        self._replaced[address] = original

    def show(self, address: int) -> None:
        """What is in memory at the address is true again."""
        self._replaced.pop(address, None)

    def _true(self, address: int, data: bytes) -> bytes:
        corrected = bytearray(data)
        for at, original in self._replaced.items():
            offset = at - address
            low, high = max(0, offset), min(len(data), offset + len(original))
            if low < high:
                corrected[low:high] = original[low - offset : high - offset]
        return bytes(corrected)


def _is_alive(process: int) -> bool:
    """Whether a thread of a process is: of one that was killed all remain, as zombies, for as long as GDB traces them,
    and of another one that has begun others perhaps the first (proc_pid_stat(5))."""
    folder = Path(f"/proc/{process}")
    try:
        return not _is_zombie(folder) or not all(map(_is_zombie, (folder / "task").iterdir()))
    except OSError:
        return True  # or nobody can tell


def _is_zombie(folder: Path) -> bool:
    # The name of the program, in front of the state, may have any characters.
    return (folder / "stat").read_text(errors="replace").rpartition(") ")[2][:1] in ("Z", "X")
