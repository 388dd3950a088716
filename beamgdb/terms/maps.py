"""Maps as pairs of words (erl_map.h of OTP 25 and 27).

Up to 32 keys: a sorted tuple of keys, shared between maps, and the values. More: a hash trie (HAMT) whose leaves are
cons cells `[Key|Value]`; in OTP 27, keys whose whole hash is equal share a collision node, a tuple of leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from beamgdb.terms.source import Malformed, Source
from beamgdb.terms.values import UnknownBoxed
from jit.otp.features import COLLISION_NODES
from jit.otp.tags import (
    ARITY_SHIFT,
    CONS,
    MAP_FLAT,
    MAP_NODE,
    MAP_TYPE_MASK,
    MAP_VALUE_MASK,
    MAP_VALUE_SHIFT,
    MAX_FLATMAP_SIZE,
    PRIMARY_MASK,
    Kind,
)
from jit.otp.things import FlatMap, HashMap

Pair = tuple[int, int]

#: A hash trie over 64-bit hashes has 16 levels, over re-salted 32-bit ones few more: deeper is a cycle.
MAX_LEVELS = 64


def is_flat(header: int) -> bool:
    return header >> ARITY_SHIFT & MAP_TYPE_MASK == MAP_FLAT


def size(source: Source, address: int) -> int:
    """The number of keys that the map at `address` claims."""
    return source.memory.word(address + FlatMap.SIZE * source.tags.word_size)


def flat_pairs(source: Source, address: int, header: int, limit: int) -> list[Pair]:
    """At most `limit` (key, value) words of a flatmap, in stored order."""
    _, count, keys = source.memory.words(address, FlatMap.VALUES)
    if count > MAX_FLATMAP_SIZE:
        raise Malformed(UnknownBoxed(address, header, "impossible size"))
    shown = min(count, limit)
    if not shown:
        return []
    step = source.tags.word_size
    key_words = source.memory.words(_key_tuple(source, keys, count) + step, shown)
    return list(zip(key_words, source.memory.words(address + FlatMap.VALUES * step, shown)))


def hash_pairs(source: Source, address: int, header: int, enter: Callable[[], bool]) -> Iterator[Pair]:
    """The (key, value) words of a hash map in storage order.

    `enter` is asked before each node below the first one: nodes may be shared so that there is no end of them. Stops
    where it says no, and by raising Malformed or Unreadable where a node is broken; what came before is good.
    """
    if header >> ARITY_SHIFT & MAP_TYPE_MASK == MAP_NODE:
        raise Malformed(UnknownBoxed(address, header, "map node outside a map"))
    trail = [iter(_children(source, address, header, HashMap.NODES))]
    while trail:
        word = next(trail[-1], None)
        if word is None:
            trail.pop()
        elif word & PRIMARY_MASK == CONS:
            yield source.memory.pair(source.address(word))
        elif len(trail) >= MAX_LEVELS:
            raise Malformed(UnknownBoxed(address, header, "map nested too deeply"))
        elif not enter():
            return
        else:
            trail.append(iter(_inner(source, word)))


def _key_tuple(source: Source, word: int, count: int) -> int:
    """Address of the key tuple, which a collection may have moved before the map: then it is followed once."""
    try:
        address, header = source.boxed(word, Kind.TUPLE)
    except Malformed as trouble:
        target = getattr(trouble.value, "target", None)
        if target is None:
            raise
        address, header = source.boxed(target, Kind.TUPLE)
    if header >> ARITY_SHIFT != count:
        raise Malformed(UnknownBoxed(address, header, "no key tuple of this map"))
    return address


def _children(source: Source, address: int, header: int, first: int) -> tuple[int, ...]:
    count = bin(header >> MAP_VALUE_SHIFT & MAP_VALUE_MASK).count("1")
    if not count:
        raise Malformed(UnknownBoxed(address, header, "map node without children"))
    return source.memory.words(address + first * source.tags.word_size, count)


def _inner(source: Source, word: int) -> tuple[int, ...]:
    """The children of an inner node: a bitmap node, or a collision node."""
    kinds = (Kind.MAP, Kind.TUPLE) if COLLISION_NODES.of(source.tags.release) else (Kind.MAP,)
    address, header = source.boxed(word, *kinds)
    if source.tags.kind(header) is Kind.MAP:
        if header >> ARITY_SHIFT & MAP_TYPE_MASK != MAP_NODE:
            raise Malformed(UnknownBoxed(address, header, "no map node"))
        return _children(source, address, header, HashMap.INNER_NODES)
    return _collisions(source, address, header)


#: More keys with one and the same 64-bit hash do not happen.
MAX_COLLISIONS = 1024


def _collisions(source: Source, address: int, header: int) -> tuple[int, ...]:
    arity = header >> ARITY_SHIFT
    if not 0 < arity <= MAX_COLLISIONS:
        raise Malformed(UnknownBoxed(address, header, "impossible size"))
    words = source.memory.words(address + source.tags.word_size, arity)
    if any(word & PRIMARY_MASK != CONS for word in words):
        raise Malformed(UnknownBoxed(address, header, "no collision node"))
    return words
