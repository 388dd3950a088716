"""Terms as compressed ETS tables have them: in the external format (erl_ext_dist.html in ERTS's documentation), but for
atoms, which are numbers of the atom table, and for what is outside of heaps, of which the term is there as on a heap,
only not aligned (external.c, `erts_encode_ext_ets`)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Final, NamedTuple

from beamgdb.memory import Unreadable
from beamgdb.terms import bitstrings, identifiers
from beamgdb.terms.quoting import is_string
from beamgdb.terms.source import MAX_DEPTH, Limits, Malformed, Source
from beamgdb.terms.values import (
    ELIDED,
    ELIDED_STRING,
    NIL,
    Atom,
    Bitstring,
    ExternalFun,
    Fun,
    HugeInteger,
    List,
    Map,
    NativeRecord,
    NodeOfTerm,
    Pid,
    Port,
    Reference,
    Tuple,
    UnknownBoxed,
    UnreadableTerm,
    Value,
)
from jit.otp.features import BITS_NOT_BYTES
from jit.otp.tags import MAX_FUN_ARITY, TagScheme
from jit.otp.things import BinRef, ErlSubBits, ProcBin, RefThing

LOCAL_NAME: Final = "3RT$"
"""To OTP 25 the node of identifiers of this node (`INTERNAL_LOCAL_SYSNAME`, atom.names); later that is `NIL_EXT`."""

MAX_REFERENCE_NUMBERS: Final = 5

MAX_CHARACTER: Final = 0x10FFFF


NO_BYTES: Final = Limits(depth=0, width=0, bytes=0)
"""For what is gone through only to know what there is."""

READ_AHEAD: Final = 1 << 14
"""Bytes that are read together."""


class _Wrong(Exception):
    """Here is no term, or it does not end where it must."""


class PackedTerm(NamedTuple):
    """A packed term, at `address`; `parts` others in it follow, each with those in it in turn. `size` are its bytes
    without these. `tag` is its first byte; `value` is what it is if it has none in it, but for bytes and digits."""

    tag: bytes
    address: int
    size: int
    parts: int
    value: Value | None


def everything(source: Source, address: int, end: int) -> Iterator[PackedTerm]:
    """The term that is packed from an address on, and ends before `end`, and each one in it, in the order of memory,
    which is that of a tree: what is in a term comes right behind it. Raises `Unreadable` where it is no such term."""
    reading = _Reading(source, address, end, NO_BYTES)
    left = 1
    try:
        while left:
            start = reading.at
            tag = reading._tag(_TERMS)
            enter = _CONTAINERS.get(tag)
            value, count = (None, enter(reading)) if enter is not None else (_TERMS[tag](reading, 0), 0)
            reading._check(count)
            yield PackedTerm(tag, start, reading.at - start, count, value)
            left += count - 1
    except (_Wrong, Malformed):
        raise Unreadable(reading.at, max(1, end - reading.at)) from None


def counted(term: PackedTerm, tags: TagScheme) -> int | None:
    """Where the thing lies, as on a heap, by which a packed term counts a binary outside of heaps, or a magic
    reference its object; None where it has none."""
    if term.tag in (OUTSIDE, MAGIC):
        return term.address + 1
    if term.tag != PART_OUTSIDE:
        return None
    return term.address + 1 + (ErlSubBits.WORDS * tags.word_size if BITS_NOT_BYTES.of(tags.release) else 2)


def decode(source: Source, address: int, end: int, limits: Limits) -> Value:
    """The value of the term that is packed from an address on, and ends before `end`. Never raises: what is wrong with
    it is part of the value."""
    reading = _Reading(source, address, end, limits)
    try:
        return reading.term(min(limits.depth, MAX_DEPTH))
    except _Wrong:
        return UnknownBoxed(reading.at, 0, "no packed term")
    except Malformed as trouble:
        return trouble.value
    except Unreadable as trouble:
        return UnreadableTerm(trouble.address)


def bytes_of(value: Value) -> tuple[bytes, ...]:
    """Bytes of which some are in any packed term that has an immediate in it; none where it is never packed."""
    if isinstance(value, Atom):
        return (value.index.to_bytes(3, "big").lstrip(b"\0").rjust(2, b"\0"),)
    if isinstance(value, Pid):
        return (value.number.to_bytes(4, "big") + value.serial.to_bytes(4, "big"),)
    if isinstance(value, Port):
        return (value.number.to_bytes(4, "big"),)
    if isinstance(value, bool) or not isinstance(value, int):
        return (b"j",) if value == NIL else ()
    if 0 <= value <= 0xFF:
        return (bytes((value,)),)
    size = (abs(value).bit_length() + 7) // 8
    short = (value.to_bytes(4, "big", signed=True),) if -(1 << 31) <= value < 1 << 31 else ()
    return (*short, abs(value).to_bytes(size, "little"))


class _Reading:
    """How far a packed term has been read. What is left out of the value is gone through all the same, as what follows
    is found no other way; when as many terms have been read as the limits allow nothing is read any more."""

    def __init__(self, source: Source, address: int, end: int, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._end = end
        self._left = limits.nodes
        self._raw, self._start = b"", address
        self.at = address

    def term(self, depth: int) -> Value:
        """The next term."""
        self._left -= 1
        if self._left < 0:
            return ELIDED
        return _TERMS[self._tag(_TERMS)](self, depth)

    def _leaf(self) -> Value:
        """The next term, where none may come that has others in it."""
        return _TERMS[self._tag(_LEAVES)](self, 0)

    def _pass(self, count: int) -> None:
        """Go through the next `count` terms, however deep they are."""
        while count:
            count, self._left = count - 1, self._left - 1
            if self._left < 0:
                return
            tag = self._tag(_TERMS)
            enter = _CONTAINERS.get(tag)
            if enter is None:
                _TERMS[tag](self, 0)
            else:
                count += enter(self)
                self._check(count)

    def _tag(self, known: Container[bytes]) -> bytes:
        """The tag of the next term, of those that may come here."""
        tag = self._bytes(1)
        if tag not in known:
            self.at -= 1
            raise _Wrong
        return tag

    def _bytes(self, count: int) -> bytes:
        """The next bytes."""
        if count > self._end - self.at:
            raise _Wrong
        offset = self.at - self._start
        if offset + count > len(self._raw):
            size = max(count, min(READ_AHEAD, self._end - self.at))
            read = self._source.memory.try_read(self.at, size) or self._source.memory.read(self.at, count)
            self._raw, self._start, offset = read, self.at, 0
        self.at += count
        return self._raw[offset : offset + count]

    def number(self, width: int) -> int:
        """The next number, which has so many bytes."""
        return int.from_bytes(self._bytes(width), "big")

    def _terms(self, count: int, depth: int, most: int) -> list[Value]:
        """The values of the next `count` terms, `most` of them at most."""
        self._check(count)
        found: list[Value] = []
        try:
            while len(found) < min(count, most) and self._left >= 0:
                value = self.term(depth)
                if value is not ELIDED:
                    found.append(value)
            if self._left >= 0:
                self._pass(count - len(found))
        except _Wrong:
            # Of what is not read to its end there is less than its beginning says.
            if self._left >= 0:
                raise
        return found

    def _check(self, count: int) -> None:
        """There are so many terms at most, each of a byte at least."""
        if count > self._end - self.at:
            raise _Wrong

    # -- numbers -------------------------------------------------------------------------------------------------------

    def small_integer(self, depth: int) -> Value:
        return self.number(1)

    def integer(self, depth: int) -> Value:
        return int.from_bytes(self._bytes(4), "big", signed=True)

    def small_big(self, depth: int) -> Value:
        return self._big(self.number(1))

    def large_big(self, depth: int) -> Value:
        return self._big(self.number(4))

    def _big(self, size: int) -> Value:
        negative = bool(self.number(1))
        if size > max(self._limits.bytes, self._source.tags.word_size):
            self._skip(size)
            return HugeInteger(negative, 8 * size)
        number = int.from_bytes(self._bytes(size), "little")
        return -number if negative else number

    def float(self, depth: int) -> Value:
        found: float = struct.unpack(">d", self._bytes(8))[0]
        return found

    def _skip(self, size: int) -> None:
        if size > self._end - self.at:
            raise _Wrong
        self.at += size

    def _words(self, count: int) -> tuple[int, ...]:
        """The next machine words, which are as they are on a heap."""
        start = self.at
        self._skip(count * self._source.tags.word_size)
        return self._source.memory.words(start, count)

    # -- containers ----------------------------------------------------------------------------------------------------

    def nil(self, depth: int) -> Value:
        return NIL

    def string(self, depth: int) -> Value:
        """A list of small integers."""
        size = self.number(2)
        characters = tuple(self._bytes(size))
        return self._cut(list(characters), None)

    def _cut(self, elements: list[Value], tail: Value | None) -> Value:
        """A list, within the limits: that on bytes is for what is a string."""
        width, limit = self._limits.width, self._limits.bytes
        if len(elements) <= min(width, limit):
            return List(tuple(elements), tail)
        characters = all(isinstance(one, int) and 0 <= one <= MAX_CHARACTER for one in elements)
        if tail is None and characters and is_string(elements[:limit]):
            return List(tuple(elements[:limit]), ELIDED_STRING if len(elements) > limit else None)
        return List(tuple(elements[:width]), ELIDED if len(elements) > width else tail)

    def list(self, depth: int) -> Value:
        count = self.number(4)
        if depth <= 0:
            self._pass(count + 1)
            return List((), ELIDED)
        elements = self._terms(count, depth - 1, max(self._limits.width, self._limits.bytes) + 1)
        tail = self.term(depth - 1)
        return self._cut(elements, None if tail == NIL else tail)

    def small_tuple(self, depth: int) -> Value:
        return self._tuple(self.number(1), depth)

    def large_tuple(self, depth: int) -> Value:
        return self._tuple(self.number(4), depth)

    def _tuple(self, count: int, depth: int) -> Value:
        elements = self._terms(count, depth - 1, self._limits.width if depth > 0 else 0)
        return Tuple(tuple(elements), ELIDED if len(elements) < count else None)

    def map(self, depth: int) -> Value:
        size = self.number(4)
        words = self._terms(2 * size, depth - 1, 2 * self._limits.width if depth > 0 else 0)
        pairs = tuple(zip(words[::2], words[1::2]))
        return Map(pairs, size, ELIDED if len(pairs) < size else None)

    def record(self, depth: int) -> Value:
        """From OTP 29: the names of all fields come before their values."""
        count, _, module, name = self.number(4), self.number(1), self._atom(), self._atom()
        names = [one for one in self._terms(count, 0, self._limits.width) if isinstance(one, Atom)]
        values = self._terms(count, depth - 1, self._limits.width if depth > 0 else 0)
        fields = tuple(zip(names, values))
        return NativeRecord(module, name, fields, ELIDED if len(fields) < count else None)

    def enter_record(self) -> int:
        """How many terms it has in it besides its name, of which the first one is the next."""
        count = self.number(4)
        self._skip(1)
        for _ in range(2):
            self._atom()
        return 2 * count

    # -- names ---------------------------------------------------------------------------------------------------------

    def atom_by_two(self, depth: int) -> Value:
        return self._source.atom(self.number(2))

    def atom_by_three(self, depth: int) -> Value:
        return self._source.atom(self.number(3))

    def _atom(self) -> Atom:
        found = self._leaf()
        if not isinstance(found, Atom):
            raise _Wrong
        return found

    def _node(self) -> Atom | None:
        """The name of the node of an identifier, None for this one."""
        found = self._leaf()
        if found == NIL or (isinstance(found, Atom) and found.name == LOCAL_NAME):
            return None
        if not isinstance(found, Atom):
            raise _Wrong
        return found

    def pid(self, depth: int) -> Value:
        name, number, serial, creation = self._node(), self.number(4), self.number(4), self.number(4)
        return Pid(number, serial, NodeOfTerm(name, creation) if name else None)

    def port(self, depth: int) -> Value:
        return self._port(4)

    def large_port(self, depth: int) -> Value:
        return self._port(8)

    def _port(self, width: int) -> Value:
        name, number, creation = self._node(), self.number(width), self.number(4)
        return Port(number, NodeOfTerm(name, creation) if name else None)

    def reference(self, depth: int) -> Value:
        count, name, creation = self.number(2), self._node(), self.number(4)
        if not 0 < count <= MAX_REFERENCE_NUMBERS:
            raise _Wrong
        numbers = tuple(self.number(4) for _ in range(count))
        if name is not None:
            return Reference(numbers, NodeOfTerm(name, creation))
        return Reference(numbers if count <= RefThing.NUMBERS else numbers[: self._source.tags.pid_ref_shown])

    def magic_reference(self, depth: int) -> Value:
        """As it is on a heap."""
        start = self.at
        self._skip((RefThing.MAGIC_ARITY[self._source.tags.word_size] + 1) * self._source.tags.word_size)
        return identifiers.local_reference(self._source, start, self._source.memory.word(start))

    # -- funs ----------------------------------------------------------------------------------------------------------

    def export(self, depth: int) -> Value:
        module, function, arity = self._atom(), self._atom(), self._leaf()
        if not isinstance(arity, int):
            raise _Wrong
        return ExternalFun(module, function, arity)

    def fun(self, depth: int) -> Value:
        self._skip(4)
        arity = self.number(1)
        self._skip(16 + 4)
        free, module, index, uniq = self.number(4), self._atom(), self._leaf(), self._leaf()
        if free > MAX_FUN_ARITY or not isinstance(index, int) or not isinstance(uniq, int):
            raise _Wrong
        self._pass(1 + free)
        return Fun(module, index, uniq, arity, free)

    def enter_fun(self) -> int:
        """How many terms it has in it besides its name, of which the first one is the next: who has made it."""
        self._skip(4 + 1 + 16 + 4)
        free = self.number(4)
        for _ in range(3):
            self._leaf()
        return 1 + free

    # -- bits ----------------------------------------------------------------------------------------------------------

    def binary(self, depth: int) -> Value:
        return self._bits(8 * self.number(4))

    def bit_binary(self, depth: int) -> Value:
        size, last = self.number(4), self.number(1)
        if not size or not 0 < last <= 8:
            raise _Wrong
        return self._bits(8 * (size - 1) + last)

    def _bits(self, bits: int) -> Bitstring:
        start = self.at
        self._skip((bits + 7) // 8)
        return bitstrings.bits_at(self._source, start, 0, bits, self._limits.bytes, "heap")

    def outside(self, depth: int) -> Value:
        """A whole binary outside of heaps."""
        start, limit = self.at, self._limits.bytes
        if BITS_NOT_BYTES.of(self._source.tags.release):
            base, size = self._binary()
            return bitstrings.bits_at(self._source, base, 0, 8 * size, limit, "refc")
        self._skip(ProcBin.WORDS * self._source.tags.word_size)
        return bitstrings.proc_bin(self._source, start, self._source.memory.word(start), limit)

    def part_outside(self, depth: int) -> Value:
        """A part of one, or one in which there may be bits."""
        source, limit = self._source, self._limits.bytes
        if BITS_NOT_BYTES.of(source.tags.release):
            words = self._words(ErlSubBits.WORDS)
            base, _ = self._binary()
            start, end, flags = words[ErlSubBits.START], words[ErlSubBits.END], words[ErlSubBits.BASE_FLAGS]
            if start > end:
                raise _Wrong
            # Of one that was appended to only its Binary knows where it is.
            known = base if flags & ErlSubBits.FLAG_VOLATILE else flags & ~ErlSubBits.FLAG_MASK
            return bitstrings.bits_at(source, known, start, end - start, limit, "refc")
        offset, last = self.number(1), self.number(1)
        words = self._words(ProcBin.WORDS)
        whole = words[ProcBin.SIZE] - (offset + last + 7) // 8
        if whole < 0 or offset > 7 or last > 7:
            raise _Wrong
        return bitstrings.bits_at(source, words[ProcBin.BYTES], offset, 8 * whole + last, limit, "refc")

    def _binary(self) -> tuple[int, int]:
        """Where the bytes of a Binary begin that a binary ref leads to, and how many there are."""
        source, binary = self._source, self._words(BinRef.ARITY + 1)[BinRef.VAL]
        try:
            size, first = source.layout.offset("Binary", "orig_size"), source.layout.offset("Binary", "orig_bytes")
        except KeyError:
            raise _Wrong from None
        return binary + first, source.memory.word(binary + size)


STRING_HEAD: Final = 3
"""Bytes of a string before its characters."""

STRING, LIST, TUPLE, LARGE_TUPLE, MAP, FUN, EXPORT = b"k", b"l", b"h", b"i", b"t", b"p", b"q"
RECORD, OUTSIDE, PART_OUTSIDE, MAGIC = b"C", b"J", b"L", b"N"
"""Tags of those that others ask for."""

_TERMS: Final[Mapping[bytes, Callable[[_Reading, int], Value]]] = {
    b"a": _Reading.small_integer, b"b": _Reading.integer, b"n": _Reading.small_big, b"o": _Reading.large_big,
    b"F": _Reading.float, b"j": _Reading.nil, b"k": _Reading.string, b"l": _Reading.list, b"h": _Reading.small_tuple,
    b"i": _Reading.large_tuple, b"t": _Reading.map, b"C": _Reading.record, b"I": _Reading.atom_by_two,
    b"K": _Reading.atom_by_three, b"X": _Reading.pid, b"Y": _Reading.port, b"x": _Reading.large_port,
    b"Z": _Reading.reference, b"N": _Reading.magic_reference, b"q": _Reading.export, b"p": _Reading.fun,
    b"m": _Reading.binary, b"M": _Reading.bit_binary, b"J": _Reading.outside, b"L": _Reading.part_outside,
}  # fmt: skip
"""By tag (external.h)."""

_LEAVES: Final = frozenset({b"a", b"b", b"n", b"j", b"I", b"K"})
"""What are the names, numbers and nodes that are a part of other terms."""

_CONTAINERS: Final[Mapping[bytes, Callable[[_Reading], int]]] = {
    b"l": lambda reading: reading.number(4) + 1, b"h": lambda reading: reading.number(1),
    b"i": lambda reading: reading.number(4), b"t": lambda reading: 2 * reading.number(4),
    b"C": _Reading.enter_record, b"p": _Reading.enter_fun,
}  # fmt: skip
"""Those that have any others in them: what reads them up to the first of these, and says how many there are."""
