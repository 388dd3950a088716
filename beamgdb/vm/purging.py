"""Old code: who is still in it, and what a purge waits for (beam_bif_load.c, erts_code_purger.erl).

A module has a current version and an old one, until that is purged. A process asks each process in turn whether it is
in the old code, and kills those that are: whose next instruction, or a return address on whose stack, is there, or who
has begun a native call there that is not over: one that waits for a dirty scheduler, or runs on one. Before and after
that each scheduler must have gone on to something else once (thread progress). So who is in a native function for long
makes the purge wait, and all others behind it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from beamgdb.code import module_tables
from beamgdb.code.code_ix import code_index
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records.chain import ring
from beamgdb.vm import backtrace, calls, registered_names, signals
from beamgdb.vm.backtrace import MAX_LEVELS, MAX_STACK, Level, StackEnds
from beamgdb.vm.model import Unavailable, Vm
from beamgdb.vm.monitor_links import MonitorLinks
from beamgdb.vm.processes import Process
from beamgdb.vm.schedulers import NORMAL
from beamgdb.vm.signals import Signal
from jit.otp import vm_flags
from jit.otp.tags import ATOM, HEADER, IMMED1_MASK, IMMED2_BITS, IMMED2_MASK, PID, PRIMARY_MASK

PURGER: Final = "erts_code_purger"
"""The name of the process that purges, its module's too."""

IN_PURGE: Final = ("do_purge/2", "do_soft_purge/2", "do_finish_after_on_load/3")
REQUEST: Final = "handle_request/2"
"""Functions of it that keep the module, and who has asked for it, in y registers."""

AWAITS_PROGRESS: Final = "erlang:bif_return_trap/2"
"""By this a BIF gives its value later, when it is resumed."""

MAX_TASKS: Final = 1 << 12
"""System tasks of a process that are looked at."""

REMOTE_CALL: Final = 13
"""`ERTS_SIG_Q_OP_RPC`: what brings a system task to who has other signals to handle before, and much else."""

NATIVE_CALL: Final = 5
"""Where the native call of a process is among what only some have (`ERTS_PSD_NFUNC_TRAP_WRAPPER`)."""

UNUSED: Final = 1 << 31
"""Set in `ErtsNativeFunc.argc` while there is no such call: it is negative."""


@dataclass(frozen=True)
class ModuleVersions:
    """A module, an atom as a term: where its current and its old code begin, 0 without, and their bytes."""

    name: int
    current: int
    current_size: int
    old: int
    old_size: int


def modules(vm: Vm, damaged: list[Unreadable]) -> list[ModuleVersions]:
    """All modules in use; `damaged` gets those that cannot be read. Raises `Unavailable` where they are not found,
    `Unreadable` for their table."""
    vm.layout.offset("Module", "old.code_hdr")
    found = module_tables.find(vm.memory, vm.layout, vm.symbol, vm.identity.arch or "")
    active = code_index(vm.memory, vm.symbol, "active")
    if found is None or active is None:
        raise Unavailable("the table of modules is not found in this VM")
    versions = []
    for at in module_tables.entries(vm.record("IndexTable", found.address).element(active)):
        one = vm.record("Module", at)
        try:
            versions.append(
                ModuleVersions(
                    one["module"] << IMMED2_BITS | ATOM, one["curr.code_hdr"], one["curr.code_length"],
                    one["old.code_hdr"], one["old.code_length"],
                )
            )  # fmt: skip
        except Unreadable as error:
            damaged.append(error)
    return versions


@dataclass(frozen=True)
class InOldCode:
    """A process that a purge of the module would kill. `how`: it runs there, goes on there, returns there, or has begun
    a native call there. `at` is the address of the code."""

    process: Process
    module: int
    how: str
    at: int


