"""Persistent terms: pairs of key and value, each with all that belongs to it in an area of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records import persistent_table
from beamgdb.records.persistent_table import PAIR
from beamgdb.records.record import Record
from beamgdb.vm.model import Unavailable, Vm
from jit.otp.tags import BOXED, PRIMARY_MASK

PIECE: Final = 1 << 14
"""Slots that are read at once."""


@dataclass(frozen=True)
class PersistentTerm:
    """One of them: the words of key and value, the bytes of its area, None where that is not known, and where the pair
    lies, with which all that belongs to it begins, up to `end`."""

    key: int
    value: int
    size: int | None
    address: int
    end: int | None


class PersistentTerms:
    """Those of a VM. Raises `Unavailable` where the table is not found, KeyError where its fields are not known."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        vm.layout.offset("HashTable", "term")
        found = persistent_table.find(vm.memory, vm.layout, vm.symbol, vm.identity.arch or "")
        if found is None:
            raise Unavailable("the table of persistent terms is not found in this VM")
        self._table = vm.record("HashTable", vm.memory.word(found.address))
        if not persistent_table.is_table(self._table):
            raise Unavailable(f"what lies at {self._table.address:#x} is no table of persistent terms, or is damaged")

    def count(self) -> int:
        """How many there are."""
        return self._table["num_entries"]

    def __iter__(self) -> Iterator[PersistentTerm | Unreadable]:
        """All, in order of their slots, and what stands for what cannot be read."""
        memory, word = self._vm.memory, self._vm.memory.word_size
        start, size = self._table.field_address("term"), self._table["allocated"]
        for first in range(0, size, PIECE):
            count = min(PIECE, size - first)
            try:
                slots = memory.used_words(start + first * word, count)
            except Unreadable:
                yield Unreadable(start + first * word, count * word)
                continue
            for slot in slots:
                if slot & PRIMARY_MASK == BOXED:
                    yield self._pair(slot - BOXED)

    def _pair(self, address: int) -> PersistentTerm | Unreadable:
        word = self._vm.memory.word_size
        try:
            header, key, value = self._vm.memory.words(address, 3)
        except Unreadable as error:
            return error
        if header != PAIR:
            return Unreadable(address, 3 * word)
        end = self._end(address)
        if end is None:
            return PersistentTerm(key, value, None, address, None)
        # As persistent_term:info/0 counts it.
        return PersistentTerm(key, value, self._vm.layout.size("ErtsLiteralArea") + end - address - word, address, end)

    def _end(self, address: int) -> int | None:
        """Where the area ends that begins with the pair."""
        layout = self._vm.layout
        try:
            area = Record(
                self._vm.memory, layout, "ErtsLiteralArea", address - layout.offset("ErtsLiteralArea", "start")
            )
            return area["end"] if area["end"] > address and layout.size("ErtsLiteralArea") else None
        except (Unreadable, KeyError):
            return None
