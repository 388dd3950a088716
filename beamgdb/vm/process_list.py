"""All processes at once: what is asked of each is read in few reads, and looked up elsewhere once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from beamgdb.memory import Unreadable
from beamgdb.records.columns import Columns, Row
from beamgdb.vm import calls, signals
from beamgdb.vm.model import Vm
from beamgdb.vm.processes import Process
from jit.otp.features import QUEUE_LENGTHS
from jit.otp.tags import ATOM, IMMED1_BITS, IMMED1_MASK, IMMED2_MASK, PID

MFA = tuple[int, int, int]
"""Module and function as terms, and arity."""


class Noted(NamedTuple):
    """What the VM notes of a process, as words; None for what the layout lacks. Of the queues `inner`, `middle` and
    `outer` count messages as `ProcessList.queue_length` knows."""

    address: int
    id: int | None
    state: int | None
    registration: int | None
    current: int | None
    i: int | None
    heap: int | None
    hend: int | None
    heap_sz: int | None
    abandoned_heap: int | None
    old_heap: int | None
    old_hend: int | None
    mbuf_sz: int | None
    reds: int | None
    parent: int | None
    module: int | None
    function: int | None
    arity: int | None
    monitors: int | None
    inner: int | None
    middle: int | None
    outer: int | None
    cont: int | None
    incoming: int | None
    buffers: int | None
    dictionary: int | None


_PATHS: Final = (
    "common.id", "state", "common.u.alive.reg", "current", "i", "heap", "hend", "heap_sz", "abandoned_heap", "old_heap",
    "old_hend", "mbuf_sz", "reds", "parent", "u.initial.module", "u.initial.function", "u.initial.arity",
    "common.u.alive.monitors",
)  # fmt: skip
_QUEUE_PATHS: Final = {
    False: ("sig_qs.len", "", "sig_inq.len", "sig_qs.cont", "sig_inq.nmsigs.next", "sig_inq_buffers"),
    True: ("sig_qs.mq_len", "sig_qs.mlenoffs", "sig_inq.mlenoffs", "sig_qs.cont", "sig_inq.nmsigs.next",
           "sig_inq_buffers"),
}  # fmt: skip


class ProcessList:
    """The processes of a VM; raises `Unavailable` as its parts do."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self._table = vm.processes
        self._apart = QUEUE_LENGTHS.of(vm.tags.release)
        self._size = vm.layout.size("Process") if vm.layout.structs["Process"].size is not None else 0
        self._order = self._table.slot_order()
        self._id_mask, self._number_mask = (1 << vm.tags.id_bits) - 1, (1 << vm.tags.pid_number_bits) - 1
        self._states: dict[int, str] = {}
        self._calls: dict[int, str | None] = {}
        self._names: dict[MFA, str] = {}

    def count(self) -> int:
        """How many there are, 0 where that cannot be told."""
        try:
            return self._table.count()
        except (Unreadable, KeyError):
            return 0

    def __iter__(self) -> Iterator[Noted | Unreadable]:
        """All processes in order of their slots, and what stands for those, and for parts of the table, that cannot be
        read or are none."""
        yield from map(self._noted, self._table.rows(self._paths))

    def of(self, process: Process) -> Noted | Unreadable:
        """The same of one process."""
        (row,) = Columns(self._vm.memory, self._vm.layout, "Process", self._paths).of([process.address])
        return self._noted(row or Unreadable(process.address, max(self._size, self._vm.memory.word_size)))

    @property
    def _paths(self) -> tuple[str, ...]:
        return *_PATHS, *_QUEUE_PATHS[self._apart], "dictionary"

    def _noted(self, row: Row | Unreadable) -> Noted | Unreadable:
        if isinstance(row, Unreadable):
            return row
        if row[1] is None or row[1] & IMMED1_MASK != PID:
            return Unreadable(row[0] or 0, max(self._size, self._vm.memory.word_size))
        return Noted._make(row)

    def pid(self, noted: Noted) -> str:
        """Its pid, as a term is written."""
        if noted.id is None:
            return "<unknown>"
        tags = self._vm.tags
        data = noted.id >> IMMED1_BITS & self._id_mask
        if tags.ids_by_slot:
            if self._order is None:
                return self._vm.term(noted.id)
            data = self._order.number_of(data)
        return f"<0.{data & self._number_mask}.{data >> tags.pid_number_bits}>"

    def process(self, noted: Noted) -> Process:
        """The process itself."""
        return self._table.at(noted.address)

    def status(self, noted: Noted) -> str:
        """As `Process.status` says."""
        if noted.state is None:
            return "of unknown status"
        known = self._states.get(noted.state)
        if known is None:
            known = self._states[noted.state] = self.process(noted).status_of(noted.state)
        return known

    def registered_name(self, noted: Noted) -> str | None:
        """The name it is registered under, as a term is written; None without, or where that cannot be read."""
        if not noted.registration:
            return None
        try:
            name = self.process(noted).registered_name()
        except Unreadable:
            return None
        return self._vm.term(name) if name is not None else None

    def initial_call(self, noted: Noted) -> str | None:
        """The function that it was spawned with, as its symbol has it; None for one that exits."""
        if noted.module is None or noted.function is None or noted.arity is None:
            return None
        if not noted.module & IMMED2_MASK == noted.function & IMMED2_MASK == ATOM:
            return None
        return self._mfa((noted.module, noted.function, noted.arity))

    def current_call(self, noted: Noted) -> str | None:
        """The function in which it waits, or was when it was scheduled out; None where that is unknown. What the VM has
        noted of one that runs is out of date."""
        if noted.current:
            return self._remembered(noted.current, noted.current, self._noted_call)
        return self._remembered(~noted.i, noted.i, self._code_at) if noted.i else None

    def noted_call(self, process: Process) -> str | None:
        """The function that the VM has noted for a process, as of a NIF that it calls; None without."""
        try:
            call = process.current_call()
        except Unreadable:
            return None
        return self._mfa(call) if call is not None else None

    def _remembered(self, key: int, address: int, find: Callable[[int], str | None]) -> str | None:
        if key not in self._calls:
            self._calls[key] = find(address)
        return self._calls[key]

    def _noted_call(self, address: int) -> str | None:
        try:
            return calls.at(self._vm, address)
        except (Unreadable, KeyError):
            return None

    def _code_at(self, address: int) -> str | None:
        place = self._vm.code.find(address)
        return place.code.name if place is not None else None

    def _mfa(self, mfa: MFA) -> str:
        known = self._names.get(mfa)
        if known is None:
            known = self._names[mfa] = calls.mfa(self._vm, *mfa)
        return known

    def memory(self, noted: Noted) -> int | None:
        """Bytes of the process's structure and its heaps. Messages outside of its heap are not in that, nor are links,
        monitors and the dictionary's table."""
        heap_sz, mbuf_sz = noted.heap_sz, noted.mbuf_sz
        if heap_sz is None or noted.heap is None or noted.hend is None:
            return None
        size = self._size + self._vm.memory.word_size * (heap_sz + (mbuf_sz or 0))
        if noted.abandoned_heap:
            size += max(0, noted.hend - noted.heap)
        if noted.old_heap and noted.old_hend:
            size += max(0, noted.old_hend - noted.old_heap)
        return size

    def queue_length(self, noted: Noted) -> int | None:
        """Messages in all its queues, None where that cannot be told.

        Until OTP 26 each queue counts its messages. Then the inner one does (`mq_len`), and of the others `mlenoffs`
        has what stands behind the last signal that is no message: all, where there is no such signal.
        """
        inner, outer = noted.inner, noted.outer
        if inner is None or outer is None or noted.cont is None:
            return None
        if not (noted.cont or noted.incoming or noted.buffers):
            return inner + (noted.middle or 0) + outer
        record = self.process(noted).record
        try:
            if self._apart and noted.cont:
                inner += signals.messages(record, signals.MIDDLE)
            else:
                inner += noted.middle or 0
            if self._apart and noted.incoming:
                outer = signals.messages(record, signals.OUTER)
            if noted.buffers:
                outer += sum(1 for signal in signals.buffered(record) if signal.is_message)
        except (Unreadable, KeyError):
            return None
        return inner + outer
