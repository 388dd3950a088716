"""From words of AtomVM to values, bounded (term.h). Values and their text are those of `beamgdb.terms`.

The two lowest bits of a word tell what it is: 0 a return address on a stack, or the header of what lies on a heap; 1 a
pointer to a list cell, of which the tail comes first; 2 a pointer to a header; 3 what is in the word itself. A header
has the number of words that follow above its six lowest bits, which tell the kind.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Protocol

from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.terms.parts import Part
from beamgdb.terms.source import MAX_DEPTH, Limits
from beamgdb.terms.values import (
    ELIDED,
    ELIDED_STRING,
    NIL,
    NON_VALUE,
    Atom,
    Bitstring,
    Catch,
    ContinuationPointer,
    ExternalFun,
    Fun,
    HugeInteger,
    List,
    Map,
    MatchContext,
    Moved,
    NodeOfTerm,
    Pid,
    Port,
    Reference,
    Tuple,
    UnknownBoxed,
    UnknownWord,
    UnreadableTerm,
    Value,
)
from jit.otp.layouts.layout import Layout

PRIMARY: Final = 0x3
RETURN, LIST, BOXED, IMMEDIATE = range(4)
_PID, _PORT, _IMMED2, _INTEGER = 0x3, 0x7, 0xB, 0xF
_ATOM, _CATCH, _NIL = 0x0B, 0x1B, 0x3B
_IMMED_BITS, _IMMED2_BITS = 4, 6
_KIND: Final = 0x3F
_MOVED: Final = 0x2B
"""Stands where a collection has moved a list cell or object from; the new pointer follows (memory.c)."""

(_TUPLE, _MATCH_STATE, _POSITIVE, _NEGATIVE, _REFERENCE, _FUN, _FLOAT) = (0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18)
(_REFC_BINARY, _HEAP_BINARY, _SUB_BINARY, _MAP) = (0x20, 0x24, 0x28, 0x2C)
(_EXTERNAL_PID, _EXTERNAL_PORT, _EXTERNAL_REFERENCE) = (0x30, 0x34, 0x38)

CONST: Final = 1
"""The flag of a binary outside of heaps whose bytes lie where its pointer leads to, nothing before (RefcBinary)."""

MOST_WORDS: Final = 1 << 26
"""Words of one object: a header with more is none."""

MOST_DIGITS: Final = 1 << 12
"""Words of an integer that is written in digits: that takes time by the square of its size."""

RESOURCE: Final = 3
"""Words of the reference of a resource behind its header: other references on this node have those of 64 bits."""


class Names(Protocol):
    """What else a VM tells of terms. Each is None where it does not."""

    def atom(self, index: int, /) -> str | None: ...

    def place(self, word: int, /) -> str | None:
        """The function, and the line, to which a return address on a stack leads."""

    def handler(self, word: int, /) -> str | None:
        """The same for a catch on a stack."""

    def fun(self, module: int, index: int, /) -> tuple[Atom, int, int, int] | None:
        """Module, index and uniq as `fun_to_list/1` prints them, and arity of the fun at an index of the table of the
        module at an address."""


@dataclass(frozen=True)
class Terms:
    """The terms of one VM; `float_size` is in bytes."""

    memory: CachedMemory
    layout: Layout
    names: Names
    float_size: int = 8

    def decode(self, word: int, limits: Limits) -> Value:
        """The value of a word. Never raises: what is wrong with a term is part of the value."""
        return _Decoding(self, limits).term(word & self.memory.address_mask, min(limits.depth, MAX_DEPTH))

    def atom(self, index: int) -> Atom:
        return Atom(index, self.names.atom(index))

    def parts(self, word: int, most: int) -> list[Part]:
        """The parts of a compound term as words, at most so many. Never raises: there are none where something is
        wrong."""
        try:
            return self._parts(word & self.memory.address_mask, most)
        except Unreadable:
            return []

    def _parts(self, word: int, most: int) -> list[Part]:
        size, address = self.memory.word_size, word & ~PRIMARY
        found: list[Part] = []
        if word & PRIMARY == LIST:
            while len(found) < most and word & PRIMARY == LIST:
                tail, head = self.memory.pair(word & ~PRIMARY)
                found.append(Part(head, len(found) + 1))
                word = tail
            return [*found, Part(word)] if word != _NIL and len(found) < most else found
        if word & PRIMARY != BOXED:
            return found
        header = self.memory.word(address)
        count = header >> _IMMED2_BITS
        if header & _KIND == _TUPLE:
            words = self.memory.words(address + size, min(count, most))
            return [Part(one, place) for place, one in enumerate(words, 1)]
        if header & _KIND == _MAP:
            keys = self.memory.word(address + size) & ~PRIMARY
            number = min(self.memory.word(keys) >> _IMMED2_BITS, most, max(0, count - 1))
            pairs = zip(self.memory.words(keys + size, number), self.memory.words(address + 2 * size, number))
            return [Part(value, key=key) for key, value in pairs]
        return found


def atom_index(word: int) -> int | None:
    """The index of the atom that a word is, None of another term."""
    return word >> _IMMED2_BITS if word & _KIND == _ATOM else None


def catch_of(word: int) -> tuple[int, int] | None:
    """Index of the module and label of the handler that a catch on a stack has, None of another word."""
    return (word >> 24, word >> _IMMED2_BITS & 0x3FFFF) if word & _KIND == _CATCH else None


def pid_number(word: int) -> int | None:
    """The number of a process or port of this node, None of another term."""
    return word >> _IMMED_BITS if word & 0xF in (_PID, _PORT) else None


class _Decoding:
    """One decoding, with what is left of its budget of terms."""

    def __init__(self, terms: Terms, limits: Limits) -> None:
        self.terms = terms
        self.memory = terms.memory
        self.size = terms.memory.word_size
        self.limits = limits
        self.left = limits.nodes

    def term(self, word: int, depth: int) -> Value:
        self.left -= 1
        if self.left < 0:
            return ELIDED
        primary = word & PRIMARY
        if primary == IMMEDIATE:
            return self._immediate(word)
        if primary == RETURN:
            return ContinuationPointer(word, self.terms.names.place(word)) if word else NON_VALUE
        address = word & ~PRIMARY
        if address & self.size - 1:
            return UnknownBoxed(address, 0, "misaligned")
        try:
            return self._list(word, depth) if primary == LIST else self._boxed(address, depth)
        except Unreadable as trouble:
            return UnreadableTerm(trouble.address)

    def _immediate(self, word: int) -> Value:
        kind, number = word & 0xF, word >> _IMMED_BITS
        if kind == _INTEGER:
            sign = 1 << 8 * self.size - _IMMED_BITS - 1
            return (number ^ sign) - sign
        if kind == _PID:
            return Pid(number, 0)
        if kind == _PORT:
            return Port(number)
        if word & _KIND == _ATOM:
            return self.terms.atom(word >> _IMMED2_BITS)
        if word == _NIL:
            return NIL
        if word & _KIND == _CATCH:
            return Catch(word >> _IMMED2_BITS, self.terms.names.handler(word))
        return UnknownWord(word)

    def _list(self, word: int, depth: int) -> Value:
        if depth <= 0:
            return List((), ELIDED)
        elements: list[Value] = []
        characters = True
        while word & PRIMARY == LIST:
            # A list of characters is a string, of which more is shown.
            most = self.limits.bytes if characters else self.limits.width
            if len(elements) >= most or self.left <= 0:
                return List(tuple(elements[:most]), ELIDED_STRING if characters else ELIDED)
            tail, head = self.memory.pair(word & ~PRIMARY)
            if tail == _MOVED:
                moved = Moved(word & ~PRIMARY, head)
                return List(tuple(elements), moved) if elements else moved
            element = self.term(head, depth - 1)
            characters = characters and isinstance(element, int) and 0 <= element <= 0x10FFFF
            elements.append(element)
            if not characters and len(elements) > self.limits.width:
                return List(tuple(elements[: self.limits.width]), ELIDED)
            word = tail
        return List(tuple(elements), None if word == _NIL else self.term(word, depth - 1))

    def _boxed(self, address: int, depth: int) -> Value:
        header = self.memory.word(address)
        if header == _MOVED:
            return Moved(address, self.memory.word(address + self.size))
        if header & PRIMARY:
            return UnknownBoxed(address, header, "no header word")
        kind, count = header & _KIND, header >> _IMMED2_BITS
        if count > MOST_WORDS:
            return UnknownBoxed(address, header, "impossible size")
        decode = _KINDS.get(kind)
        if decode is None:
            return UnknownBoxed(address, header, "no kind of term")
        found = decode(self, address, count, depth)
        return found if found is not None else UnknownBoxed(address, header, "impossible size")

    def _words(self, address: int, count: int) -> tuple[int, ...]:
        """Words of an object behind its header."""
        return self.memory.words(address + self.size, count)

    def _tuple(self, address: int, count: int, depth: int) -> Value:
        shown = min(count, self.limits.width, max(self.left, 0)) if depth > 0 else 0
        elements = tuple(self.term(word, depth - 1) for word in self._words(address, shown))
        return Tuple(elements, ELIDED if shown < count else None)

    def _map(self, address: int, count: int, depth: int) -> Value | None:
        """A map: its keys, a tuple that several may share, then the values in their order."""
        if not count:
            return None
        (keys,) = self._words(address, 1)
        if keys & PRIMARY != BOXED:
            return None
        header = self.memory.word(keys & ~PRIMARY)
        size = header >> _IMMED2_BITS
        if header & _KIND != _TUPLE or size != count - 1:
            return None
        shown = min(size, self.limits.width, max(self.left, 0)) if depth > 0 else 0
        values = self.memory.words(address + 2 * self.size, shown)
        pairs = zip(self._words(keys & ~PRIMARY, shown), values)
        found = tuple((self.term(key, depth - 1), self.term(value, depth - 1)) for key, value in pairs)
        return Map(found, size, ELIDED if shown < size else None)

    def _integer(self, address: int, count: int, _: int) -> Value | None:
        """One that does not fit a word: signed in one or two words, else digits and a sign in the header (intn.h)."""
        if not count:
            return None
        negative = self.memory.word(address) & _KIND == _NEGATIVE
        if count > MOST_DIGITS:
            return HugeInteger(negative, 8 * self.size * count)
        data = self.memory.read(address + self.size, self.size * count)
        if self.size * count <= 8:
            return int.from_bytes(data, self.memory.byteorder, signed=True)
        number = int.from_bytes(data, self.memory.byteorder)
        return -number if negative else number

    def _float(self, address: int, count: int, _: int) -> Value | None:
        size = self.terms.float_size
        return float_at(self.memory, address + self.size, size) if count * self.size >= size else None

    def _reference(self, address: int, count: int, _: int) -> Value | None:
        """Numbers that count up; or a resource, which shows as the addresses of its type and of itself."""
        if count == RESOURCE:
            (resource,) = self._words(address, 1)
            layout = self.terms.layout
            kind = self.memory.word(resource + layout.offset("RefcBinary", "resource_type"))
            itself = resource + layout.offset("RefcBinary", "data")
            return Reference((*_halves(itself), *_halves(kind)), magic=resource)
        words = self._words(address, count)
        if count == 1 and self.size == 8:
            return Reference(_halves(words[0]))
        return Reference((words[1], words[0])) if count == 2 and self.size == 4 else None

    def _fun(self, address: int, count: int, _: int) -> Value | None:
        """A fun: `fun m:f/a` has its three parts, another one its module's address and an index."""
        if count < 2:
            return None
        words = self._words(address, min(count, RESOURCE))
        module = atom_index(words[0])
        if module is not None:
            function, arity = atom_index(words[1]), words[-1] >> _IMMED_BITS
            if function is None or count != RESOURCE:
                return None
            return ExternalFun(self.terms.atom(module), self.terms.atom(function), arity)
        found = self.terms.names.fun(words[0], words[1] >> _IMMED_BITS)
        return Fun(*found, free=count - 2) if found is not None else None

    def _external(self, address: int, count: int) -> tuple[NodeOfTerm, list[int]]:
        """The node of an identifier, and the numbers of 32 bits that follow."""
        data = self.memory.read(address + self.size, self.size * min(count, 8))
        numbers = [int.from_bytes(data[at : at + 4], self.memory.byteorder) for at in range(0, len(data), 4)]
        return NodeOfTerm(self.terms.atom(numbers[0]), numbers[1]), numbers[2:]

    def _external_pid(self, address: int, count: int, _: int) -> Value | None:
        node, numbers = self._external(address, count) if self.size * count >= 16 else (None, [])
        return Pid(numbers[0], numbers[1], node) if node is not None else None

    def _external_port(self, address: int, count: int, _: int) -> Value | None:
        node, numbers = self._external(address, count) if self.size * count >= 16 else (None, [])
        return Port(numbers[0] << 32 | numbers[1], node) if node is not None else None

    def _external_reference(self, address: int, count: int, _: int) -> Value | None:
        if self.size * count < 8:
            return None
        node, numbers = self._external(address, count)
        if self.size == 8:
            # Words of 64 bits may have one number too much, so they are counted.
            if not numbers or numbers[0] >= len(numbers):
                return None
            numbers = numbers[1 : 1 + numbers[0]]
        return Reference(tuple(numbers), node)

    def _bytes(self, address: int, size: int, storage: str) -> Value:
        return Bitstring(self.memory.read(address, min(size, self.limits.bytes)), 8 * size, storage)

    def _heap_binary(self, address: int, count: int, _: int) -> Value | None:
        """A binary: its size in bytes, then these."""
        size = self.memory.word(address + self.size) if count else 0
        return self._bytes(address + 2 * self.size, size, "heap") if size <= (count - 1) * self.size else None

    def _refc_binary(self, address: int, count: int, _: int) -> Value | None:
        """One outside of heaps: size, flags, and a pointer to it, or to its bytes if they are constant."""
        if count < 3:
            return None
        size, flags, pointer = self._words(address, 3)
        if size > MOST_WORDS * self.size:
            return None
        data = 0 if flags & CONST else self.terms.layout.offset("RefcBinary", "data")
        return self._bytes(pointer + data, size, "refc")

    def _sub_binary(self, address: int, count: int, _: int) -> Value | None:
        """A part of another binary: size, offset in bytes, and that."""
        if count < 3:
            return None
        size, offset, whole = self._words(address, 3)
        start = self._data(whole)
        return self._bytes(start + offset, size, "sub") if start and size <= MOST_WORDS * self.size else None

    def _match_state(self, address: int, count: int, _: int) -> Value | None:
        """A binary that is being matched, and how many bits of it have been."""
        if count < 2:
            return None
        binary, position = self._words(address, 2)
        start, size = self._data(binary), self._binary_size(binary)
        if not start or position > 8 * size:
            return None
        left, skipped = 8 * size - position, position & 7
        data = self.memory.read(start + position // 8, min(size - position // 8, self.limits.bytes + 1))
        number = int.from_bytes(data, "big") << skipped & (1 << 8 * len(data)) - 1
        rest = number.to_bytes(len(data), "big")[: min((left + 7) // 8, self.limits.bytes)]
        return MatchContext(Bitstring(rest, left, "sub"), position)

    def _data(self, binary: int) -> int:
        """Where the bytes of a binary are, 0 if it is none."""
        address = binary & ~PRIMARY
        for _ in range(MAX_DEPTH):
            kind = self.memory.word(address) & _KIND if binary & PRIMARY == BOXED else _TUPLE
            if kind == _HEAP_BINARY:
                return address + 2 * self.size
            if kind == _REFC_BINARY:
                _, flags, pointer = self._words(address, 3)
                return pointer + (0 if flags & CONST else self.terms.layout.offset("RefcBinary", "data"))
            if kind != _SUB_BINARY:
                return 0
            _, offset, whole = self._words(address, 3)
            start = self._data(whole) if whole != binary else 0
            return start + offset if start else 0
        return 0

    def _binary_size(self, binary: int) -> int:
        (size,) = self._words(binary & ~PRIMARY, 1)
        return min(size, MOST_WORDS * self.size)


def float_at(memory: CachedMemory, address: int, size: int) -> float:
    """The float of `size` bytes at an address. Raises `Unreadable`."""
    order = "<" if memory.byteorder == "little" else ">"
    return float(struct.unpack(f"{order}{'d' if size == 8 else 'f'}", memory.read(address, size))[0])


def _halves(number: int) -> tuple[int, int]:
    """The numbers of 32 bits of one of 64, the lower one first."""
    return number & 0xFFFFFFFF, number >> 32


_KINDS: Final[dict[int, Callable[[_Decoding, int, int, int], Value | None]]] = {
    _TUPLE: _Decoding._tuple,
    _MATCH_STATE: _Decoding._match_state,
    _POSITIVE: _Decoding._integer,
    _NEGATIVE: _Decoding._integer,
    _REFERENCE: _Decoding._reference,
    _FUN: _Decoding._fun,
    _FLOAT: _Decoding._float,
    _REFC_BINARY: _Decoding._refc_binary,
    _HEAP_BINARY: _Decoding._heap_binary,
    _SUB_BINARY: _Decoding._sub_binary,
    _MAP: _Decoding._map,
    _EXTERNAL_PID: _Decoding._external_pid,
    _EXTERNAL_PORT: _Decoding._external_port,
    _EXTERNAL_REFERENCE: _Decoding._external_reference,
}
