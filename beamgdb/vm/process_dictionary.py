"""The dictionary of a process: a hash table of pairs (erl_process_dict.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.records.record import Record
from jit.otp.tags import BOXED, CONS, PRIMARY_MASK

MAX_SLOTS: Final = 1 << 24
MAX_IN_SLOT: Final = 1 << 16
"""Pairs of one slot that are followed; on average there is less than one."""


def pairs(process: Record) -> Iterator[tuple[int, int]]:
    """Keys and values, as terms. Raises `Unreadable` where the table is damaged."""
    memory = process.memory
    return (memory.pair(word - BOXED + memory.word_size) for word in entries(process))


def entries(process: Record) -> Iterator[int]:
    """The same as tuples of a key and a value, each a term."""
    address = process["dictionary"]
    if not address:
        return
    table = Record(process.memory, process.layout, "ProcDict", address)
    used, slots = table["usedSlots"], table.field_address("data")
    if used > min(table["arraySize"], MAX_SLOTS):
        raise Unreadable(address, process.layout.size("ProcDict"))
    for word in process.memory.words(slots, used):
        if word & PRIMARY_MASK == BOXED:
            yield word
        elif word & PRIMARY_MASK == CONS:
            yield from _chain(process, word)


def _chain(process: Record, word: int) -> Iterator[int]:
    for _ in range(MAX_IN_SLOT):
        if word & PRIMARY_MASK != CONS:
            return
        head, word = process.memory.pair(word - CONS)
        if head & PRIMARY_MASK != BOXED:
            raise Unreadable(head, process.memory.word_size)
        yield head
    raise Unreadable(word, process.memory.word_size)
