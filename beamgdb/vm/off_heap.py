"""Who holds what lies outside of the heaps: binaries that are counted (erl_binary.h, erl_message.h, erl_bits.h).

A term for such a binary is in the list of all that its heap, its fragment of a heap or its object of an ETS table owns
outside. What is only a part of it refers to that term, and is in the same heap or fragment. So the lists of all owners
lead to all holders; what is left of a binary's count belongs to C code, to literals, persistent terms and signals that
are no messages, to objects that were deleted from a fixed table, or to damage.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from itertools import islice
from typing import Final, NamedTuple

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable, array_code
from beamgdb.records import arrays
from beamgdb.records.chain import chain
from beamgdb.records.columns import Columns, Row
from beamgdb.vm import fragments, signals
from beamgdb.vm.ets import EtsTable, EtsTables
from beamgdb.vm.heaps import NEAR, Owner, small
from beamgdb.vm.model import Vm
from beamgdb.vm.processes import Process
from jit.otp.features import BITS_NOT_BYTES, FUN_HEADERS
from jit.otp.tags import BOXED, HEADER, HEADER_MASK, HEADERS_IN_BITS, HEADERS_IN_BYTES, PRIMARY_MASK, SUBTAG_SHIFT, Kind

MAX_THINGS: Final = 1 << 24
"""Things in one list that are followed."""

AT_ONCE: Final = 1 << 12
"""Binaries whose sizes are read together."""

MAX_HOLDERS: Final = 20
"""Holders of a binary that are kept by name; others are counted."""

IS_MAGIC: Final = 1
"""A flag of a `Binary` that is the object of a magic reference (`BIN_FLAG_MAGIC`, erl_binary.h)."""

_LISTS: Final = (
    "off_heap.first", "wrt_bins", "mbuf", "msg_frag", "sig_inq_buffers", signals.INNER, signals.MIDDLE, signals.OUTER,
)  # fmt: skip
_PATHS: Final = ("common.id", *_LISTS, "heap", "htop", "old_heap", "old_htop", "lock.flags", "state")
_OWN: Final = 2
"""Of these, how many are lists of a process itself; the others lead to fragments."""

_LISTED: Final = 2 + len(_LISTS)
"""Where these end in a row, which the address and the pid begin."""

_NO_FRAGMENTS: Final = (0,) * (len(_LISTS) - _OWN)


def _near(row: Row | Unreadable) -> Iterator[tuple[int, int]]:
    """Where what the lists of a process lead to first lies, and its small heaps, in which the rest is."""
    if not isinstance(row, Unreadable):
        yield from ((first, first + NEAR) for first in row[2:_LISTED] if first)
        heap, top, old_heap, old_top = row[_LISTED : _LISTED + 4]
        yield from small((heap, top), (old_heap, old_top))


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
    size: int = 0
    references: int = 0
    found: int = 0
    holders: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Counter:
    """What counts a binary that lies outside of heaps: the `kind` of such things, their `header` without the arity, and
    how many bytes behind that the address of the `Binary` is."""

    kind: Kind
    header: int
    value: int


def counter(vm: Vm) -> Counter:
    """That of a VM; raises `Unavailable`."""
    kind = Kind.BIN_REF if BITS_NOT_BYTES.of(vm.tags.release) else Kind.PROC_BIN
    struct, headers = ("BinRef", HEADERS_IN_BITS) if kind is Kind.BIN_REF else ("ProcBin", HEADERS_IN_BYTES)
    return Counter(kind, headers[kind], vm.layout.offset(struct, "val"))


def counters(vm: Vm) -> Iterator[Counter]:
    """That of each kind of things that count something, as far as it is known; raises `Unavailable`."""
    yield counter(vm)
    # (Where a fun's header has its arity, what counts is its FunRef, if anything.)
    fun = (Kind.FUN_REF, "FunRef") if FUN_HEADERS.of(vm.tags.release) else (Kind.FUN, "ErlFunThing")
    for (kind, struct), path in (((Kind.REF, "ErtsMRefThing"), "mb"), (fun, "entry")):
        if kind in vm.tags.subtags and vm.layout.has(struct, path):
            header = vm.tags.subtags.index(kind) << SUBTAG_SHIFT | HEADER
            yield Counter(kind, header, vm.layout.offset(struct, path))


class Counted(NamedTuple):
    """A thing, at `address`, that counts what lies at `value`: a binary, the object of a magic reference, or a fun's
    entry."""

    kind: Kind
    address: int
    value: int


class OffHeap:
    """What is outside of the heaps of a VM; raises `Unavailable` as its parts do. `advance` is called for each owner of
    such things."""

    def __init__(self, vm: Vm, advance: Callable[[], None] = lambda: None) -> None:
        self._vm = vm
        self._advance = advance
        self._memory, self._layout = vm.memory, vm.layout
        self._counters = {one.header: one for one in counters(vm)}
        self.binary = counter(vm).kind
        """The kind of things that count binaries."""
        self._next = self._layout.offset("erl_off_heap_header", "next")
        self._layout.offset("Process", _LISTS[0])  # a KeyError, where that is not known
        self.damaged: list[Unreadable] = []

    def binaries(self) -> Iterator[tuple[str, Iterator[int]]]:
        """Each process and ETS table, as a term, with the addresses of the binaries that it holds, each as often as it
        does. `damaged` gets what cannot be read."""
        for owner, things in self.everything():
            yield owner.text, (one.value for one in things if one.kind is self.binary)

    def everything(self) -> Iterator[tuple[Owner, Iterator[Counted]]]:
        """Each process and ETS table with the things that it has in lists of what is outside. `damaged` gets what
        cannot be read."""
        for piece in self._vm.processes.pieces(_PATHS):
            self._memory.ahead(one for row in piece for one in _near(row))
            for row in piece:
                self._advance()
                if isinstance(row, Unreadable):
                    self.damaged.append(row)
                elif row[0] is not None:
                    own, process = row[2 : 2 + _OWN], self._vm.processes.of_row(_PATHS, row)
                    # (What is not known there is not passed over.)
                    has_fragments = row[2 + _OWN : _LISTED] != _NO_FRAGMENTS
                    if any(own) or has_fragments:
                        yield Owner(self._vm, process), self._checked(self._of_process(process, own, has_fragments))
        for table in EtsTables(self._vm):
            self._advance()
            if isinstance(table, EtsTable):
                yield Owner(self._vm, table), self._checked(self._of_table(table))

    def _checked(self, found: Iterator[Counted]) -> Iterator[Counted]:
        try:
            yield from found
        except Unreadable as error:
            self.damaged.append(error)

    def _of_process(self, process: Process, own: Sequence[int | None], has_fragments: bool) -> Iterator[Counted]:
        """Those in its `own` lists, and, if it has any, in those of its fragments."""
        if process.is_unfinished():
            return
        for first in own:
            yield from self._in_list(first or 0)
        for fragment in fragments.of_process(process.record, self._vm.tags.non_value) if has_fragments else ():
            yield from self._in_list(fragment.record["off_heap.first"])

    def _of_table(self, table: EtsTable) -> Iterator[Counted]:
        first = self._layout.offset("DbTerm", "tpl") - self._layout.offset("DbTerm", "first_oh")
        for word in table.objects():
            yield from self._in_list(self._memory.word(word - BOXED - first))

    def _in_list(self, address: int) -> Iterator[Counted]:
        """Those in a list of things that own something outside of the heap."""
        memory = self._memory
        for at in chain(memory, address, self._next, MAX_THINGS):
            header = memory.word(at)
            if header & PRIMARY_MASK == BOXED:
                # A collection that is under way has copied it: there is its header.
                header = memory.word(header - BOXED)
            counter = self._counters.get(header & HEADER_MASK)
            if counter is not None:
                yield Counted(counter.kind, at, memory.word(at + counter.value))

    def uses(self) -> Iterator[BinaryUse]:
        """All binaries that somebody holds, in the order in which they are found."""
        code = array_code(self._memory.word_size)
        values, holders, tables = array(code), array(code), list[str]()
        of_processes = 0
        for owner, things in self.everything():
            if isinstance(owner.item, Process):
                holder = owner.item.id
            else:
                holder = len(tables)
                tables.append(owner.text)
            for thing in things:
                if thing.kind is self.binary:
                    values.append(thing.value)
                    holders.append(holder)
            if not tables:
                of_processes = len(values)
        order = arrays.places_in_order(values)
        firsts = array(code, (at for at in range(len(order)) if not at or values[order[at]] != values[order[at - 1]]))
        columns = Columns(self._memory, self._layout, "Binary", ("orig_size", "intern.refc"))
        found = arrays.places_in_order(array(code, map(order.__getitem__, firsts)))
        left = map(firsts.__getitem__, found)
        while some := list(islice(left, AT_ONCE)):
            addresses = [values[order[first]] for first in some]
            for first, address, row in zip(some, addresses, columns.of(addresses)):
                if row is None or row[1] is None or row[2] is None:
                    self.damaged.append(Unreadable(address, self._layout.extent("Binary")))
                    continue
                use = BinaryUse(address, row[1], row[2])
                for at in map(order.__getitem__, range(first, len(order))):
                    if values[at] != address:
                        break
                    use.held_by(self._vm.term(holders[at]) if at < of_processes else tables[holders[at]])
                yield use
