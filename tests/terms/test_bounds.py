"""The last value that is one thing, and the first that is another."""

from __future__ import annotations

import pytest

from beamgdb.terms.slots import SlotOrder
from beamgdb.terms.source import Limits
from beamgdb.terms.text import Style, term_text
from beamgdb.terms.values import (
    Atom,
    Bitstring,
    ExternalFun,
    Fun,
    Header,
    HugeInteger,
    List,
    NodeOfTerm,
    Reference,
    Tuple,
)
from tests.harness.work import calls
from tests.terms.heap_encoder import (
    EXTERNAL_REF,
    FUN,
    MAP_25,
    MAP_27,
    NEG_BIG,
    POS_BIG,
    SUB_BIN_25,
    TUPLE,
    Heap,
    header,
)

FLAVOURS = pytest.mark.parametrize(("release", "word_size"), [(25, 8), (25, 4), (27, 8), (27, 4), (29, 8)])
RELEASES = pytest.mark.parametrize("release", [25, 27, 29])

#: `BIG_ARITY_MAX` of erl_term.h: words of the longest bignum.
LONGEST_BIG = {(25, 8): 524_287, (25, 4): 524_287, (27, 8): 65_535, (27, 4): 131_071, (29, 8): 65_535}
LAST_CHARACTER = 0x10FFFF


@FLAVOURS
def test_the_smallest_and_the_largest_small_integer(release: int, word_size: int) -> None:
    """All bits above the tag but the sign's, and the sign's alone."""
    heap = Heap(release, word_size)
    bits = 8 * word_size
    largest, smallest = (1 << (bits - 1)) - 1, 1 << (bits - 1) | 0xF
    assert heap.decoded(largest) == (1 << (bits - 5)) - 1
    assert heap.decoded(smallest) == -(1 << (bits - 5))
    listed = heap.put_words(smallest, heap.put_words(largest, 0x3B) | 1) | 1
    assert heap.decoded(listed) == List((-(1 << (bits - 5)), (1 << (bits - 5)) - 1))


@FLAVOURS
def test_a_string_may_have_the_last_character(release: int, word_size: int) -> None:
    """It is as long as a string may be then, not as a list."""
    heap = Heap(release, word_size)
    limits = Limits(width=3, bytes=8)
    string, numbers = (heap.term(List((character,) * 5)) for character in (LAST_CHARACTER, LAST_CHARACTER + 1))
    assert term_text(heap.decoded(string, limits), Style(release)) == '"' + 5 * chr(LAST_CHARACTER) + '"'
    assert term_text(heap.decoded(numbers, limits), Style(release)) == "[1114112,1114112,1114112|...]"


@FLAVOURS
@pytest.mark.parametrize("sign", [1, -1])
def test_an_integer_that_just_fits_the_limit_is_shown(release: int, word_size: int, sign: int) -> None:
    heap = Heap(release, word_size)
    limits = Limits(bytes=16)
    assert heap.decoded(heap.term(sign * ((1 << 128) - 1)), limits) == sign * ((1 << 128) - 1)
    longer = HugeInteger(sign < 0, 128 + 8 * word_size)
    assert heap.decoded(heap.term(sign * (1 << 128)), limits) == longer


@FLAVOURS
@pytest.mark.parametrize("subtag", [POS_BIG, NEG_BIG])
def test_the_longest_integer_of_each_release(release: int, word_size: int, subtag: int) -> None:
    heap = Heap(release, word_size)
    longest = LONGEST_BIG[release, word_size]
    word = heap.boxed(header(longest, subtag), 1)
    assert heap.decoded(word) == HugeInteger(subtag == NEG_BIG, 8 * word_size * longest)
    assert isinstance(heap.decoded(header(longest, subtag)), Header)
    for impossible in (0, longest + 1):
        word = heap.boxed(header(impossible, subtag), 1)
        assert term_text(heap.decoded(word)) == f"<unknown boxed {word - 2:#x}: impossible size>"
        assert term_text(heap.decoded(header(impossible, subtag))).startswith("<cp ")


