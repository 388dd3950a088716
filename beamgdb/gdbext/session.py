"""The VM that GDB debugs now, and what is kept about it between commands."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import gdb

from beamgdb.code.jit_interface import DESCRIPTOR
from beamgdb.code.ranges import TABLE, WRITE_PTR
from beamgdb.evidence.needed import ALL_SLOTS, FEW_SLOTS, may_be_proved
from beamgdb.gdbext import (
    c_expressions,
    core_files,
    core_program,
    debug_information,
    front_end,
    gdb_text,
    program_file,
    unnamed,
)
from beamgdb.gdbext.connection import is_core, is_remote, kind
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.program_file import ProgramFile
from beamgdb.gdbext.target_memory import InferiorMemory
from beamgdb.interpreter.frame_registers import FRAME_REGISTERS
from beamgdb.interpreter.process_main import Build
from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory
from beamgdb.node import Node
from beamgdb.terms.quoting import bare
from beamgdb.unwinding.beamasm import BeamAsmUnwinder
from beamgdb.unwinding.interpreter import InterpreterUnwinder
from beamgdb.unwinding.native import NativeUnwinder
from beamgdb.unwinding.unwinder import Unwinder
from beamgdb.vm.model import Unavailable
from beamgdb.vm.schedulers import KINDS
from jit.object.target import ByteOrder
from jit.otp.layouts.identity import Identity, read_config_h, read_identity
from jit.otp.layouts.layout import NEEDED, Layout, NoLayout, for_identity, nearest

if TYPE_CHECKING:
    # Not before they are needed: one loads a disassembler, and most programs name their variables themselves.
    from beamgdb.roots.finder import Roots
    from beamgdb.unwinding.c_arm32.unwinder import CUnwinder

MARK = "etp_erts_version"
"""What every beam.smp since OTP 18 has and nothing else: a symbol, unless it hides its own (`unnamed`)."""

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


EXPORTED = ("erts_atom_table", "erts_proc", "the_active_code_index", "erts_no_schedulers")
"""What every beam.smp has: one that exports `MARK` and these hides nothing."""


PAST_ENTRY = "backtrace past-entry"

LOCAL_BLOCK = 4096
"""Bytes of memory that are read at a time."""

REMOTE_BLOCK = 2048
"""What one packet of qemu's stub can hold."""

MANY_STOPS, EVERY = 8, 32
"""At how many stops a VM is looked at again that has not shown enough to know any field; then at one of so many."""


