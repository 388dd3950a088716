"""Terms that are alike, and what that is called."""

from __future__ import annotations

from dataclasses import field
from typing import Final, Union

from beamgdb.late import dataclass
from beamgdb.terms.source import Limits
from beamgdb.vm.heaps import Owner

MAX_SHAPES: Final = 1 << 20
"""Shapes that are told apart: in a node in which each map has keys of its own there is no end of them."""

BRIEF: Final = Limits(depth=3, width=12, bytes=60, nodes=40)
"""How much of a term names a shape."""

Key = Union[int, tuple[object, ...]]
"""What is the same for terms of one shape: a header word, or more than that."""


@dataclass
class Shape:
    """Terms that are alike. `bytes` are those of the things themselves, not of what they lead to, also by place;
    `outside`, of binaries, those that lie outside of heaps, each counted once. `largest` has the most bytes of them, of
    its own or outside, lies at `address`, and belongs to `owner`."""

    kind: str
    name: str
    count: int = 0
    bytes: int = 0
    outside: int = 0
    largest: int = 0
    address: int = 0
    owner: Owner | None = None
    places: dict[str, int] = field(default_factory=dict)

    def add(self, place: str, count: int, size: int, example: tuple[int, Owner], each: int) -> None:
        """So many more, of `size` bytes together, of which one has `each`."""
        self.count += count
        self.bytes += size
        self.places[place] = self.places.get(place, 0) + size
        if each > self.largest or self.owner is None:
            self.largest, (self.address, self.owner) = each, example


def size_class(size: int) -> str:
    """The class of a number of bytes, or of other things: from a power of two up to the next one."""
    if size < 2:
        return str(size)
    low = 1 << size.bit_length() - 1
    return f"{low} to {2 * low - 1}"


def integer(words: int, word_size: int) -> tuple[str, str]:
    """What an integer of so many words is called, and its class."""
    return "integer", f"{size_class(words * word_size)} bytes"


def binary(words: int, word_size: int) -> tuple[str, str]:
    """The same of a binary whose bytes take so many words on a heap."""
    return "binary", f"up to {words * word_size} bytes"
