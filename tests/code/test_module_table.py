"""Loaded modules of the interpreter, from memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from beamgdb.code.loaded import LoadedCode, Where
from beamgdb.code.module import Module
from beamgdb.code.module_table import ModuleTable
from beamgdb.code.ranges import LoadedNow
from beamgdb.memory import CachedMemory
from tests.code.module_image import INFO, LAYOUT, WORD, Function, Image

BASE = 0x3000_0000
SHOP = (
    Function("shop", "price", 1, 4, [(-1, 0, 10), (2, 0, 11), (3, 1, 7)]),
    Function("shop", "-total/2-fun-0-", 2, 3, [(-1, 0, 20)]),
    Function("shop", "Quote me", 0, 1),
)


def read(image: Image, *bounds: tuple[int, int]) -> list[Module]:
    return table(image, image.memory()).at(bounds)


def table(image: Image, memory: CachedMemory) -> ModuleTable:
    """The modules of a VM that has no symbols."""
    symbols: dict[str, int] = {}
    loaded = LoadedNow(memory, LAYOUT, symbols.get, "arm32")
    return ModuleTable(memory, LAYOUT, symbols.get, image.atoms(memory).name, loaded)


def shop(file: str = "") -> tuple[Image, int]:
    """A module, and where it ends; `file` is the name of its second file."""
    image = Image()
    return image, image.module(BASE, SHOP, [image.string(0x5000_0000, file)])


def test_functions_have_names_as_erlang_writes_them() -> None:
    image, end = shop()
    (module,) = read(image, (BASE, end))
    assert (module.name, module.base, module.stop) == ("shop", BASE, end)
    names = [code.name for code in module.ranges]
    assert names == ["shop::codeHeader", "shop:price/1", "shop:'-total/2-fun-0-'/2", "shop:'Quote me'/0"]


def test_a_function_is_its_instructions_without_what_comes_before() -> None:
    image, end = shop()
    (module,) = read(image, (BASE, end))
    header, price, fun, _ = module.ranges
    assert price.start == header.stop + INFO
    assert price.stop == price.start + 4 * WORD
    assert fun.start == price.stop + INFO


def test_lines() -> None:
    image, end = shop("include/shop.hrl")
    code = LoadedCode(read(image, (BASE, end)))
    (module,) = code
    price = module.ranges[1]
    assert [(address - price.start, file, line) for address, file, line in price.lines] == [
        (0, "shop.erl", 10),
        (2 * WORD, "shop.erl", 11),
        (3 * WORD, "include/shop.hrl", 7),
    ]
    assert code.where(price.start + WORD) == Where("shop.erl", 10)
    assert code.where(price.start + 3 * WORD + 1) == Where("include/shop.hrl", 7)
    assert code.where(module.ranges[3].start) is None


def test_short_locations() -> None:
    """Two bytes each in a module of one file."""
    image = Image()
    end = image.module(BASE, [Function("m", "f", 0, 3, [(-1, 0, 300), (1, 0, 65535)])], width=2)
    (module,) = read(image, (BASE, end))
    assert [line for _, _, line in module.ranges[1].lines] == [300, 65535]


def test_code_without_a_line_ends_the_line_before() -> None:
    image = Image()
    end = image.module(BASE, [Function("m", "f", 0, 4, [(-1, 0, 5), (2, 0, 0), (3, 0, 6)])])
    code = LoadedCode(read(image, (BASE, end)))
    start = next(iter(code)).ranges[1].start
    assert [code.where(start + n * WORD) for n in range(4)] == [Where("m.erl", 5)] * 2 + [None, Where("m.erl", 6)]


def test_a_module_without_lines() -> None:
    image = Image()
    end = image.module(BASE, [Function("erl_init", "start", 2, 3)])
    (module,) = read(image, (BASE, end))
    assert module.ranges[1].lines == ()


def test_a_file_whose_name_is_lost_is_the_modules_own() -> None:
    image, end = shop("gone.hrl")
    for address in [one for one in image.segments if one >= 0x5000_0000 and one < 0x6000_0000]:
        del image.segments[address]
    (module,) = read(image, (BASE, end))
    assert {file for _, file, _ in module.ranges[1].lines} == {"shop.erl"}


def test_strange_names_make_no_strange_file_names() -> None:
    image = Image()
    end = image.module(BASE, [Function("a\0b\n", "f", 0, 1, [(-1, 0, 1)])])
    (module,) = read(image, (BASE, end))
    assert "\0" not in module.name + module.ranges[1].name + module.ranges[1].lines[0][1]
    assert module.ranges[1].name == "'a\\000b\\n':f/0"


@pytest.mark.parametrize("at", range(0, 52, WORD))
@pytest.mark.parametrize("value", [0, 1, 0xFFFF_FFFF, BASE, BASE + 0x10_0000])
def test_a_corrupt_header_is_a_module_less_or_harmless(at: int, value: int) -> None:
    image, end = shop()
    raw = bytearray(image.segments[BASE])
    raw[at : at + WORD] = value.to_bytes(WORD, "little")
    image.segments[BASE] = bytes(raw)
    other = image.module(BASE + 0x20_0000, SHOP)
    modules = read(image, (BASE, end), (BASE + 0x20_0000, other))
    assert modules[-1].base == BASE + 0x20_0000
    for module in modules:
        assert all(module.base <= code.start < code.stop <= module.stop for code in module.ranges)


def test_a_function_has_at_most_255_arguments() -> None:
    image = Image()
    end = image.module(BASE, [Function("m", "f", 255, 1), Function("m", "g", 0, 1)])
    assert [code.arity for code in read(image, (BASE, end))[0].ranges] == [None, 255, 0]
    end = image.module(BASE, [Function("m", "f", 256, 1), Function("m", "g", 0, 1)])
    assert read(image, (BASE, end)) == []


def test_memory_that_is_gone_is_a_module_less() -> None:
    image, end = shop()
    assert read(image, (BASE, end + 0x1000)) == []
    assert read(image, (BASE + 0x5000_0000, end + 0x5000_0000)) == []


class Rereading:
    """A VM whose modules are read again and again."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.memory: CachedMemory = image.memory()
        self.code = table(image, self.memory)

    def load(self, base: int, functions: Sequence[Function]) -> int:
        """Put a module into memory that may be in use; where it ends."""
        end = self.image.module(base, functions)
        for name in {name for one in functions for name in (one.module, one.name)}:
            assert name in self.image.names
        self.memory.memory = self.image.memory().memory
        self.memory.forget()
        return end


def test_a_module_that_is_still_there_is_not_read_again() -> None:
    image, end = shop()
    vm = Rereading(image)
    (before,) = vm.code.at([(BASE, end)])
    vm.memory.reads = 0
    (after,) = vm.code.at([(BASE, end)])
    assert after is before


def test_other_code_at_the_same_place_is_read_anew() -> None:
    image = Image()
    old, new = [Function("m", "old", 0, 3, [(-1, 0, 1)])], [Function("m", "new", 0, 3, [(-1, 0, 1)])]
    image.module(BASE + 0x10_0000, new)
    end = image.module(BASE, old)
    vm = Rereading(image)
    (before,) = vm.code.at([(BASE, end)])
    # Its attributes, literals and line table lie elsewhere: at least one of them, or it would be the same memory.
    again = vm.load(BASE, [*new, Function("m", "more", 0, 1)])
    assert [code.name for code in vm.code.at([(BASE, again)])[0].ranges][1:] == ["m:new/0", "m:more/0"]
    assert before.ranges[1].name == "m:old/0"
