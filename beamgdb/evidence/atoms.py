"""The table of atoms: their names have the hashes that are kept with them (atom.c, atom.h, index.h). Names are bytes,
or, since OTP 28, terms: which they are is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Final

from beamgdb.evidence.findings import INT, Findings, NotProved, Seen, only
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.terms.bitstrings import literal_bytes
from jit.otp.atoms import PAGE_SHIFT, name_hash
from jit.otp.layouts.resolve import Field
from jit.otp.tags import ATOM, IMMED2_BITS, IMMED2_MASK

SAMPLE = 64
"""Atoms that are looked at, the first ones: those of the VM's own, all different."""

KNOWN = (b"false", b"true")
"""The first ones of all releases (atom.names)."""

MAX_NAME = 255 * 4
"""Bytes of a name at most."""

Reader = Callable[[CachedMemory, int, int], "bytes | None"]

NAMES: Final[Mapping[str, Reader]] = {
    "name": CachedMemory.try_read, "u.bin": literal_bytes,
}  # fmt: skip
"""By the field of an `Atom` that a release has: what its word and the size of the name lead to. May raise
`Unreadable`."""


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
    named = [(name, at) for name in NAMES for at in range(0, window, seen.word) if _are_known(seen, atoms, name, at)]
    sized = [
        at for at in range(0, window, 2)
        if all(seen.number(atom + at, 2) == len(name) for atom, name in zip(atoms, KNOWN))
    ]  # fmt: skip
    hashed = [(*place, size) for place, size in product(named, sized) if _is_hashed(seen, atoms, *place, size)]
    names = only((at for _, at, _ in hashed), "the name of an Atom")
    # How many characters it has stands behind how many bytes. For ASCII both are the same, and there may be no others:
    # of names that are not ASCII the hash tells (`vm.atoms`).
    sizes = sorted(size for _, _, size in hashed)
    if len(sizes) > 2 or (len(sizes) == 2 and sizes[1] != sizes[0] + 2):
        raise NotProved(f"{len(sizes)} places for Atom.len")
    kept_as = hashed[0][0]
    return {"slot.index": Field(index, INT), "len": Field(sizes[0], 2), kept_as: Field(names, seen.word)}


def _are_known(seen: Seen, atoms: Sequence[int], kept_as: str, at: int) -> bool:
    """Whether the names of the first atoms are what their words there lead to."""
    try:
        return all(_name(seen, atom, kept_as, at, len(name)) == name for atom, name in zip(atoms, KNOWN))
    except Unreadable:
        return False


def _name(seen: Seen, atom: int, kept_as: str, at: int, size: int) -> bytes | None:
    """The name of an atom, if it is kept there. May raise `Unreadable`."""
    return NAMES[kept_as](seen.memory, seen.memory.word(atom + at), size)


def _is_hashed(seen: Seen, atoms: Sequence[int], kept_as: str, at: int, at_size: int) -> bool:
    """Whether the second word of each atom is the hash of its name (hash.h, HashBucket)."""
    names = set()
    try:
        for atom in atoms:
            size = seen.number(atom + at_size, 2)
            name = _name(seen, atom, kept_as, at, size) if size <= MAX_NAME else None
            if name is None or name_hash(name, seen.word) != seen.memory.word(atom + seen.word):
                return False
            names.add(name)
    except Unreadable:
        return False
    return len(names) == len(atoms)


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


def atom_address(seen: Seen, found: Findings, term: int) -> int | None:
    """The address of an atom, None for what is none."""
    table = seen.variable("erts_atom_table")
    index = term >> IMMED2_BITS
    if term & IMMED2_MASK != ATOM or index >= seen.number(table + found.offset("IndexTable", "entries"), INT):
        return None
    segments = seen.memory.word(table + found.offset("IndexTable", "seg_table"))
    page = seen.memory.word(segments + seen.word * (index >> PAGE_SHIFT))
    return seen.memory.word(page + seen.word * (index % (1 << PAGE_SHIFT)))


def atom_text(seen: Seen, found: Findings, term: int) -> bytes | None:
    """The name of an atom, None for what is none."""
    atom = atom_address(seen, found, term)
    kept_as = next((name for name in NAMES if found.has("Atom", name)), None)
    if atom is None or kept_as is None:
        return None
    size = seen.number(atom + found.offset("Atom", "len"), 2)
    try:
        return _name(seen, atom, kept_as, found.offset("Atom", kept_as), min(size, MAX_NAME))
    except Unreadable:
        return None
