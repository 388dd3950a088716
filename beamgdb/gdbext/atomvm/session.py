"""The AtomVM that GDB debugs now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import gdb

from beamgdb.atomvm import structs
from beamgdb.atomvm.vm import SYMBOLS, AtomVm
from beamgdb.gdbext import c_expressions, program_file, session
from beamgdb.gdbext.connection import is_remote
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.gdb_types import GdbTypes, OnDemand
from beamgdb.gdbext.target_memory import InferiorMemory
from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.vm.model import Unavailable
from jit.object.target import ByteOrder
from jit.otp.layouts.resolve import StructLayout

MAX_FRAMES: Final = 64
"""Frames of a thread in which a VM is looked for, or a process."""

_ROOT: Final = "GlobalContext"
_ARCHITECTURES: Final = (("i386:x86-64", "x86_64"), ("aarch64", "aarch64"), ("arm", "arm32"))
_FLAGS: Final = (
    "WaitingTimeout", "WaitingTimeoutExpired", "Running", "Ready", "Killed", "Trap", "Distribution", "Spawning"
)  # fmt: skip

_USAGE: Final = b"Print the AtomVM version"
_VERSION: Final = re.compile(rb"\0([0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]{0,60})\n?\0")
_NEAR: Final = 1 << 12
"""Bytes behind the text on options among which the version stands, all being texts of main.c."""


class NotBegun(Unavailable):
    """No VM is found in the program, which may not have come to that."""


@dataclass
class AtomSession:
    """An AtomVM of one inferior."""

    vm: AtomVm
    pid: int
    is_current: bool = False
    """Whether it has been looked at since the target ran."""


class _Sessions(dict[int, AtomSession]):
    """That of each inferior, by its number."""


class _Known:
    """Whether a program is an AtomVM, by its file's name: to look up a symbol that is not there takes time."""

    def __init__(self) -> None:
        self.by_program: dict[tuple[str, int], bool] = {}


def is_atomvm() -> bool:
    """Whether the program that GDB debugs is an AtomVM."""
    known = extension().part(_Known).by_program
    key = (program_file.with_symbols(), len(gdb.objfiles()))
    if key not in known:
        known.clear()
        known[key] = all(session.address_of(name) is not None for name in SYMBOLS)
    return known[key]


def find() -> AtomSession | None:
    """The session, None if the program is no AtomVM, or is not run. Raises `Unavailable` where it is one of which
    nothing can be shown."""
    inferior = gdb.selected_inferior()
    sessions = extension().part(_Sessions)
    known = sessions.get(inferior.num)
    if not is_atomvm() or not session.has_process():
        sessions.pop(inferior.num, None)
        return None
    if known is not None and known.pid == inferior.pid and (known.is_current or known.vm.is_sound()):
        known.is_current = True
        return known
    found = sessions[inferior.num] = AtomSession(_new(), inferior.pid, is_current=True)
    return found


def known() -> AtomVm | None:
    """The VM if it is known already: quick, for unwinders."""
    found = extension().part(_Sessions).get(gdb.selected_inferior().num)
    return found.vm if found is not None and found.pid == gdb.selected_inferior().pid else None


def require() -> AtomVm:
    """The VM; raises `Unavailable`."""
    found = find()
    if found is None:
        raise Unavailable("the program is not being run: attach to a process, run it, or load a core file")
    return found.vm


def forget() -> None:
    """Some target has run, or was written to."""
    for one in extension().part(_Sessions).values():
        one.vm.forget()
        one.is_current = False


def _new() -> AtomVm:
    size = c_expressions.word_size()
    order: ByteOrder = "big" if "big endian" in gdb.execute("show endian", to_string=True) else "little"
    memory = CachedMemory(InferiorMemory(size, order), 2048 if is_remote() else 4096)
    types = _types(order)
    layout = structs.layout(types, {}, arch(), size, "debug information of the program")
    float_size = gdb.lookup_type("avm_float_t").sizeof
    addresses: set[int] = set()
    for address in _roots():
        if address and address not in addresses:
            addresses.add(address)
            vm = AtomVm(memory, layout, arch(), address, float_size)
            if vm.is_sound():
                return vm
    raise NotBegun(
        "no thread of this AtomVM shows where its processes are (no frame has a GlobalContext or Context): "
        "it may not have begun, or `set sysroot` may be needed to unwind C frames"
    )


