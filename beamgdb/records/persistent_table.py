"""The table of persistent terms, a hash table to which one static variable points (erl_bif_persistent.c)."""

from __future__ import annotations

from typing import Final

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.records.statics import Symbol, by_users, referred
from jit.image.image import Recovered
from jit.otp.layouts.layout import Layout
from jit.otp.tags import ARITY_SHIFT, BOXED, NIL, PRIMARY_MASK

VARIABLE: Final = "the_hash_table"

USERS: Final = ("persistent_term_get_0", "erts_persistent_term_get")
"""Functions that use it, of those that a beam.smp exports."""

SMALLEST: Final = 8
LARGEST: Final = 1 << 30
"""Slots of the table; it begins with the least (`INITIAL_SIZE`) and doubles."""

SAMPLE: Final = 64
"""Slots that are looked at to recognise it."""

PAIR: Final = 2 << ARITY_SHIFT
"""The header word of what is in a slot that is used: a tuple of key and value."""


def find(memory: CachedMemory, layout: Layout, symbol: Symbol, arch: str) -> Recovered | None:
    """The variable, None where it is not found. KeyError: it is not known where fields lie."""
    address = symbol(VARIABLE)
    if address is not None:
        return Recovered(VARIABLE, address, "by its symbol")
    found = [one for one in sorted(referred(memory, symbol, arch, USERS)) if leads_to_table(memory, layout, one)]
    return Recovered(VARIABLE, found[0], by_users(USERS)) if len(found) == 1 else None


def leads_to_table(memory: CachedMemory, layout: Layout, address: int) -> bool:
    """Whether the table is what the pointer at an address leads to."""
    try:
        return is_table(Record(memory, layout, "HashTable", memory.word(address)))
    except Unreadable:
        return False


def is_table(table: Record) -> bool:
    """Whether this is the table: its numbers agree, and what is in it are pairs."""
    memory = table.memory
    try:
        size, used = table["allocated"], table["num_entries"]
        if not SMALLEST <= size <= LARGEST or size & size - 1 or table["mask"] != size - 1 or used > size:
            return False
        for word in memory.words(table.field_address("term"), min(size, SAMPLE)):
            if word & PRIMARY_MASK == BOXED:
                if memory.word(word - BOXED) != PAIR:
                    return False
            elif word != NIL:
                return False
    except Unreadable:
        return False
    return True
