"""The atom table (`erts_atom_table`, an `IndexTable`; index.h, atom.h)."""

from __future__ import annotations

from beamgdb.memory import Unreadable
from beamgdb.records.record import Record
from beamgdb.terms.bitstrings import literal_bytes

PAGE_SHIFT = 10
"""`INDEX_PAGE_SHIFT` of index.h: entries of an index table come in pages of 1024."""

MAX_NAME_BYTES = 4 * 255


class AtomTable:
    """Names of atoms. An atom never changes nor goes away, so what was read once is kept for good."""

    def __init__(self, table: Record) -> None:
        self._table = table
        self._names: dict[int, str] = {}

    def count(self) -> int:
        """Number of atoms; raises `Unreadable`."""
        return self._table["entries"]

    def name(self, index: int) -> str | None:
        """Text of the atom, None where there is no such atom or its memory cannot be read."""
        known = self._names.get(index)
        if known is None:
            try:
                known = self._read(index)
            except (Unreadable, UnicodeDecodeError):
                return None
            if known is not None:
                self._names[index] = known
        return known

    def _read(self, index: int) -> str | None:
        if not 0 <= index < self.count():
            return None
        memory, layout = self._table.memory, self._table.layout
        page = memory.word(self._table["seg_table"] + memory.word_size * (index >> PAGE_SHIFT))
        atom = Record(memory, layout, "Atom", memory.word(page + memory.word_size * (index % (1 << PAGE_SHIFT))))
        size = atom["len"]
        if size > MAX_NAME_BYTES:
            return None
        is_term = layout.has("Atom", "u.bin")
        name = literal_bytes(memory, atom["u.bin"], size) if is_term else memory.read(atom["name"], size)
        return None if name is None else name.decode("utf-8")
