"""Lists of which each member has the address of the next one, as they are all over the VM."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.memory import CachedMemory, Unreadable


def chain(memory: CachedMemory, first: int, following: int, most: int) -> Iterator[int]:
    """The addresses of a list's members, from `first` on, which is 0 for none; `following` bytes behind the start of
    each is the address of the next one, 0 in the last. Raises `Unreadable` where it leads to nowhere or in a circle, or
    has more than `most`."""
    # Brent's algorithm: a mark that the walk comes back to is on a circle. It needs no memory for lists of millions.
    at, mark, steps, room = first, 0, 0, 1
    while at:
        if at == mark or steps >= most:
            raise Unreadable(at, memory.word_size)
        if steps == room:
            mark, room = at, 2 * room
        yield at
        at, steps = memory.word(at + following), steps + 1


def ring(memory: CachedMemory, first: int, following: int, most: int) -> Iterator[int]:
    """The addresses of the members of a list whose last one leads back to the `first`, 0 for none; also of one that
    ends. Raises `Unreadable` where it leads to nowhere, back to another one, or has more than `most`."""
    at, seen = first, set[int]()
    while at and at not in seen:
        if len(seen) >= most:
            raise Unreadable(at, memory.word_size)
        seen.add(at)
        yield at
        at = memory.word(at + following)
    if at and at != first:
        raise Unreadable(at, memory.word_size)
