"""The atom table (`erts_atom_table`, an `IndexTable`; index.h, atom.h)."""

from __future__ import annotations

from beamgdb.memory import Unreadable
from beamgdb.records.record import Record
from beamgdb.terms.bitstrings import literal_bytes
from jit.otp.atoms import PAGE_SHIFT, name_hash

MAX_NAME_BYTES = 4 * 255


class AtomTable:
    """Names of atoms. An atom never changes nor goes away, so what was read once is kept for good."""

    def __init__(self, table: Record) -> None:
        self._table = table
        self._names: dict[int, str] = {}

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
