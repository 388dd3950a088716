"""Whether memory that holds terms is sound: what the VM never leaves on a heap is found, and where.

Each word is told by its tag; a pointer leads to a term in memory of the same process, or to a literal. Not all literals
are known, such as persistent terms: where a pointer leads to nothing that is known, there must at least be a term, and
not in the heap of another process. The heap of a process that is being collected is not looked at, for terms of it have
been moved; nor the stack of one that runs, for only its thread knows where it ends.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable, array_code
from beamgdb.records import arrays
from beamgdb.records.chain import chain
from beamgdb.records.record import Record
from beamgdb.vm import fragments, locks, process_dictionary, signals
from beamgdb.vm.heap_walk import OF_ATOM, OF_BOXED, OF_CONS, OF_HEADER, OF_IMMEDIATE, OF_NOTHING, Found, Piece, Walker
from beamgdb.vm.heaps import Area, Areas, Heaps, Owner
from beamgdb.vm.model import Vm
from beamgdb.vm.processes import Process
from beamgdb.vm.stack import MAX_SCAN
from jit.otp.code import MFA_WORDS
from jit.otp.tags import BOXED, CATCH, HEADER, IMMED2_BITS, IMMED2_MASK, PRIMARY_MASK, Kind

MOST: Final = 8
"""What is told of one process or table, at most: a block that is overwritten has much that is wrong."""

MAX_LEADS: Final = 1 << 18
"""Pointers to somewhere else of which is kept where they lead."""

_OUTSIDE: Final = frozenset(
    (Kind.PROC_BIN, Kind.BIN_REF, Kind.FUN, Kind.FUN_REF, Kind.REF, Kind.EXTERNAL_PID, Kind.EXTERNAL_PORT,
     Kind.EXTERNAL_REF)
)  # fmt: skip
"""What may own something outside of the heap."""


@dataclass(frozen=True)
class Wrong:
    """What is wrong in memory of `owner`, in the `area` of that name: the word at `address`, None where it is not about
    a word that can be read, in the term `inside`, if it is in one."""

    owner: Owner
    area: str
    address: int
    word: int | None
    what: str
    inside: Found | None = None


class HeapCheck:
    """Looks at the heaps of a VM; raises `Unavailable` as its parts do. `advance` is called for each piece of it."""

    def __init__(self, vm: Vm, advance: Callable[[], None]) -> None:
        self._vm = vm
        self._memory, self._word = vm.memory, vm.memory.word_size
        self._heaps, self._walker = Heaps(vm), Walker(vm.memory, vm.tags, advance)
        self._shift = self._word.bit_length() - 1
        self._strip = ~(PRIMARY_MASK | vm.tags.literal_bit)
        self._stacks = vm.stack()
        self._last_atom = (vm.atoms.count() << IMMED2_BITS) - 1
        self._leads: dict[int, str] = {}
        self._codes: set[int] = set()
        self._quiet: dict[int, bytes] = {}
        self._starts, self._ends, self._owners = (array(array_code(self._word)) for _ in range(3))
        self.heaps = 0
        """Blocks of memory with terms that were gone through."""
        self.bytes = 0
        """How large they are together."""
        self.passed_over = 0
        """Processes that are being collected."""
        self.changing = 0
        """Tables that are being changed, which are passed over too."""

        self.missing: list[Unreadable] = []
        """What cannot be judged: it was there, but is not in what is read, as in a core file that was cut off."""

    @property
    def damaged(self) -> list[Unreadable]:
        """Processes and tables that could not be found."""
        return self._heaps.damaged

    def everywhere(self) -> Iterator[list[Wrong]]:
        """What is wrong of each process, table and module."""
        yield from self.of_all_processes()
        for table in self._heaps.tables():
            try:
                is_changing = locks.is_changing(self._vm, table)
            except Unreadable as error:
                self.damaged.append(error)
                continue
            self.changing += is_changing
            if not is_changing:
                yield self._apart(Owner(self._vm, table), self._heaps.of_table(table))
        for header, area in self._heaps.literals():
            yield self._apart(Owner(self._vm, header), [area])

    def of_all_processes(self) -> Iterator[list[Wrong]]:
        """What is wrong of each process."""
        self._find_blocks()
        yield list(islice(self._overlapping(), MOST))
        for process in self._heaps.processes():
            yield self._of_process(process)

    def of_process(self, process: Process) -> list[Wrong]:
        """What is wrong of one process."""
        self._find_blocks()
        overlaps = (one for one in self._overlapping() if one.owner.item == process)
        return [*islice(overlaps, MOST), *self._of_process(process)]

    def _find_blocks(self) -> None:
        """The blocks of all heaps, in order of their addresses: of a process that is being collected one may have the
        start of one and the end of another."""
        paths = ("heap", "hend", "old_heap", "old_hend", "state", "lock.flags")
        for row in self._vm.processes.rows(paths):
            if isinstance(row, Unreadable) or row[0] is None:
                continue
            try:
                if self._is_passed_over(self._vm.processes.of_row(paths, row)):
                    continue
            except Unreadable:
                continue
            for start, end in (row[1:3], row[3:5]):
                if start and end and start < end and self._heaps.is_sound(start, end):
                    self._starts.append(start)
                    self._ends.append(end)
                    self._owners.append(row[0])
        order = arrays.places_in_order(self._starts)
        self._starts, self._ends, self._owners = (
            array(column.typecode, map(column.__getitem__, order))
            for column in (self._starts, self._ends, self._owners)
        )

    def _overlapping(self) -> Iterator[Wrong]:
        furthest: tuple[int, int, int] = (0, 0, 0)
        for block in zip(self._starts, self._ends, self._owners):
            if block[0] < furthest[1]:
                other = self._name(furthest[2])
                yield Wrong(self._owner(block[2]), "heap", block[0], None, f"this block overlaps that of {other}")
            if block[1] > furthest[1]:
                furthest = block

    def _owner(self, address: int) -> Owner:
        return Owner(self._vm, self._vm.processes.at(address))

    def _name(self, address: int) -> str:
        return self._owner(address).text

    @staticmethod
    def _is_passed_over(process: Process) -> bool:
        """Whether it is being collected, made or ended. Raises `Unreadable`."""
        return process.has("GC") or process.is_unfinished()

    # -- one process ---------------------------------------------------------------------------------------------------

    def _of_process(self, process: Process) -> list[Wrong]:
        owner = Owner(self._vm, process)
        try:
            if self._is_passed_over(process):
                self.passed_over += 1
                return []
            if process.has("FREE"):
                return []  # its heap is gone
            return list(islice(self._whole(owner, process), MOST))
        except Unreadable as error:
            return list(self._unreadable(owner, "heap", error))

    def _unreadable(self, owner: Owner, area: str, error: Unreadable) -> Iterator[Wrong]:
        if not self._is_missing(error):
            yield Wrong(owner, area, error.address, None, f"{error.size} bytes cannot be read, or lead in a circle")

    def _is_missing(self, error: Unreadable) -> bool:
        """Whether nobody can tell what was there, which is noted."""
        is_missing = self._memory.lacks(error.address, error.size)
        if is_missing:
            self.missing.append(error)
        return is_missing

    def _whole(self, owner: Owner, process: Process) -> Iterator[Wrong]:
        record, runs = process.record, process.is_running()
        yield from self._bounds(owner, record)
        before = len(self.damaged)
        areas = list(self._heaps.of_process(process))
        for error in self.damaged[before:]:
            yield from self._unreadable(owner, "heap or messages", error)
        del self.damaged[before:]
        running = [(record["heap"], record["hend"])] if runs else []
        own = Areas([*((area.start, area.end) for area in areas), *running])
        for area in areas:
            yield from islice(self._area(owner, area, own), 1)
        yield from islice(self._off_heap(owner, record, own), 1)
        try:
            for _ in process_dictionary.pairs(record):
                pass
        except Unreadable as error:
            yield from self._unreadable(owner, "dictionary", error)
        yield from islice(self._messages(owner, record, own), 1)
        if not runs:
            yield from islice(self._stack(owner, record, own), 1)

    def _bounds(self, owner: Owner, record: Record) -> Iterator[Wrong]:
        """Whether the words that say where the heaps begin and end can be true."""
        heap, htop, stop, hend = (record[name] for name in ("heap", "htop", "stop", "hend"))
        if not heap <= htop <= hend:
            where = record.field_address("htop")
            yield Wrong(owner, "process", where, htop, f"the heap from {heap:#x} to {hend:#x} does not end here")
        elif not heap <= stop <= hend:
            where = record.field_address("stop")
            yield Wrong(owner, "process", where, stop, f"the stack does not begin in the heap, {heap:#x} to {hend:#x}")
        elif not record["abandoned_heap"] and hend - heap != record["heap_sz"] * self._word:
            where, size = record.field_address("heap_sz"), record["heap_sz"]
            yield Wrong(owner, "process", where, size, f"the heap has {(hend - heap) // self._word} words, not so many")
        old, old_htop, old_hend = (record[name] for name in ("old_heap", "old_htop", "old_hend"))
        if not old <= old_htop <= old_hend:
            where = record.field_address("old_htop")
            yield Wrong(
                owner, "process", where, old_htop, f"the old heap from {old:#x} to {old_hend:#x} does not end here"
            )

    def _apart(self, owner: Owner, areas: Iterable[Area]) -> list[Wrong]:
        """What is wrong of memory of which each area has all that its terms lead to, but for literals."""
        return list(islice((one for area in areas for one in self._area(owner, area, Areas([area[1:3]]))), MOST))

    # -- words ---------------------------------------------------------------------------------------------------------

    def _area(self, owner: Owner, area: Area, own: Areas) -> Iterator[Wrong]:
        self.heaps += 1
        try:
            for piece in self._walker.pieces(area.start, area.end):
                self.bytes += len(piece.words) * self._word
                suspects = self._suspects(piece)
                for place in suspects:
                    word = piece.words[place]
                    what = self._fault(word, own) if place not in piece.wrong else "begins a term that cannot be"
                    if what:
                        yield self._wrong(owner, area, piece.address + place * self._word, word, what)
        except Unreadable as error:
            yield from self._unreadable(owner, area.kind, error)

    def _wrong(self, owner: Owner, area: Area, address: int, word: int, what: str) -> Wrong:
        found = next((one for _, one in self._walker.inside(area.start, area.end, [address])), None)
        inside = found if found is not None and found.address <= address else None
        return Wrong(owner, area.kind, address, word, what, inside)

    def _suspects(self, piece: Piece) -> list[int]:
        """Places of words that may be wrong: all but immediates, atoms that there are, and pointers to what is of the
        right kind in the same piece."""
        words, forms, quiet = piece.words, self._walker.forms, self._quiet
        classes = bytearray(piece.classes[: len(words)])
        for place in piece.things:
            form = forms.of(words[place])
            if form is not None and form.opaque:
                opaque = min(form.opaque, len(words) - place - 1)
                if opaque not in quiet:
                    quiet[opaque] = bytes([OF_IMMEDIATE]) * opaque
                classes[place + 1 : place + 1 + opaque] = quiet[opaque]
        shift, start, last = self._shift, piece.address, self._last_atom
        end = start + (len(words) << shift)
        found = [
            place
            for place, (word, kind) in enumerate(zip(words, classes))
            if kind == OF_CONS and not (start <= word < end and classes[word - start >> shift] != OF_HEADER)
            or kind == OF_BOXED and not (start <= word < end and classes[word - start >> shift] == OF_HEADER)
            or kind == OF_ATOM and word > last
            or kind == OF_NOTHING
        ]  # fmt: skip
        if classes.count(OF_HEADER) != len(piece.things):
            things = set(piece.things)
            found += (place for place, kind in enumerate(classes) if kind == OF_HEADER and place not in things)
            found.sort()
        return found

    def _fault(self, word: int, own: Areas) -> str:
        """What is wrong with a word in the place of a term; nothing if it is one."""
        primary = word & PRIMARY_MASK
        if primary == HEADER:
            return "is a header, and no term"
        if primary == PRIMARY_MASK:
            kind = self._walker.kind(word)
            if kind == OF_ATOM and word > self._last_atom:
                return "is an atom that does not exist"
            return "is no term" if kind == OF_NOTHING else ""
        if self._walker.kind(word) == OF_NOTHING:
            return "is no pointer that can be"
        address = word & self._strip
        if own.holds(address):
            return self._there(word, address)
        known = self._leads.get(word)
        if known is None:
            if len(self._leads) >= MAX_LEADS:
                self._leads.clear()
            known = self._leads[word] = self._elsewhere(word, address)
        return known

    def _elsewhere(self, word: int, address: int) -> str:
        at = bisect_right(self._starts, address) - 1
        if at >= 0 and address < self._ends[at]:
            return f"leads to what is no term of it, in the heap of {self._name(self._owners[at])}"
        return self._there(word, address)

    def _there(self, word: int, address: int) -> str:
        """What is wrong with what a pointer leads to."""
        try:
            first = self._memory.word(address)
            if word & PRIMARY_MASK == BOXED:
                return "" if self._walker.forms.of(first) is not None else "leads to what is no term"
            second = self._memory.word(address + self._word)
        except Unreadable as error:
            return "" if self._is_missing(error) else "leads to nowhere"
        is_cell = first & PRIMARY_MASK != HEADER and second & PRIMARY_MASK != HEADER
        return "" if is_cell else "leads to what is no list"

    # -- what leads to them --------------------------------------------------------------------------------------------

    def _off_heap(self, owner: Owner, record: Record, own: Areas) -> Iterator[Wrong]:
        """Whether the list of what owns something outside leads through things of this process."""
        following = self._vm.layout.offset("erl_off_heap_header", "next")
        most = own.size() // self._word
        for before in self._lists(record):
            try:
                for at in chain(self._memory, self._memory.word(before), following, max(1, most)):
                    if not own.holds(at):
                        yield Wrong(owner, "list of what is outside", before, at, "leads out of its heap")
                        return
                    form = self._walker.forms.of(self._memory.word(at))
                    if form is None or form.kind not in _OUTSIDE:
                        yield Wrong(owner, "list of what is outside", before, at, "leads to what owns nothing outside")
                        return
                    before = at + following
            except Unreadable as error:
                if not self._is_missing(error):
                    what = "leads to nowhere, or in a circle"
                    yield Wrong(owner, "list of what is outside", before, error.address, what)

    def _lists(self, record: Record) -> Iterator[int]:
        """Where the lists of a process and of its fragments begin."""
        for name in ("off_heap.first", "wrt_bins"):
            if record.layout.has("Process", name):
                yield record.field_address(name)
        try:
            for fragment in fragments.of_process(record, self._vm.tags.non_value):
                yield fragment.record.address + record.layout.offset("ErlHeapFragment", "off_heap.first")
        except Unreadable:
            return  # which has been told of the fragments

    def _messages(self, owner: Owner, record: Record, own: Areas) -> Iterator[Wrong]:
        """Whether what waits are terms."""
        message = self._vm.layout.offset("ErtsMessageRef", "m")
        try:
            for signal in signals.everywhere(record):
                if signal.is_message and signal.tag != self._vm.tags.non_value:
                    what = self._fault(signal.tag, own)
                    if what:
                        yield Wrong(owner, "message", signal.address + message, signal.tag, what)
        except Unreadable:
            return  # which has been told of its fragments

    def _stack(self, owner: Owner, record: Record, own: Areas) -> Iterator[Wrong]:
        hend = record["hend"]
        try:
            start = self._stacks.y0(record["stop"])
            for at in range(start, hend, MAX_SCAN):
                words = self._memory.words(at, (min(hend, at + MAX_SCAN) - at) // self._word)
                for place, word in enumerate(words):
                    what = self._on_stack(word, start, hend, own)
                    if what:
                        yield Wrong(owner, "stack", at + place * self._word, word, what)
        except Unreadable as error:
            yield from self._unreadable(owner, "stack", error)

    def _on_stack(self, word: int, start: int, end: int, own: Areas) -> str:
        if word & PRIMARY_MASK == HEADER:
            # With frame pointers these lie on the stack, and are clear in the outermost frame.
            return "" if not word or start <= word <= end or self._is_code(word) else "is no return address"
        if word & IMMED2_MASK == CATCH:
            if self._vm.catch_handler(0) is None or self._vm.catch_handler(word >> IMMED2_BITS):
                return ""  # or the table of catches is not known
            return "is a catch that goes on nowhere"
        return self._fault(word, own)

    def _is_code(self, word: int) -> bool:
        """Whether a word of a stack leads into code: frames of tracing hold addresses of functions' descriptions."""
        if word in self._codes:
            return True
        code = self._vm.code
        found = (
            code.find(word) is not None
            or code.find(word + MFA_WORDS * self._word) is not None
            or self._memory.lacks(word, self._word)
        )
        if found:
            self._codes.add(word)
        return found
