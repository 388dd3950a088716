"""The table of allocators: it lies in the program, and all that it leads to knows its number."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.allocator_table import VARIABLE, instances, numbers
from beamgdb.records.record import Record
from beamgdb.roots.snapshot import Snapshot
from jit.image.image import Recovered
from jit.otp.layouts.layout import Layout

FEWEST = 2
"""Allocators that each VM has, besides malloc: those of temporary memory and of literals, which `+Mea min` leaves."""


def find(memory: CachedMemory, layout: Layout, data: Snapshot) -> Recovered | str:
    """The variable, or why it is not found."""
    found = [place for place in _places(memory, layout, data) if _is_table(memory, layout, place)]
    if len(found) != 1:
        return f"{len(found) or 'no'} places look like it"
    return Recovered(VARIABLE, found[0], "by its instances, each of which has the number of its allocator")


def _places(memory: CachedMemory, layout: Layout, data: Snapshot) -> Iterator[int]:
    """Where an element that is empty comes before malloc's, which is in use and has no instances."""
    size, enabled = layout.size("ErtsAllocatorInfo_t"), layout.field("ErtsAllocatorInfo_t", "enabled")
    one = (1).to_bytes(enabled.width, memory.byteorder)
    return data.occurrences(bytes(size + enabled.offset) + one + bytes(size - enabled.offset - enabled.width))


def _is_table(memory: CachedMemory, layout: Layout, place: int) -> bool:
    table, count = Record(memory, layout, "ErtsAllocatorInfo_t", place), 0
    try:
        for number in numbers(layout):
            count += any(True for _ in instances(table, number))
    except Unreadable:
        return False
    return count >= FEWEST
