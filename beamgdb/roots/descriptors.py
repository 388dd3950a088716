"""The table of file descriptors: a variable that points to an array whose elements know their numbers."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.memory import CachedMemory
from beamgdb.records.descriptor_table import MAX_DESCRIPTORS, VARIABLE, is_table
from beamgdb.roots.snapshot import Snapshot
from jit.image.image import Image, Recovered
from jit.otp.layouts.layout import Layout


def find(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> Recovered | str:
    """The variable, or why it is not found."""
    found = [place for place in _places(layout, image, data) if is_table(memory, layout, place)]
    if len(found) != 1:
        return f"{len(found) or 'no'} places look like it"
    return Recovered(VARIABLE, found[0], "by its array, each element of which has its number")


def _places(layout: Layout, image: Image, data: Snapshot) -> Iterator[int]:
    """Where a length that is no more than it may become comes before a pointer out of the program."""
    length, most, array = (layout.offset("drv_ev_state_shared", name) for name in ("len", "max_fds", "v"))
    back = (array - length) // image.word_size
    for start, words in data.parts:
        for i in range(back, len(words)):
            if words[i] and 0 < words[i - back] <= MAX_DESCRIPTORS and not image.is_inside(words[i]):
                place = start + i * image.word_size - array
                if (data.u32(place + most) or 0) >= words[i - back]:
                    yield place
