"""Binary trees, as ETS tables and timers are kept in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.memory import CachedMemory, Unreadable

MAX_HEIGHT: Final = 128
"""Of a tree that is kept in balance: none of all memory is as high."""


def in_order(memory: CachedMemory, root: int, left: int, right: int, most: int) -> Iterator[int]:
    """The addresses of a tree's nodes from left to right, from the `root` on, which is 0 for none; `left` and `right`
    bytes behind the start of each are the addresses of its branches. Raises `Unreadable` where it is too high, as where
    it leads in a circle, or has more than `most`."""
    path: list[tuple[int, int]] = []
    at, depth, seen = root, 0, 0
    while at or path:
        while at:
            if depth > MAX_HEIGHT or seen >= most:
                raise Unreadable(at, memory.word_size)
            path.append((at, depth))
            at, depth, seen = memory.word(at + left), depth + 1, seen + 1
        at, depth = path.pop()
        yield at
        at, depth = memory.word(at + right), depth + 1
