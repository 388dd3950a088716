"""Locks of the VM that are held or waited for, and by whom, as far as they tell (erl_process_lock.h, ethr_mutex.h,
erl_db_util.h, code_ix.c).

A lock of the VM's own making says that it is held, and whether somebody waits, not by whom. The main lock of a process
is that of the scheduler which runs it, but for a dirty one, which gives it up while it does so; a mutex of glibc has
the number of its thread; and who may change code is noted with those who wait for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records.chain import chain
from beamgdb.records.statics import referred
from beamgdb.vm.ets import BEING_DELETED, BUSY, EtsTable, EtsTables
from beamgdb.vm.model import Unavailable, Vm
from beamgdb.vm.ports import Ports
from beamgdb.vm.processes import LOCKS
from beamgdb.vm.schedulers import NORMAL, Scheduler
from jit.otp import vm_flags
from jit.otp.layouts.identity import is_musl

WRITTEN: Final = 1 << 31
WRITER_WAITS: Final = 1 << 30
READER_WAITS: Final = 1 << 29
MAY_BE_READ: Final = 1 << 28
READERS: Final = READER_WAITS - 1
"""Bits of a lock of readers or one writer (`ETHR_RWMTX_W_FLG__` and so on). Of one that is for frequent reading only
`MAY_BE_READ` tells of readers, and stays set after they have gone."""

NORMAL_TYPE: Final = 0
"""Of the others (`ETHR_RWMUTEX_TYPE_NORMAL`)."""

MUTEX_OWNER: Final = 8
"""Bytes into a `pthread_mutex_t` of glibc, on all its processors that Erlang runs on here, where the thread's number
is; the lock itself is at its beginning."""

MAX_BUCKET_LOCKS: Final = 1 << 16
MAX_WAITING: Final = 1 << 20

TO_CHANGE, TO_LOAD, TO_DO_EITHER = (f"permission to {does} code" for does in ("change", "load", "change or load"))
HANDED_OVER: Final = {1 << 9: TO_CHANGE, 1 << 10: TO_LOAD}
"""By the flag by which it is handed over (`ERTS_PXSFLG_HANDOVER_CODE_MOD_PERM`), since OTP 29."""

PERMISSIONS: Final = {"code_mod_permission": TO_CHANGE, "code_stage_permission": TO_LOAD}
RELEASES: Final = {"erts_release_code_mod_permission": TO_CHANGE, "erts_release_code_stage_permission": TO_LOAD}
RELEASE_BYTES: Final = 16
"""Bytes of the latter that refer to one of them: they are as short as that, and others follow."""

USERS: Final = tuple(
    f"erts_{does}_code_{what}_permission" for does in ("try_seize", "release") for what in ("mod", "stage", "write")
)
"""Functions that use them, of those that a beam.smp exports; the last one of each three to OTP 25."""


@dataclass(frozen=True)
class Lock:
    """A lock that is held, or waited for. `what` it is, of which `owner`: a pid or port, as a term, or a table.
    `state`: held, written, read, read by a number, or free while somebody waits. `holder` is who has it: the pid of a
    process, as a term; `scheduler` the one that runs it, `thread` the number of a thread of the system, in the PID
    namespace of the VM. `waits`: whether somebody waits, None if that may be; `waiting` the pids of those, where they
    are noted. `owner` may be the name of a driver too. `by_vm`: a job of the VM has it, and no process."""

    what: str
    owner: int | EtsTable | str | None
    address: int
    state: str
    waits: bool | None
    holder: int | None = None
    scheduler: Scheduler | None = None
    thread: int | None = None
    waiting: tuple[int, ...] = ()
    perhaps: tuple[int, ...] = ()
    """The pids of those that may have it, or wait for it: what they are noted to call uses such locks."""
    by_vm: bool = False


class Locks:
    """Those of a VM. `damaged` gets what cannot be read, `unknown` what cannot be told, each a line."""

    def __init__(self, vm: Vm, advance: Callable[[], None] = lambda: None) -> None:
        """`advance` is called for each process, table and port."""
        self._advance = advance
        vm.layout.offset("Process", "lock.flags")
        self._vm = vm
        self.damaged: list[Unreadable] = []
        self.unknown: list[str] = []

    def __iter__(self) -> Iterator[Lock]:
        """All that are held or waited for."""
        if not self._has_glibc:
            self.unknown.append("mutexes, of tables, ports and drivers: they are those of another C library than glibc")
        yield from permissions(self._vm, self.unknown)
        yield from self.of_processes()
        for part, what in ((self.of_tables, "tables"), (self.of_ports, "ports")):
            try:
                yield from part()
            except (Unavailable, KeyError) as error:
                self.unknown.append(f"locks of {what}: {error}")

    @property
    def _has_glibc(self) -> bool:
        return not is_musl(self._vm.identity.triplet)

    @cached_property
    def _in_ets(self) -> tuple[int, ...]:
        return in_ets(self._vm)

    def of_processes(self) -> Iterator[Lock]:
        """Those of processes, in order of their slots."""
        schedulers = _schedulers(self._vm)
        for row in self._vm.processes.rows(("lock.flags", "common.id")):
            self._advance()
            if isinstance(row, Unreadable):
                self.damaged.append(row)
            elif row[1]:
                yield from self._of_process(row[0] or 0, row[1], row[2] or 0, schedulers.get(row[0] or 0))

    def _of_process(self, address: int, flags: int, pid: int, scheduler: Scheduler | None) -> Iterator[Lock]:
        at = self._vm.record("Process", address).field_address("lock.flags")
        for number, name in enumerate(LOCKS):
            held, waits = flags >> number & 1, flags >> number + len(LOCKS) & 1
            if held or waits:
                # The other ones may be held by any thread, as may this one while a dirty scheduler runs the process: it
                # has given it up (`erts_call_dirty_nif`).
                by = scheduler if name == "main" and held and scheduler and scheduler.kind == NORMAL else None
                state = "held" if held else "free"
                yield Lock(name, pid, at, state, bool(waits), pid if by is not None else None, by)

    def of_tables(self) -> Iterator[Lock]:
        """Those of ETS tables, and of parts of these. A VM with one scheduler has none, and what stands there means
        nothing (`DB_LOCK_FREE`)."""
        if tables_have_none(self._vm):
            return
        for table in EtsTables(self._vm):
            self._advance()
            if isinstance(table, Unreadable):
                self.damaged.append(table)
                continue
            try:
                yield from self.of_table(table)
            except Unreadable as error:
                self.damaged.append(error)

    def of_table(self, table: EtsTable) -> Iterator[Lock]:
        """Those of one, as far as it has locks. Raises `Unreadable`."""
        found = self._of_readers("table", table, table.record.field_address("rwlock"))
        if found is not None:
            yield found
        mutex = self._mutex("fixations of table", table, table.record.field_address("fixlock"))
        if mutex is not None:
            yield mutex
        if table.is_forest:
            for number, node in enumerate(table.base_nodes()):
                found = self._of_readers(f"tree {number} of table", table, node.field_address("u.base.lock"))
                if found is not None:
                    yield found
        if table.kind() == "ordered_set":
            return
        record = self._vm.record("DbTableHash", table.address)
        first, count = record["locks"], record["nlocks"]
        if not first or count > MAX_BUCKET_LOCKS:
            return
        slot = self._vm.layout.size("DbTableHashFineLockSlot")
        inside = self._vm.layout.offset("DbTableHashFineLockSlot", "u.lck_ctr.lck")
        for number in range(count):
            found = self._of_readers(f"buckets {number} of table", table, first + number * slot + inside)
            if found is not None:
                yield found

    def _of_readers(self, what: str, table: EtsTable, address: int) -> Lock | None:
        """A lock of readers or one writer, None where it is free."""
        record = self._vm.record("erts_rwmtx_t", address)
        flags = record["rwmtx.mtxb.flgs"]
        if not flags:
            return None
        waits = bool(flags & (WRITER_WAITS | READER_WAITS))
        if flags & WRITTEN:
            state = "written"
        elif record["rwmtx.type"] == NORMAL_TYPE and flags & READERS:
            state = f"read by {flags & READERS}"
        elif waits:
            state = "read" if flags & MAY_BE_READ else "free"
        else:
            return None
        return Lock(what, table, address, state, waits, perhaps=self._in_ets)

    def of_ports(self) -> Iterator[Lock]:
        """Those of ports, and of drivers: all ports of some drivers have one."""
        seen: set[int] = set()
        ports = Ports(self._vm)
        for port in ports:
            self._advance()
            if isinstance(port, Unreadable):
                self.damaged.append(port)
                continue
            try:
                address = self._vm.record("Port", port.address)["lock"]
                if not address or address in seen:
                    continue
                if port.state is not None and not port.state & vm_flags.PORT_HAS_LOCK:
                    found = self._mutex("driver", ports.driver(port), address)
                else:
                    found = self._mutex("port", port.id, address)
            except Unreadable as error:
                self.damaged.append(error)
                continue
            seen.add(address)
            if found is not None:
                yield found

    def _mutex(self, what: str, owner: int | EtsTable | str | None, address: int) -> Lock | None:
        """A mutex of the C library, None where it is free, or nothing is known of it."""
        if not self._has_glibc:
            return None
        at = address + self._vm.layout.offset("erts_mtx_t", "mtx.pt_mtx")
        state = self._vm.memory.u32(at)
        if not state:
            return None
        # (2 where somebody waits, or did before this one got it.)
        waits, thread = None if state > 1 else False, self._vm.memory.u32(at + MUTEX_OWNER) or None
        return Lock(what, owner, address, "held", waits, thread=thread)


def is_changing(vm: Vm, table: EtsTable) -> bool:
    """Whether somebody changes a table just now, who has it or a part of it to himself, or has begun to empty it:
    objects may be free that are in it, or in two places. (Where tables have no locks `in_ets` says who may do so.)
    Raises `Unreadable`."""
    if table.status & (BEING_DELETED | BUSY):
        return True
    try:
        return not tables_have_none(vm) and any(lock.state == "written" for lock in Locks(vm).of_table(table))
    except KeyError:
        return False


def tables_have_none(vm: Vm) -> bool:
    """Whether nobody locks tables, as with one scheduler."""
    return vm.schedulers.count(NORMAL) == 1


def in_ets(vm: Vm) -> tuple[int, ...]:
    """The pids of those that run, and call a BIF for tables as far as it is noted."""
    found = []
    for address in _schedulers(vm):
        process = vm.processes.at(address)
        try:
            call = process.current_call() if address else None
            if call is not None and vm.term(call[0]) == "ets":
                found.append(process.id)
        except Unreadable:
            continue
    return tuple(found)


def _schedulers(vm: Vm) -> dict[int, Scheduler]:
    """Those that run something, by the addresses of processes."""
    found: dict[int, Scheduler] = {}
    for one in vm.schedulers:
        try:
            found[one.current_process] = one
        except (Unreadable, KeyError):
            continue
    return found


def permissions(vm: Vm, unknown: list[str]) -> Iterator[Lock]:
    """Who may change code, and who waits for that, if anybody may. `unknown` gets why that cannot be told."""
    try:
        known = _known(vm)
        candidates = (
            set(known)
            if any(map(vm.symbol, PERMISSIONS))
            else {one for user in USERS for one in referred(vm.memory, vm.symbol, vm.identity.arch or "", (user,))}
        )
        if not candidates:
            unknown.append("who may change code is not known: the variables are not found in this VM")
            return
        if vm.layout.has("code_permission"):
            yield from _permission(vm, sorted(candidates), known)
        else:
            yield from _old_permission(vm, sorted(candidates))
    except (Unavailable, KeyError) as error:
        unknown.append(f"who may change code is not known: {error}")


def _known(vm: Vm) -> dict[int, str]:
    """Which permission is at which address, as far as a name tells: their own, or that of who releases one of them."""
    found = {address: what for name, what in PERMISSIONS.items() if (address := vm.symbol(name)) is not None}
    if found:
        return found
    used = {
        what: referred(vm.memory, vm.symbol, vm.identity.arch or "", (name,), RELEASE_BYTES)
        for name, what in RELEASES.items()
    }
    return {address: what for what, those in used.items() for address in those - _others(used, what)}


def _others(used: dict[str, frozenset[int]], what: str) -> frozenset[int]:
    return frozenset[int]().union(*(those for other, those in used.items() if other != what))


def _permission(vm: Vm, candidates: list[int], known: dict[int, str]) -> Iterator[Lock]:
    """Of the structures that may be such a permission those that somebody has. A job of the VM is no process: that is
    taken for true of those that are `known`."""
    for address in candidates:
        record = vm.record("code_permission", address)
        try:
            owner = record["owner"]
            first = record["first" if record.layout.has("code_permission", "first") else "queue"]
            flag = record["xstate_handover_flg"] if record.layout.has("code_permission", "xstate_handover_flg") else 0
            what = HANDED_OVER.get(flag) or known.get(address)
            by_vm = not owner and record["aux_arg"] != 0 and what is not None
            if record["seized"] != 1 or not by_vm and not _is_process(vm, owner):
                continue
            holder, waiting = vm.processes.at(owner).id if owner else None, tuple(_waiting(vm, first))
            yield Lock(
                what or TO_DO_EITHER, None, address, "held", bool(waiting), holder, waiting=waiting, by_vm=by_vm
            )  # fmt: skip
        except Unreadable:
            continue


def _old_permission(vm: Vm, candidates: list[int]) -> Iterator[Lock]:
    """Where it is no structure, to OTP 25: a variable leads to the first that waits. Who has it is noted for debugging
    only, and not in a usual build."""
    for address in candidates:
        try:
            waiting = tuple(_waiting(vm, vm.memory.word(address)))
        except Unreadable:
            continue
        if waiting:
            yield Lock(TO_CHANGE, None, address, "held", True, waiting=waiting)
            return


def _waiting(vm: Vm, first: int) -> Iterator[int]:
    """The pids of those in the queue for a permission; other work that waits is left out. Raises `Unreadable` where it
    is none."""
    following = vm.layout.offset("code_permission_queue_item", "next")
    for at in chain(vm.memory, first, following, MAX_WAITING):
        item = vm.record("code_permission_queue_item", at)
        if item["p"]:
            process = vm.processes.found_at(item["p"])
            if item["aux_func"] or process is None:
                raise Unreadable(at, vm.memory.word_size)
            # (One that has ended meanwhile stays in the queue.)
            if vm.processes.holds(process):
                yield process.id


def _is_process(vm: Vm, address: int) -> bool:
    """Whether the table of processes has one there."""
    if not address or address % vm.memory.word_size:
        return False
    try:
        return vm.processes.holds(vm.processes.at(address))
    except Unreadable:
        return False