@RELEASES
@pytest.mark.parametrize(
    ("kind", "whole", "keys"), [(0, 1, 0), (2, 1, 0xFFFF), (3, 1, 0b101), (1, 0, 0b101)],
    ids=["flat", "head array", "head bitmap", "node"],
)  # fmt: skip
def test_only_a_node_of_a_map_is_not_whole(release: int, kind: int, whole: int, keys: int) -> None:
    """The arity that a map's header has tells (`MAP_HEADER`, erl_map.h): a word with another one is no header."""
    heap = Heap(release)
    found = heap.decoded(heap.map_header(kind, whole, keys))
    assert isinstance(found, Header)
    assert found.arity == keys.bit_count()
    for other in (1 - whole, whole + 2):
        word = heap.map_header(kind, other, keys)
        assert word >> 2 & 0xF == (MAP_25 if release == 25 else MAP_27)
        assert term_text(heap.decoded(word)) == f"<cp {word:#x}>"


@RELEASES
def test_a_tuple_as_wide_and_as_deep_as_the_limits(release: int) -> None:
    heap = Heap(release)
    limits = Limits(depth=2, width=3)
    assert heap.decoded(heap.term(Tuple((Tuple((1, 2, 3)),))), limits) == Tuple((Tuple((1, 2, 3)),))
    deeper = heap.decoded(heap.term(Tuple((Tuple((Tuple((1,)),)),))), limits)
    assert term_text(deeper) == "{{{...}}}"


@FLAVOURS
def test_funs_with_as_many_arguments_and_free_variables_as_there_can_be(release: int, word_size: int) -> None:
    heap = Heap(release, word_size)
    module = heap.atoms.make("m")
    fun, external = Fun(module, 1, 2, 255, 255), ExternalFun(module, module, 255)
    assert heap.decoded(heap.term(fun)) == fun
    assert heap.decoded(heap.term(external)) == external


@pytest.mark.parametrize("word_size", [4, 8])
def test_an_export_entry_with_too_many_arguments_is_none(word_size: int) -> None:
    heap = Heap(25, word_size)
    module = heap.atoms.make("m")
    assert term_text(heap.decoded(heap.term(ExternalFun(module, module, 255)))) == "fun m:m/255"
    export = heap.struct("Export", info__mfa__module=heap.pack(heap.term(module)),
                         info__mfa__function=heap.pack(heap.term(module)), info__mfa__arity=heap.pack(256))  # fmt: skip
    word = heap.boxed(header(3, FUN), export, 0, 0, heap.term(heap.atoms.make("external")))
    assert "fun with an impossible arity" in term_text(heap.decoded(word))


def test_the_header_of_a_fun_has_its_arity_and_the_size_of_its_environment() -> None:
    """Up to 255 free variables, and the fun ref (erl_fun.h of OTP 27)."""
    heap = Heap(27)
    largest = 256 << 16 | 255 << 8 | FUN << 2
    found = heap.decoded(largest)
    assert isinstance(found, Header)
    assert found.arity == 255
    for impossible in (largest + (1 << 16), largest | 1 << 6, largest | 1 << 7):
        assert term_text(heap.decoded(impossible)) == f"<cp {impossible:#x}>"
    word = heap.boxed(largest + (1 << 16), 0x40)
    assert term_text(heap.decoded(word)) == f"<unknown boxed {word - 2:#x}: impossible size>"


def test_the_longest_atom() -> None:
    heap = Heap()
    longest = heap.atoms.make(255 * "ä")
    assert heap.decoded(heap.term(longest)) == longest
    longer = heap.atoms.make(256 * "ä")
    assert heap.decoded(heap.term(longer)) == Atom(longer.index, None), "from a corrupt table"


def test_the_largest_table_of_processes() -> None:
    """2^27 slots (`ERTS_PTAB_MAX_SIZE`, erl_ptab.h), spread over lines of 8."""
    fields = {"r.o.pix_mask": (1 << 27) - 1, "r.o.pix_cl_mask": (1 << 24) - 1, "r.o.pix_cl_shift": 3,
              "r.o.pix_cli_mask": 7, "r.o.pix_cli_shift": 24}  # fmt: skip
    order = SlotOrder.of(fields.__getitem__)
    assert order is not None
    assert order.number_of(order.slotted((1 << 27) + 5)) == (1 << 27) + 5
    assert SlotOrder.of((fields | {"r.o.pix_cl_shift": 4}).__getitem__) is None


