"""Which code is at an address."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beamgdb.beamasm.registrations import Module, Range
from beamgdb.vm.code import CodeIndex, Where
from tests.beamasm.module_strategies import modules


def module(name: str, base: int, size: int) -> Module:
    """A module whose whole code is one function."""
    return Module(name, base, size, (Range(base, base + size, f"{name}:f/0", ()),))


@given(st.lists(modules(max_base=1 << 21), max_size=8), st.data())
def test_an_address_belongs_to_the_newest_module_there(newest_first: list[Module], data: st.DataObject) -> None:
    index = CodeIndex(newest_first)
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
    index = CodeIndex([new, old])
    assert index.describe(0x1100) is None
    assert index.describe(0x1900) == "new:f/0+256"


def test_a_large_new_module_hides_all_below_it() -> None:
    index = CodeIndex([module("new", 0x1000, 0x4000), module("a", 0x1800, 8), module("b", 0x2000, 8)])
    assert [one.name for one in index] == ["new"]


def test_neighbours_do_not_overlap() -> None:
    index = CodeIndex([module("b", 0x2000, 0x1000), module("a", 0x1000, 0x1000), module("c", 0x3000, 0x1000)])
    assert [index.describe(address) for address in (0xFFF, 0x1FFF, 0x2000, 0x3000, 0x4000)] == [
        None, "a:f/0+4095", "b:f/0", "c:f/0", None,
    ]  # fmt: skip


def test_addresses_between_functions_belong_to_none() -> None:
    one = Module("m", 0x1000, 0x100, (Range(0x1010, 0x1020, "m:f/0", ()), Range(0x1040, 0x1050, "m:g/1", ())))
    index = CodeIndex([one])
    assert [index.describe(address) for address in (0x1000, 0x1010, 0x101F, 0x1020, 0x1040, 0x1050)] == [
        None, "m:f/0", "m:f/0+15", None, "m:g/1", None,
    ]  # fmt: skip


def test_source_positions_hold_until_the_next() -> None:
    lines = ((0x1000, "m.erl", 3), (0x1008, "h.hrl", 40), (0x1010, "m.erl", 5))
    code = Range(0x1000, 0x1020, "m:f/0", lines)
    without = Range(0x1020, 0x1030, "m:g/0", ())
    late = Range(0x1030, 0x1040, "m:h/0", ((0x1038, "m.erl", 9),))
    index = CodeIndex([Module("m", 0x1000, 0x40, (code, without, late))])
    assert [index.where(address) for address in (0x1000, 0x1007, 0x1008, 0x101F)] == [
        Where("m.erl", 3), Where("m.erl", 3), Where("h.hrl", 40), Where("m.erl", 5),
    ]  # fmt: skip
    assert [index.where(address) for address in (0xFFF, 0x1020, 0x1030, 0x1038)] == [
        None, None, None, Where("m.erl", 9),
    ]  # fmt: skip


def test_a_fragment_is_no_function() -> None:
    ranges = (Range(0x1000, 0x1010, "global::call_nif_shared", ()), Range(0x1010, 0x1020, "global:f/0", ()))
    index = CodeIndex([Module("global", 0x1000, 0x20, ranges)])
    assert [place.is_fragment for address in (0x1000, 0x1010) if (place := index.find(address))] == [True, False]