class OldCode:
    """The old code of a VM; raises as `modules` does. `damaged` gets what cannot be read."""

    def __init__(self, vm: Vm, advance: Callable[[], None] = lambda: None) -> None:
        """`advance` is called for each process."""
        self._vm = vm
        self._advance = advance
        self.damaged: list[Unreadable] = []
        self.modules = [one for one in modules(vm, self.damaged) if one.old]
        self._ranges = sorted((one.old, one.old + one.old_size, one.name) for one in self.modules)
        self._starts = [start for start, _, _ in self._ranges]
        self.knows_calls = all(
            vm.layout.has(struct, path)
            for struct, path in (("Process", "psd"), ("ErtsPSD", "data"), ("ErtsNativeFunc", "argc"))
        )

    def module_at(self, address: int) -> int | None:
        """The module in whose old code an address is."""
        at = bisect_right(self._starts, address) - 1
        return self._ranges[at][2] if at >= 0 and address < self._ranges[at][1] else None

    def holders(self, running: Iterable[tuple[Process, Iterator[Level]]]) -> Iterator[InOldCode]:
        """The processes in old code, each once for each module. `running` are those that a thread runs now, with their
        stacks: what the VM has noted of these is out of date."""
        if not self._ranges:
            return
        live: set[int] = set()
        for process, levels in running:
            live.add(process.address)
            yield from self._of_running(process, levels)
        for row in self._vm.processes.rows(("i", "stop", "hend", "heap", "psd", "common.id")):
            self._advance()
            if isinstance(row, Unreadable):
                self.damaged.append(row)
                continue
            address, i, stop, hend, heap, psd, _ = row
            if address is None or address in live:
                continue
            process = self._vm.processes.at(address)
            try:
                seen: set[int] = set()
                for found in self._of_waiting(process, i or 0, stop or 0, hend or 0, heap or 0):
                    seen.add(found.module)
                    yield found
                yield from self._of_call(process, psd or 0, seen)
            except Unreadable as error:
                self.damaged.append(error)

    def _of_running(self, process: Process, levels: Iterator[Level]) -> Iterator[InOldCode]:
        seen: set[int] = set()
        try:
            for number, level in enumerate(islice(levels, MAX_LEVELS)):
                module = self.module_at(level.lookup)
                if module is not None and module not in seen:
                    seen.add(module)
                    yield InOldCode(process, module, "returns there" if number else "runs there", level.pc)
        except (StackEnds, Unreadable):
            pass
        if self.knows_calls:
            try:
                yield from self._of_call(process, process.record["psd"], seen)
            except Unreadable as error:
                self.damaged.append(error)

    def _of_call(self, process: Process, psd: int, seen: set[int]) -> Iterator[InOldCode]:
        """For each module that is not `seen` yet. Raises `Unreadable`."""
        for at in native_call(self._vm, psd) if psd and self.knows_calls else ():
            module = self.module_at(at)
            if module is not None and module not in seen:
                seen.add(module)
                yield InOldCode(process, module, "native call there", at)

    def _of_waiting(self, process: Process, i: int, stop: int, hend: int, heap: int) -> Iterator[InOldCode]:
        seen: set[int] = set()
        module = self.module_at(i)
        if module is not None:
            seen.add(module)
            yield InOldCode(process, module, "goes on there", i)
        if not heap <= stop <= hend:
            return
        size = min(MAX_STACK, hend - stop)
        for word in self._vm.memory.words(stop, size // self._vm.memory.word_size):
            if word & PRIMARY_MASK == HEADER and self._starts[0] <= word < self._ranges[-1][1]:
                module = self.module_at(word)
                if module is not None and module not in seen:
                    seen.add(module)
                    yield InOldCode(process, module, "returns there", word)


def native_call(vm: Vm, psd: int) -> tuple[int, ...]:
    """Where a native call was begun that is not over, and the code of the functions that it is noted to be of
    (`erts_check_nfunc_in_area`); nothing without one. `psd` is the address of the process's `ErtsPSD`. Raises
    `Unreadable`."""
    data = vm.record("ErtsPSD", psd).field_address("data")
    address = vm.memory.word(data + NATIVE_CALL * vm.memory.word_size)
    if not address:
        return ()
    call = vm.record("ErtsNativeFunc", address)
    if call["argc"] & UNUSED:
        return ()
    # (A function's code is right behind what says which it is, in the same module.)
    size = vm.layout.size("ErtsCodeMFA")
    return call["pc"], *(call[path] + size for path in ("mfa", "current") if call[path])


@dataclass(frozen=True)
class Purge:
    """A purge that is under way: of `module`, asked for by `requester`, each a term, None where that is not seen.
    `unanswered` have not yet told whether they are in its code; `dying` are pids that were killed, and are not gone.
    `running` are run by schedulers which must go on first; the VM does not tell which have done so."""

    purger: Process
    module: int | None
    requester: int | None
    unanswered: tuple[Process, ...]
    dying: tuple[int, ...]
    running: tuple[Process, ...] = ()

    @property
    def is_held_up(self) -> bool:
        """Whether it is seen that it waits for somebody."""
        return bool(self.unanswered or self.dying or self.running)


def purge(vm: Vm, advance: Callable[[], None] = lambda: None) -> Purge | None:
    """The purge that is under way, None where there is none, or that cannot be told. `advance` is called for each
    process that may keep it waiting."""
    purger = next((one for one, name in registered_names.named(vm) if vm.term(name) == PURGER), None)
    if purger is None or purger.is_running():
        return None
    module = requester = None
    try:
        for level in backtrace.of_waiting(vm, purger):
            name = level.place.code.name.partition(":")[2] if level.place is not None else ""
            if name in IN_PURGE:
                atoms = [word for word in level.y_registers if word & IMMED2_MASK == ATOM]
                module = atoms[0] if atoms else None
            if name == REQUEST:
                requester = next((word for word in level.y_registers if word & IMMED1_MASK == PID), None)
    except (StackEnds, Unreadable):
        pass
    if module is None:
        return None
    asks = Asks(vm, purger, "ERTS_PSTT_CPC", lambda signal: signal.operation == REMOTE_CALL)
    unanswered = tuple(asks.unanswered(advance))
    try:
        sides = list(MonitorLinks(vm.tags.release).monitors(purger.record))
    except (Unreadable, KeyError):
        sides = []
    dying = tuple(side.other for side in sides if side.other is not None and side.other & IMMED1_MASK == PID)
    kept = tuple(running(vm)) if purger.status() == "suspended" and _awaits_progress(vm, purger) else ()
    return Purge(purger, module, requester, unanswered, dying, kept)


def _awaits_progress(vm: Vm, purger: Process) -> bool:
    """Whether it is suspended until schedulers have gone on; else it is by who changes code just now."""
    call = purger.current_call()
    return call is not None and calls.mfa(vm, *call) == AWAITS_PROGRESS


def running(vm: Vm) -> Iterator[Process]:
    """The processes that normal schedulers run."""
    for one in vm.schedulers:
        try:
            if one.kind == NORMAL and one.current_process:
                yield vm.processes.at(one.current_process)
        except Unreadable:
            continue


class Asks:
    """What a process asks of all others, by a system task of a kind, or before that by a signal."""

    PATHS: Final = ("sys_task_qs", "dirty_sys_tasks", signals.MIDDLE, signals.OUTER, "sig_inq_buffers")

    def __init__(self, vm: Vm, requester: Process, kind: str, may_ask: Callable[[Signal], bool]) -> None:
        """`may_ask` tells of a signal whether it may bring such a task, or be as much."""
        self._vm = vm
        self._kind = vm.layout.constants.get(kind)
        self._requester = requester.id
        self._may_ask = may_ask

    def unanswered(self, advance: Callable[[], None]) -> Iterator[Process]:
        """Those who have a request before them. `advance` is called for each process."""
        if self._kind is None:
            return
        for row in self._vm.processes.rows(self.PATHS):
            advance()
            if isinstance(row, Unreadable) or row[0] is None or not any(row[1:]):
                continue
            process = self._vm.processes.at(row[0])
            try:
                if self._has_task(row[1] or 0, row[2] or 0) or any(row[3:]) and self._has_signal(process):
                    yield process
            except (Unreadable, KeyError):
                continue

    def _has_task(self, queues: int, dirty: int) -> bool:
        vm, firsts = self._vm, [dirty]
        if queues:
            start = vm.record("ErtsProcSysTaskQs", queues).field_address("q")
            firsts += vm.memory.words(start, len(vm_flags.PRIORITIES))
        following = vm.layout.offset("ErtsProcSysTask", "next")
        return any(self._is_task(at) for first in firsts for at in ring(vm.memory, first, following, MAX_TASKS))

    def _is_task(self, address: int) -> bool:
        task = self._vm.record("ErtsProcSysTask", address)
        return task["type"] == self._kind and task["requester"] == self._requester

    def _has_signal(self, process: Process) -> bool:
        """Whether such a request is among signals which are not handled yet."""
        unhandled = (one for one in signals.unhandled(process.record) if not one.is_message)
        return any(
            self._may_ask(one) and (one.operation != REMOTE_CALL or self._brings(one.address)) for one in unhandled
        )

    def _brings(self, signal: int) -> bool:
        """Whether a call's argument is such a task. Behind what all signals have stand who asks, what to call, and the
        argument, a word each (`ErtsProcSigRPC` in erl_proc_sig_queue.c)."""
        word = self._vm.memory.word_size
        try:
            argument = self._vm.memory.word(signal + self._vm.layout.size("ErtsNonMsgSignal") + 2 * word)
            return argument != 0 and argument % word == 0 and self._is_task(argument)
        except Unreadable:
            return False
