"""What terms there are in compressed ETS tables, by their shape, as `heap_shapes` counts those on heaps.

An object there is a tuple whose elements, but for immediates and the key, are packed behind it. The bytes of a packed
term are those that it takes there, with the immediates in it, but without other terms.
"""

from __future__ import annotations

from dataclasses import field
from typing import Final, NamedTuple

from beamgdb.late import dataclass
from beamgdb.terms import packed
from beamgdb.terms.packed import PackedTerm
from beamgdb.terms.values import Atom, Bitstring, ExternalFun, HugeInteger, List, Pid, Port, Reference
from beamgdb.vm import off_heap
from beamgdb.vm.binary_shapes import BinaryShapes
from beamgdb.vm.ets import PackedObject
from beamgdb.vm.heaps import ETS, Owner
from beamgdb.vm.model import Vm
from beamgdb.vm.shape import BRIEF, MAX_SHAPES, Key, binary, integer, size_class
from jit.otp.tags import (
    ARITY_SHIFT,
    ATOM,
    IMMED1_BITS,
    IMMED2_BITS,
    IMMED2_MASK,
    MAX_FLATMAP_SIZE,
    TUPLE_HEADER,
    Kind,
)

CELLS: Final = ("cells",)
"""The key of cells of lists."""

NAMED: Final = "named"
"""Keys that begin with this have kind and name behind it; others are those of terms on heaps."""


class Tally(NamedTuple):
    """So many terms, their bytes, and the largest one: its bytes, its address and whom it belongs to."""

    terms: int
    bytes: int
    largest: int
    example: tuple[int, Owner]


@dataclass
class _Open:
    """A packed term that has others in it, of which `left` are still to come."""

    term: PackedTerm
    left: int
    size: int
    inside: list[tuple[int, Key | None]] = field(default_factory=list)
    """Of a tuple the first one, of a map the keys: address, and the word of an atom."""


