"""Lists: which rows, in which order, as text and as JSON."""

from __future__ import annotations

import json

import pytest

from beamgdb.views import listing
from beamgdb.views.listing import Column, Query, Selected, Wrong
from beamgdb.views.styler import PLAIN
from beamgdb.vm.model import Unavailable
from beamgdb.vm.pieces import Pieces, pieces
from tests.views.listed import table

Row = tuple[str, "int | None"]

COLUMNS: tuple[Column[Row], ...] = (
    Column("name", str, lambda row: row[0], "THE NAME"),
    Column("size", int, lambda row: row[1], "SIZE"),
    Column("length", int, lambda row: len(row[0])),
)
ROWS: list[Row] = [("b", 7), ("a", None), ("dd", 2048), ("c", 7)]


def names(conditions: tuple[str, ...] = (), sort: str = "", reverse: bool = False, limit: int | None = None) -> str:
    """The names of what is selected, and how many were left out."""
    asked = tuple(listing.condition(COLUMNS, text) for text in conditions)
    column = listing.named(COLUMNS, sort) if sort else None
    selected = Selected(iter(ROWS), Query(asked, column, reverse, limit))
    return " ".join(row[0] for row in selected) + (f" +{selected.left_out}" if selected.left_out else "")


def test_order() -> None:
    assert names() == "b a dd c"
    assert names(sort="name") == "a b c dd"
    assert names(sort="name", reverse=True) == "dd c b a"
    # What is unknown comes last either way, and equal ones stay in their order.
    assert names(sort="size") == "dd b c a"
    assert names(sort="size", reverse=True) == "b c dd a"


def test_limits() -> None:
    assert names(limit=2) == "b a +2"
    for sort in ("name", "size"):
        for reverse in (False, True):
            everything = names(sort=sort, reverse=reverse)
            assert names(sort=sort, reverse=reverse, limit=4) == everything
            assert names(sort=sort, reverse=reverse, limit=2) == " ".join(everything.split()[:2]) + " +2"
    assert names(sort="size", limit=0) == " +4"


def test_what_is_not_known_is_told() -> None:
    """Of a column that each item has; of others None may be that it is not there."""
    size = Column[Row]("size", int, lambda row: row[1], "SIZE", is_everywhere=True)
    text = "(size is not known of 1 rows: they are {})"
    for column, told in ((COLUMNS[1], []), (size, [text.format("left out")])):
        selected = Selected(iter(ROWS), Query((listing.condition([column], "size>100"),)))
        assert [row[0] for row in selected] == ["dd"]
        assert list(selected.notes("rows")) == told
    ordered = Selected(iter(ROWS), Query(sort=size))
    assert [row[0] for row in ordered] == ["dd", "b", "c", "a"]
    assert list(ordered.notes("rows")) == [text.format("last")]
    none = Selected(iter(ROWS[1:2]), Query((listing.condition([size], "size>100"),)))
    with pytest.raises(Unavailable, match="size is not known of any of them"):
        list(none)
    assert not list(Selected(iter(()), Query((listing.condition([size], "size>100"),), size)))


def test_items_that_come_in_pieces() -> None:
    """Those that were read together stay so; lists are put together."""

    class Together(tuple[int, ...]):
        pass

    every = [[1, 2], [3], Together((4, 5, 6)), [7, 8, 9, 10, 11]]
    assert list(pieces(Pieces(every), 4)) == [[1, 2, 3], (4, 5, 6), [7, 8, 9, 10], [11]]
    assert list(Pieces(every)) == list(range(1, 12))
    assert list(pieces(range(5), 4)) == [[0, 1, 2, 3], [4]]


