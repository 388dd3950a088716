"""The VM's own hash tables (hash.h): slots of lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.records.chain import chain
from beamgdb.records.record import Record

MAX_SLOTS: Final = 1 << 24
MAX_IN_SLOT: Final = 1 << 20
"""More are damage."""


def members(table: Record) -> Iterator[int]:
    """The addresses of what is in a `Hash`; each begins with a `HashBucket`. Raises `Unreadable` where it is
    damaged."""
    memory, word = table.memory, table.memory.word_size
    bits = 8 * word - table["shift"]
    if bits < 0 or 1 << bits > MAX_SLOTS:
        raise Unreadable(table.field_address("shift"), word)
    following = table.layout.offset("HashBucket", "next")
    for first in memory.words(table["bucket"], 1 << bits):
        yield from chain(memory, first, following, MAX_IN_SLOT)
