"""From tagged words to values."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from beamgdb.memory import CachedMemory, Memory, Unreadable
from beamgdb.terms import bitstrings, funs, identifiers, maps, native_records, packed
from beamgdb.terms.headers import believable_arity
from beamgdb.terms.parts import Part, parts
from beamgdb.terms.quoting import is_string
from beamgdb.terms.slots import SlotOrder
from beamgdb.terms.source import MAX_DEPTH, Atoms, CatchTable, CodeNames, FieldOffsets, Limits, Malformed, Source
from beamgdb.terms.values import (
    ELIDED,
    ELIDED_STRING,
    NON_VALUE,
    Catch,
    ContinuationPointer,
    Header,
    HugeInteger,
    Internal,
    List,
    Map,
    Moved,
    NativeRecord,
    Tuple,
    UnknownBoxed,
    UnknownWord,
    UnreadableTerm,
    Value,
)
from beamgdb.terms.values import NIL as NIL_VALUE
from jit.otp.tags import (
    ARITY_SHIFT,
    ATOM,
    BOXED,
    CATCH,
    CONS,
    HEADER,
    IMMED1_BITS,
    IMMED1_MASK,
    IMMED2_BITS,
    IMMED2_MASK,
    MAP_NODE,
    MAP_TYPE_MASK,
    MAX_TUPLE_ARITY,
    NIL,
    PID,
    PORT,
    PRIMARY_MASK,
    SMALL,
    Kind,
    TagScheme,
)
from jit.otp.things import Float

DEFAULT_LIMITS = Limits()

#: Largest code point: a list with a larger integer is no string.
MAX_CHARACTER = 0x10FFFF

#: Bytes of a bignum that is written in digits: that takes time by the square of its size.
MOST_DIGITS = 1 << 16

#: Kinds that decode to a leaf of limited length: function of (source, address, header, limit in bytes).
_BITS: dict[Kind, Callable[[Source, int, int, int], Value]] = {
    Kind.HEAP_BIN: bitstrings.heap_bin,
    Kind.HEAP_BITS: bitstrings.heap_bits,
    Kind.PROC_BIN: bitstrings.proc_bin,
    Kind.SUB_BIN: bitstrings.sub_bin,
    Kind.SUB_BITS: bitstrings.sub_bits,
    Kind.MATCH_STATE: bitstrings.match_state,
}

#: Kinds that decode to a leaf of fixed length: function of (source, address, header).
_LEAVES: dict[Kind, Callable[[Source, int, int], Value]] = {
    Kind.FUN: funs.fun,
    Kind.REF: identifiers.local_reference,
    Kind.EXTERNAL_PID: identifiers.external_pid,
    Kind.EXTERNAL_PORT: identifiers.external_port,
    Kind.EXTERNAL_REF: identifiers.external_reference,
}


class TermDecoder:
    """Decodes terms of one target. A memory that is not cached is given a cache: see `memory.forget`.

    Without `process_slots` and `port_slots` the numbers of local pids and ports can only be told on 64-bit OTP 25.
    """

    def __init__(
        self,
        memory: Memory | CachedMemory,
        tags: TagScheme,
        layout: FieldOffsets,
        atoms: Atoms,
        code: CodeNames | None = None,
        catches: CatchTable | None = None,
        process_slots: SlotOrder | None = None,
        port_slots: SlotOrder | None = None,
    ) -> None:
        self.memory = memory if isinstance(memory, CachedMemory) else CachedMemory(memory)
        self.tags = tags
        self._source = Source(self.memory, tags, layout, atoms, code, catches, process_slots, port_slots)

    def decode(self, word: int, limits: Limits = DEFAULT_LIMITS) -> Value:
        """The value of a tagged word. Never raises: what is wrong with a term is part of the value."""
        if word & IMMED1_MASK == PID:
            return identifiers.local_pid(self._source, word & self.memory.address_mask)  # there are very many
        return _Decoding(self._source, limits).term(word & self.memory.address_mask, min(limits.depth, MAX_DEPTH))

    def parts(self, word: int, most: int) -> list[Part]:
        """The parts of a compound term, at most so many. Never raises: there are none where something is wrong."""
        return parts(self._source, word & self.memory.address_mask, most)

    def packed_at(self, address: int, end: int, limits: Limits = DEFAULT_LIMITS) -> Value:
        """The value of the term that is packed from an address on, and ends before `end`: see `packed`."""
        return packed.decode(self._source, address, end, limits)

    def everything_packed(self, address: int, end: int) -> Iterator[packed.PackedTerm]:
        """That term and all that are in it: see `packed.everything`."""
        return packed.everything(self._source, address, end)

    def boxed_at(self, address: int, limits: Limits = DEFAULT_LIMITS) -> Value:
        """The value of the boxed object whose header word is at `address`, for walking a heap."""
        return self.decode(address | BOXED, limits)


class _Decoding:
    """One decoding, with what is left of its node budget."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.memory = source.memory
        self.tags = source.tags
        self.limits = limits
        self.left = limits.nodes
        self.sign = 1 << (source.tags.word_bits - IMMED1_BITS - 1)

    def term(self, word: int, depth: int) -> Value:
        self.left -= 1
        if self.left < 0:
            return ELIDED
        if word & IMMED1_MASK == SMALL:
            return self._small(word)
        primary = word & PRIMARY_MASK
        if primary == HEADER:
            return self._untagged(word)
        try:
            if primary == CONS:
                return self._list(word, depth)
            if primary == BOXED:
                return self._boxed(word, depth)
        except Malformed as trouble:
            return trouble.value
        except Unreadable as trouble:
            return UnreadableTerm(trouble.address)
        return self._immediate(word)

    def _small(self, word: int) -> int:
        value = word >> IMMED1_BITS
        return value - 2 * self.sign if value >= self.sign else value

    def _immediate(self, word: int) -> Value:
        tag = word & IMMED1_MASK
        if tag == PID:
            return identifiers.local_pid(self.source, word)
        if tag == PORT:
            return identifiers.local_port(self.source, word)
        tag = word & IMMED2_MASK
        if tag == ATOM:
            return self.source.atom(word >> IMMED2_BITS)
        if word == NIL:
            return NIL_VALUE
        if tag == CATCH:
            return self._catch(word >> IMMED2_BITS)
        return UnknownWord(word)

    def _catch(self, index: int) -> Catch:
        address = self.source.catches(index) if self.source.catches else None
        code = self.source.code
        return Catch(index, code.describe(address) if code and address is not None else None)

    def _untagged(self, word: int) -> Value:
        """A word tagged as a header: the non-value, a continuation pointer or a header word."""
        if word == self.tags.non_value:
            return NON_VALUE
        where = self.source.code.describe(word) if self.source.code else None
        if where is not None:
            return ContinuationPointer(word, where)
        kind = self.tags.kind(word)
        if kind is None and (self.tags.is_proved or not self.tags.is_whole):
            return UnknownWord(word)
        arity = believable_arity(self.tags, word, kind) if kind else None
        return ContinuationPointer(word, None) if kind is None or arity is None else Header(word, kind, arity)

    def _list(self, word: int, depth: int) -> Value:
        elements: list[Value] = []
        try:
            tail = self._follow(word, depth, elements)
        except Malformed as trouble:
            tail = trouble.value
        except Unreadable as trouble:
            tail = UnreadableTerm(trouble.address)
        if not elements and tail is not None and tail is not ELIDED:
            return tail
        return List(tuple(elements), tail)

    def _follow(self, word: int, depth: int, elements: list[Value]) -> Value | None:
        """Appends the list's elements to `elements` and returns its tail, None for the empty list.

        While all elements are characters it may be a string, which the limit on bytes is for.
        """
        if depth <= 0:
            return ELIDED
        width = self.limits.width
        limit = min(max(width, self.limits.bytes), self.left)
        word = self._characters(word, elements, limit)
        in_list = word & PRIMARY_MASK == CONS
        cut_off = in_list and len(elements) >= limit
        if (cut_off or (word == NIL and len(elements) > self.limits.bytes)) and elements and is_string(elements):
            del elements[self.limits.bytes :]
            return ELIDED_STRING
        if cut_off:
            del elements[width:]
            return ELIDED
        if len(elements) > width and (word != NIL or not is_string(elements)):
            del elements[width:]
            return ELIDED
        if in_list:
            word = self._terms(word, depth, elements)
        if word & PRIMARY_MASK == CONS:
            return ELIDED
        return None if word == NIL else self.term(word, depth - 1)

    def _characters(self, word: int, elements: list[Value], limit: int) -> int:
        """Appends the elements from `word` on that may be characters; returns the rest of the list."""
        pair, address, largest = self.memory.pair, self.source.address, MAX_CHARACTER << IMMED1_BITS | SMALL
        try:
            while word & PRIMARY_MASK == CONS and len(elements) < limit:
                head, rest = pair(address(word))
                if head & IMMED1_MASK != SMALL or head > largest:
                    break
                elements.append(head >> IMMED1_BITS)
                word = rest
        finally:
            self.left -= len(elements)
        return word

    def _terms(self, word: int, depth: int, elements: list[Value]) -> int:
        """Appends the elements from `word` on up to the limits; returns the rest of the list."""
        pair, address, width, non_value = (
            self.memory.pair, self.source.address, self.limits.width, self.tags.non_value,
        )  # fmt: skip
        while word & PRIMARY_MASK == CONS and len(elements) < width and self.left > 0:
            cell = address(word)
            head, rest = pair(cell)
            if head & IMMED1_MASK == SMALL:
                self.left -= 1
                elements.append(self._small(head))
            elif head == non_value and rest & PRIMARY_MASK == CONS:
                # A collection has moved this cell and left the new pointer in its tail.
                raise Malformed(Moved(cell, rest))
            else:
                elements.append(self.term(head, depth - 1))
            word = rest
        return word

    def _boxed(self, word: int, depth: int) -> Value:
        source = self.source
        address = source.address(word)
        header = source.header(address)
        kind = self.tags.kind(header)
        if kind is Kind.TUPLE:
            return self._tuple(address, header, depth)
        if kind is Kind.MAP:
            return self._map(address, header, depth)
        if kind is Kind.FLOAT:
            return self._float(address, header)
        if kind is Kind.POS_BIG or kind is Kind.NEG_BIG:
            return self._big(address, header, kind is Kind.NEG_BIG)
        if kind is Kind.RECORD:
            return self._native_record(address, header, depth)
        if kind in _BITS:
            return _BITS[kind](source, address, header, self.limits.bytes)
        if kind in _LEAVES:
            return _LEAVES[kind](source, address, header)
        if kind is not None and believable_arity(self.tags, header, kind) is not None:
            return Internal(kind, address)
        is_known = self.tags.is_whole and not self.tags.is_proved
        return UnknownBoxed(address, header, "no term header" if is_known else "not known in this release")

    def _tuple(self, address: int, header: int, depth: int) -> Value:
        arity = header >> ARITY_SHIFT
        if arity > MAX_TUPLE_ARITY:
            return UnknownBoxed(address, header, "impossible size")
        shown = min(arity, self.limits.width, max(self.left, 0)) if depth > 0 else 0
        words = self.memory.words(address + self.tags.word_size, shown)
        elements = tuple([self.term(word, depth - 1) for word in words])
        return Tuple(elements, ELIDED if shown < arity else None)

    def _map(self, address: int, header: int, depth: int) -> Value:
        size = maps.size(self.source, address)
        if not maps.is_flat(header) and header >> ARITY_SHIFT & MAP_TYPE_MASK == MAP_NODE:
            return Internal(Kind.MAP, address)
        limit = min(self.limits.width, max(self.left, 0)) if depth > 0 else 0
        pairs: list[tuple[Value, Value]] = []
        rest: Value | None = None
        try:
            for key, value in self._pairs(address, header, limit):
                if len(pairs) >= limit:
                    break
                pairs.append((self.term(key, depth - 1), self.term(value, depth - 1)))
        except Malformed as trouble:
            rest = trouble.value
        except Unreadable as trouble:
            rest = UnreadableTerm(trouble.address)
        if rest is None and len(pairs) < size:
            rest = ELIDED
        return Map(tuple(pairs), size, rest)

    def _native_record(self, address: int, header: int, depth: int) -> Value:
        limit = min(self.limits.width, max(self.left, 0)) if depth > 0 else 0
        found = native_records.definition(self.source, address, header, limit)
        fields = tuple([(name, self.term(self.memory.word(where), depth - 1)) for name, where in found.fields])
        return NativeRecord(found.module, found.name, fields, ELIDED if len(fields) < found.size else None)

    def _pairs(self, address: int, header: int, limit: int) -> Iterator[maps.Pair]:
        if maps.is_flat(header):
            return iter(maps.flat_pairs(self.source, address, header, limit))
        return maps.hash_pairs(self.source, address, header, self._enter)

    def _enter(self) -> bool:
        """Whether one more node of a map may be read, which counts as a term."""
        self.left -= 1
        return self.left >= 0

    def _float(self, address: int, header: int) -> Value:
        self.source.expect_arity(address, header, Float.ARITY[self.tags.word_size])
        data = self.memory.read(address + self.tags.word_size, 8)
        number: float = struct.unpack("<d" if self.memory.byteorder == "little" else ">d", data)[0]
        return number

    def _big(self, address: int, header: int, negative: bool) -> Value:
        """Digits are machine words, the lowest first, whatever the byte order."""
        count = header >> ARITY_SHIFT
        if not 0 < count <= self.tags.max_big_words:
            return UnknownBoxed(address, header, "impossible size")
        if count * self.tags.word_size > min(self.limits.bytes, MOST_DIGITS):
            return HugeInteger(negative, count * self.tags.word_bits)
        number = 0
        for digit in reversed(self.memory.words(address + self.tags.word_size, count)):
            number = number << self.tags.word_bits | digit
        return -number if negative else number
