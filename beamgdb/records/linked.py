"""Lists of structures of which each leads to the next one; in damaged memory they may be circles."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.memory import CachedMemory, Unreadable


def linked(memory: CachedMemory, first: int, following: int, most: int) -> Iterator[int]:
    """The addresses of all, the first one 0 where there are none. `following` is where each has the address of the
    next. Raises `Unreadable` where the list leads to nowhere or in a circle, and behind the first `most`."""
    # Brent's algorithm: a mark that the walk comes back to is on a circle.
    address, mark, steps, room = first, 0, 0, 1
    while address:
        if address == mark or steps >= most:
            raise Unreadable(address, memory.word_size)
        if steps == room:
            mark, room = address, 2 * room
        yield address
        address, steps = memory.word(address + following), steps + 1
