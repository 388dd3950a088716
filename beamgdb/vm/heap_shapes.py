"""What terms there are, by their shape: all memory that holds terms is walked, and what is alike is counted together.

Of each thing only what its own words show is looked at: tuples are alike that have the same first atom and size, maps
with the same keys, funs of one place in the source; what has bytes is sorted into classes by their number.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from itertools import islice
from operator import itemgetter
from typing import Any, Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.terms import maps
from beamgdb.vm import off_heap
from beamgdb.vm.binary_shapes import BinaryShapes
from beamgdb.vm.ets import EtsTable
from beamgdb.vm.heap_walk import MAX_PATTERNS, Pattern, Piece, Walker
from beamgdb.vm.heaps import ETS, PLACES, Area, Heaps, Owner
from beamgdb.vm.model import Vm
from beamgdb.vm.packed_shapes import CELLS, NAMED, PackedShapes
from beamgdb.vm.processes import Process
from beamgdb.vm.shape import BRIEF, MAX_SHAPES, Key, Shape, binary, integer, size_class
from jit.otp.features import BITS_NOT_BYTES
from jit.otp.tags import (
    ARITY_SHIFT,
    ATOM,
    BOXED,
    HEADER_MASK,
    HEADERS_IN_BITS,
    HEADERS_IN_BYTES,
    IMMED2_MASK,
    MAP_NODE,
    MAP_TYPE_MASK,
    MAX_FLATMAP_SIZE,
    PRIMARY_MASK,
    TUPLE_HEADER,
    Kind,
)
from jit.otp.things import ErlFunThing25, ErlSubBin, ErlSubBits, FlatMap, HashMap

MAX_KEY_SETS: Final = 1 << 18
"""Tuples of keys whose text is kept. Many maps share one."""

OTHERS: Final = "others"
"""What is in the place of what tells maps, or funs, from others, where there are too many shapes."""

FEW: Final = 4
"""New shapes in a piece of memory that are looked for one by one."""


@dataclass
class _Alike:
    """What pieces of a pattern have in common whose words that are `telling` are these: so many of each of some keys.
    Besides each has `others`, things in these places. `more`: pieces that have not been counted yet, by where."""

    telling: Callable[[Any], object]
    told: object
    others: list[int]
    common: Counter[Key]
    more: Counter[str] = field(default_factory=Counter)


class HeapShapes:
    """Counts terms of a VM by their shapes; raises `Unavailable` as its parts do. `advance` is called for each piece of
    memory."""

    def __init__(self, vm: Vm, advance: Callable[[], None]) -> None:
        self._vm = vm
        self._heaps = Heaps(vm)
        self._walker = Walker(vm.memory, vm.tags, advance)
        self._word = vm.memory.word_size
        self._counts: dict[str, Counter[Key]] = {place: Counter() for place in PLACES}
        self._examples: dict[Key, tuple[int, Owner]] = {}
        self._cells: dict[str, int] = dict.fromkeys(PLACES, 0)
        self._a_cell: tuple[int, Owner] | None = None
        self._key_sets: dict[int, Key] = {}
        self._alike: dict[Pattern, _Alike] = {}
        self.binaries = BinaryShapes(vm)
        self._packed = PackedShapes(vm, self.binaries)
        self._walked = 0
        self.wrong = 0
        """Words in places of headers that are none, or of things that are larger than what they lie in."""
        in_bits = BITS_NOT_BYTES.of(vm.tags.release)
        headers = HEADERS_IN_BITS if in_bits else HEADERS_IN_BYTES
        counter = off_heap.counter(vm)
        self._counter, self._binary = counter.header, counter.value // self._word
        self._fun_header = headers[Kind.FUN]
        self._held: list[int] = []
        self._keyed: dict[int, Callable[[array[int], int, int], Key]] = {
            headers[Kind.MAP]: self._map,
            headers[Kind.FUN]: self._fun,
            counter.header: self._outside,
            headers[Kind.SUB_BITS if in_bits else Kind.SUB_BIN]: self._part_in_bits if in_bits else self._part,
        }

    @property
    def damaged(self) -> list[Unreadable]:
        """What could not be read."""
        return self._heaps.damaged

    @property
    def walked(self) -> int:
        """Bytes that were gone through."""
        return self._walked + self._packed.walked

    def everywhere(self) -> None:
        """Count all there is."""
        for owner, areas in self._heaps.everywhere():
            self.count(owner, areas)
            if isinstance(owner.item, EtsTable):
                self._count_packed(owner, owner.item)

    def _count_packed(self, owner: Owner, table: EtsTable) -> None:
        for one in self._heaps.packed_in(table):
            self._walker.advance()
            try:
                self._packed.count(owner, one)
            except Unreadable as error:
                self.damaged.append(error)

    def of_process(self, process: Process) -> None:
        """Count the terms of one process."""
        self.count(Owner(self._vm, process), ((area.place, area) for area in self._heaps.of_process(process)))

    def count(self, owner: Owner, areas: Iterable[tuple[str, Area]]) -> None:
        """Count what is in some memory."""
        for place, area in areas:
            try:
                for piece in self._walker.pieces(area.start, area.end):
                    self._piece(piece, place, owner)
                    if self._held:
                        self._count_held(piece, place, owner)
                    self._cells[place] += piece.cells
                    if self._a_cell is None and piece.cells:
                        self._a_cell = self._first_cell(piece), owner
                    self._walked += len(piece.words) * self._word
                    self.wrong += len(piece.wrong)
            except Unreadable as error:
                self.damaged.append(error)

    def _first_cell(self, piece: Piece) -> int:
        at = 0
        for place in piece.things:
            if place > at:
                break
            at = place + max(1, self._walker.whole_size(piece.words, place))
        return piece.address + at * self._word

    def _piece(self, piece: Piece, place: str, owner: Owner) -> None:
        counts = self._counts[place]
        alike = self._alike.get(piece.pattern) if piece.pattern is not None else None
        if alike is not None and alike.telling(piece.words) == alike.told:
            alike.more[place] += 1
            if alike.others:
                self._count_things(piece, alike.others, counts, owner)
            return
        keys = self._count_things(piece, piece.things, counts, owner)
        if piece.pattern is not None and alike is None and len(counts) < MAX_SHAPES:
            self._note(piece, piece.pattern, keys)

    def _count_things(self, piece: Piece, things: list[int], counts: Counter[Key], owner: Owner) -> list[Key]:
        """Count things of a piece; their keys."""
        words, keyed = piece.words, self._keyed
        headers = list(map(words.__getitem__, things))
        keys: list[Key] = [
            keyed[tag](words, place, header) if (tag := header & HEADER_MASK) in keyed else
            header if tag != TUPLE_HEADER or header == tag or (first := words[place + 1]) & IMMED2_MASK != ATOM else
            (header, first)
            for place, header in zip(things, headers)
        ]  # fmt: skip
        before = len(counts)
        if before >= MAX_SHAPES:
            keys = [key if key in counts else self._other(key) for key in keys]
        counts.update(keys)
        new = len(counts) - before
        if new:
            # (Mostly it is one, such as a binary.)
            where = keys.index if new < FEW else dict(zip(reversed(keys), range(len(keys) - 1, -1, -1))).__getitem__
            for key in islice(reversed(counts), new):
                self._examples.setdefault(key, (piece.address + things[where(key)] * self._word, owner))
        return keys

    @staticmethod
    def _other(key: Key) -> Key:
        """What is counted in place of one more shape: all that have no more in common than their size."""
        if isinstance(key, int):
            return key
        what = key[0]
        if what == "keys":
            return "keys", key[1], OTHERS
        if what == "fun":
            return "fun", OTHERS, key[2]
        return what if isinstance(what, int) else key

    def _note(self, piece: Piece, pattern: Pattern, keys: list[Key]) -> None:
        """What pieces of a pattern have in common, if their tuples have the same first atoms, and their funs are of the
        same places: what these tell together with headers."""
        words = piece.words
        untold = self._keyed.keys() - {self._fun_header}
        others = [place for place in piece.things if words[place] & HEADER_MASK in untold]
        apart = {*others}
        common = [(place, key) for place, key in zip(piece.things, keys) if place not in apart]
        firsts = [
            place + (ErlFunThing25.ENTRY if key[0] == "fun" else 1) for place, key in common if not isinstance(key, int)
        ]
        telling = itemgetter(*firsts) if firsts else pattern.telling
        if len(self._alike) >= MAX_PATTERNS:
            self._add_alike()
        self._alike[pattern] = _Alike(telling, telling(words), others, Counter(key for _, key in common))

    def _add_alike(self) -> None:
        """Count what is in pieces that are like others."""
        for alike in self._alike.values():
            for place, pieces in alike.more.items():
                for key, count in alike.common.items():
                    self._counts[place][key] += count * pieces
        self._alike.clear()

    def _outside(self, words: array[int], at: int, header: int) -> Key:
        self._held.append(at)  # for `_count_held`
        return header

    def _count_held(self, piece: Piece, place: str, owner: Owner) -> None:
        """Count the things that lead to binaries outside."""
        for at in self._held:
            size = (1 + (piece.words[at] >> ARITY_SHIFT)) * self._word
            self.binaries.add(place, piece.words[at + self._binary], size, (piece.address + at * self._word, owner))
        self._held.clear()

    def _map(self, words: array[int], at: int, header: int) -> Key:
        if not maps.is_flat(header):
            if header >> ARITY_SHIFT & MAP_TYPE_MASK == MAP_NODE:
                return header
            return "map", header, size_class(words[at + HashMap.SIZE])
        keys = words[at + FlatMap.KEYS]
        known = self._key_sets.get(keys)
        if known is None:
            if len(self._key_sets) >= MAX_KEY_SETS:
                self._key_sets.clear()
            known = self._key_sets[keys] = "keys", words[at + FlatMap.SIZE], self._key_set(keys)
        return known

    def _key_set(self, keys: int) -> object:
        """What is the same for the same keys: their words, or their text where some are no immediates."""
        memory, pointer = self._vm.memory, keys & ~(PRIMARY_MASK | self._vm.tags.literal_bit)
        try:
            header = memory.word(pointer)
            if keys & PRIMARY_MASK != BOXED or header & HEADER_MASK != TUPLE_HEADER:
                return "unknown keys"
            words = memory.words(pointer + self._word, min(header >> ARITY_SHIFT, MAX_FLATMAP_SIZE))
        except Unreadable:
            return "unknown keys"
        if all(word & PRIMARY_MASK == PRIMARY_MASK for word in words):
            return words
        return tuple(self._vm.term(word, BRIEF) for word in words)

    def _fun(self, words: array[int], at: int, header: int) -> Key:
        return "fun", words[at + ErlFunThing25.ENTRY], self._walker.whole_size(words, at)

    def _part(self, words: array[int], at: int, header: int) -> Key:
        return "part", size_class(words[at + ErlSubBin.SIZE])

    def _part_in_bits(self, words: array[int], at: int, header: int) -> Key:
        return "part", size_class(max(0, words[at + ErlSubBits.END] - words[at + ErlSubBits.START] + 7) // 8)

    def shapes(self) -> list[Shape]:
        """All that have been counted."""
        self._add_alike()
        found: dict[tuple[str, str], Shape] = {}

        def shape(kind: str, name: str) -> Shape:
            return found.setdefault((kind, name), Shape(kind, name))

        for place, cells in self._cells.items():
            if cells > 1 and self._a_cell is not None:
                shape("list", "cell").add(place, cells // 2, cells * self._word, self._a_cell, 2 * self._word)
        for place, key, (kind, name), count, size, each, example in self._counted():
            if not isinstance(key, int) or key & HEADER_MASK != self._counter:
                shape(kind, name).add(place, count, size, example, each)
        for place, of_size in sorted(self.binaries.shapes(), key=lambda one: PLACES.index(one[0])):
            assert of_size.owner is not None
            one = shape(of_size.kind, of_size.name)
            one.add(place, of_size.count, of_size.bytes, (of_size.address, of_size.owner), of_size.largest)
            one.outside += of_size.outside
        return list(found.values())

    def _counted(self) -> Iterator[tuple[str, Key, tuple[str, str], int, int, int, tuple[int, Owner]]]:
        """All that were counted: place, key, kind and name, how many, their bytes, those of the largest, and that."""
        for place, counts in self._counts.items():
            for key, count in counts.items():
                example = self._examples[key]
                kind, name, words = self._named(key, example[0])
                each = words * self._word
                yield place, key, (kind, name), count, count * each, each, example
        for key, tally in self._packed.tallies.items():
            kind, name, _ = ("list", "cell", 0) if key == CELLS else self._named(key, tally.example[0])
            yield ETS, key, (kind, name), tally.terms, tally.bytes, tally.largest, tally.example

    def _named(self, key: Key, example: int) -> tuple[str, str, int]:
        """Kind, name and size in words of what has a key."""
        if isinstance(key, int):
            return self._by_header(key)
        what = key[0]
        if what == NAMED:
            kind, name = key[1:]
            assert isinstance(kind, str)
            assert isinstance(name, str)
            return kind, name, 0
        if isinstance(what, int):
            first, arity = key[1], what >> ARITY_SHIFT
            assert isinstance(first, int)
            others = ",_" * (arity - 1) if arity <= 6 else ",..."
            return "tuple", f"{{{self._vm.term(first)}{others}}}" + (f" of {arity}" if arity > 6 else ""), 1 + arity
        if what == "keys":
            count, keys = key[1:]
            assert isinstance(count, int)
            return "map", self._keys_text(count, keys), FlatMap.VALUES + count
        if what == "map":
            _, header, size = key
            assert isinstance(header, int)
            form = self._walker.forms.of(header)
            return "map", f"{size} keys", form.size if form is not None else 1
        if what == "fun":
            size = key[2]
            assert isinstance(size, int)
            return "fun", OTHERS if key[1] == OTHERS else self._vm.boxed(example, BRIEF), size
        in_bits = BITS_NOT_BYTES.of(self._vm.tags.release)
        return "part of a binary", f"{key[1]} bytes", ErlSubBits.WORDS if in_bits else ErlSubBin.WORDS

    def _keys_text(self, count: int, keys: object) -> str:
        if not isinstance(keys, tuple):
            return f"{keys}, {count} of them"
        texts = [one if isinstance(one, str) else self._vm.term(one, BRIEF) for one in keys]
        return "#{" + ",".join(f"{text} => _" for text in texts) + "}"

    def _by_header(self, header: int) -> tuple[str, str, int]:
        form = self._walker.forms.of(header)
        if form is None:
            return "no term", "", 1
        arity = form.size - 1
        if form.kind is Kind.TUPLE:
            name = "{" + ",".join("_" * arity) + "}" if arity <= 6 else f"{{_,...}} of {arity}"
            return "tuple", name, form.size
        if form.kind in (Kind.POS_BIG, Kind.NEG_BIG):
            return *integer(arity, self._word), form.size
        if form.kind in (Kind.HEAP_BIN, Kind.HEAP_BITS):
            return *binary(arity - 1, self._word), form.size
        if form.kind is Kind.MAP:
            return "part of a map", "", form.size
        return form.kind.value, "", form.size
