"""Who holds what lies outside of the heaps: binaries that are counted (erl_binary.h, erl_message.h, erl_bits.h).

A term for such a binary is in the list of all that its heap, its fragment of a heap or its object of an ETS table owns
outside. What is only a part of it refers to that term, and is in the same heap or fragment. So the lists of all owners
lead to all holders; what is left of a binary's count belongs to C code, to literals, persistent terms and signals that
are no messages, to objects that were deleted from a fixed table, or to damage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.records.chain import chain
from beamgdb.records.record import Record
from beamgdb.vm import fragments, signals
from beamgdb.vm.ets import EtsTable, EtsTables
from beamgdb.vm.model import Vm
from jit.otp.features import BITS_NOT_BYTES
from jit.otp.tags import BOXED, HEADER_MASK, HEADERS_IN_BITS, HEADERS_IN_BYTES, PRIMARY_MASK, Kind

MAX_THINGS: Final = 1 << 24
"""Things in one list that are followed."""

MAX_HOLDERS: Final = 20
"""Holders of a binary that are kept by name; others are counted."""

_LISTS: Final = ("off_heap.first", "wrt_bins", "mbuf", "msg_frag", signals.INNER, signals.MIDDLE, signals.OUTER)


class Holding:
    """What is held: `holders` are processes and tables that hold it, as text, and how often; `found` is how often in
    all."""

    found: int
    holders: dict[str, int]

    def held_by(self, holder: str) -> None:
        """One more reference."""
        self.found += 1
        if holder in self.holders or len(self.holders) < MAX_HOLDERS:
            self.holders[holder] = self.holders.get(holder, 0) + 1


@dataclass
class BinaryUse(Holding):
    """A binary of `size` bytes at `address`, which counts `references`."""

    address: int
    size: int
    references: int
    found: int = 0
    holders: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Counter:
    """What counts something that lies outside of heaps: the `kind` of such things, their `header` without the arity,
    and how many bytes behind that the address of the `Binary` is."""

    kind: Kind
    header: int
    value: int


def counter(vm: Vm) -> Counter:
    """That of a VM; raises `Unavailable`."""
    kind = Kind.BIN_REF if BITS_NOT_BYTES.of(vm.tags.release) else Kind.PROC_BIN
    struct, headers = ("BinRef", HEADERS_IN_BITS) if kind is Kind.BIN_REF else ("ProcBin", HEADERS_IN_BYTES)
    return Counter(kind, headers[kind], vm.layout.offset(struct, "val"))


def magic(vm: Vm) -> Counter:
    """What counts a magic binary: such references are in the same lists, others in none. Raises `Unavailable`."""
    headers = HEADERS_IN_BITS if BITS_NOT_BYTES.of(vm.tags.release) else HEADERS_IN_BYTES
    return Counter(Kind.REF, headers[Kind.REF], vm.layout.offset("ErtsMRefThing", "mb"))


class OffHeap:
    """What is outside of the heaps of a VM: binaries, or what `counted` counts. Raises `Unavailable` as its parts
    do."""

    def __init__(self, vm: Vm, counted: Counter | None = None) -> None:
        self._vm = vm
        self._memory, self._layout = vm.memory, vm.layout
        self._counter = counted if counted is not None else counter(vm)
        self._next = self._layout.offset("erl_off_heap_header", "next")
        self.damaged: list[Unreadable] = []

    def binaries(self) -> Iterator[tuple[str, Iterator[int]]]:
        """Each process and ETS table, as a term, with the addresses of the binaries that it holds, each as often as it
        does. `damaged` gets what cannot be read."""
        yield from self._of_processes()
        for table in EtsTables(self._vm):
            if isinstance(table, EtsTable):
                yield f"ETS {self._vm.term(table.name)}", self._checked(self._of_table(table))

    def _of_processes(self) -> Iterator[tuple[str, Iterator[int]]]:
        for row in self._vm.processes.rows(("common.id", *_LISTS)):
            if isinstance(row, Unreadable):
                self.damaged.append(row)
            elif row[0] is not None and any(row[2:]):
                yield self._vm.term(row[1] or 0), self._checked(self._of_process(row[0]))

    def _checked(self, found: Iterator[int]) -> Iterator[int]:
        try:
            yield from found
        except Unreadable as error:
            self.damaged.append(error)

    def _of_process(self, address: int) -> Iterator[int]:
        process = self._vm.processes.at(address).record
        yield from self._in_list(process["off_heap.first"])
        if self._layout.has("Process", "wrt_bins"):
            yield from self._in_list(process["wrt_bins"])
        for fragment in fragments.of_process(process, self._vm.tags.non_value):
            yield from self._in_list(fragment.record["off_heap.first"])

    def _of_table(self, table: EtsTable) -> Iterator[int]:
        first = self._layout.offset("DbTerm", "tpl") - self._layout.offset("DbTerm", "first_oh")
        for word in table.objects():
            yield from self._in_list(self._memory.word(word - BOXED - first))

    def _in_list(self, address: int) -> Iterator[int]:
        """The binaries of a list of things that own something outside of the heap."""
        memory = self._memory
        for at in chain(memory, address, self._next, MAX_THINGS):
            header = memory.word(at)
            if header & PRIMARY_MASK == BOXED:
                # A collection that is under way has copied it: there is its header.
                header = memory.word(header - BOXED)
            if header & HEADER_MASK == self._counter.header:
                yield memory.word(at + self._counter.value)

    def use(self, address: int) -> BinaryUse:
        """The binary at an address, of which no holder is known yet. Raises `Unreadable`."""
        binary = Record(self._memory, self._layout, "Binary", address)
        return BinaryUse(address, binary["orig_size"], binary["intern.refc"])

    def uses(self) -> dict[int, BinaryUse]:
        """All binaries that somebody holds, by their addresses."""
        found: dict[int, BinaryUse] = {}
        for holder, binaries in self.binaries():
            for address in binaries:
                known = found.get(address)
                if known is None:
                    try:
                        known = found[address] = self.use(address)
                    except Unreadable as error:
                        self.damaged.append(error)
                        continue
                known.held_by(holder)
        return found
