"""Memory that holds terms, walked word by word as the VM does it when it moves a heap (erl_gc.c, `offset_heap`).

A block of terms is a sequence of boxed things, each with a header word that tells how many words follow, and of cons
cells, which have no header: what stands between things are halves of cells. Words of a thing that are no terms, such as
the digits of an integer, are the first ones behind its header.

Python takes its time with each word. So what kind of word each is is told by its lowest byte, for a whole piece of
memory at once, and the next header is found among these bytes: a list of a million cells costs one step.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, Final, NamedTuple

from beamgdb.late import dataclass
from beamgdb.memory import READ_LIMIT, CachedMemory, array_code
from beamgdb.terms import maps
from beamgdb.terms.headers import believable_arity
from jit.otp.features import FUN_HEADERS, LASTING_FUNS
from jit.otp.tags import (
    ARITY_SHIFT,
    ATOM,
    BOXED,
    CATCH,
    CONS,
    FUN_ENV_SHIFT,
    HEADER,
    IMMED1_MASK,
    IMMED2_MASK,
    MAP_NODE,
    MAP_TYPE_MASK,
    MAX_FLATMAP_SIZE,
    MAX_FUN_ARITY,
    NIL,
    PRIMARY_MASK,
    Kind,
    TagScheme,
)
from jit.otp.things import ErlFunThing25, ErlFunThing27, ErlSubBin, ErlSubBits, FlatMap, HashMap

PIECE: Final = 4 << 20
"""Bytes that are read at a time, unless one thing has more."""

MAX_FORMS: Final = 1 << 16
"""Header words whose meaning is kept: sound heaps have some hundreds."""

OF_HEADER, OF_CONS, OF_BOXED, OF_IMMEDIATE, OF_ATOM, OF_NOTHING = range(6)
"""What a word is by its lowest byte: a header, a pointer to a cell or to a thing, an atom, another immediate; or what
no word on a heap is."""

_HEADER: Final = bytes([OF_HEADER])
_NO_FORM: Final = -1
_MORE_WORDS: Final = 0
_BEHIND: Final = 8
"""Words behind a header that tell its size, at most."""


def _classes(tags: TagScheme) -> bytes:
    return bytes(_class(tags, byte) for byte in range(256))


def _class(tags: TagScheme, byte: int) -> int:
    primary, is_aligned = byte & PRIMARY_MASK, not byte & (tags.word_size - 1) & ~PRIMARY_MASK & ~tags.literal_bit
    if primary == HEADER:
        return OF_HEADER
    if primary in (CONS, BOXED):
        return (OF_CONS if primary == CONS else OF_BOXED) if is_aligned else OF_NOTHING
    if byte & IMMED1_MASK != ATOM & IMMED1_MASK:
        return OF_IMMEDIATE
    if byte & IMMED2_MASK == ATOM:
        return OF_ATOM
    return OF_IMMEDIATE if byte & IMMED2_MASK == NIL and byte & IMMED2_MASK != CATCH else OF_NOTHING


class Form(NamedTuple):
    """What a header word tells of a thing: its `kind`, how many `opaque` words follow that are no terms, and its `size`
    in words, which other words add to where `has_more`."""

    kind: Kind
    opaque: int
    size: int
    has_more: bool = False


_NOTHING: Final = (None, 0, 0, False)


class Forms:
    """The forms of things by their header words, in one tag scheme."""

    def __init__(self, tags: TagScheme) -> None:
        self._tags = tags
        self._known: dict[int, Form | None] = {}

    def of(self, header: int) -> Form | None:
        """The form of a thing; None for a word that is no header of one."""
        try:
            return self._known[header]
        except KeyError:
            if len(self._known) >= MAX_FORMS:
                self._known.clear()
            form = self._known[header] = self._form(header)
            return form

    def _form(self, header: int) -> Form | None:
        kind, arity = self._tags.kind(header), header >> ARITY_SHIFT
        if kind is None or header & PRIMARY_MASK != HEADER:
            return None
        if kind is Kind.POS_BIG:
            # What is free between terms looks like an integer too, of any size (erl_term.h, erts_write_heap_filler).
            return Form(kind, arity, 1 + arity)
        believable = believable_arity(self._tags, header, kind)
        if believable is None:
            return None
        if kind in (Kind.TUPLE, Kind.RECORD):
            return Form(kind, 0, 1 + arity)
        if kind is Kind.MAP:
            return self._map(header, believable)
        if kind is Kind.FUN:
            if not FUN_HEADERS.of(self._tags.release):
                return Form(kind, arity, ErlFunThing25.WORDS, has_more=True)
            # Where a bit of it tells external funs, the number of variables is a byte.
            variables = header >> FUN_ENV_SHIFT & (MAX_FUN_ARITY if LASTING_FUNS.of(self._tags.release) else -1)
            return Form(kind, ErlFunThing27.ENV - 1, ErlFunThing27.WORDS + variables)
        if kind is Kind.SUB_BITS:
            return Form(kind, ErlSubBits.ORIG - 1, ErlSubBits.WORDS)
        # Of a part of a binary, to OTP 26, the binary itself is not counted.
        return Form(kind, arity, ErlSubBin.WORDS if kind is Kind.SUB_BIN else 1 + arity)

    @staticmethod
    def _map(header: int, nodes: int) -> Form:
        if maps.is_flat(header):
            return Form(Kind.MAP, FlatMap.SIZE, FlatMap.VALUES, has_more=True)
        if header >> ARITY_SHIFT & MAP_TYPE_MASK == MAP_NODE:
            return Form(Kind.MAP, 0, HashMap.INNER_NODES + nodes)
        return Form(Kind.MAP, HashMap.SIZE, HashMap.NODES + nodes)


PATTERN_WORDS: Final = range(16, 1 << 10)
"""Words of a heap that may be like another one: of less there is little to be saved."""

MAX_PATTERNS: Final = 1 << 10
"""Of heaps that are kept: processes that run the same functions mostly have the same things."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """What is in each piece of memory whose words are of the same classes, if those words that tell where things begin
    are the same, and the bytes that tell how many variables funs have. The others are as in `Piece`; nothing is wrong
    in it."""

    things: list[int]
    cells: int
    telling: Callable[[Any], object]
    told: object
    counts: Callable[[Any], object]
    counted: object

    def fits(self, words: array[int], raw: bytes) -> bool:
        """Whether these are such words, of the same classes."""
        return self.telling(words) == self.told and self.counts(raw) == self.counted


class Piece(NamedTuple):
    """A piece of memory from `address` on. `classes` says of each word what it is by its lowest byte, in `things` are
    the places of header words, of things that lie in it as a whole; `cells` words are halves of cons cells. `wrong` are
    places of header words that introduce nothing, or more than there is. What is behind the last thing is free.
    `pattern` is that of all pieces with the same header words in the same places, if it is known."""

    address: int
    words: array[int]
    classes: bytes
    things: list[int]
    cells: int
    wrong: list[int]
    pattern: Pattern | None = None


class Found(NamedTuple):
    """A thing or, without a form, a cell, at `address`, of `size` words; as a term it is `word`."""

    address: int
    size: int
    word: int
    form: Form | None


class Walker:
    """Walks through memory of one VM that holds terms. `advance` is called for each piece of it."""

    def __init__(self, memory: CachedMemory, tags: TagScheme, advance: Callable[[], None] = lambda: None) -> None:
        self.memory = memory
        self.advance = advance
        self.word_size = memory.word_size
        self.forms = Forms(tags)
        self._tags = tags
        self._classes = _classes(tags)
        self._sizes: dict[int, int] = {}
        self._patterns: dict[bytes, Pattern | None] = {}
        self._lowest = 0 if memory.byteorder == "little" else memory.word_size - 1
        self._num_free = number = ErlFunThing25.NUM_FREE_BYTE
        self._num_free_shift = 8 * (number if memory.byteorder == "little" else memory.word_size - 1 - number)
        self._code = array_code(memory.word_size)
        self._is_swapped = (memory.byteorder == "little") != (array("H", [1]).tobytes()[0] == 1)

    def words(self, raw: bytes) -> array[int]:
        """Bytes of the target as words."""
        words = array(self._code)
        words.frombytes(raw)
        if self._is_swapped:
            words.byteswap()
        return words

    def kind(self, word: int) -> int:
        """What a word is by its lowest byte, such as `OF_ATOM`."""
        return self._classes[word & 0xFF]

    def pieces(self, start: int, end: int) -> Iterator[Piece]:
        """The memory from `start` to `end`, in pieces that begin where a thing or a cell does. Raises `Unreadable`. Of
        a thing that is larger than what can be read at a time only its beginning is in a piece."""
        at, wanted, word = start, PIECE, self.word_size
        end -= (end - start) % word
        while at < end:
            self.advance()
            size = min(wanted, end - at)
            raw = self.memory.read(at, size)
            piece, used = self._piece(at, raw, is_last=at + size >= end, is_largest=size >= READ_LIMIT)
            if not used:
                # The first thing is larger.
                wanted = READ_LIMIT
                continue
            yield piece
            at, wanted = at + used * word, PIECE

    def _piece(self, address: int, raw: bytes, is_last: bool, is_largest: bool) -> tuple[Piece, int]:
        """A piece, and of how many words it is, none where the first thing does not end in it."""
        words, classes = self.words(raw), raw[self._lowest :: self.word_size].translate(self._classes)
        count, at, cells = len(words), 0, 0
        may_be_like = is_last and count in PATTERN_WORDS
        pattern = self._patterns.get(classes) if may_be_like else None
        if pattern is not None and pattern.fits(words, raw):
            return Piece(address, words, classes, pattern.things, pattern.cells, [], pattern), count
        things: list[int] = []
        wrong: list[int] = []
        find, sizes, found = classes.find, self._sizes, things.append
        while at < count:
            place = at
            if classes[at]:  # (Mostly a thing follows another one, and there is nothing to be looked for.)
                place = find(_HEADER, at)
                if place < 0:
                    cells += count - at
                    at = count
                    break
                cells += place - at
            try:
                size = sizes[words[place]]
            except KeyError:
                size = self._size(words[place])
            if size <= _MORE_WORDS:
                if place + _BEHIND > count and not is_last:
                    size = count
                elif size == _MORE_WORDS:
                    size = self.whole_size(words, place)
                if size == _NO_FORM:
                    wrong.append(place)
                    at = place + 1
                    continue
            after = place + size
            if after > count:
                at = place
                if is_last:
                    wrong.append(place)
                    at = count
                elif not place and is_largest:
                    found(place)
                    at = after
                break
            found(place)
            at = after
        pattern = (
            self._pattern(words, raw, classes, things, cells) if may_be_like and at == count and not wrong else None
        )
        return Piece(address, words if at >= count else words[:at], classes, things, cells, wrong, pattern), at

    def _pattern(self, words: array[int], raw: bytes, classes: bytes, things: list[int], cells: int) -> Pattern | None:
        """That of such pieces; None of the first one."""
        if len(self._patterns) >= MAX_PATTERNS:
            self._patterns.clear()
        is_second = self._patterns.get(classes, False) is None
        self._patterns[classes] = None
        if not is_second or not things:
            return None
        open_ = [place for place in things if self._size(words[place]) == _MORE_WORDS]
        flat = [place + FlatMap.SIZE for place in open_ if self._is_map(words[place])]
        funs = [place + ErlFunThing25.COUNTS for place in open_ if not self._is_map(words[place])]
        telling = itemgetter(*things, *flat)
        counts = itemgetter(*(place * self.word_size + self._num_free for place in funs)) if funs else bool
        found = self._patterns[classes] = Pattern(things, cells, telling, telling(words), counts, counts(raw))
        return found

    def _is_map(self, header: int) -> bool:
        form = self.forms.of(header)
        return form is not None and form.kind is Kind.MAP

    def _size(self, header: int) -> int:
        """Words of a thing; `_MORE_WORDS` where its header does not tell, `_NO_FORM` for what is no header."""
        if len(self._sizes) >= MAX_FORMS:
            self._sizes.clear()
        form = self.forms.of(header)
        size = _NO_FORM if form is None else _MORE_WORDS if form.has_more else form.size
        self._sizes[header] = size
        return size

    def whole_size(self, words: array[int], place: int) -> int:
        """Words of the thing whose header word is at a place, where that does not tell it alone; -1 for an impossible
        one."""
        kind, opaque, size, has_more = self.forms.of(words[place]) or _NOTHING
        if kind is None or place + opaque >= len(words):
            return _NO_FORM
        if not has_more:
            return size
        if kind is Kind.MAP:
            keys = words[place + FlatMap.SIZE]
            return size + keys if keys <= MAX_FLATMAP_SIZE else _NO_FORM
        return size + (words[place + ErlFunThing25.COUNTS] >> self._num_free_shift & 0xFF)

    def everything(self, start: int, end: int) -> Iterator[Found]:
        """Each thing and each cell. Raises `Unreadable`."""
        word = self.word_size
        for piece in self.pieces(start, end):
            at, words = 0, piece.words
            for place in [*piece.things, len(words)]:
                for cell in range(at, place - 1, 2):
                    address = piece.address + cell * word
                    yield Found(address, 2, address | CONS, None)
                if place < len(words):
                    size = max(1, self.whole_size(words, place))
                    address = piece.address + place * word
                    yield Found(address, size, address | BOXED, self.forms.of(words[place]))
                    at = place + size

    def inside(self, start: int, end: int, wanted: list[int]) -> Iterator[tuple[int, Found]]:
        """Each of the addresses of words, in ascending order, with the thing or cell that it is in. Raises
        `Unreadable`."""
        left = list(reversed(wanted))
        for found in self.everything(start, end):
            while left and left[-1] < found.address + found.size * self.word_size:
                yield left.pop(), found
            if not left:
                return
