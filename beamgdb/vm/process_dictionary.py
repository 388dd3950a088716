"""The dictionary of a process: a hash table of pairs (erl_process_dict.c)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.columns import Columns, Gather
from beamgdb.records.record import Record
from jit.otp.layouts.layout import Layout
from jit.otp.tags import BOXED, CONS, IMMED2_BITS, PRIMARY_MASK

_FIELDS: Final = (("Process", "dictionary"), ("ProcDict", "usedSlots"), ("ProcDict", "arraySize"), ("ProcDict", "data"))
"""What leads to the pairs."""

MAX_SLOTS: Final = 1 << 24
MAX_IN_SLOT: Final = 1 << 16
"""Pairs of one slot that are followed; on average there is less than one."""


def is_known(layout: Layout) -> bool:
    """Whether it is known where all lies that leads to the pairs."""
    return all(layout.has(struct, path) for struct, path in _FIELDS)


def require(layout: Layout) -> None:
    """Raises KeyError where that is not known."""
    for struct, path in _FIELDS:
        layout.offset(struct, path)


def pairs(process: Record) -> Iterator[tuple[int, int]]:
    """Keys and values, as terms. Raises `Unreadable` where the table is damaged."""
    memory = process.memory
    return (memory.pair(word - BOXED + memory.word_size) for word in entries(process))


def entries(process: Record) -> Iterator[int]:
    """The same as tuples of a key and a value, each a term. (What is not known of it ends the first one.)"""
    yield from _entries(process.memory, process.layout, process["dictionary"])


def _entries(memory: CachedMemory, layout: Layout, address: int) -> Iterator[int]:
    if not address:
        return
    table = Record(memory, layout, "ProcDict", address)
    used, slots = table["usedSlots"], table.field_address("data")
    if used > min(table["arraySize"], MAX_SLOTS):
        raise Unreadable(address, layout.extent("ProcDict"))
    for word in memory.words(slots, used):
        yield from _in_slot(memory, word)


def _in_slot(memory: CachedMemory, word: int) -> Iterator[int]:
    if word & PRIMARY_MASK == BOXED:
        yield word
    elif word & PRIMARY_MASK == CONS:
        for _ in range(MAX_IN_SLOT):
            if word & PRIMARY_MASK != CONS:
                return
            head, word = memory.pair(word - CONS)
            if head & PRIMARY_MASK != BOXED:
                raise Unreadable(head, memory.word_size)
            yield head
        raise Unreadable(word, memory.word_size)


def values(memory: CachedMemory, layout: Layout, tables: Sequence[int], key: int) -> list[int | None]:
    """What each of these tables, 0 for none, has for the atom `key`, a term; None without, and where that cannot be
    read. As the VM does it, in few reads for all of them: an atom is in the slot of its number, as far as the table has
    grown."""
    columns = Columns(memory, layout, "ProcDict", ("sizeMask", "usedSlots", "arraySize"))
    known: dict[int, int | None] = {}
    slots: dict[int, int] = {}
    start = layout.offset("ProcDict", "data")
    for row in columns.of([table for table in tables if table]):
        if row is None:
            continue
        table, mask, used, size = row
        if table is None or used is None or size is None or used > min(size, MAX_SLOTS):
            continue
        if mask is None:
            known[table] = _value(memory, _entries(memory, layout, table), key)
            continue
        slot = key >> IMMED2_BITS & mask
        slot = slot if slot < used else slot & mask >> 1
        if slot < used:
            slots[table] = table + start + memory.word_size * slot
    words = dict(zip(slots, Gather(memory, "w").of(list(slots.values()))))
    alone = {table: word[0] - BOXED for table, word in words.items() if word and word[0] & PRIMARY_MASK == BOXED}
    for table, entry in zip(alone, Gather(memory, "www").of(list(alone.values()))):
        known[table] = entry[2] if entry is not None and entry[1] == key else None
    for table, word in words.items():
        if word and word[0] & PRIMARY_MASK == CONS:
            known[table] = _value(memory, _in_slot(memory, word[0]), key)
    return list(map(known.get, tables))


def _value(memory: CachedMemory, found: Iterator[int], key: int) -> int | None:
    try:
        pairs = (memory.pair(word - BOXED + memory.word_size) for word in found)
        return next((value for other, value in pairs if other == key), None)
    except Unreadable:
        return None
