"""Each kind of word and object by hand: what a debugger shows of it, also when it is broken or half moved."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beamgdb.terms.decode import TermDecoder
from beamgdb.terms.slots import SlotOrder
from beamgdb.terms.source import Limits
from beamgdb.terms.text import Style, term_text
from beamgdb.terms.values import (
    ELIDED,
    NIL,
    NON_VALUE,
    Atom,
    Bitstring,
    ContinuationPointer,
    ExternalFun,
    Fun,
    LayoutUnknown,
    List,
    Map,
    MatchContext,
    Moved,
    NativeRecord,
    NodeOfTerm,
    Pid,
    Port,
    Reference,
    Tuple,
    UnreadableTerm,
    Value,
)
from jit.otp.tags import Kind, TagScheme, common_scheme, tag_scheme
from tests.harness.work import calls
from tests.terms.heap_encoder import FIELDS, Heap, TestLayout, header

RELEASES = pytest.mark.parametrize("release", [25, 27, 29])
FLAVOURS = pytest.mark.parametrize(("release", "word_size"), [(25, 8), (25, 4), (27, 8), (27, 4), (29, 8), (29, 4)])


def show(heap: Heap, word: int, limits: Limits = Limits()) -> str:  # noqa: B008
    return term_text(heap.decoded(word, limits), Style(heap.release))


class Code:
    def describe(self, address: int, /) -> str | None:
        return f"lists:map/2+{address - 0x7000}" if 0x7000 <= address < 0x8000 else None


def with_code(heap: Heap) -> TermDecoder:
    scheme = tag_scheme(heap.release, heap.word_size)
    return TermDecoder(heap.memory(), scheme, TestLayout(), heap.atoms, Code(), {3: 0x7020}.get)


# -- words that are no terms


@FLAVOURS
def test_the_empty_list_and_the_non_value(release: int, word_size: int) -> None:
    heap = Heap(release, word_size)
    assert heap.decoded(0x3B) == NIL
    assert show(heap, 0x3B) == "[]"
    assert heap.decoded(0) == NON_VALUE
    assert show(heap, 0) == "<non-value>"


def test_the_non_value_of_a_debug_emulator() -> None:
    decoder = TermDecoder(Heap().memory(), tag_scheme(25, 8, debug=True), TestLayout(), Heap().atoms)
    assert decoder.decode(0x18) == NON_VALUE


@RELEASES
def test_catch_tags(release: int) -> None:
    heap = Heap(release)
    assert show(heap, 12 << 6 | 0x1B) == "<catch 12>"
    decoder = with_code(heap)
    assert term_text(decoder.decode(3 << 6 | 0x1B)) == "<catch lists:map/2+32>"
    assert term_text(decoder.decode(4 << 6 | 0x1B)) == "<catch 4>"


@RELEASES
def test_continuation_pointers(release: int) -> None:
    decoder = with_code(Heap(release))
    assert term_text(decoder.decode(0x7018)) == "<cp lists:map/2+24>"
    assert decoder.decode(0x7F1234567890) == ContinuationPointer(0x7F1234567890, None)
    assert term_text(decoder.decode(0x7F1234567890)) == "<cp 0x7f1234567890>"


@pytest.mark.parametrize(
    ("release", "word", "text"),
    [
        (25, 3 << 6, "<header 0xc0 tuple/3>"),
        (27, 3 << 6, "<header 0xc0 tuple/3>"),
        (25, 5 << 6 | 0x8 << 2, "<header 0x160 refc binary/5>"),
        (27, 4 << 6 | 0x9 << 2, "<header 0x124 sub bitstring/4>"),
        (25, 0xB << 2, "<cp 0x2c>"),  # a subtag that OTP 25 does not use
        (27, 2 << 6 | 0x1 << 2, "<header 0x84 fun ref/2>"),
        (28, 2 << 6 | 0x1 << 2, "<cp 0x84>"),
        (28, 2 << 6 | 0x7 << 2, "<cp 0x9c>"),
        (29, 2 << 6 | 0x7 << 2, "<header 0x9c native record/2>"),
        (27, 256 << 16 | 3 << 8 | 0x5 << 2, "<header 0x1000314 fun/3>"),  # 255 free variables, and the fun ref
        (29, 1 << 24 | 3 << 8 | 0x5 << 2, "<header 0x1000314 fun/3>"),  # an external one
        (29, 257 << 16 | 3 << 8 | 0x5 << 2, "<cp 0x1010314>"),
    ],
)
def test_header_words(release: int, word: int, text: str) -> None:
    assert show(Heap(release), word) == text


@RELEASES
def test_an_immediate_that_no_release_uses(release: int) -> None:
    assert show(Heap(release), 0x2B) == "<unknown 0x2b>"


def test_an_atom_that_the_table_does_not_know() -> None:
    assert show(Heap(), 77 << 6 | 0x0B) == "<atom 77>"


# -- broken and half-moved objects


@FLAVOURS
@pytest.mark.parametrize("tag", [1, 2])
def test_pointers_to_nowhere(release: int, word_size: int, tag: int) -> None:
    heap = Heap(release, word_size)
    assert heap.decoded(0x1230 | tag) == UnreadableTerm(0x1230)
    assert show(heap, 0x1230 | tag) == "<unreadable 0x1230>"


def test_a_misaligned_pointer() -> None:
    assert show(Heap(), 0x1234 | 2) == "<unknown boxed 0x1234: misaligned>"


@pytest.mark.parametrize("tags", [tag_scheme(25, 8, literal_bit=True), tag_scheme(25, 8, debug=True)])
def test_a_literal_pointer_where_those_are_tagged(tags: TagScheme) -> None:
    """So they are in debug emulators."""
    heap = Heap()
    word = heap.term(Tuple((1,)))
    tagged = TermDecoder(heap.memory(), tags, TestLayout(), heap.atoms)
    assert tagged.decode(word | 4) == Tuple((1,))


@FLAVOURS
def test_a_boxed_object_that_a_collection_has_moved(release: int, word_size: int) -> None:
    heap = Heap(release, word_size)
    there = heap.term(Tuple((1, 2)))
    here = heap.put_words(there, 0) | 2
    assert heap.decoded(here) == Moved(here - 2, there)
    assert show(heap, here) == f"<moved {there:#x}>"


@FLAVOURS
def test_a_cons_cell_that_a_collection_has_moved(release: int, word_size: int) -> None:
    heap = Heap(release, word_size)
    there = heap.term(List((1000, 2)))
    gone = heap.put_words(0, there) | 1
    assert show(heap, gone) == f"<moved {there:#x}>"
    longer = heap.put_words(heap.term(7), gone) | 1
    assert show(heap, longer) == f"[7|<moved {there:#x}>]"


@RELEASES
def test_a_flatmap_whose_keys_moved_first_still_shows(release: int) -> None:
    heap = Heap(release)
    keys = heap.term(Tuple((1, 2)))
    forwarded = heap.put_words(keys, 0, 0) | 2
    word = heap.boxed(heap.map_header(0, 1, 0), 2, forwarded, heap.term(3), heap.term(4))
    assert show(heap, word) == "#{1 => 3,2 => 4}"


@RELEASES
def test_a_flatmap_with_the_wrong_keys(release: int) -> None:
    heap = Heap(release)
    keys = heap.term(Tuple((1, 2, 3)))
    word = heap.boxed(heap.map_header(0, 1, 0), 2, keys, heap.term(3), heap.term(4))
    assert "no key tuple of this map" in show(heap, word)


@RELEASES
def test_a_hash_map_with_a_broken_node_keeps_what_is_good(release: int) -> None:
    heap = Heap(release)
    leaf = heap.put_words(heap.term(1), heap.term(2)) | 1
    word = heap.boxed(heap.map_header(3, 1, 0b111), 3, leaf, 0x9990 | 2, leaf)
    assert show(heap, word) == "#{1 => 2,<unreadable 0x9990>}"


def test_a_hash_map_that_contains_itself_ends() -> None:
    heap = Heap()
    node = heap.base | 2
    heap.put_words(heap.map_header(1, 0, 0b1), node)
    word = heap.boxed(heap.map_header(3, 1, 0b1), 5, node)
    assert "nested too deeply" in show(heap, word)


def test_cyclic_lists_and_tuples_end() -> None:
    heap = Heap()
    cell, box = heap.base | 1, (heap.base + 16) | 2
    heap.put_words(0x0F, cell, header(2, 0), box, box)
    limits = Limits(depth=50, width=10_000_000, bytes=10_000_000, nodes=5000)
    for word in (cell, box):
        assert len(show(heap, word, limits)) < 40_000
        assert calls(partial(show, heap, word, limits)) < 100 * limits.nodes


def test_a_list_that_runs_into_unreadable_memory() -> None:
    heap = Heap()
    word = heap.put_words(heap.term(1), 0x9990 | 1) | 1
    assert show(heap, word) == "[1|<unreadable 0x9990>]"


@RELEASES
@pytest.mark.parametrize("subtag", range(16))
def test_every_subtag_with_an_impossible_size_says_something(release: int, subtag: int) -> None:
    heap = Heap(release)
    word = heap.boxed((1 << 40) | subtag << 2, *range(20))
    assert show(heap, word).startswith(("<unknown boxed", "<integer of", "<unreadable", "#{", "#Fun", "fun"))


# -- objects that need the VM's structures


@FLAVOURS
def test_magic_references(release: int, word_size: int) -> None:
    heap = Heap(release, word_size)
    word, binary = heap.magic_reference(1, 2, 3)
    assert heap.decoded(word) == Reference((1, 2, 3), magic=binary)
    assert show(heap, word) == "#Ref<0.3.2.1>"


@pytest.mark.parametrize(
    ("release", "word_size", "numbers", "text"),
    [
        (25, 8, (1, 2, 3, 4, 5), "#Ref<0.3.2.1>"),
        (25, 4, (1, 2, 3, 4), "#Ref<0.3.2.1>"),
        (27, 8, (1, 2, 3, 4, 5), "#Ref<0.5.4.3.2.1>"),
        (27, 4, (1, 2, 3, 4), "#Ref<0.4.3.2.1>"),
        (29, 8, (1, 2, 3, 4, 5), "#Ref<0.5.4.3.2.1>"),
    ],
)
def test_references_that_carry_a_pid(release: int, word_size: int, numbers: tuple[int, ...], text: str) -> None:
    heap = Heap(release, word_size)
    assert show(heap, heap.local_reference(*numbers)) == text


@FLAVOURS
def test_identifiers_as_erlang_prints_them(release: int, word_size: int) -> None:
    heap = Heap(release, word_size)
    for name in ("zero", "one", "two", "a@b"):
        heap.atoms.make(name)
    node = NodeOfTerm(Atom(3, "a@b"), 99)
    assert show(heap, heap.term(Pid(80, 0))) == "<0.80.0>"
    assert show(heap, heap.term(Pid(80, 1, node))) == "<3.80.1>"
    assert show(heap, heap.term(Port(5))) == "#Port<0.5>"
    assert show(heap, heap.term(Port((1 << 40) + 5, node))) == "#Port<3.1099511627781>"
    assert show(heap, heap.term(Reference((7, 8, 9), node))) == "#Ref<3.9.8.7>"


def test_pid_words_seen_in_real_nodes() -> None:
    """`<0.10.0>` of a 64-bit OTP 27 was the word 0x503: eight slots share a cache line."""
    assert Heap(27).decoded(0x503) == Pid(10, 0)
    assert Heap(27).decoded(3 << 32 | 0x503) == Pid(10, 3)
    assert Heap(25).decoded(0x7F0000000093) == Pid(9, 0)
    assert Heap(25).decoded((3 << 15 | 7) << 4 | 3) == Pid(7, 3)


@FLAVOURS
def test_pids_and_ports_without_the_tables_do_not_lie(release: int, word_size: int) -> None:
    decoder = TermDecoder(Heap().memory(), tag_scheme(release, word_size), TestLayout(), Heap().atoms)
    texts = [term_text(decoder.decode(word)) for word in (0x503, 0x507)]
    if (release, word_size) == (25, 8):
        assert texts == ["<0.80.0>", "#Port<0.80>"]
    else:
        assert texts == ["<pid 0x503: number unknown>", "<port 0x507: number unknown>"]


def test_a_corrupt_table_gives_no_order() -> None:
    assert SlotOrder.of(lambda field: 0xFFFFFFFF) is None
    assert SlotOrder.of(lambda field: 3) == SlotOrder(3, 3, 3, 3, 3)


@given(st.integers(0, (1 << 60) - 1), st.integers(4, 27))
def test_slots_there_and_back(data: int, bits: int) -> None:
    heap = Heap(27)
    order = heap.slots(bits)
    assert order.slotted(data) == heap.local_id(data, bits)
    assert order.number_of(order.slotted(data)) == data
    assert order.slot_of(data) == order.slotted(data) % (1 << bits)


@FLAVOURS
def test_funs(release: int, word_size: int) -> None:
    heap = Heap(release, word_size)
    module = heap.atoms.make("Elixir.Foo")
    fun = Fun(module, 44, -5, 2, 3)
    assert heap.decoded(heap.term(fun)) == fun
    assert show(heap, heap.term(fun)) == "#Fun<Elixir.Foo.44.-5>"
    external = ExternalFun(module, heap.atoms.make("and"), 2)
    assert show(heap, heap.term(external)) == "fun 'Elixir.Foo':and/2"


@FLAVOURS
def test_without_a_layout_the_value_says_so(release: int, word_size: int) -> None:
    heap = Heap(release, word_size)
    atom = heap.atoms.make("m")
    words = [
        heap.term(Fun(atom, 1, 2, 3, 0)),
        heap.term(ExternalFun(atom, atom, 1)),
        heap.term(Pid(1, 2, NodeOfTerm(atom, 3))),
        heap.magic_reference(1, 2, 3)[0],
    ]
    decoder = heap.decoder(TestLayout({}))
    values = [decoder.decode(word) for word in words]
    assert all(isinstance(value, LayoutUnknown) for value in values)
    assert term_text(values[0]) == f"<fun {words[0] - 2:#x}: layout unknown>"


def test_the_layout_is_what_counts() -> None:
    heap = Heap()
    module = heap.atoms.make("m")
    word = heap.term(Fun(module, 44, 7, 2, 3))
    swapped = FIELDS | {
        ("ErlFunEntry", "old_index"): FIELDS["ErlFunEntry", "old_uniq"],
        ("ErlFunEntry", "old_uniq"): FIELDS["ErlFunEntry", "old_index"],
    }
    assert heap.decoder(TestLayout(swapped)).decode(word) == Fun(module, 7, 44, 2, 3)


# -- native records


def point(heap: Heap) -> NativeRecord:
    """A record whose fields are stored in another order than that of the source."""
    y, x, module, name = map(heap.atoms.make, ("y", "x", "geo metry", "point"))
    return NativeRecord(module, name, ((x, 1), (y, Tuple((2, x)))))


@pytest.mark.parametrize("word_size", [4, 8])
def test_native_records(word_size: int) -> None:
    heap = Heap(29, word_size)
    value = point(heap)
    assert heap.decoded(heap.term(value)) == value
    assert show(heap, heap.term(value)) == "#'geo metry':point{x = 1,y = {2,x}}"
    assert show(heap, heap.term(value), Limits(width=1)) == "#'geo metry':point{x = 1,...}"
    assert show(heap, heap.term(value), Limits(depth=1)) == "#'geo metry':point{x = 1,y = {...}}"
    assert show(heap, heap.term(Tuple((value,))), Limits(depth=1)) == "{#'geo metry':point{...}}"
    empty = NativeRecord(value.module, value.name, ())
    assert show(heap, heap.term(empty)) == "#'geo metry':point{}"


@pytest.mark.parametrize(
    ("at", "word", "why"),
    [
        (-3, 0x0F, "no pointer to a tuple"),  # no definition
        (-4, 2 << 6 | 0x7 << 2, "no definition of this record"),
        (-4, 1 << 60 | 0x7 << 2, "no definition of this record"),
        (-12, 6 << 6, "no definition of this record"),
        (-11, 0x0F, "no pointer to a tuple"),  # no order
        (-15, 3 << 6, "no order of fields"),
        (-14, 0x0F, "no order of fields"),  # twice the same place
        (-14, 2 << 4 | 0xF, "no order of fields"),  # a place that there is not
        (-14, 0x3B, "no order of fields"),
        (-9, 0x0F, "record without a name"),
        (-6, 0x0F, "record without a name"),
        (-2, 0x0F, None),  # a value may be anything
    ],
)
def test_a_damaged_record_says_so(at: int, word: int, why: str | None) -> None:
    """One word changed of the record, its definition or its order of fields, counted from the end of the heap."""
    heap = Heap(29)
    y, x = map(heap.atoms.make, ("y", "x"))
    record = heap.term(NativeRecord(x, y, ((x, 1), (y, 2))))
    damaged = len(heap.data) + 8 * at
    assert heap.data[damaged : damaged + 8] != heap.pack(word)
    heap.data[damaged : damaged + 8] = heap.pack(word)
    assert (why or "#x:y{") in show(heap, record)


# -- bitstrings


@FLAVOURS
@pytest.mark.parametrize("position", [0, 3, 8, 21, 40])
def test_match_contexts(release: int, word_size: int, position: int) -> None:
    heap = Heap(release, word_size)
    data = b"\x12\x34\x56\x78\x9a"
    left = 40 - position
    number = int.from_bytes(data, "big") & ((1 << left) - 1)
    rest = (number << (-left % 8)).to_bytes((left + 7) // 8, "big")
    value = heap.decoded(heap.match_context(data, position))
    assert value == MatchContext(Bitstring(rest, left, "sub"), position)
    if position == 21:
        assert term_text(value) == "<match context at bit 21: <<207,19,2:3>>>"


def test_a_sub_binary_that_runs_out_of_its_binary() -> None:
    heap = Heap(25)
    orig = heap.heap_binary(b"abc", 3, 0x9)
    word = heap.boxed(header(3, 0xA), 3, 1, 0, orig)
    assert "runs out of its binary" in show(heap, word)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Bitstring(b"", 0, "heap"), "<<>>"),
        (Bitstring(b"abc", 24, "heap"), '<<"abc">>'),
        (Bitstring("äö".encode(), 32, "heap"), '<<"äö"/utf8>>'),
        (Bitstring(b"\xe4\xf6", 16, "heap"), '<<"äö">>'),
        (Bitstring(b"\1\2\xa0", 19, "heap"), "<<1,2,5:3>>"),
        (Bitstring(b"\xe0", 3, "heap"), "<<7:3>>"),
        (Bitstring(b"ab", 800, "heap"), '<<"ab"...>>'),
        (Bitstring("a€".encode()[:-1], 800, "heap"), '<<"a"...>>'),
        (Bitstring(b"\1\2", 801, "heap"), "<<1,2,...>>"),
        (Bitstring(b"", 801, "heap"), "<<...>>"),
    ],
)
def test_bitstring_texts(value: Value, text: str) -> None:
    assert term_text(value) == text


# -- limits


@FLAVOURS
def test_limits_elide(release: int, word_size: int) -> None:
    heap = Heap(release, word_size)
    atom = heap.atoms.make("a")
    limits = Limits(depth=2, width=3, bytes=4, nodes=1000)

    def text(value: Value) -> str:
        return show(heap, heap.term(value), limits)

    assert text(Tuple((1, 2, 3))) == "{1,2,3}"
    assert text(Tuple((1, 2, 3, 4))) == "{1,2,3,...}"
    assert text(List((1, atom, 3))) == "[1,a,3]"
    assert text(List((1, atom, 3, 4))) == "[1,a,3|...]"
    assert text(List((1, 2, 3, 4, atom))) == "[1,2,3|...]"
    assert text(List((1, 2, 3, 4))) == "[1,2,3|...]"
    assert text(List((97, 98, 99, 100), atom)) == "[97,98,99|...]"
    assert text(List(tuple(b"text"))) == '"text"'
    assert text(List(tuple(b"texts"))) == '"text"...'
    assert text(Bitstring(b"texts", 40, "heap")) == '<<"text"...>>'
    assert text(Tuple((Tuple((Tuple((1,)), Tuple(()))),))) == "{{{...},{}}}"
    assert text(List((List((List((1,)), NIL)),))) == "[[[...],[]]]"
    assert text(Tuple((Map(((1, Map(((1, 1),), 1)), (2, Map((), 0))), 2),))) == "{#{1 => #{...},2 => #{}}}"
    assert text(Map(tuple((i, i) for i in range(5)), 5)) == "#{0 => 0,1 => 1,2 => 2,...}"
    assert text(1 << 4000) == f"<integer of {-(-4001 // (8 * word_size)) * 8 * word_size} bits>"


def test_the_node_budget_ends_wide_terms() -> None:
    heap = Heap()
    value = Tuple(tuple(Tuple((i, i)) for i in range(50)))
    decoded = heap.decoded(heap.term(value), Limits(nodes=10))
    assert isinstance(decoded, Tuple)
    assert decoded.elements[0] == Tuple((0, 0))
    assert decoded.rest is ELIDED
    assert len(term_text(decoded)) < 100


def test_a_long_list_is_decoded_by_a_few_calls_for_each_element() -> None:
    heap, length = Heap(), 100_000
    value = List(tuple(range(0x110000, 0x110000 + length)))
    word, decoder = heap.term(value), heap.decoder()
    limits = Limits(width=2 * length, nodes=2 * length)
    assert decoder.decode(word, limits) == value
    assert calls(partial(decoder.decode, word, limits)) < 10 * length


def test_words_of_future_releases_are_refused() -> None:
    with pytest.raises(LookupError, match="OTP 24"):
        tag_scheme(24, 8)


@pytest.mark.parametrize("word_size", [4, 8])
def test_of_an_unknown_release_only_what_is_the_same_in_all_known_ones_is_told(word_size: int) -> None:
    common, known = common_scheme(word_size), [tag_scheme(release, word_size) for release in (25, 27, 29)]
    kinds = [(kind, *(one.subtags[subtag] for one in known)) for subtag, kind in enumerate(common.subtags) if kind]
    assert {kind for kind, *_ in kinds} == {Kind.TUPLE, Kind.POS_BIG, Kind.NEG_BIG, Kind.FLOAT}
    assert all(set(known) == {kind} for kind, *known in kinds)
    assert (common.is_whole, [one.is_whole for one in known]) == (False, [True, True, True])


@pytest.mark.parametrize(("name", "r25", "r27"), [("maybe", "maybe", "'maybe'"), ("else", "else", "'else'")])
def test_words_that_became_reserved(name: str, r25: str, r27: str) -> None:
    assert (term_text(Atom(0, name), Style(25)), term_text(Atom(0, name), Style(27))) == (r25, r27)


def test_names_of_code_are_not_escaped_twice() -> None:
    assert term_text(ContinuationPointer(1, "m:'a\\nb'/0+\x1b[0m")) == "<cp m:'a\\nb'/0+\\e[0m>"
