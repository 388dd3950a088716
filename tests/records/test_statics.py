"""Static variables, found by what the code of exported functions refers to."""

from __future__ import annotations

import pytest

from beamgdb.code import catches, ranges
from beamgdb.records.statics import referred
from tests.records.static_tables import ADDRESS, LOAD, RANGE_USERS, Tables, function
from tests.vm.image import LAYOUT, Image

A, B, C = (0x40_0000, 0x40_1000), (0x40_1000, 0x40_3000), (0x50_0000, 0x50_0800)
BASES = {A[0], B[0], C[0]}


def tables(relative: bool = True) -> Tables:
    """A VM that has loaded A, then B and C. An older table is left over, as is usual."""
    made = Tables(Image())
    for start, end in (A, B, C):
        made.module(start, end)
    made.ranges(0, [A])
    made.ranges(1, [A, B, C], room=2)
    made.catches(0, [A[0] + 8])
    made.catches(1, [A[0] + 8, 0, B[0] + 16])
    made.index(active=1)
    made.functions(relative)
    return made


def find_ranges(made: Tables) -> ranges.CodeRanges | None:
    return ranges.find(made.image.memory, LAYOUT, made.image.symbols.get, "x86_64")


def find_catches(made: Tables) -> catches.Catches | None:
    def is_code(address: int) -> bool:
        return any(start <= address < stop for start, stop in (A, B, C))

    return catches.find(made.image.memory, LAYOUT, made.image.symbols.get, "x86_64", is_code)


def bases(found: ranges.CodeRanges) -> frozenset[int]:
    found.first.memory.forget()
    words = found.words()
    assert words is not None
    return frozenset(start for start, _ in found.loaded(words))


@pytest.mark.parametrize("relative", [True, False], ids=["position independent", "absolute"])
def test_both_tables_are_found(relative: bool) -> None:
    made = tables(relative)
    found = find_ranges(made)
    assert found is not None
    assert (found.first.address, found.write_ptr) == (made.r, made.write_ptr)
    assert bases(found) == BASES
    caught = find_catches(made)
    assert caught is not None
    assert caught.first.address == made.bccix


def test_only_what_all_functions_refer_to_counts() -> None:
    image = Image()
    first, second, third = (image.block(8) for _ in range(3))
    function(image, "f", [(LOAD, first), (ADDRESS, second)])
    function(image, "g", [(ADDRESS, second), (LOAD, third)])
    both = referred(image.memory, image.symbols.get, "x86_64", ("f", "g"))
    assert second in both
    assert not {first, third} & both
    assert {first, second} <= referred(image.memory, image.symbols.get, "x86_64", ("f",))


def test_nothing_is_found_without_code_or_symbols_or_on_another_architecture() -> None:
    made = tables()
    symbol, memory = made.image.symbols.get, made.image.memory
    assert referred(memory, symbol, "sparc", RANGE_USERS) == frozenset()
    assert referred(memory, symbol, None, RANGE_USERS) == frozenset()
    assert referred(memory, symbol, "x86_64", ("no_such_function",)) == frozenset()
    made.image.symbols["erts_update_ranges"] = 0xDEAD_0000
    assert find_ranges(made) is None


def test_code_that_is_purged_is_gone() -> None:
    made = tables()
    found = find_ranges(made)
    assert found is not None
    before = found.words()
    table = made.image.memory.word(made.r + LAYOUT.size("ranges"))
    made.image.poke(table + LAYOUT.size("Range"), B[0], B[0])
    assert bases(found) == {A[0], C[0]}
    assert found.words() != before


def test_code_being_loaded_is_there_before_it_is_in_use() -> None:
    made = tables()
    found = find_ranges(made)
    assert found is not None
    before = found.words()
    new = (0x60_0000, 0x60_0100)
    made.ranges(2, [new], room=3, staged=True)
    assert bases(found) == BASES | {new[0]}
    assert found.words() != before
    made.ranges(2, [A, B, C, new])
    made.index(active=2)
    assert bases(found) == BASES | {new[0]}


def test_tables_that_are_full() -> None:
    """The pointer to what is staged may point behind the last entry, of the table in use and of that being made."""
    made = tables()
    made.ranges(1, [A, B, C])
    found = find_ranges(made)
    assert found is not None
    assert found.write_ptr == made.write_ptr
    assert bases(found) == BASES
    new = (0x60_0000, 0x60_0100)
    made.ranges(2, [new], staged=True)
    assert bases(found) == BASES | {new[0]}


