"""Where the program stands, and the signal that it stopped for."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from typing import Final, Optional, cast

import gdb

from beamgdb import core_file
from beamgdb.gdbext import c_expressions, c_functions, core_files, current_frame, front_end, gdb_text
from beamgdb.gdbext.c_names import c_name
from beamgdb.gdbext.connection import is_core, is_remote, kind, own_number
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.unwinder import erlang_frame
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.node import Node
from beamgdb.terms.quoting import bare
from beamgdb.unwinding import own_code
from beamgdb.views.threads import ThreadRow
from beamgdb.views.why import AT_ADDRESS, FATAL, HALT, STOPPING, Came, CFrameRow, Sender, Stop, is_of_otp, is_of_system
from beamgdb.vm.model import Unavailable

MOST_WORDS: Final = 1000
"""Characters of what C's library has noted."""

HALT_ARITY: Final = 2
HALT_IN_C: Final = "halt_2"

STACK_BYTES: Final = 4096
"""Of a stack that are looked at, and how many at a time: there may be no more."""

STACK_PIECE: Final = 512

SI_KERNEL: Final = 0x80

SENT: Final = (0, -1, -6)
"""What `si_code` is where a process has sent a signal (siginfo(2): `SI_USER`, `SI_QUEUE`, `SI_TKILL`)."""

RAISING: Final = ("abort", "raise", "gsignal", "pthread_kill")
"""Functions of C's library by which a program sends one to itself."""

_LIBRARY: Final = re.compile(r" (?:Yes|No)(?: \(\*\))? .*?(/.*)$", re.M)
"""A line of `info sharedlibrary`."""

_INTEGERS: Final = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_PTR)
"""Types of registers that may have an address."""


class _Stopped:
    """The thread that the target has stopped for, as GDB identifies it, None before the first stop that was seen; and
    the name of the signal, empty if it was none."""

    def __init__(self) -> None:
        self.ptid: tuple[int, int, int] | None = None
        self.signal = ""


def stop(node: Node | None, memory: CachedMemory) -> Stop:
    """Of the selected thread; without a node nothing is told that only Erlang/OTP's VM knows."""
    thread, core = gdb.selected_thread(), core_files.opened()
    death = core.death if core is not None else None
    frames = tuple(_frames(node))
    name, address, sender = _signal(thread, death)
    row = ThreadRow(thread.num, gdb_text.thread_name(thread)) if thread is not None and thread.is_valid() else None
    elsewhere = None if name or thread is None else _elsewhere(thread, death)
    # Of a container the kernel may tell another number than GDB knows.
    if any(one.function and one.function.partition("@")[0] in RAISING for one in frames):
        sender = None
    cut_off = (core.size, core.whole) if core is not None and core.is_cut_off else None
    words, halt, libraries = _last_words(memory), _halt(node, frames), tuple(_libraries())
    return Stop(name, address, row, frames, elsewhere, words, halt, cut_off, core is None, sender, libraries)


def _libraries() -> Iterator[str]:
    """Those that are neither the system's nor OTP's own, also those whose files GDB does not find."""
    root = gdb_text.path(lambda: cast(Optional[str], gdb.parameter("sysroot"))).rstrip("/")
    try:
        said = front_end.taken("info sharedlibrary")
    except gdb.error:
        return
    for path in _LIBRARY.findall(said):
        if not is_of_system(path) and not is_of_otp(path):
            yield bare(path.removeprefix(root) or path)


def crashed_elsewhere() -> int | None:
    """GDB's number of the thread that has crashed, where another one is selected: GDB takes the one that it has first
    for that."""
    thread = gdb.selected_thread()
    core = core_files.opened()
    found = _elsewhere(thread, core.death if core is not None else None) if thread is not None else None
    return found.thread if found is not None else None


def _last_words(memory: CachedMemory) -> str | None:
    """What glibc has noted when it ended the program, by a failed assertion or a check of its own: a size, then text
    (assert.c, `__abort_msg`)."""
    noted = _evaluated("*(void **) &__abort_msg")
    try:
        text = memory.cstring(noted + 4, MOST_WORDS).decode(errors="replace") if noted else ""
    except Unreadable:
        return None
    return bare(" ".join(text.split())) or None


def _halt(node: Node | None, frames: tuple[CFrameRow, ...]) -> tuple[str, ...] | None:
    """The arguments of erlang:halt/2, where a thread stands in it."""
    if node is None:
        return None
    try:
        erlang = next(filter(None, map(erlang_frame, current_frame.outwards(gdb.newest_frame()))), None)
        if erlang is None or erlang.x_registers is None:
            return None
        is_it = own_code.note(node, erlang) == HALT or any(one.function == HALT_IN_C for one in frames)
        return tuple(map(node.term, node.memory.words(erlang.x_registers, HALT_ARITY))) if is_it else None
    except (gdb.error, Unreadable, Unavailable, KeyError):
        return None


def _signal(
    thread: gdb.InferiorThread | None, death: core_file.Death | None
) -> tuple[str | None, int | None, Sender | None]:
    """The name of the signal that came in a thread, the address that it was for, and who has sent it, as far as they
    are known."""
    told = _Told()
    number = told.field("si_signo")
    if not number and is_core():
        number = _killer(thread, death)
    name = _name(number) if number else None
    if name is not None and thread is not None and _is_of_another(thread, name, death):
        name = None
    return name, told.fault_address() if name in AT_ADDRESS else None, told.sender() if number and name else None


