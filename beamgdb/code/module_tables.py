"""The tables of modules, one for each code index side by side (module.c): static, but each has a name."""

from __future__ import annotations

from typing import Final

from beamgdb.code.code_ix import CODE_INDICES
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.records.statics import Symbol, by_users, referred
from jit.image.image import Recovered
from jit.otp.layouts.layout import Layout

VARIABLE: Final = "module_tables"

NAME: Final = b"module_code"
"""What `Hash.name` in each of them points to."""

USERS: Final = ("erts_get_module", "module_code")
"""Functions that use them, of those that a beam.smp exports."""

PAGE_SHIFT: Final = 10
"""`INDEX_PAGE_SHIFT` of index.h: entries of a table by the 1024."""

LARGEST: Final = 1 << 16
"""Modules at most (`MODULE_LIMIT`)."""


def find(memory: CachedMemory, layout: Layout, symbol: Symbol, arch: str) -> Recovered | None:
    """The first of them, None where it is not found. KeyError: it is not known where fields lie."""
    address = symbol(VARIABLE)
    if address is not None:
        return Recovered(VARIABLE, address, "by its symbol")
    candidates = {one for user in USERS for one in referred(memory, symbol, arch, (user,))}
    found = [one for one in sorted(candidates) if are_tables(memory, layout, one)]
    return Recovered(VARIABLE, found[0], by_users(USERS)) if len(found) == 1 else None


def are_tables(memory: CachedMemory, layout: Layout, address: int) -> bool:
    """Whether the tables begin at an address."""
    first = Record(memory, layout, "IndexTable", address)
    try:
        return all(_is_table(first.element(number)) for number in range(CODE_INDICES))
    except Unreadable:
        return False


def _is_table(table: Record) -> bool:
    name = table.at("Hash", "htable")["name"]
    is_named = name and table.memory.cstring(name, len(NAME) + 1) == NAME
    return bool(is_named) and table["entries"] <= table["size"] <= table["limit"] <= LARGEST


def entries(table: Record) -> list[int]:
    """The addresses of all that is in a table. Raises `Unreadable`."""
    memory, count, found = table.memory, table["entries"], list[int]()
    if count > LARGEST:
        raise Unreadable(table.address, memory.word_size)
    for first in range(0, count, 1 << PAGE_SHIFT):
        page = memory.word(table["seg_table"] + memory.word_size * (first >> PAGE_SHIFT))
        found += memory.words(page, min(1 << PAGE_SHIFT, count - first))
    return found