class PerCode:
    """What was made of the code that is loaded: all anew when that has changed."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.is_protected = False
        """Whether GDB is kept from writing where it must not."""
        self.is_followed = False
        """Whether those have been told who want to know of new code."""

    @cached_property
    def unwinder(self) -> Unwinder | None:
        """The unwinder of Erlang frames, None for an architecture without one."""
        node = self._node
        if node.is_interpreter:
            machine = FRAME_REGISTERS.get(node.identity.arch or "")
            if machine is None or not node.has_layout:
                return None
            kind = NativeUnwinder if len(node.native) else InterpreterUnwinder
            return kind(node, machine, node.process_main)
        return BeamAsmUnwinder(node, node.machine) if node.machine else None


@dataclass
class Session:
    """A VM of one inferior. `memory` and what was derived from it are valid until the target runs again."""

    node: Node
    target: InferiorMemory
    """What `node` reads through its cache."""
    marked_at: int
    """Address of `MARK`: another one means another process, or one that was just relocated."""
    pid: int
    """The process: after a detach, another one may have been attached."""
    named: tuple[str, int]
    """A symbol that the program exports, and its address."""
    code_seconds: float = 0.0
    """Time that reading BeamAsm's registrations took, in all."""
    code_is_stale: bool = True
    """BeamAsm has registered code, or taken a registration back."""
    in_place: bool = False
    """Whether `marked_at` has been checked since the target ran or was changed."""
    was_in_place: bool = False
    """Whether it had been before a change, since the target ran."""
    told: bool = False
    """Whether the user has been told of what does not work with this VM."""
    registrations_are_checked: bool = False
    """Whether GDB itself was kept from what it must not take for sound."""
    told_left_out: set[str] = field(default_factory=set)
    """Why modules are left out, as far as the user has been told."""
    code_is_checked: bool = False
    """Whether it is known that no code was purged since: OTP 25 does that silently."""
    per_code: PerCode = field(init=False)
    c_unwinder: tuple[ProgramFile | None, CUnwinder | None] = (None, None)
    """The unwinder of C frames, and the file of the program that it is for."""
    installed_sources: dict[Path, dict[str, str]] = field(default_factory=dict)
    """The folder of each source file that is installed with the system, by the system's root."""
    mark: bytes | None = None
    """What was at `marked_at` when that was asked for last, None where it could not be read."""
    is_early: bool = False
    """Whether there were too few processes to see if they are as the layout says."""
    stops: int = 0
    """How often the target has run since."""
    is_seen: bool = False
    """Whether the user has seen the target stop since that was done: of other stops, as where code is loaded, there are
    hundreds."""

    def __post_init__(self) -> None:
        self.per_code = PerCode(self.node)

    @property
    def is_settled(self) -> bool:
        """Whether the VM has said all of what it is, as it does from the moment that it is relocated."""
        return _is_settled(self.node.identity)

    @property
    def may_tell_more(self) -> bool:
        """Whether the target has run, and may now show where fields lie that are not known."""
        if self.in_place:
            return False
        if self.node.has_layout:
            return may_be_proved(self.node.layout, self.is_seen) or (self.is_early and self.is_seen)
        return self.is_seen or self.stops < MANY_STOPS or self.stops % EVERY == 0

    def forget(self) -> None:
        """The target has run or was written to."""
        self.node.memory.forget()
        if self.node.roots is not None:
            self.node.roots.forget()

    def refresh_code(self) -> bool:
        """Make `node.code` current; whether it changed. Only reads memory: safe inside an unwinder."""
        if not self.code_is_stale and (self.code_is_checked or self.node.is_code_current()):
            self.code_is_checked = True
            return False
        start = time.perf_counter()
        changed = self.node.update_code()
        self.code_is_stale, self.code_is_checked = False, True
        if changed:
            self.per_code = PerCode(self.node)
        self.code_seconds += time.perf_counter() - start
        return changed


def _is_settled(identity: Identity) -> bool:
    return all(getattr(identity, name) is not None for name in NEEDED)


class _Sessions(dict[int, Session]):
    """The one of each inferior, by its number."""


def address_of(name: str) -> int | None:
    """Address of a C symbol in the program, None without one."""
    try:
        return int(c_expressions.evaluated(f"&'{name}'"))
    except gdb.error:
        return None


def mark() -> int | None:
    """Address of `MARK` in the program being debugged, None where that is no beam.smp."""
    address = address_of(MARK)
    if address is None and (found := unnamed.program().constants.get(MARK)) is not None:
        return found.address
    return address


def is_beam() -> bool:
    """Whether the program being debugged is a beam.smp."""
    return mark() is not None


def is_interpreter() -> bool:
    """Whether the program interprets Erlang code; known before it runs."""
    if address_of("beam_ops") is not None:
        return True
    return address_of(MARK) is None and unnamed.program().is_interpreter


def has_process() -> bool:
    """Whether there is a live process or a core file."""
    inferior = gdb.selected_inferior()
    # To list the threads GDB asks a remote stub for each of them.
    return inferior.pid != 0 and (gdb.selected_thread() is not None or bool(inferior.threads()))


def find() -> Session | None:
    """The session of the selected inferior's VM, None where there is no beam.smp with a process."""
    inferior = gdb.selected_inferior()
    session = extension().part(_Sessions).get(inferior.num)
    if not has_process():
        return None
    # GDB tells of a program that it is given for a core file before it moves it there.
    is_in_place = (
        session is not None
        and session.pid == inferior.pid
        and (session.in_place and session.is_settled or _is_unmoved(session))
    )
    if session is not None and is_in_place and not session.may_tell_more:
        session.in_place = True
        return session
    marked_at = mark()
    if marked_at is None or core_program.foreign():
        return None
    if session is None or (session.marked_at, session.pid) != (marked_at, inferior.pid):
        session = extension().part(_Sessions)[inferior.num] = _new(marked_at, inferior.pid)
    elif session.may_tell_more:
        session = extension().part(_Sessions)[inferior.num] = _again(session)
    session.in_place = True
    session.mark = _content(session)
    return session


