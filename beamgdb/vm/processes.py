"""Erlang processes (erl_process.h, erl_ptab.h)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records.columns import Columns, Row
from beamgdb.records.record import Record
from beamgdb.vm.id_table import IdTable
from jit.otp import vm_flags
from jit.otp.tags import ATOM, IMMED1_BITS, IMMED1_MASK, IMMED2_MASK, PID, TagScheme

RUNNING = ("RUNNING", "RUNNING_SYS", "DIRTY_RUNNING", "DIRTY_RUNNING_SYS")
"""Those of a process that a scheduler runs."""


LOCKS = ("main", "msgq", "btm", "status", "trace")
"""By their bits in `lock.flags`, in the same order as those that say that somebody waits (`ERTS_PROC_LOCK_MAIN`)."""

ALL_LOCKS = (1 << len(LOCKS)) - 1


Fields = Row
"""The address of a process, and fields of it that have been read, None for those that the layout lacks."""


@dataclass(unsafe_hash=True)
class Process:
    """The process whose `Process` structure is at `record.address`. (As to `Record`, it is not frozen.)"""

    record: Record
    tags: TagScheme

    @property
    def address(self) -> int:
        return self.record.address

    @property
    def id(self) -> int:
        """The pid, as a term."""
        return self.record["common.id"]

    def has_sound_stack(self) -> bool:
        """Whether its pid is one, and its stack inside its heap: not so while a garbage collection moves both."""
        record = self.record
        return record["common.id"] & IMMED1_MASK == PID and record["heap"] <= record["stop"] <= record["hend"]

    def has(self, flag: str) -> bool:
        """Whether the flag of `vm_flags.of_state` is set in the process's state."""
        return self._has_any(self.record["state"], (flag,))

    def _has_any(self, state: int, flags: Iterable[str]) -> bool:
        known = vm_flags.of_state(self.tags.release)
        return any(state & known[flag] for flag in flags)

    def is_unfinished(self) -> bool:
        """Whether it is just being made, or taken apart: the thread that does it has all its locks. Then what it has
        may be anything, where it is in the table already."""
        known = self.record.layout.has("Process", "lock.flags")
        return known and self.record["lock.flags"] & ALL_LOCKS == ALL_LOCKS

    def is_running(self) -> bool:
        """Whether a scheduler runs it, or did when it was last seen."""
        return self._has_any(self.record["state"], RUNNING)

    def status(self) -> str:
        """As `process_info(P, status)` says: exiting, garbage_collecting, running, suspended, runnable or waiting; with
        "unreadable" if that cannot be told."""
        try:
            return self.status_of(self.record["state"])
        except Unreadable:
            return "of unreadable status"

    def status_of(self, state: int) -> str:
        """The same of the word of a state."""
        return _status(self.tags.release, state)

    def registered_name(self) -> int | None:
        """The name it is registered under, an atom; None without."""
        registration = self.record["common.u.alive.reg"]
        if not registration or self.has("FREE"):
            return None
        name = Record(self.record.memory, self.record.layout, "RegProc", registration)["name"]
        return name if name & IMMED2_MASK == ATOM else None

    def initial_call(self) -> tuple[int, int, int] | None:
        """Module and function as terms, and arity. None once the process exits, and the place is used otherwise."""
        call = self.record
        module, function = call["u.initial.module"], call["u.initial.function"]
        if not module & IMMED2_MASK == function & IMMED2_MASK == ATOM:
            return None
        return module, function, call["u.initial.arity"]

    def current_call(self) -> tuple[int, int, int] | None:
        """The function that the VM noted last for a process that is not running, as `initial_call` gives it."""
        noted = self.record["current"] if self.record.layout.has("Process", "current") else 0
        if not noted:
            return None
        call = Record(self.record.memory, self.record.layout, "ErtsCodeMFA", noted)
        return call["module"], call["function"], call["arity"]


@lru_cache(maxsize=256)
def _status(release: int, state: int) -> str:
    """The status that a state has in a release: nearly all processes are in the same few."""
    rules = (
        (("FREE",), "free"),
        (("EXITING",), "exiting"),
        (("GC",), "garbage_collecting"),
        (RUNNING, "running"),
        (("SUSPENDED",), "suspended"),
        (("IN_RUNQ",), "runnable"),
    )
    known = vm_flags.of_state(release)
    return next((name for flags, name in rules if any(state & known[flag] for flag in flags)), "waiting")


