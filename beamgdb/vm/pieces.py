"""Many things of one kind, some at a time: what is asked of all is asked of those together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final, Generic, TypeVar

STEP: Final = 64
"""Items that are made together: they may be slow."""

Item = TypeVar("Item")


class InPieces(ABC, Generic[Item]):
    """Items that come many at a time, in whatever they were read into."""

    @abstractmethod
    def pieces(self, size: int) -> Iterator[Sequence[Item]]:
        """All items; so many at a time, where nothing else is better."""

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(self.pieces(STEP))


class Pieces(InPieces[Item]):
    """The items of these pieces, to be gone through once."""

    def __init__(self, every: Iterable[Sequence[Item]]) -> None:
        self._every = every

    def pieces(self, size: int) -> Iterator[Sequence[Item]]:
        """Lists are put together, or divided; what is none is given as it is."""
        waiting: list[Item] = []
        for piece in self._every:
            if isinstance(piece, list):
                waiting += piece
                while len(waiting) >= size:
                    yield waiting[:size]
                    waiting = waiting[size:]
                continue
            if waiting:
                yield waiting
                waiting = []
            yield piece
        if waiting:
            yield waiting


def pieces(items: Iterable[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items, so many at a time unless they come in pieces."""
    if isinstance(items, InPieces):
        yield from items.pieces(size)
        return
    left = iter(items)
    while piece := list(islice(left, size)):
        yield piece