def test_a_table_left_over_from_an_earlier_load_says_nothing() -> None:
    """The table that the next load will overwrite still has what was purged meanwhile."""
    made = tables()
    made.ranges(2, [A, C, (0x70_0000, 0x70_1000)])
    made.image.poke(made.write_ptr, made.image.memory.word(made.r + LAYOUT.size("ranges")) + 3 * 16)
    found = find_ranges(made)
    assert found is not None
    assert bases(found) == BASES


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [B, A, C],
        [A, A, C],
        [A, (0x70_0000, 0x70_0001), (0x71_0000, 0x71_0001)],
    ],
    ids=["empty", "unsorted", "twice", "unknown modules"],
)
def test_what_cannot_be_the_table_is_not_taken_for_it(wrong: list[tuple[int, int]]) -> None:
    made = tables()
    made.ranges(1, wrong)
    assert find_ranges(made) is None


@pytest.mark.parametrize(
    ("header", "is_module"),
    [
        ({"last": B[1] - 8}, True),
        ({"count": 0}, False),
        ({"count": 1 << 62}, False),
        ({"first": B[0] + 8}, False),
        ({"first": B[1], "last": B[1]}, False),
        ({"last": B[1] + 8}, False),
    ],
    ids=["padding behind", "no functions", "too many", "in the header", "empty", "longer than the range"],
)
def test_every_range_is_a_module(header: dict[str, int], is_module: bool) -> None:
    made = tables()
    count = header.pop("count", None)
    made.module(*B, **header)
    if count is not None:
        made.image.struct("BeamCodeHeader", {"num_functions": count}, B[0])
    assert (find_ranges(made) is not None) == is_module


def test_of_many_ranges_some_are_looked_into() -> None:
    """Over a remote connection each costs a packet."""
    made = tables()
    many = [(start, start + 0x800) for start in range(0x100_0000, 0x110_0000, 0x1000)]
    for one in many:
        made.module(*one)
    made.ranges(1, many)
    before = made.image.memory.reads
    assert find_ranges(made) is not None
    assert made.image.memory.reads - before < len(many) / 2


@pytest.mark.parametrize(("field", "value"), [("n", 1 << 40), ("n", 6), ("allocated", 2), ("modules", 0xDEAD_0000)])
def test_a_table_that_makes_no_sense_is_not_taken(field: str, value: int) -> None:
    made = tables()
    made.image.struct("ranges", {field: value}, made.r + LAYOUT.size("ranges"))
    assert find_ranges(made) is None


@pytest.mark.parametrize(("field", "value"), [("n", 1 << 62), ("n", 6), ("modules", 0xDEAD_0000)])
def test_a_table_that_is_damaged_later_has_no_words(field: str, value: int) -> None:
    made = tables()
    found = find_ranges(made)
    assert found is not None
    made.image.struct("ranges", {field: value}, made.r + LAYOUT.size("ranges"))
    made.image.memory.forget()
    assert found.words() is None


def test_without_the_pointer_to_staged_code_the_table_is_not_used() -> None:
    """Code that is being loaded would seem to be purged."""
    made = tables()
    for name in RANGE_USERS:
        function(made.image, name, [(LOAD, made.other), (ADDRESS, made.r)])
    assert find_ranges(made) is None


def test_handlers_of_catches() -> None:
    found = find_catches(tables())
    assert found is not None
    assert [found.handler(index) for index in (0, 1, 2, 3, 1023)] == [A[0] + 8, None, B[0] + 16, None, None]
    assert [found.handler(index) for index in (-1, 1024, 1 << 50)] == [None] * 3


def test_handlers_are_those_of_the_code_in_use() -> None:
    made = tables()
    found = find_catches(made)
    assert found is not None
    made.index(active=0)
    made.image.memory.forget()
    assert [found.handler(index) for index in (0, 1, 2)] == [A[0] + 8, None, None]
    made.index(active=7)
    made.image.memory.forget()
    assert found.handler(0) is None


def test_no_handler_lies_behind_the_end_of_the_table() -> None:
    made = tables()
    made.catches(1, 1100 * [A[0] + 8], 2048)
    made.image.struct("bc_pool", {"tabsize": 1024, "high_mark": 1024}, made.bccix + LAYOUT.size("bc_pool"))
    found = find_catches(made)
    assert found is not None
    assert [found.handler(index) for index in (1023, 1024, 1099)] == [A[0] + 8, None, None]


def test_a_symbol_is_believed_only_if_it_holds_the_table() -> None:
    made = tables()
    made.image.symbols["bccix"] = made.bccix
    for name in ("beam_catches_car", "beam_catches_car_staging"):
        del made.image.symbols[name]
    assert find_catches(made) is not None
    made.image.symbols["bccix"] = made.r
    assert find_catches(made) is None


@pytest.mark.parametrize(
    ("handlers", "size"),
    [([], 1024), ([0, 0], 1024), ([A[0], 0x99_0000], 1024), ([A[0]], 1000), ([A[0]], 3072)],
    ids=["empty", "free", "no code", "odd size", "no doubling"],
)
def test_what_cannot_be_the_catch_table_is_not_taken_for_it(handlers: list[int], size: int) -> None:
    made = tables()
    made.catches(1, handlers, size)
    assert find_catches(made) is None
