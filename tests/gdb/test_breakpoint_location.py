"""How locations of Erlang breakpoints are written, and where they are."""

from __future__ import annotations

import pytest

from beamgdb.code.loaded import LoadedCode
from beamgdb.code.module import Module, Range
from beamgdb.views.location import BadLocation, FunctionLocation, LineLocation, parse
from beamgdb.views.terms import Syntax

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
        ("Elixir.Odd:run!/3", "'Elixir.Odd':'run!'/3", ""),
        ("ShopWeb.Cart.add!/2", "'Elixir.ShopWeb.Cart':'add!'/2", ""),
        ("Elixir.Odd.run/3 if x0", "'Elixir.Odd':run/3", "x0"),
        ('Odd."a loop"', "'Elixir.Odd':'a loop'/1", ""),
        (r'Odd."\u00E9\a\#{"/1', r"""'Elixir.Odd':'é\007#{'/1""", ""),
        ("Kernel.//2", "'Elixir.Kernel':'/'/2", ""),
        (":lists.map/2", "lists:map/2", ""),
        (':"odd one".f/0', "'odd one':f/0", ""),
        ('not_loaded:f/0 if $_streq($_eterm(x0), " if ")', "not_loaded:f/0", '$_streq($_eterm(x0), " if ")'),
        ("if:if/1 if if", "if:if/1", "if"),
        ("Odd.run/3 if x0 ? y.z:3", "'Elixir.Odd':run/3", "x0 ? y.z:3"),
    ],
)
def test_functions(text: str, name: str, condition: str) -> None:
    location, wanted = parse(text, CODE)
    assert isinstance(location, FunctionLocation)
    assert (location.name, wanted) == (name, condition)


@pytest.mark.parametrize(
    ("text", "file", "line"),
    [
        ("shop.erl:30", "shop.erl", 30),
        ("src/shop.erl:30 if x1", "src/shop.erl", 30),
        ("/a/b.c.erl:1", "/a/b.c.erl", 1),
        ("/my app/b.erl:1 if x0", "/my app/b.erl", 1),
    ],
)
def test_lines(text: str, file: str, line: int) -> None:
    assert parse(text, CODE)[0] == LineLocation(file, line)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop",
        "shop:price",
        "nowhere:f",
        "shop:price/x",
        "shop:price/1 unless x0",
        "shop:price/1 if ",
        "a b:c/1",
        "Shop",
        "Shop.Cart",
        "Odd.none",
        "Odd.f/1 unless",
    ],  # fmt: skip
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
    assert LineLocation("units.hrl", 7).addresses(CODE) == [0x1070]
    assert LineLocation("src/shop.erl", 26).with_code(CODE) == LineLocation("src/shop.erl", 28)
    assert LineLocation("hop.erl", 30).addresses(CODE) == []
    assert LineLocation("shop.erl", 35).addresses(CODE) == []


def test_a_whole_path() -> None:
    """Compilers note the path that they were given, which may be but its end, or lead there from another folder."""
    relative = Module("till", 0x5000, 0x100, (
        Range(0x5010, 0x5020, "till:f/0", ((0x5010, "src/till.erl", 3),)),
        Range(0x5020, 0x5030, "till:g/0", ((0x5020, "till.erl", 3),)),
        Range(0x5030, 0x5040, "till:h/0", ((0x5030, "../other/till.erl", 3), (0x5038, "/there/far.erl", 3))),
    ))  # fmt: skip
    code = LoadedCode([SHOP, relative])
    for path, found in {
        "/my app/src/till.erl": [0x5010], "/other/till.erl": [0x5030], "/x/till.erl": [0x5020],
        "/there/far.erl": [0x5038], "/here/far.erl": [], "/x/kill.erl": [],
        "/src/shop.erl": [0x1020, 0x1050], "/my/src/shop.erl": [],
    }.items():  # fmt: skip
        location = LineLocation(path, 30 if "shop" in path else 3)
        assert location.addresses(code) == found, path
    assert LineLocation("/my app/src/till.erl", 3).as_known(code) == LineLocation("src/till.erl", 3)
    assert LineLocation("/x/far.erl", 3).as_known(code) == LineLocation("/x/far.erl", 3)
    # One that is known as it is, is no other.
    whole = Module("till", 0x6000, 0x100, (Range(0x6010, 0x6020, "till:f/0", ((0x6010, "/my app/src/till.erl", 3),)),))
    assert LineLocation("/my app/src/till.erl", 3).addresses(LoadedCode([relative, whole])) == [0x6010]
    assert LineLocation("/my app/src/till.erl", 3).as_known(LoadedCode([relative, whole])).file[0] == "/"