def _types(order: ByteOrder) -> Mapping[str, StructLayout]:
    """Where fields lie. Raises `Unavailable` without debug information."""
    objfile = _with_types()
    if objfile is None:
        raise Unavailable(structs.NO_TYPES)
    types = GdbTypes(objfile, order)
    return OnDemand(frozenset(structs.WANTED), lambda name: structs.struct(types, name))


def _with_types() -> gdb.Objfile | None:
    for domain in (gdb.SYMBOL_VAR_DOMAIN, gdb.SYMBOL_STRUCT_DOMAIN):
        with c_expressions.in_c():
            for symbol in gdb.lookup_static_symbols(_ROOT, domain):
                if symbol.symtab is not None and symbol.type is not None and symbol.type.strip_typedefs().sizeof:
                    return symbol.symtab.objfile
    return None


def arch() -> str:
    """The processor, as `jit.otp.layouts` calls it; empty if it is none of which more is known."""
    name = gdb.selected_inferior().architecture().name()
    return next((ours for theirs, ours in _ARCHITECTURES if name.startswith(theirs)), "")


def threads() -> Iterator[gdb.InferiorThread]:
    """The threads that stand still, the selected one first. It is selected again in the end."""
    before = gdb.selected_thread()
    if before is not None and before.is_valid():
        # GDB takes it for running while it asks a breakpoint whether to stop.
        yield before
    frame = _selected_frame()
    try:
        for thread in sorted(gdb.selected_inferior().threads(), key=lambda one: one.num):
            if thread != before and thread.is_valid() and not thread.is_running():
                thread.switch()
                yield thread
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


def frames() -> Iterator[gdb.Frame]:
    """The frames of the selected thread, innermost first, as far as they can be unwound."""
    try:
        frame: gdb.Frame | None = gdb.newest_frame()
        for _ in range(MAX_FRAMES):
            if frame is None:
                return
            yield frame
            frame = frame.older()
    except gdb.error:
        return


def pointers(frame: gdb.Frame, *types: str) -> Iterator[tuple[str, int]]:
    """The variables of a frame that point to a structure of one of these names: name and value."""
    try:
        block: gdb.Block | None = frame.block()
    except (RuntimeError, gdb.error):
        return
    while block is not None:
        for symbol in block:
            if not symbol.is_variable and not symbol.is_argument:
                continue
            kind = symbol.type.strip_typedefs() if symbol.type is not None else None
            if kind is None or kind.code != gdb.TYPE_CODE_PTR:
                continue
            target = kind.target().unqualified()
            if target.name not in types and target.strip_typedefs().name not in types:
                continue
            try:
                value = frame.read_var(symbol)
                if not value.is_optimized_out:
                    yield symbol.name, int(value)
            except (gdb.error, ValueError):
                continue
        if block.function is not None:
            return
        block = block.superblock


def _roots() -> Iterator[int]:
    """Where a VM may be: what threads have variables for."""
    size = c_expressions.word_size()
    memory = InferiorMemory(size, "little")
    for _ in threads():
        for frame in frames():
            for _, address in pointers(frame, _ROOT):
                yield address
            for _, address in pointers(frame, "Context"):
                try:
                    # (The first field of a Context is the VM.)
                    yield int.from_bytes(memory.read(address, size), memory.byteorder)
                except Unreadable:
                    continue


def version() -> str | None:
    """The version that the program tells with the option -v, by the texts of its file; None where it is not found."""
    path = program_file.name()
    try:
        data = program_file.local(path).read_bytes() if path else b""
    except OSError:
        return None
    at = data.find(_USAGE)
    found = _VERSION.search(data, at, at + _NEAR) if at >= 0 else None
    return found[1].decode() if found is not None else None