class PackedShapes:
    """Counts terms of compressed tables."""

    def __init__(self, vm: Vm, binaries: BinaryShapes) -> None:
        """`binaries` counts what leads to binaries outside."""
        self._vm, self._binaries = vm, binaries
        self._word = vm.memory.word_size
        self._binary = off_heap.counter(vm).value
        self._small = 1 << (8 * self._word - IMMED1_BITS - 1)
        self._owner = Owner(vm, "")
        self._end = 0
        self.tallies: dict[Key, Tally] = {}
        self.walked = 0
        """Bytes that were gone through."""

    def count(self, owner: Owner, one: PackedObject) -> None:
        """Count the terms of an object, but for its key. Raises `Unreadable` where it is damaged."""
        self._owner = owner
        header, first = one.words[0], one.words[1] if len(one.words) > 1 else 0
        self._add(self._tuple(header >> ARITY_SHIFT, first), len(one.words) * self._word, one.address)
        for element in one.packed:
            self._element(element.address, element.end)
            self.walked += element.end - element.address
        self.walked += len(one.words) * self._word

    @staticmethod
    def _tuple(arity: int, first: Key | None) -> Key:
        header = arity << ARITY_SHIFT | TUPLE_HEADER
        return (header, first) if isinstance(first, int) and first & IMMED2_MASK == ATOM else header

    def _add(self, key: Key, size: int, address: int, count: int = 1) -> None:
        known = self.tallies.get(key)
        if known is None:
            if len(self.tallies) >= MAX_SHAPES:
                key = (NAMED, "others", "")
            known = self.tallies.get(key, Tally(0, 0, -1, (address, self._owner)))
        largest, example = (size, (address, self._owner)) if size > known.largest else (known.largest, known.example)
        self.tallies[key] = Tally(known.terms + count, known.bytes + size, largest, example)

    def _element(self, address: int, end: int) -> None:
        self._end = end
        around: list[_Open] = []
        for term in self._vm.packed_terms(address, end):
            outer = around[-1] if around else None
            immediate = self._is_immediate(term)
            if outer is not None:
                self._in(outer, term)
                if immediate:
                    outer.size += term.size
            if term.parts:
                around.append(_Open(term, term.parts, term.size))
            elif not immediate:
                self._leaf(term)
            while around and not around[-1].left:
                self._close(around.pop())

    def _in(self, outer: _Open, term: PackedTerm) -> None:
        number = outer.term.parts - outer.left
        outer.left -= 1
        is_key = outer.term.tag == packed.MAP and not number % 2 and outer.term.parts <= 2 * MAX_FLATMAP_SIZE
        if is_key or not number:
            value = term.value
            word = value.index << IMMED2_BITS | ATOM if isinstance(value, Atom) else None
            outer.inside.append((term.address, word))

    def _is_immediate(self, term: PackedTerm) -> bool:
        value = term.value
        if isinstance(value, int):
            return -self._small <= value < self._small
        if isinstance(value, (Pid, Port)):
            return value.node is None
        return isinstance(value, Atom) or (isinstance(value, List) and term.tag != packed.STRING)

    def _close(self, one: _Open) -> None:
        """Count what had others in it, of which all have come."""
        term, count = one.term, one.term.parts
        if term.tag == packed.LIST:
            self._add(CELLS, one.size, term.address, count - 1)
        elif term.tag == packed.MAP:
            self._add(self._map(one, count // 2), one.size, term.address)
        elif term.tag == packed.FUN:
            self._add((NAMED, "fun", self._text(term.address)), one.size, term.address)
        elif term.tag == packed.RECORD:
            self._add((NAMED, Kind.RECORD.value, ""), one.size, term.address)
        else:
            self._add(self._tuple(count, one.inside[0][1]), one.size, term.address)

    def _map(self, one: _Open, size: int) -> Key:
        if size > MAX_FLATMAP_SIZE:
            return NAMED, "map", f"{size_class(size)} keys"
        return "keys", size, tuple(word if word is not None else self._text(at) for at, word in one.inside)

    def _text(self, address: int) -> str:
        return self._vm.text(self._vm.packed(address, self._end, BRIEF), elixir=False)

    def _words(self, size: int) -> int:
        return -(-size // self._word)

    def _leaf(self, term: PackedTerm) -> None:
        """Count what has no others in it."""
        thing = packed.counted(term, self._vm.tags)
        if thing is not None and term.tag != packed.MAGIC:
            if term.tag == packed.PART_OUTSIDE and isinstance(term.value, Bitstring):
                part = "part", size_class((term.value.bits + 7) // 8)
                self._add(part, thing - term.address, term.address)
                thing_size = term.size - (thing - term.address)
            else:
                thing_size = term.size
            binary = self._vm.memory.word(thing + self._binary)
            self._binaries.add(ETS, binary, thing_size, (term.address, self._owner))
        elif term.tag == packed.STRING:
            self._add(CELLS, term.size, term.address, term.size - packed.STRING_HEAD)
        elif term.tag in (packed.TUPLE, packed.LARGE_TUPLE):
            self._add(TUPLE_HEADER, term.size, term.address)
        elif term.tag == packed.MAP:
            self._add(("keys", 0, ()), term.size, term.address)
        else:
            self._add((NAMED, *self._named(term)), term.size, term.address)

    def _named(self, term: PackedTerm) -> tuple[str, str]:
        value = term.value
        if isinstance(value, Bitstring):
            return binary(self._words((value.bits + 7) // 8), self._word)
        if isinstance(value, (int, HugeInteger)):
            bits = value.bits if isinstance(value, HugeInteger) else value.bit_length()
            return integer(self._words((bits + 7) // 8), self._word)
        if isinstance(value, ExternalFun):
            return "fun", self._text(term.address)
        if isinstance(value, (Pid, Port)):
            return (Kind.EXTERNAL_PID if isinstance(value, Pid) else Kind.EXTERNAL_PORT).value, ""
        if isinstance(value, Reference):
            return (Kind.REF if value.node is None else Kind.EXTERNAL_REF).value, ""
        return (Kind.FLOAT if isinstance(value, float) else Kind.RECORD).value, ""
