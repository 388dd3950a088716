"""How run queues are balanced: what is in force is one of a few blocks of memory that lie one behind the other, and of
which a list has those that are not in use (erl_process.c, `mpaths` and `erts_migration_paths`)."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.chain import chain
from beamgdb.records.record import Record
from beamgdb.roots.snapshot import Snapshot
from jit.image.image import Image, Recovered
from jit.otp.layouts.layout import Layout

PATHS = "erts_migration_paths"

BLOCKS = 8
"""How many there are (`ERTS_PRE_ALLOCED_MPATHS`); more are made only while all are in use."""

MAX_QUEUES = 1024

CACHE_LINE = 64
"""`ERTS_CACHE_LINE_SIZE`, to multiples of which their size is rounded up."""


def find(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> Recovered | str:
    """The variable, or why it is not found."""
    one, another = layout.size("ErtsMigrationPaths"), layout.size("ErtsMigrationPath")
    sizes = {-(-(one + another * more) // CACHE_LINE) * CACHE_LINE for more in range(MAX_QUEUES)}
    lists = _lists(memory, layout, image, data, sizes)
    used = {found for size, free in lists for found in _used(image, data, size, free)}
    places = {place for place, block in used if _is_in_force(Record(memory, layout, "ErtsMigrationPaths", block))}
    if len(places) != 1:
        return f"{len(places) or 'no'} places look like it"
    return Recovered(PATHS, places.pop(), "by its block, which lies among those that a list has as free")


def _lists(
    memory: CachedMemory, layout: Layout, image: Image, data: Snapshot, sizes: set[int]
) -> Iterator[tuple[int, frozenset[int]]]:
    """Sizes of blocks, and the addresses of those that are free: a size, the first one that is free, and others that
    are to be, lie in this order."""
    following = layout.offset("ErtsMigrationPaths", "next")
    for _, words in data.parts:
        for i in range(len(words) - 2):
            size, first, retired = words[i : i + 3]
            if size not in sizes or first % CACHE_LINE or not first or image.is_inside(first):
                continue
            try:
                free = frozenset(chain(memory, first, following, BLOCKS))
                others = frozenset(chain(memory, retired, following, BLOCKS))
            except Unreadable:
                continue
            if len(free) > 1 and all((block - first) % size == 0 and _near(block, first, size) for block in free):
                yield size, free | others


def _used(image: Image, data: Snapshot, size: int, free: frozenset[int]) -> Iterator[tuple[int, int]]:
    """Places of pointers to a block that is not free, and the block."""
    blocks = set(range(max(free) - (BLOCKS - 1) * size, min(free) + BLOCKS * size, size)) - free
    for start, words in data.parts:
        for i, value in enumerate(words):
            if value in blocks:
                yield start + i * image.word_size, value


def _is_in_force(paths: Record) -> bool:
    """Whether what has no other run queue has no limits either, as far as the first one tells."""
    path = paths.at("ErtsMigrationPath", "mpath")
    memory, layout = path.memory, path.layout
    none = b"\xff" * layout.width("ErtsMigrationPath", "prio.limit.here")
    try:
        for number in range(layout.field("ErtsMigrationPath", "prio").elements or 0):
            at = number * layout.width("ErtsMigrationPath", "prio")
            limits = (path.field_address(name) + at for name in ("prio.limit.here", "prio.limit.other"))
            if not memory.word(path.field_address("prio.runq") + at) and any(
                memory.read(one, len(none)) != none for one in limits
            ):
                return False
    except Unreadable:
        return False
    return True


def _near(block: int, other: int, size: int) -> bool:
    return abs(block - other) < BLOCKS * size
