"""What is wrong on heaps, in states that no program reaches on demand."""

from __future__ import annotations

from beamgdb.vm.heap_check import HeapCheck, Wrong
from jit.otp.tags import ARITY_SHIFT, ATOM, BOXED, CATCH, CONS, HEADERS_IN_BYTES, IMMED2_BITS, NIL, Kind
from tests.vm.image import LAYOUT, Image
from tests.vm.test_processes import process_table

HEADER = HEADERS_IN_BYTES[Kind.PROC_BIN] | 5 << ARITY_SHIFT
ONE = 1 << 4 | 15


def heap(image: Image, words: list[int], stack: tuple[int, ...] = ()) -> dict[str, int]:
    """Fields of a process with these words on its heap, and those on its stack."""
    start = image.words(*words, 0, 0, *stack)
    end = start + 8 * (len(words) + 2 + len(stack))
    return {
        "heap": start, "htop": start + 8 * len(words), "stop": end - 8 * len(stack), "hend": end,
        "heap_sz": (end - start) // 8,
    }  # fmt: skip


def checked(image: Image, *processes: dict[str, int]) -> tuple[list[Wrong], HeapCheck]:
    """All that is wrong in a VM with processes that have these fields."""
    image.atoms("false", "true")
    table = process_table(image, dict.fromkeys(range(1, 1 + len(processes)), 0), {})
    slots = image.memory.words(table["r.o.tab"], table["r.o.max"])
    for fields, address in zip(processes, [one for one in slots if one][:-1], strict=True):
        given = {**fields, "common.id": image.memory.word(address + LAYOUT.offset("Process", "common.id"))}
        image.struct("Process", given, address)
    image.memory.forget()
    image.symbols["erts_proc"] = table.address
    check = HeapCheck(image.node(), lambda: None)
    found = list(check.of_all_processes())
    return [one for some in found for one in some], check


def told(image: Image, fields: dict[str, int]) -> list[tuple[str, int, str]]:
    """What is wrong of one process with these fields: where, in words from the start of its heap, and what."""
    return [(one.area, (one.address - fields["heap"]) // 8, one.what) for one in checked(image, fields)[0]]


def test_a_sound_heap() -> None:
    image = Image()
    start = image.block(1 << 12)
    words = [2 << ARITY_SHIFT, ONE, 1 << IMMED2_BITS | ATOM, ONE, NIL, start | BOXED, start + 24 | CONS]
    for place, word in enumerate(words):
        image.poke(start + 8 * place, word)
    end = start + 4096
    fields = {"heap": start, "htop": start + 56, "stop": end, "hend": end, "heap_sz": 512}
    found, check = checked(image, fields)
    assert (found, check.heaps, check.bytes) == ([], 1, 56)


def test_words_that_no_term_has() -> None:
    for word, what in (
        (2 << IMMED2_BITS | ATOM, "is an atom that does not exist"),
        (CATCH, "is no term"),
        (0x40, "is a header, and no term"),
        (0x1002, "leads to nowhere"),
        (0x1006, "is no pointer that can be"),
    ):
        image = Image()
        assert told(image, heap(image, [2 << ARITY_SHIFT, ONE, word])) == [("heap", 2, what)]


def test_a_list_of_what_is_outside_that_is_a_circle() -> None:
    image = Image()
    fields = heap(image, [HEADER, 8, 0, 0, 0, 0])
    image.poke(fields["heap"] + LAYOUT.offset("erl_off_heap_header", "next"), fields["heap"])
    found, _ = checked(image, {**fields, "off_heap.first": fields["heap"]})
    assert [(one.area, one.what) for one in found] == [("list of what is outside", "leads to nowhere, or in a circle")]


def test_heaps_that_overlap() -> None:
    image = Image()
    one = heap(image, [ONE, NIL] * 8)
    other = {**one, "heap": one["heap"] + 64, "heap_sz": one["heap_sz"] - 8}
    found, _ = checked(image, one, other)
    assert [(wrong.address, wrong.what) for wrong in found] == [(other["heap"], "this block overlaps that of <0.1.0>")]


def test_bounds_that_cannot_be() -> None:
    image = Image()
    fields = heap(image, [ONE, NIL])
    found, _ = checked(image, {**fields, "heap_sz": 9})
    assert [(wrong.area, wrong.word, wrong.what) for wrong in found] == [
        ("process", 9, "the heap has 4 words, not so many")
    ]
