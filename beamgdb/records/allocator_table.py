"""The table of the VM's allocators, in which each has one instance or many (erl_alloc.h, erl_alloc.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.records.record import Record
from jit.otp.layouts.layout import Layout

VARIABLE: Final = "erts_allctrs_info"

MAX_INSTANCES: Final = 2048
"""`ERTS_AU_MAX_PREF_ALLOC_INSTANCES`."""


def numbers(layout: Layout) -> range:
    """The numbers of all allocators (from `ERTS_ALC_A_MIN` on)."""
    return range(1, 1 + (layout.field("Allctr_t", "cpool.stat.no_blocks").elements or 0))


def instances(table: Record, number: int) -> Iterator[tuple[int, Record]]:
    """The instances of the allocator with this number, as the `table`, an array of `ErtsAllocatorInfo_t`, leads to
    them: number and `Allctr_t` of each. Raises `Unreadable` where what it leads to is none."""
    info = table.element(number)
    if not info["enabled"] or not info["alloc_util"]:
        return
    memory, layout, count = info.memory, info.layout, info["thr_spec"]
    places: tuple[int, ...] = (info["extra"],)
    if count:
        spread = Record(memory, layout, "ErtsAllocatorThrSpec_t", info["extra"])
        if count > MAX_INSTANCES or spread["size"] != count:
            raise Unreadable(spread.address, layout.extent("ErtsAllocatorThrSpec_t"))
        places = memory.words(spread["allctr"], count)
    for index, place in enumerate(places):
        one = Record(memory, layout, "Allctr_t", place)
        if one["alloc_no"] != number:
            raise Unreadable(place, memory.word_size)
        yield index, one