def test_fewer_than_there_should_be() -> None:
    """What cannot be read is not left out by a limit."""
    for count, limit, left_out in ((9, 2, 7), (9, 4, 5), (9, 5, 0), (4, 4, 0)):
        selected = Selected(iter(ROWS), Query(limit=limit), count)
        assert len(list(selected)) == min(limit, 4)
        assert selected.left_out == left_out


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("size=7", "b c"), ("size!=7", "dd"), ("size>7", "dd"), ("size>=7", "b dd c"), ("size < 2k", "b c"),
        ("size=2K", "dd"), ("size<=1M", "b dd c"), ("name=a", "a"), ("name~d", "dd"), ("name>b", "dd c"),
        ("length=2", "dd"), ("size=-1", ""),
    ],
)  # fmt: skip
def test_conditions(condition: str, found: str) -> None:
    assert names((condition,)) == found
    assert names((condition, "name=dd")) == ("dd" if "dd" in found else "")


@pytest.mark.parametrize("condition", ["", "size", "size>", "size~1", "size=1x", "weight=1", "=1", "size==1"])
def test_what_is_no_condition(condition: str) -> None:
    with pytest.raises(Wrong):
        listing.condition(COLUMNS, condition)


def test_text() -> None:
    lines = list(listing.lines(COLUMNS, ROWS, PLAIN))
    assert lines[:3] == ["THE NAME  SIZE", "b            7", "a"]
    assert table("\n".join(lines))[2] == {"THE NAME": "dd", "SIZE": "2048"}
    assert list(listing.lines(COLUMNS, [], PLAIN)) == ["THE NAME  SIZE"]


def test_text_that_is_too_wide_is_cut_but_no_number() -> None:
    rows = [("n" * 100, 10**12), ("short", 1)]
    lines = list(listing.lines(COLUMNS, rows, PLAIN, width=40))
    assert max(map(len, lines)) == 40
    assert lines[1].endswith(f"nn...  {10**12}")
    # What comes later is not wider either.
    many = [("m", 1)] * listing.MEASURED + [("n" * 100, 1)]
    assert max(map(len, listing.lines(COLUMNS, many, PLAIN, width=40))) <= 40


def test_what_names_a_thing_is_cut_last() -> None:
    columns: tuple[Column[Row], ...] = (
        Column("name", str, lambda row: row[0], "NAME", names=True),
        Column("text", str, lambda _: "t" * 50, "TEXT"),
    )
    assert list(listing.lines(columns, [("<0.1234.0>", 1)], PLAIN, width=40))[1] == "<0.1234.0>  " + "t" * 25 + "..."
    assert max(map(len, listing.lines(columns, [("n" * 100, 1)], PLAIN, width=40))) == 40


def test_what_names_a_thing_is_not_cut_since_the_first_ones_are_short() -> None:
    columns: tuple[Column[Row], ...] = (Column("pid", str, lambda row: row[0], "PID", names=True), COLUMNS[1])
    many: list[Row] = [*[("<0.1.0>", 1)] * listing.MEASURED, ("<0.123456.0>", 1)]
    assert list(listing.lines(columns, many, PLAIN))[-1].startswith("<0.123456.0> ")


def test_lines_fit_also_where_later_numbers_and_names_are_longer() -> None:
    columns = (
        Column[Row]("name", str, lambda row: row[0], "THE NAME", names=True),
        COLUMNS[1],
        Column[Row]("text", str, lambda row: "t" * 50, "TEXT"),
    )
    many: list[Row] = [*[("<0.1.0>", 1)] * 2 * listing.MEASURED, *[("<0.123456.0>", 10**9)] * 2, ("<0.1.0>", 1)]
    lines = list(listing.lines(columns, many, PLAIN, width=40))
    assert max(map(len, lines)) == 40
    assert lines[-2].split()[:2] == ["<0.123456.0>", "1000000000"]


def test_json() -> None:
    for rows in ([], ROWS[:1], ROWS):
        text = "\n".join(listing.json_lines(COLUMNS, rows))
        assert json.loads(text) == [{"name": name, "size": size, "length": len(name)} for name, size in rows]
