"""The atom table (`erts_atom_table`, an `IndexTable`; index.h, atom.h)."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.memory import Unreadable
from beamgdb.records.columns import Columns
from beamgdb.records.record import Record
from beamgdb.terms.bitstrings import literal_bytes
from jit.otp.atoms import PAGE_SHIFT, name_hash

MAX_NAME_BYTES = 4 * 255

MAX_ATOMS = 1 << 26
"""Atoms among which one is looked for; the VM cannot tell more apart."""


class AtomTable:
    """Names of atoms. An atom never changes nor goes away, so what was read once is kept for good."""

    def __init__(self, table: Record) -> None:
        self._table = table
        self._names: dict[int, str] = {}
        self._found: dict[str, tuple[int, int | None]] = {}

    def count(self) -> int:
        """Number of atoms; raises `Unreadable`."""
        return self._table["entries"]

    def limit(self) -> int:
        """How many there may be; raises `Unreadable`."""
        return self._table["limit"]

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

    def find(self, name: str) -> int | None:
        """The number of the atom with this text, None where there is none that can be read."""
        known = self._found.get(name)
        if known is None or known[1] is None and known[0] != self.count():
            known = self._found[name] = self.count(), next(self._named(name), None)
        return known[1]

    def _named(self, name: str) -> Iterator[int]:
        memory, layout, size = self._table.memory, self._table.layout, len(name.encode())
        word, on_page, count = memory.word_size, 1 << PAGE_SHIFT, self.count()
        columns = Columns(memory, layout, "Atom", ("len",))
        for first in range(0, min(count, MAX_ATOMS), on_page):
            try:
                page = memory.word(self._table["seg_table"] + word * (first >> PAGE_SHIFT))
                atoms = memory.words(page, min(on_page, count - first))
            except Unreadable:
                continue
            for index, row in enumerate(columns.of(atoms), first):
                if row is not None and row[1] == size and self.name(index) == name:
                    yield index

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
        if name is None:
            return None
        # How many bytes and how many characters there are is the same for ASCII, and told apart by nothing else.
        if layout.is_proved and not name.isascii() and name_hash(name, memory.word_size) != _hash(atom):
            return None
        return name.decode("utf-8")


def _hash(atom: Record) -> int:
    """The hash that the VM keeps with it: an atom begins with an `IndexSlot`, and that with a `HashBucket`."""
    return Record(atom.memory, atom.layout, "HashBucket", atom.address)["hvalue"]