def _is_unmoved(session: Session) -> bool:
    """Whether the VM is still there. For a remote target: to look the symbol up again may take 30 packets."""
    return is_remote() and session.is_settled and session.mark is not None and (_content(session) == session.mark)


def _content(session: Session) -> bytes | None:
    return session.node.memory.try_read(session.marked_at, MARK_SIZE)


def known() -> Session | None:
    """The session of the selected inferior if there is one already: quick, for unwinders and printers."""
    return of_inferior(gdb.selected_inferior().num)


def of_inferior(number: int) -> Session | None:
    """The same, of any inferior."""
    return extension().part(_Sessions).get(number)


def relocate() -> bool:
    """Have the program where its core file says that it was; whether GDB had it elsewhere. Quick once the VM is found:
    to ask GDB takes longer than to unwind a frame."""
    session = known()
    if session is not None and session.in_place and session.is_settled and session.pid == gdb.selected_inferior().pid:
        return False
    extension().relocates = True
    try:
        moved = core_files.relocate()
    finally:
        extension().relocates = False
    if moved:
        # GDB has told of new symbols before it moved them.
        forget_all()
    return moved


def require() -> Session:
    """The session; raises `Unavailable` with a line for the user."""
    relocate()
    session = find()
    if session is None:
        require_beam()
        raise Unavailable("the program is not being run: attach to a process, run it, or load a core file")
    # What is known may be told from what is kept of the memory.
    session.target.check_not_ended()
    session.refresh_code()
    return session


def require_beam() -> None:
    """Raise `Unavailable` if there is no beam.smp, running or not, or another one than the core file is of."""
    path, foreign = program_file.name(), core_program.foreign()
    if path is None and is_core():
        raise Unavailable("the core file has no program: give the BEAM that wrote it (`file BEAM`, or `gdb BEAM CORE`)")
    if path is None and gdb.selected_inferior().pid and kind() == "native":
        advice = f"`file /proc/{gdb.selected_inferior().pid}/exe`"
        raise Unavailable(f"GDB has not read the program's file, which may be deleted or replaced: {advice}")
    if path is None:
        raise Unavailable("no program is loaded: attach to a process, or give BEAM, or BEAM and CORE")
    if foreign:
        raise Unavailable(foreign)
    if is_beam():
        return
    if path is not None and program_file.is_far(path):
        advice = "give a copy of it (`file BEAM`, and `set sysroot` for its libraries)"
        raise Unavailable(f"GDB reads the program through the stub, and it cannot be read here: {advice}")
    if not program_file.has_own_symbols(path):
        whose = bare(program_file.with_symbols()) or "no file"
        raise Unavailable(f"GDB has the symbols of {whose}, not of the program: `symbol-file {bare(path)}`")
    why = unnamed.program().why
    raise Unavailable(f"this program is no beam.smp{f' that is known: {why} (load its debug file)' if why else ''}")


def drop(number: int) -> None:
    """Forget the VM of an inferior that has ended."""
    extension().part(_Sessions).pop(number, None)


class _PastEntry:
    """Whether `PAST_ENTRY` was set for a program here."""

    is_set = False


def _trace_past_entry() -> None:
    if not gdb.parameter(PAST_ENTRY):
        front_end.taken(f"set {PAST_ENTRY} on")
        extension().part(_PastEntry).is_set = True


def ended(number: int) -> None:
    """The process of an inferior has ended, or GDB has left it: it is forgotten, and what was set for it."""
    drop(number)
    past_entry = extension().part(_PastEntry)
    left = extension().part(_Sessions).values()
    if past_entry.is_set and all(one.node.identity.arch != "arm32" for one in left):
        past_entry.is_set = False
        front_end.taken(f"set {PAST_ENTRY} off")