def test_files_of_one_name() -> None:
    """A line without code becomes the next one of the module that the file is named after, and of no other."""
    other = Module("kiosk", 0x5000, 0x100, (Range(0x5010, 0x5040, "kiosk:f/0", ((0x5010, "shop.erl", 26),)),))
    assert LineLocation("shop.erl", 25).addresses(LoadedCode([SHOP, other])) == [0x1060]
    assert LineLocation("shop.erl", 26).addresses(LoadedCode([SHOP, other])) == [0x5010]
    assert LineLocation("shop.erl", 21).addresses(LoadedCode([SHOP, other])) == [0x1060]
    assert LineLocation("shop.erl", 21).addresses(LoadedCode([other])) == []
    assert LineLocation("shop.erl", 99).missing(LoadedCode([other]), Syntax()) is None


CART = Module(
    "Elixir.Cart",
    0x6000,
    0x100,
    (
        Range(0x6010, 0x6020, "'Elixir.Cart':'__info__'/1", ((0x6010, "cart.ex", 0), (0x6018, "cart.ex", 12))),
        Range(0x6020, 0x6040, "'Elixir.Cart':add/2", ((0x6020, "cart.ex", 3), (0x6030, "cart.ex", 6))),
        Range(0x6040, 0x6060, "'Elixir.Cart':other/2", ((0x6040, "cart.ex", 12), (0x6050, "cart.ex", 2))),
    ),
)


def test_a_file_of_several_modules() -> None:
    """A line without code becomes another one of the function that is around it, and none of another, which may be of
    another module; between its clauses too, unless the source shows that there are none. A macro may bring lines from
    before a function."""
    code = LoadedCode([CART])

    def found() -> dict[int, list[int]]:
        places = {line: LineLocation("cart.ex", line).addresses(code) for line in range(1, 14)}
        return {line: addresses for line, addresses in places.items() if addresses}

    exact = {3: [0x6020], 6: [0x6030], 2: [0x6050], 12: [0x6018, 0x6040]}
    assert found() == exact
    text = [""] * 13
    code.text = lambda module, file: text if (module, file) == ("Elixir.Cart", "cart.ex") else None
    assert found() == exact | {4: [0x6030], 5: [0x6030]}
    text[4] = "  defmodule Inner do"  # line 5, which may be of a function that is not loaded
    assert found() == exact | {5: [0x6030]}
    assert LineLocation("cart.ex", 5).moved(code, Syntax()) == "no code notes line 5: the next is line 6, in Cart.add/2"
    assert LineLocation("cart.ex", 6).moved(code, Syntax()) is None
    text.clear()
    assert found() == exact
    assert LineLocation("cart.ex", 7).next_line(code) == (12, "'Elixir.Cart':'__info__'/1")
    assert LineLocation("cart.ex", 13).next_line(code) is None
    assert LineLocation("cart.ex", 13).missing(code, Syntax()) is None
    header = Module("till", 0x7000, 0x100, (Range(0x7010, 0x7040, "till:f/0", ((0x7010, "till.hrl", 5),)),))
    assert LineLocation("till.hrl", 4).addresses(LoadedCode([header])) == []


def test_what_is_missing() -> None:
    """Only of what is loaded it can be told."""
    assert FunctionLocation("shop", "shop:prices/1").missing(CODE, Syntax()) == (
        "the module shop has no function shop:prices/1; is it shop:price/1, shop:price/2, shop:open/0?"
    )
    assert FunctionLocation("other", "other:prices/1").missing(CODE, Syntax()) is None
    assert LineLocation("shop.erl", 99).missing(CODE, Syntax()) == "there is no code of line 99 or after it in shop.erl"
    assert LineLocation("other.erl", 99).missing(CODE, Syntax()) is None


def test_modules_to_wait_for() -> None:
    assert FunctionLocation("'Elixir.Odd'", "'Elixir.Odd':f/1").may_be_in("Elixir.Odd")
    assert not FunctionLocation("shop", "shop:f/1").may_be_in("shop2")
    assert LineLocation("src/shop.erl", 1).may_be_in("shop")
    assert LineLocation("units.hrl", 1).may_be_in("anything")
    assert LineLocation("lib/shop.ex", 1).may_be_in("Elixir.Shop")
    assert not LineLocation("shop.erl", 1).may_be_in("other")
