"""The VM that GDB debugs now, and what is kept about it between commands."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import gdb

from beamgdb.gdbext import core_files, gdb_types, program_file
from beamgdb.gdbext.connection import is_core, is_remote
from beamgdb.gdbext.target_memory import InferiorMemory
from beamgdb.interpreter.process_main import Build
from beamgdb.layouts.identity import read_identity
from beamgdb.layouts.layout import NEEDED, Layout, NoLayout, for_identity, of_identity
from beamgdb.memory import ByteOrder, CachedMemory, Unreadable
from beamgdb.vm.node import DESCRIPTOR, Node, Unavailable
from beamgdb.vm.schedulers import KINDS

MARK = "etp_erts_version"
"""A symbol that every beam.smp since OTP 18 exports and nothing else has."""

MARK_SIZE = 8
"""Bytes of it that are compared."""


SYMBOLS = (
    DESCRIPTOR,
    "erts_atom_table",
    "erts_proc",
    "erts_port",
    "process_main",
    "the_active_code_index",
    *(symbol for _, *symbols in KINDS for symbol in symbols),
)
"""What is soon asked for: GDB is quicker to find it before it has symbols of Erlang code to look through."""


LOCAL_BLOCK = 4096
"""Bytes of memory that are read at a time."""

REMOTE_BLOCK = 2048
"""What one packet of qemu's stub can hold."""


@dataclass
class Session:
    """A VM of one inferior. `memory` and what was derived from it are valid until the target runs again."""

    node: Node
    marked_at: int
    """Address of `MARK`: another one means another process, or one that was just relocated."""
    pid: int
    """The process: after a detach, another one may have been attached."""
    code_seconds: float = 0.0
    """Time that reading BeamAsm's registrations took, in all."""
    code_is_stale: bool = True
    """BeamAsm has registered code, or taken a registration back."""
    in_place: bool = False
    """Whether `marked_at` has been checked since the target ran."""
    told: bool = False
    """Whether the user has been told of what does not work with this VM."""
    code_is_checked: bool = False
    """Whether it is known that no code was purged since: OTP 25 does that silently."""
    per_code: dict[str, object] = field(default_factory=dict)
    """Whatever others derive from the code that is loaded."""
    mark: bytes | None = None
    """What was at `marked_at` when that was asked for last, None where it could not be read."""

    @property
    def is_settled(self) -> bool:
        """Whether the VM has said all of what it is, as it does from the moment that it is relocated."""
        return all(getattr(self.node.identity, name) is not None for name in NEEDED)

    def forget(self) -> None:
        """The target has run or was written to."""
        self.node.memory.forget()

    def refresh_code(self) -> bool:
        """Make `node.code` current; whether it changed. Only reads memory: safe inside an unwinder."""
        if not self.code_is_stale and (self.code_is_checked or self.node.is_code_current()):
            self.code_is_checked = True
            return False
        start = time.perf_counter()
        changed = self.node.update_code()
        self.code_is_stale, self.code_is_checked = False, True
        if changed:
            self.per_code.clear()
        self.code_seconds += time.perf_counter() - start
        return changed


_sessions: dict[int, Session] = {}


def address_of(name: str) -> int | None:
    """Address of a C symbol in the program, None without one."""
    try:
        return int(gdb.parse_and_eval(f"&'{name}'").cast(gdb.lookup_type("unsigned long long")))
    except gdb.error:
        return None


def is_beam() -> bool:
    """Whether the program being debugged is a beam.smp."""
    return address_of(MARK) is not None


def has_process() -> bool:
    """Whether there is a live process or a core file."""
    inferior = gdb.selected_inferior()
    # To list the threads GDB asks a remote stub for each of them.
    return inferior.pid != 0 and (gdb.selected_thread() is not None or bool(inferior.threads()))


def find() -> Session | None:
    """The session of the selected inferior's VM, None where there is no beam.smp with a process."""
    inferior = gdb.selected_inferior()
    session = _sessions.get(inferior.num)
    if not has_process():
        return None
    if session is not None and session.pid == inferior.pid and (session.in_place or _is_unmoved(session)):
        session.in_place = True
        return session
    marked_at = address_of(MARK)
    if marked_at is None:
        return None
    if session is None or (session.marked_at, session.pid) != (marked_at, inferior.pid):
        session = _sessions[inferior.num] = Session(_new_node(marked_at), marked_at, inferior.pid)
    session.in_place = True
    session.mark = _content(session)
    return session


