"""All memory of a VM that holds terms: heaps of processes, fragments, objects of ETS tables, literals of modules.

Not in it are terms that lie nowhere else but in C structures of their own: persistent terms, timers, signals that are
no messages, environments of NIFs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records.columns import Columns, Row
from beamgdb.records.record import Record
from beamgdb.vm import fragments, signals
from beamgdb.vm.ets import EtsTable, EtsTables, PackedObject
from beamgdb.vm.model import Vm
from beamgdb.vm.processes import Process
from jit.otp import vm_flags
from jit.otp.tags import IMMED1_MASK, PID

HEAPS, MESSAGES, ETS, LITERALS = PLACES = ("heaps", "messages", "ets", "literals")
"""Where terms lie: on heaps of processes and in fragments of these, in messages that wait, in tables, in modules."""

SMALL: Final = 32 << 10
"""Bytes of heaps that are read together, those of many processes."""

NEAR: Final = 256
"""Bytes of a message or a fragment that are read with them: most have less."""

MAX_WORDS: Final = 1 << 38
"""Of a heap."""

_PATHS: Final = (
    "common.id", "heap", "htop", "old_heap", "old_htop", "abandoned_heap",
    "mbuf", "msg_frag", "sig_inq_buffers", *signals.QUEUES,
)  # fmt: skip
_KNOWN: Final = 6
"""Of these, how many say where the heaps are; the others lead to fragments."""

_NO_FRAGMENTS: Final = (0,) * 6

_BESIDES: Final = (
    "hend", "dictionary", "stop", "heap_sz", "old_hend", "state", "lock.flags", "off_heap.first", "wrt_bins", "i",
    "arity", "arg_reg", "common.u.alive.reg", "common.u.alive.links", "common.u.alive.monitors",
    "common.u.alive.lt_monitors", "group_leader", "parent", "fvalue", "ftrace",
)  # fmt: skip
"""What those ask for besides who go through all processes."""


def small(*heaps: tuple[int | None, int | None]) -> Iterator[tuple[int, int]]:
    """Those heaps, by start and end, that are read together with others."""
    return ((start, end) for start, end in heaps if start and end and end - start <= SMALL)


class Area(NamedTuple):
    """Memory from `start` to `end` with terms one after the other, and what it is called."""

    kind: str
    start: int
    end: int
    message: int | None = None
    """For a fragment, as `Fragment` has it."""

    @property
    def place(self) -> str:
        """Where it is, of a process."""
        return MESSAGES if self.message else HEAPS


class Areas:
    """Memory from a start up to an end, each."""

    def __init__(self, bounds: Iterable[tuple[int, int]]) -> None:
        found = sorted(bounds)
        self._starts = [start for start, _ in found]
        self._ends = [end for _, end in found]

    def holds(self, address: int) -> bool:
        """Whether the address is in one of them."""
        at = bisect_right(self._starts, address) - 1
        return at >= 0 and address < self._ends[at]

    def size(self) -> int:
        """Bytes of all together."""
        return sum(self._ends) - sum(self._starts)


@dataclass(frozen=True)
class Owner:
    """What memory belongs to: a process, a table, the code whose `BeamCodeHeader` it is, or what has this name."""

    vm: Vm
    item: Process | EtsTable | int | str

    @property
    def text(self) -> str:
        """Its name."""
        if isinstance(self.item, str):
            return self.item
        if isinstance(self.item, EtsTable):
            return f"ETS {self.vm.term(self.item.name)}"
        try:
            if isinstance(self.item, Process):
                return self.vm.term(self.item.id)
            first = self.vm.memory.word(self.vm.record("BeamCodeHeader", self.item).field_address("functions"))
            return f"module {self.vm.term(self.vm.record('ErtsCodeInfo', first)['mfa.module'])}"
        except (Unreadable, KeyError):
            at = self.item.address if isinstance(self.item, Process) else self.item
            return f"what lies at {at:#x}"


class Heaps:
    """Where terms lie in a VM; raises `Unavailable` as its parts do. `damaged` gets what cannot be read."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self._memory, self._layout, self._word = vm.memory, vm.layout, vm.memory.word_size
        for path in _PATHS[:_KNOWN]:
            vm.layout.offset("Process", path)  # a KeyError, where that is not known: no heap is left out without a word
        self._columns = Columns(vm.memory, vm.layout, "Process", _PATHS)
        self._row: Row | None = None
        self.damaged: list[Unreadable] = []

    def processes(self) -> Iterator[Process]:
        """All processes."""
        paths = (*_PATHS, *_BESIDES)
        for piece in self._vm.processes.pieces(paths):
            self._memory.ahead(self._near(piece))
            for row in piece:
                if isinstance(row, Unreadable):
                    self.damaged.append(row)
                elif row[0] is None or row[1] is None or row[1] & IMMED1_MASK != PID:
                    self.damaged.append(Unreadable(row[0] or 0, self._word))
                else:
                    self._row = row[: 1 + len(_PATHS)]
                    yield self._vm.processes.of_row(paths, row)

    def _near(self, rows: Sequence[Row | Unreadable]) -> Iterator[tuple[int, int]]:
        """Where small heaps of processes lie, and the first one of the messages and fragments in each of their
        lists."""
        for row in rows:
            if isinstance(row, Unreadable):
                continue
            _, _, heap, top, old_heap, old_top, _, *lists, end, dictionary = row[: 3 + len(_PATHS)]
            if end and top and end - top <= SMALL:
                top = end
            if heap and top and top - heap <= SMALL:
                yield heap, top
            if old_heap and old_top and old_top - old_heap <= SMALL:
                yield old_heap, old_top
            for first in (*lists, dictionary):
                if first:
                    yield first, first + NEAR

    def of_process(self, process: Process) -> Iterator[Area]:
        """The memory of a process. What cannot be read is left out, and noted. While a collection moves it, that is
        some of it; of a process that runs, what it has made since it called C code last is not in it."""
        try:
            row = self._row
            if row is None or row[0] != process.address:
                row = self._columns.of([process.address])[0]
                if row is None:
                    raise Unreadable(process.address, self._word)
            yield from self._blocks(process.record, row)
            # (What is not known there is not passed over.)
            if row[1 + _KNOWN :] != _NO_FRAGMENTS:
                for fragment in fragments.of_process(process.record, self._vm.tags.non_value):
                    yield self.fragment(fragment)
        except Unreadable as error:
            self.damaged.append(error)

    def _blocks(self, record: Record, row: Row) -> Iterator[Area]:
        for kind, start, end in (("heap", row[2], row[3]), ("old heap", row[4], row[5])):
            if start and end and self.is_sound(start, end):
                yield Area(kind, start, end)
            elif start:
                self.damaged.append(Unreadable(start, self._word))
        abandoned = self.abandoned(record) if row[6] else None
        if abandoned is not None:
            yield abandoned

    def is_sound(self, start: int, end: int) -> bool:
        """Whether these may be the bounds of a heap."""
        return start <= end <= self._memory.address_mask and end - start <= MAX_WORDS and not start % self._word

    def abandoned(self, record: Record) -> Area | None:
        """The heap that was left when a collection was put off (erl_gc.c, `get_orig_heap`): its last word says how much
        of it is in use, if a flag says so."""
        start, size = record["abandoned_heap"], record["heap_sz"]
        if not start:
            return None
        if record["flags"] & vm_flags.PROCESS_FLAGS["abandoned_heap_use"]:
            size = min(size, self._memory.word(start + (size - 1) * self._word))
        return Area("abandoned heap", start, start + size * self._word)

    def fragment(self, fragment: fragments.Fragment) -> Area:
        """What is used of a fragment. Raises `Unreadable`."""
        found = fragment.record
        size, start = found["used_size"], found.field_address("mem")
        if size > found["alloc_size"] or size > MAX_WORDS:
            raise Unreadable(found.address, self._layout.extent("ErlHeapFragment"))
        kind = "fragment" if fragment.message is None else "message" if fragment.message else "received message"
        return Area(kind, start, start + size * self._word, fragment.message)

    def tables(self) -> Iterator[EtsTable]:
        """All ETS tables."""
        for table in EtsTables(self._vm):
            if isinstance(table, Unreadable):
                self.damaged.append(table)
            else:
                yield table

    def packed_in(self, table: EtsTable) -> Iterator[PackedObject]:
        """The objects of a compressed table, none of another one."""
        try:
            if table.is_compressed:
                yield from table.packed_objects()
        except (Unreadable, KeyError) as error:
            self.damaged.append(error if isinstance(error, Unreadable) else Unreadable(table.address, self._word))

    def of_table(self, table: EtsTable) -> Iterator[Area]:
        """The objects of a table; of a compressed one their keys, the only terms there: see `packed_in`."""
        size = self._layout.offset("DbTerm", "size") - self._layout.offset("DbTerm", "tpl")
        try:
            if table.is_compressed:
                for one in self.packed_in(table):
                    if one.key < one.key_end:
                        yield Area("key", one.key, one.key_end)
                return
            for word in table.objects():
                start = word & ~(self._word - 1)
                words = self._memory.word(start + size)
                if words > MAX_WORDS:
                    raise Unreadable(start, self._word)
                yield Area("object", start, start + words * self._word)
        except (Unreadable, KeyError) as error:
            self.damaged.append(error if isinstance(error, Unreadable) else Unreadable(table.address, self._word))

    def literals(self) -> Iterator[tuple[int, Area]]:
        """The literals of each module's code, current or old, by the address of its `BeamCodeHeader`."""
        for header in self._vm.code_headers():
            try:
                address = self._vm.record("BeamCodeHeader", header)["literal_area"]
                if address:
                    area = self._vm.record("ErtsLiteralArea", address)
                    start, end = area.field_address("start"), area["end"]
                    if not self.is_sound(start, end):
                        raise Unreadable(address, self._layout.extent("ErtsLiteralArea"))
                    yield header, Area("literals", start, end)
            except Unreadable as error:
                self.damaged.append(error)

    def everywhere(self) -> Iterator[tuple[Owner, Iterator[tuple[str, Area]]]]:
        """All memory that holds terms by its owners, each with the name of its place."""
        for process in self.processes():
            yield Owner(self._vm, process), ((area.place, area) for area in self.of_process(process))
        for table in self.tables():
            yield Owner(self._vm, table), ((ETS, area) for area in self.of_table(table))
        for header, area in self.literals():
            yield Owner(self._vm, header), iter([(LITERALS, area)])
