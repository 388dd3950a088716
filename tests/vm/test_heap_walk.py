"""Walks through memory with terms, as it is on no sound heap, or on none of these sizes."""

from __future__ import annotations

import random

import pytest

from beamgdb.memory import BytesMemory, CachedMemory, Unreadable
from beamgdb.vm import heap_walk
from beamgdb.vm.heap_walk import Found, Piece, Walker
from jit.object.target import ByteOrder
from jit.otp.tags import ARITY_SHIFT, BOXED, CONS, HEADERS_IN_BITS, HEADERS_IN_BYTES, NIL, Kind, tag_scheme

START = 0x1_0000
ONE = 1 << 4 | 15


def tuple_(*words: int) -> list[int]:
    return [len(words) << ARITY_SHIFT, *words]


def bignum(*digits: int) -> list[int]:
    return [len(digits) << ARITY_SHIFT | HEADERS_IN_BYTES[Kind.POS_BIG], *digits]


def walker(words: list[int], release: int = 27, word_size: int = 8, order: ByteOrder = "little") -> Walker:
    raw = b"".join(word.to_bytes(word_size, order) for word in words)
    return Walker(CachedMemory(BytesMemory({START: raw}, word_size, order)), tag_scheme(release, word_size))


def pieces(words: list[int], missing: int = 0) -> list[Piece]:
    """Those of these words, and of so many that cannot be read."""
    return list(walker(words).pieces(START, START + 8 * (len(words) + missing)))


def found(walked: Walker, words: list[int]) -> list[Found]:
    return list(walked.everything(START, START + walked.word_size * len(words)))


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("word_size", [4, 8])
def test_cells_between_things(word_size: int, order: ByteOrder) -> None:
    words = [ONE, NIL, *tuple_(ONE, ONE), ONE, NIL, ONE, START | CONS, *bignum(0, 0x40)]
    walked = walker(words, word_size=word_size, order=order)
    (piece,) = walked.pieces(START, START + word_size * len(words))
    assert (piece.things, piece.cells, piece.wrong) == ([2, 9], 6, [])
    starts = [(one.address - START) // word_size for one in found(walked, words)]
    assert starts == [0, 2, 5, 7, 9]
    assert [one.word & 3 for one in found(walked, words)] == [CONS, BOXED, CONS, CONS, BOXED]


def test_digits_are_no_headers_and_elements_no_cells() -> None:
    (piece,) = pieces([*bignum(0, 0, 0), *tuple_(ONE), *tuple_(), ONE, NIL])
    assert (piece.things, piece.cells) == ([0, 4, 6], 2)


def test_a_header_that_introduces_nothing() -> None:
    unused = tag_scheme(27, 8).subtags.index(None) << 2
    (piece,) = pieces([ONE, NIL, 1 << ARITY_SHIFT | unused, *tuple_(ONE)])
    assert (piece.things, piece.cells, piece.wrong) == ([3], 2, [2])


@pytest.mark.parametrize("last", [[5 << ARITY_SHIFT, ONE], [1 << ARITY_SHIFT], [HEADERS_IN_BITS[Kind.MAP] | 0x4000]])
def test_a_thing_that_is_larger_than_what_it_lies_in(last: list[int]) -> None:
    (piece,) = pieces([*tuple_(ONE), *last])
    assert (piece.things, piece.cells, piece.wrong) == ([0], 0, [2])


def test_pieces_begin_where_something_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap_walk, "PIECE", 128)
    words = [ONE, NIL] + 5 * [*tuple_(ONE, ONE), *bignum(4), ONE, NIL] + tuple_(*[ONE] * 50) + [ONE, NIL]
    seen = pieces(words)
    assert [word for piece in seen for word in piece.words] == words
    assert sum(piece.cells for piece in seen) == 14
    assert sum(len(piece.things) for piece in seen) == 11
    assert all(piece.words[place] & 3 == 0 for piece in seen for place in piece.things)
    assert len(seen) > 3


def test_more_than_can_be_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows it is found all the same."""
    for name in ("PIECE", "READ_LIMIT"):
        monkeypatch.setattr(heap_walk, name, 128)
    seen = pieces([*tuple_(*[ONE] * 50), *tuple_(ONE)])
    assert [(piece.address - START, piece.things, piece.cells) for piece in seen] == [(0, [0], 0), (8 * 51, [0], 0)]


def test_funs_have_their_variables() -> None:
    """To OTP 26 a byte in another word counts them."""
    header = 3 << ARITY_SHIFT | HEADERS_IN_BYTES[Kind.FUN]
    words = [header, 0x40, 0, 2 << 8 | 1, NIL, ONE, ONE, *tuple_(ONE)]
    assert [one.size for one in found(walker(words, release=25), words)] == [7, 2]
    header = 2 << 16 | 1 << 8 | HEADERS_IN_BITS[Kind.FUN]
    words = [header, 0x40, ONE, ONE, *tuple_(ONE)]
    assert [one.size for one in found(walker(words), words)] == [4, 2]


def test_an_external_fun_of_a_later_release_has_none() -> None:
    words = [1 << 24 | 1 << 8 | HEADERS_IN_BITS[Kind.FUN], 0x40, *tuple_(ONE)]
    assert [one.size for one in found(walker(words, release=29), words)] == [2, 2]


def test_heaps_that_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of one is said of another only if that has the same: a word may differ anywhere."""
    monkeypatch.setattr(heap_walk, "PATTERN_WORDS", range(1, 1000))
    headers = HEADERS_IN_BYTES
    flat = [1 << 2 + ARITY_SHIFT | headers[Kind.MAP], 1, START | BOXED, ONE]
    fun = [3 << ARITY_SHIFT | headers[Kind.FUN], 0x40, 0, 7 << 32 | 2 << 8 | 1, NIL, ONE, ONE]
    heap = [ONE, NIL, *tuple_(ONE, ONE), *flat, *fun, *bignum(8, 12), ONE, NIL, *fun, *tuple_(ONE)]
    heaps = [heap, heap, heap]
    for at in range(len(heap)):
        # (The last one differs in a byte of a fun that says nothing.)
        heaps += [[*heap[:at], changed, *heap[at + 1 :]] for changed in (0, 1 << 6, ONE, heap[at] ^ 1 << 40)]
    random.Random(1).shuffle(heaps)
    words = [word for heap in heaps for word in [*heap, *heap]]
    walked, size = walker(words, release=25), 8 * len(heap)
    known = [piece for at in range(0, 8 * len(words), size) for piece in walked.pieces(START + at, START + at + size)]
    monkeypatch.setattr(heap_walk, "PATTERN_WORDS", range(0))
    alone = [piece for at in range(0, 8 * len(words), size) for piece in walked.pieces(START + at, START + at + size)]
    assert [piece[:6] for piece in known] == [piece[:6] for piece in alone]
    assert sum(piece.pattern is not None for piece in known) > len(heaps)


def test_what_a_word_is_in() -> None:
    words = [ONE, NIL, *tuple_(ONE, ONE), ONE, NIL]
    at = [START + 8, START + 24, START + 40]
    inside = list(walker(words).inside(START, START + 8 * len(words), at))
    assert [(where - START, one.address - START, one.form is None) for where, one in inside] == [
        (8, 0, True), (24, 16, False), (40, 40, True),
    ]  # fmt: skip


def test_memory_that_is_missing() -> None:
    with pytest.raises(Unreadable):
        pieces([ONE, NIL], missing=1)
