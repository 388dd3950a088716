"""Who holds binaries, in states that no program reaches on demand."""

from __future__ import annotations

import pytest

from beamgdb.vm.off_heap import OffHeap
from jit.otp.tags import BOXED, HEADERS_IN_BYTES, Kind
from tests.vm.image import LAYOUT, Image
from tests.vm.test_processes import process_table

BINARY = 0xB1_0000
HEADER = HEADERS_IN_BYTES[Kind.PROC_BIN]


def held(image: Image, fields: dict[str, int]) -> tuple[list[int], int]:
    """The binaries of a process with these fields, and how many damages there are."""
    image.symbols["erts_proc"] = process_table(image, {5: 0}, fields).address
    found = OffHeap(image.node())
    _, binaries = next(found.binaries())
    return list(binaries), len(found.damaged)


def test_a_collection_that_has_copied_a_term() -> None:
    """Where a term was there is the address of the copy; all else of it is as before (erl_gc.h, `MOVE_BOXED`)."""
    image = Image()
    copy = image.struct("ProcBin", {"thing_word": HEADER, "val": BINARY})
    moved = image.struct("ProcBin", {"thing_word": copy.address | BOXED, "val": BINARY})
    there = image.struct("ProcBin", {"thing_word": HEADER, "val": BINARY + 8, "next": moved.address})
    assert held(image, {"off_heap.first": there.address}) == ([BINARY + 8, BINARY], 0)


@pytest.mark.parametrize(("first", "name"), [("mbuf", "ErlHeapFragment"), ("msg_frag", "ErtsMessage")])
def test_fragments_in_a_circle(first: str, name: str) -> None:
    image = Image()
    one = image.struct(name, {})
    following = LAYOUT.offset("ErtsMessageRef" if name == "ErtsMessage" else name, "next")
    image.poke(one.address + following, one.address)
    assert held(image, {first: one.address}) == ([], 1)