def forget_all(*, has_run: bool = True, is_seen: bool = False) -> None:
    """Some target has run, or otherwise been changed. What is not known yet of a VM may be known now."""
    for number, session in list(extension().part(_Sessions).items()):
        session.forget()
        if not session.is_settled:
            drop(number)
        session.was_in_place |= session.in_place
        session.is_seen |= is_seen
        if has_run:
            session.stops += session.was_in_place
            session.was_in_place = False
        session.code_is_checked = session.in_place = False


def _byteorder() -> ByteOrder:
    return "big" if "big endian" in front_end.taken("show endian") else "little"


def _build() -> Build:
    """What the program's file tells of it."""
    path = program_file.name()
    objfile = next((one for one in gdb.objfiles() if gdb_text.file_name(one) == path), None)
    # Not before it is needed: what reads ELF files takes time to load.
    from jit.otp.layouts.executable import extent

    address, size = (extent(program_file.local(path), "process_main") if path else None) or (None, None)
    if address is None and path:
        # All code of a program is of one kind.
        address, _ = extent(program_file.local(path), unnamed.ANCHOR) or (None, None)
    separate = next((one for one in gdb.objfiles() if objfile is not None and one.owner == objfile), None)
    debug = gdb_text.file_name(separate or objfile) if objfile else None
    return Build(objfile.build_id if objfile else None, size, bool((address or 0) & 1), Path(debug) if debug else None)


class _CSymbols:
    """Addresses of C symbols, asked for once. Called with a name it gives an address, or None."""

    def __init__(self, file: ProgramFile | None) -> None:
        """`file`: where to look first."""
        self._file = file
        self.roots: Roots | None = None
        """What finds those that nobody names."""
        self._addresses: dict[str, int | None] = {}
        self._libraries: frozenset[str] = frozenset()

    def __call__(self, name: str) -> int | None:
        if name == DESCRIPTOR and self._addresses.get(name, 0) is None and self._is_library_new():
            del self._addresses[name]
        if name not in self._addresses and name not in (TABLE, WRITE_PTR):
            known = self._file.symbols.get(name) if self._file else None
            self._addresses[name] = address_of(name) if known is None else known
        found = self._addresses.get(name)
        return self.roots(name) if found is None and self.roots is not None else found

    def _is_library_new(self) -> bool:
        """Whether GDB has a file that it did not have when it was asked last, which may hold the symbols of what runs
        native code: a NIF."""
        files = map(gdb_text.file_name, gdb.objfiles())
        before, self._libraries = self._libraries, frozenset(name for name in files if ".so" in name)
        return not self._libraries <= before


def _named(marked_at: int) -> tuple[str, int]:
    """A symbol that the program of a VM exports, and its address."""
    address = unnamed.anchor() if address_of(MARK) is None else None
    return (MARK, marked_at) if address is None else (unnamed.ANCHOR, address)


