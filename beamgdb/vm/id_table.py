"""Tables of processes and of ports, by their identifiers (erl_ptab.h)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Union

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.arrays import Column
from beamgdb.records.columns import Columns, Row
from beamgdb.records.record import Record
from beamgdb.terms.slots import SlotOrder

MAX_TABLE = 1 << 27
"""Slots of a table at most (`ERTS_MAX_PROCESSES`, erl_process.h)."""

FREE_IDENTIFIER = 4
"""Bytes that count for each free identifier (`erts_atomic32_t`), though since OTP 27 it is a word."""

FIRST_PIECE = 1 << 10
"""Slots that are read first; then twice as many each time."""

LARGEST_PIECE = 1 << 16
"""Slots read at a time at most."""

MANY = 1 << 12
"""Structures whose fields are read at a time at most. What is done with them is quicker while a processor's cache holds
them."""

PAGE = 4096
"""Bytes that are there or not as a whole, in memory and in core files."""

MAX_FAILURES = 1 << 12
"""Pages that are tried one by one; of a table that is missing more, larger pieces are given up."""


class IdTable:
    """An `ErtsPTab`, of structures of one kind."""

    def __init__(self, table: Record, struct: str) -> None:
        self._table = table
        self._struct = struct

    @property
    def _memory(self) -> CachedMemory:
        return self._table.memory

    def count(self) -> int:
        """How many there are, those included that end."""
        return self._table["vola.tile.count"]

    def limit(self) -> int:
        """How many there may be."""
        return self._table["r.o.max"]

    def size(self) -> int:
        """Its bytes, as the VM counts them (`erts_ptab_mem_size`): a word for each slot, and four where it keeps a list
        of free identifiers, as it does unless it was started with `+P legacy`; only then the masks of that are 0."""
        has_list = self._table["r.o.dix_cl_mask"]
        return self.limit() * (self._memory.word_size + (FREE_IDENTIFIER if has_list else 0))

    def slot_order(self) -> SlotOrder | None:
        """How identifiers lead to slots, None where the table is damaged."""
        return SlotOrder.of(self._table.__getitem__)

    def _at_slot(self, slot: int) -> int:
        return self._memory.word(self._table["r.o.tab"] + slot * self._memory.word_size)

    def addresses(self) -> Iterator[int | Unreadable]:
        """The address of each structure, in order of the slots, and what stands for each part of the table that cannot
        be read."""
        return chain.from_iterable(self.lists())

    def lists(self) -> Iterator[list[int | Unreadable]]:
        """The same, in lists of those that were found together."""
        try:
            vacant = self._table["r.o.invalid_element"]
            # The VM counts a slot before it uses it, and as long as it does (erl_ptab.c): behind the last used ones it
            # may have a million others. The first identifiers are in the first slots.
            left = self.count() if self._table.layout.has("ErtsPTab", "vola.tile.count") else MAX_TABLE
            start, size = self._table["r.o.tab"], min(self._table["r.o.max"], MAX_TABLE)
        except Unreadable as error:
            yield [error]
            return
        for words in self._slots(start, size):
            if isinstance(words, Unreadable):
                yield [words]
                continue
            used = [word for word in words if word][:left]
            left -= len(used)
            yield [word for word in used if word != vacant]
            if left <= 0:
                return

    def _slots(self, start: int, size: int) -> Iterator[Sequence[int] | Unreadable]:
        """What is in the slots that are used, and in some that are not, in pieces; by pages where some cannot be read,
        unless there are too many."""
        word, slot, piece, failures = self._memory.word_size, 0, FIRST_PIECE, 0
        while slot < size:
            count = min(piece, size - slot)
            try:
                yield self._memory.used_words(start + slot * word, count)
            except Unreadable as error:
                if failures >= MAX_FAILURES:
                    yield error
                else:
                    failures += count * word // PAGE
                    yield from self._by_pages(start + slot * word, start + (slot + count) * word)
            slot, piece = slot + count, min(2 * piece, LARGEST_PIECE)

    def _by_pages(self, address: int, end: int) -> Iterator[Sequence[int] | Unreadable]:
        """Words as far as they can be read, and what stands for pages in a row that cannot."""
        missing = 0
        while address < end:
            stop = min(end, (address | PAGE - 1) + 1)
            try:
                words = self._memory.words(address, (stop - address) // self._memory.word_size)
            except Unreadable:
                missing += stop - address
            else:
                if missing:
                    yield Unreadable(address - missing, missing)
                    missing = 0
                yield words
            address = stop
        if missing:
            yield Unreadable(end - missing, missing)

    def rows(self, paths: Sequence[str], first: int = FIRST_PIECE) -> Iterator[Row | Unreadable]:
        """Fields of all of them as `Columns` gives them, in order of their slots, and what stands for those, and for
        parts of the table, that cannot be read. Of the first ones no more than `first` are read at once."""
        return chain.from_iterable(self.pieces(paths, first))

    def pieces(self, paths: Sequence[str], first: int = FIRST_PIECE) -> Iterator[list[Row | Unreadable]]:
        """The same in lists of those that are read together."""
        columns = Columns(self._memory, self._table.layout, self._struct, paths)
        return (self._rows(columns, chunk) for chunk in self.chunks(first))

    def turned(self, paths: Sequence[str]) -> Iterator[tuple[Column, ...] | list[Row | Unreadable]]:
        """The same, as `Columns.turned` has it where all can be read."""
        columns = Columns(self._memory, self._table.layout, self._struct, paths)
        for chunk in self.chunks():
            is_whole = Unreadable not in map(type, chunk)
            yield (columns.turned(chunk) if is_whole else None) or self._rows(columns, chunk)  # type: ignore[arg-type]

    def _rows(self, columns: Columns, chunk: list[int | Unreadable]) -> list[Row | Unreadable]:
        whole = self._table.layout.structs[self._struct].size or self._memory.word_size
        found = columns.of([entry for entry in chunk if isinstance(entry, int)])
        if len(found) == len(chunk) and all(found):
            return found  # type: ignore[return-value]
        rows = iter(found)
        return [entry if isinstance(entry, Unreadable) else next(rows) or Unreadable(entry, whole) for entry in chunk]

    def chunks(self, first: int = FIRST_PIECE) -> Iterator[list[int | Unreadable]]:
        """What `addresses` gives, in lists of those that are looked at together."""
        size, waiting = first, list[Union[int, Unreadable]]()
        for found in self.lists():
            waiting += found
            at = 0
            while len(waiting) - at >= size:
                yield waiting[at : at + size]
                at, size = at + size, min(2 * size, MANY)
            waiting = waiting[at:]
        if waiting:
            yield waiting
