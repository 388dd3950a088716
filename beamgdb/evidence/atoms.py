"""The table of atoms: their names have the hashes that are kept with them (atom.c, atom.h, index.h)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from beamgdb.evidence.findings import INT, Findings, NotProved, Seen, only
from beamgdb.memory import Unreadable
from jit.otp.atoms import PAGE_SHIFT, name_hash
from jit.otp.layouts.resolve import Field
from jit.otp.tags import ATOM, IMMED2_BITS, IMMED2_MASK

SAMPLE = 64
"""Atoms that are looked at, the first ones: those of the VM's own, all different."""

KNOWN = (b"false", b"true")
"""The first ones of all releases (atom.names)."""

MAX_NAME = 255 * 4
"""Bytes of a name at most."""


def prove(seen: Seen, found: Findings) -> None:
    """`IndexTable` and `Atom`."""
    table, word = seen.variable("erts_atom_table"), seen.word
    tables = {}
    for at in range(0, seen.window("IndexTable"), word):
        try:
            tables[at] = _atoms(seen, seen.memory.word(table + at))
        except (NotProved, Unreadable):
            continue
    seg_table = only(tables, "IndexTable.seg_table")
    how = f"{SAMPLE} atoms"
    found.add("Atom", how, tables[seg_table])
    found.add("HashBucket", how, {"hvalue": Field(word, word)})
    found.add("IndexTable", how, {"seg_table": Field(seg_table, word)})
    found.add("IndexTable", "the last atom", {"entries": Field(_entries(seen, found, table), INT)})


def _atoms(seen: Seen, segments: int) -> dict[str, Field]:
    """The fields of the atoms in a table of pages."""
    atoms = seen.memory.words(seen.memory.word(segments), SAMPLE)
    if 0 in atoms or len(set(atoms)) != SAMPLE:
        raise NotProved("no pages of atoms")
    window = seen.window("Atom")
    index = only(
        (
            at for at in range(0, window, INT)
            if all(seen.number(atom + at, INT) == number for number, atom in enumerate(atoms))
        ),
        "IndexSlot.index",
    )  # fmt: skip
    named = [at for at in range(0, window, seen.word) if _are_known(seen, atoms, at)]
    sized = [
        at for at in range(0, window, 2)
        if all(seen.number(atom + at, 2) == len(name) for atom, name in zip(atoms, KNOWN))
    ]  # fmt: skip
    hashed = [place for place in product(named, sized) if _is_hashed(seen, atoms, *place)]
    names = only((at for at, _ in hashed), "Atom.name")
    # How many characters it has stands behind how many bytes. For ASCII both are the same, and there may be no others:
    # of names that are not ASCII the hash tells (`vm.atoms`).
    sizes = sorted(size for _, size in hashed)
    if len(sizes) > 2 or (len(sizes) == 2 and sizes[1] != sizes[0] + 2):
        raise NotProved(f"{len(sizes)} places for Atom.len")
    return {"slot.index": Field(index, INT), "len": Field(sizes[0], 2), "name": Field(names, seen.word)}


def _are_known(seen: Seen, atoms: Sequence[int], at_name: int) -> bool:
    """Whether the names of the first atoms lie where their words there point to."""
    return all(
        seen.memory.try_read(seen.memory.word(atom + at_name), len(name)) == name
        for atom, name in zip(atoms, KNOWN)
    )


def _names(seen: Seen, atoms: Sequence[int], at_name: int, at_size: int) -> list[bytes]:
    """The names of atoms, if they lie there. Raises `NotProved`, `Unreadable`."""
    names = []
    for atom in atoms:
        size = seen.number(atom + at_size, 2)
        if size > MAX_NAME:
            raise NotProved("names that are too long")
        names.append(seen.memory.read(seen.memory.word(atom + at_name), size))
    return names


def _is_hashed(seen: Seen, atoms: Sequence[int], at_name: int, at_size: int) -> bool:
    """Whether the second word of each atom is the hash of its name (hash.h, HashBucket)."""
    try:
        names = _names(seen, atoms, at_name, at_size)
    except (NotProved, Unreadable):
        return False
    hashes = [seen.memory.word(atom + seen.word) for atom in atoms]
    return [name_hash(name, seen.word) for name in names] == hashes and len(set(names)) == len(atoms)


def _entries(seen: Seen, found: Findings, table: int) -> int:
    """Their number, behind the most that there may be, and the size of the pages that there are."""
    segments = seen.memory.word(table + found.offset("IndexTable", "seg_table"))
    index = found.offset("Atom", "slot.index")
    page = 1 << PAGE_SHIFT

    def is_number(at: int) -> bool:
        size, limit, number = (seen.number(table + at + part * INT, INT) for part in (-2, -1, 0))
        if not (size % page == 0 and size - page < number <= size <= limit and number > SAMPLE):
            return False
        slots = seen.memory.word(segments + seen.word * (number - 1 >> PAGE_SHIFT))
        last = seen.memory.try_read(slots + seen.word * ((number - 1) % page), seen.word)
        atom = int.from_bytes(last or b"", seen.memory.byteorder)
        return seen.memory.try_read(atom + index, INT) == (number - 1).to_bytes(INT, seen.memory.byteorder)

    return only((at for at in range(2 * INT, seen.window("IndexTable"), INT) if is_number(at)), "IndexTable.entries")


def atom_text(seen: Seen, found: Findings, term: int) -> bytes | None:
    """The name of an atom, None for what is none."""
    table = seen.variable("erts_atom_table")
    index = term >> IMMED2_BITS
    if term & IMMED2_MASK != ATOM or index >= seen.number(table + found.offset("IndexTable", "entries"), INT):
        return None
    segments = seen.memory.word(table + found.offset("IndexTable", "seg_table"))
    page = seen.memory.word(segments + seen.word * (index >> PAGE_SHIFT))
    atom = seen.memory.word(page + seen.word * (index % (1 << PAGE_SHIFT)))
    size = seen.number(atom + found.offset("Atom", "len"), 2)
    return seen.memory.try_read(seen.memory.word(atom + found.offset("Atom", "name")), min(size, MAX_NAME))