class _Told:
    """What the kernel tells of the signal (sigaction(2), `siginfo_t`): read once, as a whole. GDB takes it for ended
    where a part of it has been read that qemu's stub (10) calls the last one, as it does of any part."""

    def __init__(self) -> None:
        self._value: gdb.Value | None = None
        try:
            self._value = c_expressions.evaluated("$_siginfo")
            self._value.fetch_lazy()
        except gdb.error:
            self._value = None

    def field(self, *path: str) -> int | None:
        """A number in it, None where that is not told."""
        value = self._value
        if value is None:
            return None
        try:
            for name in path:
                value = value[name]
            return int(value)
        except (gdb.error, ValueError, OverflowError):
            return None

    def fault_address(self) -> int | None:
        """What was accessed, where that is told: not of a signal that somebody has sent (there the sender's number lies
        in its place), nor of an address that no page can have (there is 0; siginfo(2), `SI_KERNEL`)."""
        code = self.field("si_code")
        is_told = code is not None and 0 < code < SI_KERNEL
        return self.field("_sifields", "_sigfault", "si_addr") if is_told else None

    def sender(self) -> Sender | None:
        """The process that has sent it by kill(2), sigqueue(3) or tgkill(2), if that is another one."""
        pid, user = (self.field("_sifields", "_kill", name) for name in ("si_pid", "si_uid"))
        own = gdb.selected_inferior().pid
        if self.field("si_code") not in SENT or pid is None or user is None or pid == own:
            return None
        return Sender(pid, user) if kind() != "native" or pid != own_number(own, own) else None


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _killer(thread: gdb.InferiorThread | None, death: core_file.Death | None) -> int | None:
    """The signal that the program died of which wrote the core file, if that came in this thread."""
    if death is not None:
        return death.signal if thread is None or thread.ptid[1] == death.thread else None
    # GDB makes the thread that the file has first number 1.
    return _evaluated("$_exitsignal") if thread is None or thread.num == 1 else None


def _is_of_another(thread: gdb.InferiorThread, name: str, death: core_file.Death | None) -> bool:
    """Whether the signal that is told of a thread is not why the program stands: it was stopped because another one has
    crashed, or that other one's signal is told, as by qemu's stub since 8, which tells the same of all."""
    if is_core():
        is_crash = death is not None and death.thread != thread.ptid[1] and _name(death.signal) in FATAL
        return is_crash and name in STOPPING
    stopped = extension().part(_Stopped)
    if stopped.ptid in (None, thread.ptid):
        return False
    return stopped.signal in FATAL if name in STOPPING else is_remote()


def _elsewhere(thread: gdb.InferiorThread, death: core_file.Death | None) -> Came | None:
    """What the program has crashed of in another thread."""
    if is_core():
        lwp, name = (death.thread, _name(death.signal)) if death is not None else (None, "")
    else:
        stopped = extension().part(_Stopped)
        lwp, name = stopped.ptid[1] if stopped.ptid is not None else None, stopped.signal
    numbers = (one.num for one in gdb.selected_inferior().threads() if one.ptid[1] == lwp)
    number = next(numbers, thread.num) if name in FATAL else thread.num
    return Came(name, number) if number != thread.num else None


def _on_stop(event: object) -> None:
    thread, stopped = gdb.selected_thread(), extension().part(_Stopped)
    if thread is not None:
        stopped.ptid = thread.ptid
        stopped.signal = event.stop_signal if isinstance(event, gdb.SignalEvent) else ""


def install() -> None:
    """Follow GDB's stops."""
    gdb.events.stop.connect(_on_stop)


def stack_words(memory: CachedMemory) -> list[int]:
    """What the selected thread has in registers and on the newest part of its stack, as words."""
    try:
        frame = gdb.newest_frame()
        names = list(frame.architecture().registers("general"))
    except gdb.error:
        return []
    found: list[int] = []
    for name in names:
        try:
            value = frame.read_register(name)
            if value.type.strip_typedefs().code in _INTEGERS:
                found.append(int(value) & memory.address_mask)
        except (gdb.error, ValueError, OverflowError):
            # (Some there are, but not on this machine.)
            continue
    top, size = _evaluated("(unsigned long) $sp") or 0, memory.word_size
    for start in range(top & -size, (top & -size) + STACK_BYTES, STACK_PIECE):
        try:
            found += memory.words(start, STACK_PIECE // size)
        except Unreadable:
            break
    return found


def _evaluated(expression: str) -> int | None:
    try:
        return int(c_expressions.evaluated(expression))
    except (gdb.error, ValueError, OverflowError):
        return None


def _frames(node: Node | None) -> list[CFrameRow]:
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
        library = gdb_text.library(pc)
        # What the program itself hides GDB cannot know better.
        known = c_functions.name(node, frame) if node is not None else gdb_text.frame_name(frame)
        name = known or (c_name(pc) if library or node is None or node.roots is None else None)
        found.append(CFrameRow(pc, bare(name) if name else None, library))
    return found