@FLAVOURS
def test_a_binary_that_fills_its_words(release: int, word_size: int) -> None:
    heap = Heap(release, word_size)
    value = Bitstring(b"12345678", 64, "heap")
    word = heap.term(value)
    assert heap.decoded(word) == value
    if release == 25:
        for size, offset in ((8, 0), (7, 1), (0, 8)):
            part = heap.boxed(header(3, SUB_BIN_25), size, offset, 0, word)
            assert heap.decoded(part) == Bitstring(b"12345678"[offset:], 8 * size, "sub")
            longer = heap.boxed(header(3, SUB_BIN_25), size + 1, offset, 0, word)
            assert "runs out of its binary" in term_text(heap.decoded(longer))


def test_a_reference_has_no_more_numbers_than_room() -> None:
    """The first 32 bits of the data count the others."""
    heap = Heap()
    node = NodeOfTerm(heap.atoms.make("a@b"), 1)
    words = [heap.boxed(header(4, EXTERNAL_REF), heap.node(node), 0, raw=heap.u32s(n, 1, 2, 3)) for n in (3, 4, 0)]
    assert heap.decoded(words[0]) == Reference((1, 2, 3), node)
    for word in words[1:]:
        assert term_text(heap.decoded(word)) == f"<unknown boxed {word - 2:#x}: impossible size>"


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_text_that_is_cut_within_its_last_character(missing: int) -> None:
    shown = Bitstring("a😀".encode()[:-missing], 800, "heap")
    assert term_text(shown) == '<<"a"...>>'
    broken = Bitstring("a😀".encode()[:-missing] + b"a", 800, "heap")
    assert term_text(broken) != term_text(shown), "what is broken is no text in UTF-8"


LEVELS = 5
"""Of nodes with 16 pointers to one and the same node below: 16^5 ways lead to the last one."""


def _shared_nodes(heap: Heap, last: int) -> int:
    """A map of `LEVELS` such levels above a node."""
    node = last
    for _ in range(LEVELS - 1):
        node = heap.boxed(heap.map_header(1, 0, 0xFFFF), *[node] * 16)
    return heap.boxed(heap.map_header(2, 1, 0xFFFF), 40, *[node] * 16)


@FLAVOURS
def test_a_node_of_a_map_has_children(release: int, word_size: int) -> None:
    heap = Heap(release, word_size)
    empty = [heap.boxed(heap.map_header(1, 0, 0))] + ([heap.boxed(header(0, TUPLE))] if release >= 27 else [])
    for node, why in zip(empty, ("map node without children", "impossible size"), strict=False):
        word = _shared_nodes(heap, node)
        assert term_text(heap.decoded(word)) == f"#{{<unknown boxed {node - 2:#x}: {why}>}}"
    whole = heap.boxed(heap.map_header(3, 1, 0), 40)
    assert term_text(heap.decoded(whole)) == f"#{{<unknown boxed {whole - 2:#x}: map node without children>}}"


@FLAVOURS
def test_nodes_of_a_map_count_as_terms(release: int, word_size: int) -> None:
    """Nothing is shown of them: below each but the last there is no key yet."""
    heap, limits = Heap(release, word_size), Limits(nodes=400)
    pair = heap.put_words(heap.term(1), heap.term(2)) | 1
    node = heap.boxed(heap.map_header(1, 0, 1), pair)
    for _ in range(12):
        node = heap.boxed(heap.map_header(1, 0, 1), node)
    word = _shared_nodes(heap, node)
    found = heap.decoded(word, limits)
    assert term_text(found).endswith(",...}")
    assert term_text(found).count("1 => 2") < limits.nodes / 12
    assert calls(lambda: heap.decoded(word, limits)) < 60 * limits.nodes
