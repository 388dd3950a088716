"""AtomVM's table of atoms (atom_table.c): groups of nodes, in the order of their indices."""

from __future__ import annotations

from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.records.chain import chain
from beamgdb.records.record import Record

MAX_GROUPS: Final = 1 << 17


class AtomTable:
    """Names of atoms. An atom never changes, so what was read once is kept for good."""

    def __init__(self, table: Record) -> None:
        self._table = table
        self._names: dict[int, str] = {}

    def count(self) -> int:
        """How many there are; raises `Unreadable`."""
        return self._table["count"]

    def name(self, index: int) -> str | None:
        """Text of the atom, None where there is none or it cannot be read."""
        known = self._names.get(index)
        if known is None:
            try:
                known = self._read(index)
            except Unreadable:
                return None
            if known is not None:
                self._names[index] = known
        return known

    def _read(self, index: int) -> str | None:
        table, memory, layout = self._table, self._table.memory, self._table.layout
        following = layout.offset("HNodeGroup", "next")
        for address in chain(memory, table["first_node_group"], following, MAX_GROUPS):
            group = Record(memory, layout, "HNodeGroup", address)
            first = group["first_index"]
            if first <= index < first + group["len"]:
                # (Another structure is called HNode too, so that of atoms is known as a member only.)
                before = (index - first) * layout.width("HNodeGroup", "nodes")
                node = Record(memory, layout, "HNodeGroup", address + before)
                return memory.read(node["nodes.key"], node["nodes.bytes_len"]).decode("utf-8", "replace")
        return None