def _is_unmoved(session: Session) -> bool:
    """Whether the VM is still there. For a remote target: to look the symbol up again may take 30 packets."""
    return is_remote() and session.is_settled and session.mark is not None and (
        _content(session) == session.mark
    )


def _content(session: Session) -> bytes | None:
    try:
        return session.node.memory.read(session.marked_at, MARK_SIZE)
    except Unreadable:
        return None


def known() -> Session | None:
    """The session of the selected inferior if there is one already: quick, for unwinders and printers."""
    return _sessions.get(gdb.selected_inferior().num)


_relocates = False


def relocates() -> bool:
    """Whether the program is just being moved: nothing can be read then."""
    return _relocates


def relocate() -> bool:
    """Have the program where its core file says that it was; whether GDB had it elsewhere. Quick once the VM is found:
    to ask GDB takes longer than to unwind a frame."""
    global _relocates
    session = known()
    if session is not None and session.in_place and session.is_settled and session.pid == gdb.selected_inferior().pid:
        return False
    _relocates = True
    try:
        moved = core_files.relocate()
    finally:
        _relocates = False
    if moved:
        # GDB has told of new symbols before it moved them.
        forget_all()
    return moved


def require() -> Session:
    """The session; raises `Unavailable` with a line for the user."""
    relocate()
    session = find()
    if session is None:
        if not is_beam():
            raise Unavailable("this program is no beam.smp, or one that exports no etp_* symbols (load its debug file)")
        raise Unavailable("the program is not being run: attach to a process, run it, or load a core file")
    session.refresh_code()
    return session


def drop(number: int) -> None:
    """Forget the VM of an inferior that has ended."""
    _sessions.pop(number, None)


def forget_all() -> None:
    """Some target has run. What is not known yet of a VM may be known now."""
    for number, session in list(_sessions.items()):
        session.forget()
        if not session.is_settled:
            drop(number)
        session.code_is_checked = session.in_place = False


def _byteorder() -> ByteOrder:
    return "big" if "big endian" in gdb.execute("show endian", to_string=True) else "little"


def _build() -> Build:
    """What the program's file tells of it."""
    path = program_file.name()
    objfile = next((one for one in gdb.objfiles() if one.filename == path), None)
    # Not before it is needed: what reads ELF files takes time to load.
    from beamgdb.layouts.executable import extent

    address, size = (extent(Path(path), "process_main") if path else None) or (0, None)
    separate = next((one for one in gdb.objfiles() if objfile is not None and one.owner == objfile), None)
    debug = (separate or objfile).filename if objfile else None
    return Build(objfile.build_id if objfile else None, size, bool(address & 1), Path(debug) if debug else None)


_libraries: frozenset[str] = frozenset()


def _is_library(file: gdb.Objfile) -> bool:
    """Whether an object file may hold the symbols of what runs native code: a NIF."""
    return ".so" in (file.filename or "")


def _is_library_new() -> bool:
    """Whether GDB has a file that it did not have when it was asked last."""
    global _libraries
    before, _libraries = _libraries, frozenset(one.filename or "" for one in gdb.objfiles() if _is_library(one))
    return not _libraries <= before


def _new_node(marked_at: int) -> Node:
    word_size = gdb.lookup_type("long").pointer().sizeof
    remote = is_remote()
    # GDB may look the dynamic linker's data up in the target for each symbol.
    file = program_file.find(MARK, marked_at) if remote or is_core() else None
    target = InferiorMemory(word_size, _byteorder(), file)
    memory = CachedMemory(target, REMOTE_BLOCK if remote else LOCAL_BLOCK)
    addresses: dict[str, int | None] = {}

    def symbol(name: str) -> int | None:
        if name == DESCRIPTOR and addresses.get(name, 0) is None and _is_library_new():
            del addresses[name]
        if name not in addresses:
            known = file.symbols.get(name) if file and remote else None
            addresses[name] = address_of(name) if known is None else known
        return addresses[name]

    for name in SYMBOLS:
        symbol(name)
    identity = read_identity(memory.read, symbol)
    layout: Layout | None = None
    reason = ""
    try:
        if gdb_types.GdbTypes().struct("Process") is not None:
            origin = "debug information of the program"
            layout = of_identity(gdb_types.structs(), gdb_types.constants(), identity, origin)
        else:
            layout = for_identity(identity)
    except (NoLayout, ValueError) as error:
        reason = str(error)
    return Node(memory, symbol, identity, layout, reason, _build())
