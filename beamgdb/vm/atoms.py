"""The atom table (`erts_atom_table`, an `IndexTable`; index.h, atom.h)."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.memory import Unreadable
from beamgdb.records.columns import Columns, Row
from beamgdb.records.record import Record
from beamgdb.terms.bitstrings import literal_bytes
from jit.otp.atoms import PAGE_SHIFT, name_hash

MAX_NAME_BYTES = 4 * 255

MAX_ATOMS = 1 << 26
"""Atoms among which one is looked for; the VM cannot tell more apart."""


TEXT_BYTES = 32768
"""Of a block of memory for texts, behind the address of the next one (`ATOM_TEXT_SIZE`, erl_vm.h, to OTP 27)."""


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
        size = len(name.encode())
        for index, row in self._rows(("len",)):
            if row is not None and row[1] == size and self.name(index) == name:
                yield index

    def _rows(self, paths: tuple[str, ...]) -> Iterator[tuple[int, Row | None]]:
        """Fields of all atoms, each with its number; those of a page that cannot be read are left out."""
        memory, word, on_page, count = self._table.memory, self._table.memory.word_size, 1 << PAGE_SHIFT, self.count()
        columns = Columns(memory, self._table.layout, "Atom", paths)
        for first in range(0, min(count, MAX_ATOMS), on_page):
            try:
                page = memory.word(self._table["seg_table"] + word * (first >> PAGE_SHIFT))
                atoms = memory.words(page, min(on_page, count - first))
            except Unreadable:
                continue
            yield from enumerate(columns.of(atoms), first)

    def bytes(self) -> tuple[int, int]:
        """Bytes that the VM has for atoms, and how many it uses, as it counts them (index.c, hash.c, and
        `erts_atom_get_text_space_sizes`): the table without the atoms, and their texts. Raises `Unreadable`, and
        KeyError where it is not known where fields lie."""
        memory, layout, word = self._table.memory, self._table.layout, self._table.memory.word_size
        # (The table begins with a hash table.)
        hashed = Record(memory, layout, "Hash", self._table.field_address("htable"))
        slots = 1 << max(0, 8 * word - hashed["shift"])
        table = (
            layout.size("IndexTable") + word * (self._table["size"] + slots) + len(memory.cstring(hashed["name"])) + 1
        )
        reserved, used = self._texts()
        return table + reserved, table + used

    def _texts(self) -> tuple[int, int]:
        if self._table.layout.has("Atom", "u.bin"):
            size = sum(row[1] or 0 for _, row in self._rows(("len",)) if row is not None)
            return size, size
        # Texts are put one behind the other into blocks, but for those of the VM's own atoms, which come first and are
        # constants of C, with a NUL behind each.
        blocks, used, last = 0, 0, (0, 0)
        for _, row in self._rows(("name", "len")):
            name, size = (row[1] or 0, row[2] or 0) if row is not None else (0, 0)
            follows = bool(size and last[1] and name == last[0] + last[1])
            if not blocks and follows:
                blocks, used = 1, last[1] + size
            elif blocks:
                blocks, used = blocks + (not follows and size > 0), used + size
            if size or not blocks:
                last = name, size
        return blocks * (self._table.memory.word_size + TEXT_BYTES), used

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
