"""The table of file descriptors that are waited for, an array by their numbers (erl_check_io.c)."""

from __future__ import annotations

from typing import Final

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from jit.otp.layouts.layout import Layout

VARIABLE: Final = "drv_ev_state"

MAX_DESCRIPTORS: Final = 1 << 26
SAMPLE: Final = 8
FEWEST: Final = 3
"""Elements that are looked at to recognise it."""


def count(table: Record) -> int:
    """How many descriptors it has room for. Raises `Unreadable` for more than there can be."""
    found = table["len"]
    if found > min(table["max_fds"], MAX_DESCRIPTORS):
        raise Unreadable(table.field_address("len"), table.memory.word_size)
    return found


def is_table(memory: CachedMemory, layout: Layout, address: int, least: int = FEWEST) -> bool:
    """Whether this is the variable: each of its elements knows its number. So many there must be."""
    table = Record(memory, layout, "drv_ev_state_shared", address)
    try:
        first = Record(memory, layout, "ErtsDrvEventState", table["v"])
        known = min(count(table), SAMPLE)
        return known >= least and all(first.element(number)["fd"] == number for number in range(known))
    except Unreadable:
        return False