class ProcessTable(IdTable):
    """The VM's process table `erts_proc`."""

    def __init__(self, table: Record, tags: TagScheme, elsewhere: Callable[[], Iterable[int]] = tuple) -> None:
        """`elsewhere`: addresses of processes by what else tells of them, for who finds parts of the table missing."""
        super().__init__(table, "Process")
        self._tags = tags
        self._elsewhere = elsewhere

    def lists(self) -> Iterator[list[int | Unreadable]]:
        """As of any table; and of what is missing, at last, those that are found otherwise."""
        is_whole = True
        for found in super().lists():
            is_whole = is_whole and Unreadable not in map(type, found)
            yield found
        if not is_whole:
            yield list(self._lost())

    def _lost(self) -> Iterator[int]:
        """Those that are elsewhere, and not where the table has them."""
        for address in self._elsewhere():
            try:
                if self.holds(self.at(address)):
                    continue
            except Unreadable:
                pass
            yield address

    def at(self, address: int, known: Mapping[str, int] | None = None) -> Process:
        """The process whose structure is at `address`; nothing is checked. `known` are fields that have been read."""
        return Process(Record(self._memory, self._table.layout, "Process", address, known), self._tags)

    def of_row(self, paths: Sequence[str], row: Fields) -> Process:
        """The process of which these fields have been read."""
        known = {path: value for path, value in zip(paths, row[1:]) if value is not None}
        return self.at(row[0] or 0, known)

    def found_at(self, address: int) -> Process | None:
        """The process whose structure is at `address`, None where there is none."""
        process = self.at(address)
        return process if self.is_process(process) else None

    def is_process(self, process: Process) -> bool:
        """Whether this memory is a process: it has a sound stack, or the table has it at the slot of its pid."""
        try:
            return process.has_sound_stack() or self.holds(process)
        except Unreadable:
            return False

    def holds(self, process: Process) -> bool:
        """Whether the table has a process at the slot of its pid."""
        order = self.slot_order()
        if order is None or process.id & IMMED1_MASK != PID:
            return False
        data = process.id >> IMMED1_BITS & ((1 << self._tags.id_bits) - 1)
        slot = data & order.mask if self._tags.ids_by_slot else order.slot_of(data)
        return slot < self._table["r.o.max"] and self._at_slot(slot) == process.address

    def __iter__(self) -> Iterator[Process]:
        """All processes that can be read, in order of their slots."""
        return (entry for entry in self.entries() if isinstance(entry, Process))

    def entries(self) -> Iterator[Process | Unreadable]:
        """All processes, in order of their slots, and what stands for each part of the table that cannot be read."""
        return (self.at(entry) if isinstance(entry, int) else entry for entry in self.addresses())

    def found(self, paths: Sequence[str]) -> Iterator[list[Fields | int | Unreadable]]:
        """The same in lists of those of which fields have been read together; the address alone where they cannot be
        read."""
        columns = Columns(self._memory, self._table.layout, "Process", paths)
        for chunk in self.chunks():
            addresses = [entry for entry in chunk if isinstance(entry, int)]
            rows = [row or address for row, address in zip(columns.of(addresses), addresses)]
            if len(rows) == len(chunk):
                yield rows  # type: ignore[misc]
                continue
            left = iter(rows)
            yield [entry if isinstance(entry, Unreadable) else next(left) for entry in chunk]

    def is_number(self, number: int, serial: int) -> bool:
        """Whether a pid `<0.number.serial>` can be one of this VM."""
        bits = self._tags.pid_number_bits
        return number < 1 << bits and serial < 1 << self._tags.id_bits - bits

    def lookup(self, number: int, serial: int) -> Process | None:
        """The process with pid `<0.number.serial>`, None where there is none."""
        order, wanted = self.slot_order(), self.word_of(number, serial)
        slot = order.slot_of(serial << self._tags.pid_number_bits | number) if order is not None else 0
        if wanted is None or slot >= self._table["r.o.max"]:
            return None
        mask = (1 << self._tags.id_bits) - 1
        try:
            places: Iterable[int] = (self._at_slot(slot),)
        except Unreadable:
            places = self._lost()
        for address in places:
            if address not in (0, self._table["r.o.invalid_element"]):
                process = self.at(address)
                if (process.id >> IMMED1_BITS) & mask == (wanted >> IMMED1_BITS) & mask:
                    return process
        return None

    def word_of(self, number: int, serial: int) -> int | None:
        """The pid `<0.number.serial>` as a term, whether there is such a process or not; None where the table is
        damaged."""
        data, order = serial << self._tags.pid_number_bits | number, self.slot_order()
        if order is None:
            return None
        if self._tags.ids_by_slot:
            return order.slotted(data) << IMMED1_BITS | PID
        # Where the word has the plain number, its upper half has the slot (erl_ptab.h, erts_ptab_make_id).
        return order.slot_of(data) << 32 | data << IMMED1_BITS | PID

    def named(self, of_first: int | None = None) -> Iterator[tuple[Process, int]]:
        """All processes, or all of the first ones, that have a registered name, and the name, an atom as a term."""
        # Those that one looks for by name were mostly started with the node.
        for row in islice(self.rows(("common.u.alive.reg",), first=1), of_first):
            if isinstance(row, Unreadable) or row[1] == 0 or row[0] is None:
                continue
            process = self.at(row[0])
            try:
                name = process.registered_name()
            except Unreadable:
                continue
            if name is not None:
                yield process, name

    def registered(self, name: int) -> Process | None:
        """The process registered under the name, a term."""
        return next((process for process, other in self.named() if other == name), None)
