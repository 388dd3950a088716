"""Which code is at an address."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beamgdb.code.loaded import LoadedCode, Where
from beamgdb.code.module import Module, Range
from tests.code.module_strategies import modules


def module(name: str, base: int, size: int) -> Module:
    """A module whose whole code is one function."""
    return Module(name, base, size, (Range(base, base + size, f"{name}:f/0", ()),))


@given(st.lists(modules(max_base=1 << 21), max_size=8), st.data())
def test_an_address_belongs_to_the_newest_module_there(newest_first: list[Module], data: st.DataObject) -> None:
    index = LoadedCode(newest_first)
    kept: list[Module] = []
    for one in newest_first:
        if not any(one.base < other.stop and other.base < one.stop for other in kept):
            kept.append(one)
    assert list(index) == sorted(kept, key=lambda one: one.base)
    assert len(index) == len(kept)
    edges = {edge + d for one in newest_first for r in one.ranges for edge in (r.start, r.stop) for d in (-1, 0, 1)}
    address = data.draw(st.sampled_from(sorted(edges)) if edges else st.integers(0, 1 << 21))
    places = {(one, r) for one in kept for r in one.ranges if r.start <= address < r.stop}
    found = index.find(address)
    assert ({(found.module, found.code)} if found else set()) == places


def test_a_purged_module_whose_memory_was_used_again_is_gone() -> None:
    new, old = module("new", 0x1800, 0x1000), module("old", 0x1000, 0x1000)
    index = LoadedCode([new, old])
    assert index.describe(0x1100) is None
    assert index.describe(0x1900) == "new:f/0+256"


def test_a_large_new_module_hides_all_below_it() -> None:
    index = LoadedCode([module("new", 0x1000, 0x4000), module("a", 0x1800, 8), module("b", 0x2000, 8)])
    assert [one.name for one in index] == ["new"]


def test_neighbours_do_not_overlap() -> None:
    index = LoadedCode([module("b", 0x2000, 0x1000), module("a", 0x1000, 0x1000), module("c", 0x3000, 0x1000)])
    assert [index.describe(address) for address in (0xFFF, 0x1FFF, 0x2000, 0x3000, 0x4000)] == [
        None, "a:f/0+4095", "b:f/0", "c:f/0", None,
    ]  # fmt: skip


def test_addresses_between_functions_belong_to_none() -> None:
    one = Module("m", 0x1000, 0x100, (Range(0x1010, 0x1020, "m:f/0", ()), Range(0x1040, 0x1050, "m:g/1", ())))
    index = LoadedCode([one])
    assert [index.describe(address) for address in (0x1000, 0x1010, 0x101F, 0x1020, 0x1040, 0x1050)] == [
        None, "m:f/0", "m:f/0+15", None, "m:g/1", None,
    ]  # fmt: skip


def test_a_frame_belongs_to_the_function_with_the_call() -> None:
    """The byte before a return address tells, but where no code is there."""
    starts = {"m:f/0": 0x1010, "m:g/0": 0x1020, "m:h/0": 0x1040}
    ranges = tuple(Range(start, start + 0x10, name, ()) for name, start in starts.items())
    index = LoadedCode([Module("m", 0x1000, 0x100, ranges)])

    def names(address: int) -> list[str | None]:
        places = [index.of_frame(address, calling) for calling in (False, True)]
        return [place.code.name if place else None for place in places]

    assert names(0x1018) == ["m:f/0", "m:f/0"]
    assert names(0x1020) == ["m:g/0", "m:f/0"], "the call was the last instruction"
    assert names(0x1030) == [None, "m:g/0"]
    assert names(0x1040) == ["m:h/0", "m:h/0"], "a stack made to return to the beginning of a function"
    assert names(0x1008) == [None, None]
    assert names(0x1100) == [None, None]


def test_the_beginning_of_an_entry_point_is_where_frames_return_to() -> None:
    """BeamAsm makes stacks that do, although other code is right before it."""
    ranges = (Range(0x1000, 0x1010, "erts_beamasm:a/0", ()), Range(0x1010, 0x1020, "erts_beamasm:b/0", ()))
    place = LoadedCode([Module("erts_beamasm", 0x1000, 0x20, ranges, of_vm=True)]).of_frame(0x1010, calling=True)
    assert place is not None
    assert place.code.name == "erts_beamasm:b/0"


def test_source_positions_hold_until_the_next() -> None:
    lines = ((0x1000, "m.erl", 3), (0x1008, "h.hrl", 40), (0x1010, "m.erl", 5))
    code = Range(0x1000, 0x1020, "m:f/0", lines)
    without = Range(0x1020, 0x1030, "m:g/0", ())
    late = Range(0x1030, 0x1040, "m:h/0", ((0x1038, "m.erl", 9),))
    index = LoadedCode([Module("m", 0x1000, 0x40, (code, without, late))])
    assert [index.where(address) for address in (0x1000, 0x1007, 0x1008, 0x101F)] == [
        Where("m.erl", 3), Where("m.erl", 3), Where("h.hrl", 40), Where("m.erl", 5),
    ]  # fmt: skip
    assert [index.where(address) for address in (0xFFF, 0x1020, 0x1030, 0x1038)] == [
        None, None, None, Where("m.erl", 9),
    ]  # fmt: skip


def test_a_fragment_is_no_function() -> None:
    ranges = (Range(0x1000, 0x1010, "global::call_nif_shared", ()), Range(0x1010, 0x1020, "global:f/0", ()))
    index = LoadedCode([Module("global", 0x1000, 0x20, ranges)])
    assert [place.is_fragment for address in (0x1000, 0x1010) if (place := index.find(address))] == [True, False]
