"""The parts of a compound term, as words: for whoever shows terms part by part, as debuggers in editors do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.terms import maps
from beamgdb.terms.source import Malformed, Source
from jit.otp.tags import ARITY_SHIFT, BOXED, CONS, NIL, PRIMARY_MASK, Kind

NODES_PER_PAIR = 16
"""Nodes of a hash map that are entered for each pair, at most: its tree is less deep, but may be damaged."""


@dataclass(frozen=True)
class Part:
    """A part: an element of a list or tuple at its `place`, from 1 on, or the value of a `key` of a map, which is a
    word; neither for the tail of an improper list."""

    word: int
    place: int | None = None
    key: int | None = None


def parts(source: Source, word: int, most: int) -> list[Part]:
    """The parts of a term, at most so many. None of what has no parts, and none behind damage. Never raises."""
    found: list[Part] = []
    try:
        found.extend(islice(_all(source, word, most), most))
    except (Malformed, Unreadable):
        pass
    return found


def _all(source: Source, word: int, most: int) -> Iterator[Part]:
    if word & PRIMARY_MASK == CONS:
        yield from _elements(source, word)
    elif word & PRIMARY_MASK == BOXED:
        address, header = source.boxed(word, Kind.TUPLE, Kind.MAP)
        if source.tags.kind(header) is Kind.TUPLE:
            words = source.memory.words(address + source.tags.word_size, min(header >> ARITY_SHIFT, most))
            yield from (Part(one, place) for place, one in enumerate(words, 1))
        else:
            yield from (Part(value, key=key) for key, value in _pairs(source, address, header, most))


def _elements(source: Source, word: int) -> Iterator[Part]:
    place = 0
    while word & PRIMARY_MASK == CONS:
        place += 1
        head, word = source.memory.pair(source.address(word))
        if head == source.tags.non_value:
            return  # moved by a collection
        yield Part(head, place)
    if word != NIL:
        yield Part(word)


def _pairs(source: Source, address: int, header: int, most: int) -> Iterator[maps.Pair]:
    if maps.is_flat(header):
        return iter(maps.flat_pairs(source, address, header, most))
    left = iter(range(NODES_PER_PAIR * most))
    return maps.hash_pairs(source, address, header, lambda: next(left, None) is not None)
