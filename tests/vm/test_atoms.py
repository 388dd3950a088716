"""Names of atoms, from an atom table in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beamgdb.memory import Unreadable
from beamgdb.records.record import Record
from beamgdb.terms.values import Bitstring, List
from beamgdb.vm.atoms import AtomTable
from jit.otp.layouts.resolve import StructLayout
from tests.terms.heap_encoder import Heap
from tests.vm.image import LAYOUT, Image

#: As since OTP 28: names of atoms are terms.
_ATOM = LAYOUT.structs["Atom"]
_BY_TERM = StructLayout(_ATOM.size, {**_ATOM.fields, "u.bin": _ATOM.fields["name"]})
WITH_TERMS = replace(LAYOUT, structs={**LAYOUT.structs, "Atom": _BY_TERM})


def _table(image: Image) -> AtomTable:
    return AtomTable(Record(image.memory, LAYOUT, "IndexTable", image.symbols["erts_atom_table"]))


def test_names_on_all_pages() -> None:
    image = Image()
    names = [f"atom_{number}" for number in range(1030)]
    image.atoms(*names)
    table = _table(image)
    assert table.count() == 1030
    for index in (0, 1, 1023, 1024, 1029):
        assert table.name(index) == names[index]


def test_the_number_of_a_name() -> None:
    image = Image()
    image.atoms(*[f"atom_{number}" for number in range(1030)], "żółw")
    table = _table(image)
    for name, number in (("atom_0", 0), ("atom_1029", 1029), ("żółw", 1030), ("atom_1030", None), ("", None)):
        assert table.find(name) == number


def test_names_are_utf_8_and_may_be_empty() -> None:
    image = Image()
    image.atoms("żółw", "", "日本")
    assert [_table(image).name(index) for index in range(3)] == ["żółw", "", "日本"]


def named_by(word: int, heap: Heap, size: int) -> str | None:
    """The name of an atom that has a term as its name, and so many bytes."""
    image = Image()
    image.block(len(heap.data), heap.base)
    image.write(heap.base, bytes(heap.data))
    atom = image.struct("Atom", {"len": size, "name": word})
    pages = image.words(image.words(atom.address))
    table = image.struct("IndexTable", {"entries": 1, "seg_table": pages})
    return AtomTable(Record(image.memory, WITH_TERMS, "IndexTable", table.address)).name(0)


@pytest.mark.parametrize("storage", ["heap", "refc"])
@pytest.mark.parametrize("name", ["", "ok", "żółw", 20 * "日本"])
def test_names_that_are_terms(name: str, storage: str) -> None:
    heap, raw = Heap(29), name.encode()
    # A name begins with the bytes of its binary.
    word = heap.heap_binary(raw, 8 * len(raw), 0x8) if storage == "heap" else whole(heap, raw)
    assert named_by(word, heap, len(raw)) == name
    assert named_by(word, heap, len(raw) + 1) is None


def whole(heap: Heap, raw: bytes) -> int:
    """A bit string that is the whole of its binary."""
    base = heap.put(raw)
    return heap.boxed(4 << 6 | 0x9 << 2, base, 0, 8 * len(raw), 0x3B)


def test_a_name_that_is_another_term_is_none() -> None:
    heap, raw = Heap(29), b"name"
    base = heap.put(raw)
    some = (
        0x2F, 0x3B, heap.term(Bitstring(raw, 31, "heap")), heap.term(List((1, 2))), heap.term(1 << 80),
        heap.boxed(4 << 6 | 0x9 << 2, base, 8, 40, 0x3B),  # not from its first byte on
        heap.boxed(4 << 6 | 0x9 << 2, base | 1, 0, 32, 0x3B),  # a match context
        heap.boxed(5 << 6 | 0x9 << 2, base, 0, 32, 0x3B),
        0x1232,
    )  # fmt: skip
    assert [named_by(word, heap, len(raw)) for word in some] == [None] * len(some)


def test_there_is_no_atom_outside_the_table() -> None:
    image = Image()
    image.atoms("a")
    assert [_table(image).name(index) for index in (-1, 1, 1 << 40)] == [None] * 3


def test_an_entry_behind_the_last_one_is_no_atom_yet() -> None:
    image = Image()
    image.atoms("a", "b")
    image.struct("IndexTable", {"entries": 1}, image.symbols["erts_atom_table"])
    assert [_table(image).name(index) for index in (0, 1)] == ["a", None]


def test_the_longest_name() -> None:
    """255 characters (`MAX_ATOM_CHARACTERS`, atom.h) of at most four bytes each."""
    image = Image()
    image.atoms(255 * "😀", 255 * "😀" + "x")
    assert [_table(image).name(index) for index in (0, 1)] == [255 * "😀", None]


def test_what_cannot_be_read_has_no_name_but_is_asked_for_again() -> None:
    image = Image()
    image.atoms("good", "bad")
    table = _table(image)
    pages = image.memory.word(image.symbols["erts_atom_table"] + LAYOUT.offset("IndexTable", "seg_table"))
    atom = image.memory.word(image.memory.word(pages) + 8)
    name_at = atom + LAYOUT.offset("Atom", "name")
    text = image.memory.word(name_at)
    image.poke(name_at, 0xDEAD)
    image.memory.forget()
    assert (table.name(0), table.name(1)) == ("good", None)
    image.poke(name_at, text)
    image.memory.forget()
    assert table.name(1) == "bad"


@pytest.mark.parametrize(("length", "raw"), [(5000, b"x" * 5000), (2, b"\xff\xfe")])
def test_a_corrupt_atom_has_no_name(length: int, raw: bytes) -> None:
    image = Image()
    atom = image.struct("Atom", {"len": length & 0x7FFF, "name": image.bytes(raw)})
    image.symbols["erts_atom_table"] = image.struct(
        "IndexTable", {"entries": 1, "seg_table": image.words(image.words(atom.address))}
    ).address
    assert _table(image).name(0) is None


def test_a_name_once_known_is_kept() -> None:
    image = Image()
    image.atoms("kept")
    table = _table(image)
    assert table.name(0) == "kept"
    image.poke(image.symbols["erts_atom_table"] + LAYOUT.offset("IndexTable", "seg_table"), 0)
    image.memory.forget()
    assert table.name(0) == "kept"


def test_an_unreadable_table_cannot_be_counted() -> None:
    image = Image()
    table = AtomTable(Record(image.memory, LAYOUT, "IndexTable", 0x40))
    assert table.name(3) is None
    with pytest.raises(Unreadable):
        table.count()
