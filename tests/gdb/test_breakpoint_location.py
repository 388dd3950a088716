"""How locations of Erlang breakpoints are written, and where they are."""

from __future__ import annotations

import pytest

from beamgdb.code.loaded import LoadedCode
from beamgdb.code.module import Module, Range
from beamgdb.views.location import BadLocation, FunctionLocation, LineLocation, parse

SHOP = Module(
    "shop",
    0x1000,
    0x100,
    (
        Range(0x1010, 0x1040, "shop:price/1", ((0x1010, "/src/shop.erl", 28), (0x1020, "/src/shop.erl", 30))),
        Range(0x1040, 0x1060, "shop:price/2", ((0x1040, "/src/shop.erl", 34), (0x1050, "/src/shop.erl", 30))),
        Range(0x1060, 0x1080, "shop:'-total/2-fun-0-'/2", ((0x1060, "/src/shop.erl", 25), (0x1070, "units.hrl", 7))),
        Range(0x1080, 0x10A0, "shop:open/0", ()),
    ),
)
OLD_SHOP = Module("shop", 0x3000, 0x100, (Range(0x3010, 0x3040, "shop:open/0", ()),))
ODD = Module("Elixir.Odd", 0x2000, 0x100, (Range(0x2010, 0x2040, "'Elixir.Odd':'a loop'/1", ()),))
CODE = LoadedCode([SHOP, ODD, OLD_SHOP])


@pytest.mark.parametrize(
    ("text", "name", "condition"),
    [
        ("shop:price/1", "shop:price/1", ""),
        ("'shop':'price'/1", "shop:price/1", ""),
        ("  shop:open ", "shop:open/0", ""),
        ("shop:'-total/2-fun-0-'/2 if x0 == 5", "shop:'-total/2-fun-0-'/2", "x0 == 5"),
        ("'Elixir.Odd':'a loop'/1 if  1", "'Elixir.Odd':'a loop'/1", "1"),
        ("Elixir.Odd:run/3", "'Elixir.Odd':run/3", ""),
        ('not_loaded:f/0 if $_streq($_eterm(x0), " if ")', "not_loaded:f/0", '$_streq($_eterm(x0), " if ")'),
        ("if:if/1 if if", "if:if/1", "if"),
    ],
)
def test_functions(text: str, name: str, condition: str) -> None:
    location, wanted = parse(text, CODE)
    assert isinstance(location, FunctionLocation)
    assert (location.name, wanted) == (name, condition)


@pytest.mark.parametrize(
    ("text", "file", "line"),
    [("shop.erl:30", "shop.erl", 30), ("src/shop.erl:30 if x1", "src/shop.erl", 30), ("/a/b.c.erl:1", "/a/b.c.erl", 1)],
)
def test_lines(text: str, file: str, line: int) -> None:
    assert parse(text, CODE)[0] == LineLocation(file, line)


@pytest.mark.parametrize(
    "text",
    ["", "shop", "shop:price", "nowhere:f", "shop:price/x", "shop:price/1 unless x0", "shop:price/1 if ", "a b:c/1"],
)
def test_what_is_no_location(text: str) -> None:
    """`shop:price` has two arities; of `nowhere:f` none is known."""
    with pytest.raises(BadLocation) as caught:
        parse(text, CODE)
    assert "\n" not in str(caught.value)


def test_addresses_of_functions() -> None:
    assert parse("shop:price/2", CODE)[0].addresses(CODE) == [0x1040]
    # In the present version of the module and in the old one.
    assert parse("shop:open/0", CODE)[0].addresses(CODE) == [0x1080, 0x3010]
    assert parse("'Elixir.Odd':'a loop'/1", CODE)[0].addresses(CODE) == [0x2010]
    assert parse("other:open/0", CODE)[0].addresses(CODE) == []


def test_addresses_of_lines() -> None:
    """Once for each function; the next line that has code where this one has none."""
    assert LineLocation("shop.erl", 30).addresses(CODE) == [0x1020, 0x1050]
    assert LineLocation("src/shop.erl", 26).addresses(CODE) == [0x1010]
    assert LineLocation("units.hrl", 1).addresses(CODE) == [0x1070]
    assert LineLocation("src/shop.erl", 26).with_code(CODE) == LineLocation("src/shop.erl", 28)
    assert LineLocation("hop.erl", 30).addresses(CODE) == []
    assert LineLocation("shop.erl", 35).addresses(CODE) == []


def test_files_of_one_name() -> None:
    """A line without code becomes the next one of the module that the file is named after, and of no other."""
    other = Module("kiosk", 0x5000, 0x100, (Range(0x5010, 0x5040, "kiosk:f/0", ((0x5010, "shop.erl", 26),)),))
    assert LineLocation("shop.erl", 25).addresses(LoadedCode([SHOP, other])) == [0x1060]
    assert LineLocation("shop.erl", 26).addresses(LoadedCode([SHOP, other])) == [0x5010]
    assert LineLocation("shop.erl", 21).addresses(LoadedCode([SHOP, other])) == [0x1060]
    assert LineLocation("shop.erl", 21).addresses(LoadedCode([other])) == []
    assert LineLocation("shop.erl", 99).missing(LoadedCode([other])) is None


def test_what_is_missing() -> None:
    """Only of what is loaded it can be told."""
    assert FunctionLocation("shop", "shop:prices/1").missing(CODE) == (
        "the module shop has no function shop:prices/1; is it shop:price/1, shop:price/2, shop:open/0?"
    )
    assert FunctionLocation("other", "other:prices/1").missing(CODE) is None
    assert LineLocation("shop.erl", 99).missing(CODE) == "there is no code of line 99 or after it in shop.erl"
    assert LineLocation("other.erl", 99).missing(CODE) is None


def test_modules_to_wait_for() -> None:
    assert FunctionLocation("'Elixir.Odd'", "'Elixir.Odd':f/1").may_be_in("Elixir.Odd")
    assert not FunctionLocation("shop", "shop:f/1").may_be_in("shop2")
    assert LineLocation("src/shop.erl", 1).may_be_in("shop")
    assert LineLocation("units.hrl", 1).may_be_in("anything")
    assert LineLocation("lib/shop.ex", 1).may_be_in("Elixir.Shop")
    assert not LineLocation("shop.erl", 1).may_be_in("other")
