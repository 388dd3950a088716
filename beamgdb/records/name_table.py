"""The table of registered names, a static variable that says what it is called (register.c, `init_register_table`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.records.statics import Symbol, by_users, referred
from jit.image.image import Recovered
from jit.otp.layouts.layout import Layout

VARIABLE: Final = "process_reg"

NAME: Final = b"process_reg"
"""What `Hash.name` in it points to."""

USERS: Final = ("process_reg_sz", "erts_unregister_name", "erts_register_name")
"""Functions that pass its address on, of those that a beam.smp exports."""


def find(memory: CachedMemory, layout: Layout, symbol: Symbol, arch: str) -> Recovered | None:
    """The variable, None where it is not found. KeyError: it is not known where fields lie."""
    address = symbol(VARIABLE)
    if address is not None:
        return Recovered(VARIABLE, address, "by its symbol")
    return next(_found(memory, layout, symbol, arch), None)


def _found(memory: CachedMemory, layout: Layout, symbol: Symbol, arch: str) -> Iterator[Recovered]:
    for user in USERS:
        for one in sorted(referred(memory, symbol, arch, (user,))):
            if is_table(Record(memory, layout, "Hash", one)):
                yield Recovered(VARIABLE, one, by_users((user,)))


def is_table(table: Record) -> bool:
    """Whether this `Hash` is that table."""
    try:
        return table.memory.cstring(table["name"], len(NAME) + 1) == NAME
    except Unreadable:
        return False
