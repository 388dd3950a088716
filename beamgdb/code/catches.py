"""Where catches go on: a catch on a stack is an index into the VM's table of handlers (beam_catches.c).

The table has no symbol in a stripped beam.smp: see `records.statics`.
"""

from __future__ import annotations

from collections.abc import Callable

from beamgdb.code.code_ix import code_index
from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.records.statics import Symbol, by_users, referred
from jit.image.image import Recovered
from jit.otp.layouts.layout import Layout

VARIABLE = "bccix"
"""The static `struct bc_pool` per code index."""

USERS = ("beam_catches_car", "beam_catches_car_staging")
"""Functions that use it, and no other variable without a symbol."""

FIRST_SIZE = 1024
"""`DEFAULT_TABSIZE`: the table starts with so many entries, and doubles when it is full."""

MAX_DOUBLINGS = 16

SAMPLE = 64
"""Entries that are looked at to recognise the table."""

IsCode = Callable[[int], bool]


@dataclass(frozen=True)
class Catches:
    """The variable: `first` is `bccix[0]`."""

    first: Record
    symbol: Symbol

    def recovered(self) -> tuple[Recovered, ...]:
        """The variable, if it was found without a symbol."""
        return (Recovered(VARIABLE, self.first.address, by_users(USERS)),) if self.symbol(VARIABLE) is None else ()

    def handler(self, index: int) -> int | None:
        """The address where the catch with this index goes on, None without one."""
        current = code_index(self.first.memory, self.symbol, "active")
        if current is None:
            return None
        try:
            pool = self.first.element(current)
            return _handler(pool, index) or None if 0 <= index < pool["tabsize"] else None
        except Unreadable:
            return None


def find(memory: CachedMemory, layout: Layout, symbol: Symbol, arch: str, is_code: IsCode) -> Catches | None:
    """The table, None where it is not found. `is_code`: whether an address lies in code that is loaded."""
    active = code_index(memory, symbol, "active")
    if active is None or not layout.has("bc_pool") or not layout.has("beam_catch_t"):
        return None
    named = symbol(VARIABLE)
    for address in (named,) if named is not None else sorted(referred(memory, symbol, arch, USERS)):
        first = Record(memory, layout, "bc_pool", address)
        try:
            if _is_pool(first.element(active), is_code):
                return Catches(first, symbol)
        except Unreadable:
            continue
    return None


def _is_pool(pool: Record, is_code: IsCode) -> bool:
    """Whether this can only be the table in use: of a size that it can have, and with handlers in loaded code."""
    doublings, rest = divmod(pool["tabsize"], FIRST_SIZE)
    if rest or bin(doublings).count("1") != 1 or doublings > 1 << MAX_DOUBLINGS or pool["high_mark"] > pool["tabsize"]:
        return False
    handlers = {_handler(pool, index) for index in range(min(SAMPLE, pool["high_mark"]))} - {0}
    return bool(handlers) and all(map(is_code, handlers))


def _handler(pool: Record, index: int) -> int:
    """The handler of an entry; 0 for one that is free."""
    return Record(pool.memory, pool.layout, "beam_catch_t", pool["beam_catches"]).element(index)["cp"]