def _new(marked_at: int, pid: int) -> Session:
    remote, named = is_remote(), _named(marked_at)
    # GDB may look the dynamic linker's data up in the target for each symbol.
    file = program_file.find(*named) if remote or is_core() else None
    target = InferiorMemory(c_expressions.word_size(), _byteorder(), file)
    memory = CachedMemory(target, REMOTE_BLOCK if remote else LOCAL_BLOCK, core_files.missing)
    target.process = pid if kind() == "native" else None
    symbol = _CSymbols(file if remote else None)
    for name in SYMBOLS:
        symbol(name)
    if named[0] != MARK or any(symbol(name) is None for name in EXPORTED):
        from beamgdb.roots.finder import Roots

        image = unnamed.program().image
        symbol.roots = Roots(memory, image) if image is not None else None
    identity = read_identity(memory.try_read, symbol)
    if identity.arch == "arm32":
        # GDB takes static functions behind `_start`, which has no size, for it, and ends backtraces there.
        _trace_past_entry()
    # Nothing else is asked what the program's file tells: to read that takes time.
    build = _build() if identity.flavour == "emu" else None

    def like(layout: Layout | None, reason: str = "") -> Node:
        # What is proved on the VM was proved with roots that were found by the table of a VM like it.
        if symbol.roots is not None and (layout is None or not layout.is_proved):
            symbol.roots.layout = layout
        return Node(memory, symbol, identity, layout, reason, build, symbol.roots)

    slots = FEW_SLOTS if remote else ALL_SLOTS
    node = _with_similar(
        like, identity, lambda: read_config_h(memory.try_read, symbol, identity),
        lambda: _proved(memory, symbol, identity, slots, "")[0],
    )  # fmt: skip
    if node is None:
        layout, reason = _told(identity)
        node = like(layout, reason)
        if layout is None:
            node = like(*_proved(memory, symbol, identity, slots, reason))
        elif not debug_information.makes_sense(node):
            proved, _ = _proved(memory, symbol, identity, slots, reason)
            node = like(proved or layout)
            said = "where fields lie is proved" if proved is not None else "and nothing else tells where fields lie"
            gdb.write(f"beamgdb: by the {layout.origin} most processes make no sense: {said}\n", gdb.STDERR)
    return Session(node, target, marked_at, pid, named, is_early=debug_information.has_few_processes(node))


def _with_similar(
    like: Callable[[Layout], Node],
    identity: Identity,
    config: Callable[[], str | None],
    proved: Callable[[], Layout | None],
) -> Node | None:
    """The VM by the file or table that the user has set, None where that is of no use: the user is told why, once."""
    if not _is_settled(identity):
        return None
    try:
        layout = debug_information.similar(identity, config)
        node = like(layout) if layout is not None else None
        why = debug_information.contradiction(node) if node is not None else None
        if layout is not None and why is None and extension().parameters.layout_version is not None:
            why = debug_information.disproof(layout, proved())
        if why is not None:
            raise ValueError(f"{extension().parameters.layout_from}: {why}")
    except (ValueError, NoLayout) as error:
        extension().parameters.forget_layout_from()
        gdb.write(f"beamgdb: beam-layout-from: {bare(str(error))}\n", gdb.STDERR)
        return None
    return node


def _told(identity: Identity) -> tuple[Layout | None, str]:
    """Where fields lie by types or a table, or why these do not tell it."""
    try:
        return debug_information.layout(identity) or for_identity(identity), ""
    except (NoLayout, ValueError) as error:
        return None, str(error)


def _proved(
    memory: CachedMemory, symbol: _CSymbols, identity: Identity, slots: int, reason: str
) -> tuple[Layout | None, str]:
    """Where fields lie by what is proved on the VM, or why that is not known; `reason`: why nothing tells it."""
    if not _is_settled(identity):
        return None, reason
    try:
        # Not before it is needed: it loads a disassembler.
        from beamgdb.evidence.proof import prove

        if symbol.roots is not None:
            # Each root that is found so is proved by what lies there, as by any layout.
            symbol.roots.layout = nearest(identity)
        return prove(memory, symbol, identity, slots, unnamed.program_image), ""
    except NoLayout as error:
        return None, f"{reason}; {error}"
    except ImportError:
        return None, f"{reason}; without a disassembler nothing can be proved"


def _again(before: Session) -> Session:
    """The session, or one that knows more of the same VM."""
    node, was_early = before.node, before.is_early
    before.is_early = was_early and debug_information.has_few_processes(node)
    if not node.has_layout or (was_early and not before.is_early and not debug_information.makes_sense(node)):
        session = _new(before.marked_at, before.pid)
        session.stops, session.told = before.stops, before.told and not session.node.has_layout
        return session
    is_seen, before.is_seen = before.is_seen, False
    if not node.layout.is_proved:
        return before
    from beamgdb.evidence.proof import prove_more

    layout = prove_more(node.memory, node.symbol, node.identity, node.layout, is_seen)
    if layout is not node.layout:
        before.node = Node(node.memory, node.symbol, node.identity, layout, "", node.build, node.roots)
        before.per_code, before.code_is_stale = PerCode(before.node), True
    return before
