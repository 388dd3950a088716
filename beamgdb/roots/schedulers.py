"""The scheduler threads' data: pointers to arrays whose elements know their numbers, and are pointed back to."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.roots.snapshot import Snapshot
from jit.image.image import Image, Recovered
from jit.otp.layouts.layout import Layout

NAMES = (
    "erts_aligned_scheduler_data",
    "erts_aligned_dirty_cpu_scheduler_data",
    "erts_aligned_dirty_io_scheduler_data",
)
"""The variables by `ErtsSchedulerType` (erl_process.h): normal, dirty CPU, dirty I/O."""

CACHE_LINE = 64
"""`ERTS_CACHE_LINE_SIZE`, to which elements are aligned."""

KNOWN_BY_WORDS = 48
"""Words at the beginning of an `ErtsRunQueue` or `ErtsSchedulerSleepInfo` among which its scheduler is."""

MAX_LOOKED_AT = 1024
"""Different pointers that are followed; a node has 200 that are so aligned."""


def find(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> dict[str, Recovered | str]:
    """Each variable, or why it is not found."""
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in NAMES}
    kinds: dict[int, str | None] = {}
    for place, value in _aligned(image, data):
        if value not in kinds:
            if len(kinds) >= MAX_LOOKED_AT:
                return dict.fromkeys(NAMES, f"more than {MAX_LOOKED_AT} pointers might lead to it")
            kinds[value] = _kind(Record(memory, layout, "ErtsSchedulerData", value))
        name = kinds[value]
        if name is not None:
            found[name].append((place, value))
    # The VM has copies of these pointers, and never changes them: any place will do that leads to the only array.
    how = "by its first element, which has number 1 and is pointed back to"
    return {
        name: Recovered(name, places[0][0], how)
        if len({value for _, value in places}) == 1
        else f"{len(places) or 'no'} places look like it"
        for name, places in found.items()
    }


def _aligned(image: Image, data: Snapshot) -> Iterator[tuple[int, int]]:
    """Places of pointers out of the program to where a cache line begins."""
    for start, words in data.parts:
        for i, value in enumerate(words):
            if value % CACHE_LINE == 0 and value > CACHE_LINE and not image.is_inside(value):
                yield start + i * image.word_size, value


def _kind(record: Record) -> str | None:
    """Which array begins with this, None if none."""
    try:
        kind, normal, dirty = record["type"], record["no"], record["dirty_no"]
        if kind >= len(NAMES) or (normal, dirty) != ((1, 0) if kind == 0 else (0, 1)):
            return None
        if not record["registers"] and kind == 0:
            return None
        known_by = record.memory.words(record["run_queue" if kind == 0 else "ssi"], KNOWN_BY_WORDS)
        return NAMES[kind] if record.address in known_by else None
    except Unreadable:
        return None
