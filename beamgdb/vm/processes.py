"""Erlang processes (erl_process.h, erl_ptab.h)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.columns import Columns, Row
from beamgdb.records.record import Record
from beamgdb.terms.slots import SlotOrder
from jit.otp import vm_flags
from jit.otp.tags import ATOM, IMMED1_BITS, IMMED1_MASK, IMMED2_MASK, PID, TagScheme

MAX_TABLE = 1 << 27
"""Slots of a process table at most (`ERTS_MAX_PROCESSES`, erl_process.h)."""

FIRST_PIECE = 1 << 10
"""Slots that are read first; then twice as many each time."""

LARGEST_PIECE = 1 << 16
"""Slots read at a time at most."""

PAGE = 4096
"""Bytes that are there or not as a whole, in memory and in core files."""

MAX_FAILURES = 1 << 12
"""Pages that are tried one by one; of a table that is missing more, larger pieces are given up."""

RUNNING = ("RUNNING", "RUNNING_SYS", "DIRTY_RUNNING", "DIRTY_RUNNING_SYS")
"""Those of a process that a scheduler runs."""


@dataclass(frozen=True)
class Process:
    """The process whose `Process` structure is at `record.address`."""

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
        return self.id & IMMED1_MASK == PID and self.record["heap"] <= self.record["stop"] <= self.record["hend"]

    def has(self, flag: str) -> bool:
        """Whether the flag of `vm_flags.of_state` is set in the process's state."""
        return self._has(self.record["state"], flag)

    def _has(self, state: int, flag: str) -> bool:
        return bool(state & vm_flags.of_state(self.tags.release)[flag])

    def is_running(self) -> bool:
        """Whether a scheduler runs it, or did when it was last seen."""
        return any(map(self.has, RUNNING))

    def status(self) -> str:
        """As `process_info(P, status)` says: exiting, garbage_collecting, running, suspended, runnable or waiting; with
        "unreadable" if that cannot be told."""
        try:
            return self.status_of(self.record["state"])
        except Unreadable:
            return "of unreadable status"

    def status_of(self, state: int) -> str:
        """The same of the word of a state."""
        rules = (
            (("FREE",), "free"),
            (("EXITING",), "exiting"),
            (("GC",), "garbage_collecting"),
            (RUNNING, "running"),
            (("SUSPENDED",), "suspended"),
            (("IN_RUNQ",), "runnable"),
        )
        return next((name for flags, name in rules if any(self._has(state, flag) for flag in flags)), "waiting")

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


class ProcessTable:
    """The VM's process table `erts_proc`."""

    def __init__(self, table: Record, tags: TagScheme) -> None:
        self._table = table
        self._tags = tags

    @property
    def _memory(self) -> CachedMemory:
        return self._table.memory

    def count(self) -> int:
        """Number of processes, exiting ones included."""
        return self._table["vola.tile.count"]

    def limit(self) -> int:
        """How many there may be."""
        return self._table["r.o.max"]

    def slot_order(self) -> SlotOrder | None:
        """How pids lead to slots, None where the table is damaged."""
        return SlotOrder.of(self._table.__getitem__)

    def at(self, address: int) -> Process:
        """The process whose structure is at `address`; nothing is checked."""
        return Process(Record(self._memory, self._table.layout, "Process", address), self._tags)

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

    def _at_slot(self, slot: int) -> int:
        return self._memory.word(self._table["r.o.tab"] + slot * self._memory.word_size)

    def __iter__(self) -> Iterator[Process]:
        """All processes that can be read, in order of their slots."""
        return (entry for entry in self.entries() if isinstance(entry, Process))

    def entries(self) -> Iterator[Process | Unreadable]:
        """All processes, in order of their slots, and what stands for each part of the table that cannot be read."""
        return (self.at(entry) if isinstance(entry, int) else entry for entry in self.addresses())

    def addresses(self) -> Iterator[int | Unreadable]:
        """The same, of each process the address of its structure."""
        try:
            vacant = self._table["r.o.invalid_element"]
            # The VM counts a slot before it uses it, and as long as it does (erl_ptab.c): behind the last used ones it
            # may have a million others. The first pids are in the first slots.
            left = self.count() if self._table.layout.has("ErtsPTab", "vola.tile.count") else MAX_TABLE
            start, size = self._table["r.o.tab"], min(self._table["r.o.max"], MAX_TABLE)
        except Unreadable as error:
            yield error
            return
        for address in self._slots(start, size):
            if left <= 0:
                return
            if isinstance(address, Unreadable):
                yield address
            elif address:
                left -= 1
                if address != vacant:
                    yield address

    def _slots(self, start: int, size: int) -> Iterator[int | Unreadable]:
        """What is in the slots that are used, and in some that are not, read in pieces; by pages where some cannot be
        read, unless there are too many."""
        word, slot, piece, failures = self._memory.word_size, 0, FIRST_PIECE, 0
        while slot < size:
            count = min(piece, size - slot)
            try:
                yield from self._memory.used_words(start + slot * word, count)
            except Unreadable as error:
                if failures >= MAX_FAILURES:
                    yield error
                else:
                    failures += count * word // PAGE
                    yield from self._by_pages(start + slot * word, start + (slot + count) * word)
            slot, piece = slot + count, min(2 * piece, LARGEST_PIECE)

    def _by_pages(self, address: int, end: int) -> Iterator[int | Unreadable]:
        """Words as far as they can be read, and what stands for pages in a row that cannot."""
        missing = 0
        while address < end:
            stop = min(end, (address | PAGE - 1) + 1)
            try:
                words = self._memory.words(address, (stop - address) // self._memory.word_size)
            except Unreadable:
                missing += stop - address
            else:
                if missing:
                    yield Unreadable(address - missing, missing)
                    missing = 0
                yield from words
            address = stop
        if missing:
            yield Unreadable(end - missing, missing)

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
        address = self._at_slot(slot)
        if address in (0, self._table["r.o.invalid_element"]):
            return None
        process, mask = self.at(address), (1 << self._tags.id_bits) - 1
        return process if (process.id >> IMMED1_BITS) & mask == (wanted >> IMMED1_BITS) & mask else None

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

    def rows(self, paths: Sequence[str], first: int = FIRST_PIECE) -> Iterator[Row | Unreadable]:
        """Fields of all processes as `Columns` gives them, in order of their slots, and what stands for those, and for
        parts of the table, that cannot be read. Of the first ones no more than `first` are read at once."""
        layout = self._table.layout
        columns = Columns(self._memory, layout, "Process", paths)
        whole = layout.structs["Process"].size or self._memory.word_size
        entries, size = self.addresses(), first
        while chunk := list(islice(entries, size)):
            size = min(2 * size, LARGEST_PIECE)
            found = iter(columns.of([entry for entry in chunk if isinstance(entry, int)]))
            for entry in chunk:
                yield entry if isinstance(entry, Unreadable) else next(found) or Unreadable(entry, whole)

    def named(self) -> Iterator[tuple[Process, int]]:
        """All processes that have a registered name, and the name, an atom as a term."""
        # Those that one looks for by name were mostly started with the node.
        for row in self.rows(("common.u.alive.reg",), first=1):
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
