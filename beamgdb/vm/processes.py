"""Erlang processes (erl_process.h, erl_ptab.h)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.terms.slots import SlotOrder
from beamgdb.terms.tags import ATOM, IMMED1_BITS, IMMED1_MASK, IMMED2_MASK, PID, TagScheme
from beamgdb.vm.record import Record

MAX_TABLE = 1 << 27
"""Slots of a process table at most (`ERTS_MAX_PROCESSES`, erl_process.h)."""

FIRST_PIECE = 1 << 10
"""Slots that are read first; then twice as many each time."""

LARGEST_PIECE = 1 << 16
"""Slots read at a time at most."""

_ZERO_BIT = 6
"""`ERTS_PSFLGS_ZERO_BIT_OFFSET`: three priorities of two bits each come before the flags (erl_process.h)."""

FLAGS = {
    "FREE": 1 << _ZERO_BIT + 4,
    "EXITING": 1 << _ZERO_BIT + 5,
    "RUNNING": 1 << _ZERO_BIT + 9,
    "SUSPENDED": 1 << _ZERO_BIT + 10,
    "GC": 1 << _ZERO_BIT + 11,
    "IN_RUNQ": 1 << _ZERO_BIT + 8,
    "RUNNING_SYS": 1 << _ZERO_BIT + 15,
    "DIRTY_RUNNING": 1 << _ZERO_BIT + 23,
    "DIRTY_RUNNING_SYS": 1 << _ZERO_BIT + 24,
}
"""`ERTS_PSFLG_*` bits of `Process.state`: the same in OTP 25 to 27."""


@dataclass(frozen=True, slots=True)
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
        """Whether the flag of `FLAGS` is set in the process's state."""
        return bool(self.record["state"] & FLAGS[flag])

    def status(self) -> str:
        """As `process_info(P, status)` says: exiting, garbage_collecting, running, suspended, runnable or waiting."""
        rules = (
            (("FREE",), "free"),
            (("EXITING",), "exiting"),
            (("GC",), "garbage_collecting"),
            (("RUNNING", "RUNNING_SYS", "DIRTY_RUNNING", "DIRTY_RUNNING_SYS"), "running"),
            (("SUSPENDED",), "suspended"),
            (("IN_RUNQ",), "runnable"),
        )
        return next((name for flags, name in rules if any(map(self.has, flags))), "waiting")

    def registered_name(self) -> int | None:
        """The name it is registered under as a term, None without."""
        registration = self.record["common.u.alive.reg"]
        if not registration or self.has("FREE"):
            return None
        return Record(self.record.memory, self.record.layout, "RegProc", registration)["name"]

    def initial_call(self) -> tuple[int, int, int] | None:
        """Module and function as terms, and arity. None once the process exits, and the place is used otherwise."""
        call = self.record
        module, function = call["u.initial.module"], call["u.initial.function"]
        if not module & IMMED2_MASK == function & IMMED2_MASK == ATOM:
            return None
        return module, function, call["u.initial.arity"]

    def current_call(self) -> tuple[int, int, int] | None:
        """The function that the VM noted last for a process that is not running, as `initial_call` gives it."""
        noted = self.record["current"]
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

    def at(self, address: int) -> Process:
        """The process whose structure is at `address`; nothing is checked."""
        return Process(Record(self._memory, self._table.layout, "Process", address), self._tags)

    def is_process(self, process: Process) -> bool:
        """Whether this memory is a process: it has a sound stack, or the table has it at the slot of its pid."""
        try:
            return process.has_sound_stack() or self._holds(process)
        except Unreadable:
            return False

    def _holds(self, process: Process) -> bool:
        order = SlotOrder.of(self._table.__getitem__)
        if order is None or process.id & IMMED1_MASK != PID:
            return False
        data = process.id >> IMMED1_BITS & ((1 << self._tags.id_bits) - 1)
        slot = data & order.mask if self._tags.ids_by_slot else order.slot_of(data)
        return slot < self._table["r.o.max"] and self._at_slot(slot) == process.address

    def _at_slot(self, slot: int) -> int:
        return self._memory.word(self._table["r.o.tab"] + slot * self._memory.word_size)

    def __iter__(self) -> Iterator[Process]:
        """All processes, in order of their slots. Raises `Unreadable` when the table is."""
        vacant = self._table["r.o.invalid_element"]
        # The VM counts a slot before it uses it, and as long as it does (erl_ptab.c): behind the last used ones it may
        # have a million others. The first pids are in the first slots.
        left = self.count()
        for address in self._slots():
            if left <= 0:
                return
            if address:
                left -= 1
                if address != vacant:
                    yield self.at(address)

    def _slots(self) -> Iterator[int]:
        """What is in the slots, read in pieces."""
        start, word = self._table["r.o.tab"], self._memory.word_size
        size, slot, piece = min(self._table["r.o.max"], MAX_TABLE), 0, FIRST_PIECE
        while slot < size:
            yield from self._memory.words(start + slot * word, min(piece, size - slot))
            slot, piece = slot + piece, min(2 * piece, LARGEST_PIECE)

    def lookup(self, number: int, serial: int) -> Process | None:
        """The process with pid `<0.number.serial>`, None where there is none."""
        data = serial << self._tags.pid_number_bits | number
        order = SlotOrder.of(self._table.__getitem__)
        if order is None or (slot := order.slot_of(data)) >= self._table["r.o.max"]:
            return None
        address = self._at_slot(slot)
        if address in (0, self._table["r.o.invalid_element"]):
            return None
        process = self.at(address)
        wanted = order.slotted(data) if self._tags.ids_by_slot else data
        mask = (1 << self._tags.id_bits) - 1
        return process if process.id >> IMMED1_BITS & mask == wanted & mask else None

    def registered(self, name: int) -> Process | None:
        """The process registered under the name, a term."""
        for process in self:
            try:
                if process.registered_name() == name:
                    return process
            except Unreadable:
                continue
        return None
