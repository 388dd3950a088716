"""The VM that GDB debugs now, and what is kept about it between commands."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import gdb

from beamgdb.gdbext import gdb_types
from beamgdb.gdbext.target_memory import InferiorMemory
from beamgdb.layouts.identity import read_identity
from beamgdb.layouts.layout import NEEDED, Layout, NoLayout, for_identity, of_identity
from beamgdb.memory import ByteOrder, CachedMemory
from beamgdb.vm.node import Node, Unavailable
from beamgdb.vm.schedulers import KINDS

MARK = "etp_erts_version"
"""A symbol that every beam.smp since OTP 18 exports and nothing else has."""


SYMBOLS = (
    "__jit_debug_descriptor",
    "erts_atom_table",
    "erts_proc",
    "erts_port",
    "process_main",
    "the_active_code_index",
    *(symbol for _, *symbols in KINDS for symbol in symbols),
)
"""What is soon asked for: GDB is quicker to find it before it has symbols of Erlang code to look through."""


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
    return inferior.pid != 0 and bool(inferior.threads())


def find() -> Session | None:
    """The session of the selected inferior's VM, None where there is no beam.smp with a process."""
    inferior = gdb.selected_inferior()
    session = _sessions.get(inferior.num)
    if not has_process():
        return None
    if session is not None and session.in_place and session.pid == inferior.pid:
        return session
    marked_at = address_of(MARK)
    if marked_at is None:
        return None
    if session is None or (session.marked_at, session.pid) != (marked_at, inferior.pid):
        session = _sessions[inferior.num] = Session(_new_node(), marked_at, inferior.pid)
    session.in_place = True
    return session


def known() -> Session | None:
    """The session of the selected inferior if there is one already: quick, for unwinders and printers."""
    return _sessions.get(gdb.selected_inferior().num)


def require() -> Session:
    """The session; raises `Unavailable` with a line for the user."""
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


def _new_node() -> Node:
    word_size = gdb.lookup_type("long").pointer().sizeof
    memory = CachedMemory(InferiorMemory(word_size, _byteorder()))
    addresses: dict[str, int | None] = {}

    def symbol(name: str) -> int | None:
        if name not in addresses:
            addresses[name] = address_of(name)
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
    return Node(memory, symbol, identity, layout, reason)
