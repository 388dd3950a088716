"""Damaged registrations: each is told as that, or can be described to GDB."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from beamgdb.beamasm.registers import BEAMASM_REGISTERS
from beamgdb.code import symbol_file
from beamgdb.code.module import CODE_INFO, Line, Module, Range, fault
from beamgdb.code.registrations import MAX_NAME, CorruptRegistration, parse, with_prologues
from tests.code.registration_writer import module_bytes

MACHINE = BEAMASM_REGISTERS["x86_64", "jit"]
PROLOGUE = 8
BASE = 0x7F00_0000_0000
FUNCTIONS, SIZE = 12, 160
SEEDS = 4000
NUMBERS = (0, 1, 2, 7, 0x7F, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF)
CONTROL = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))}


def shop() -> Module:
    """A module as BeamAsm registers it."""
    ranges = [Range(BASE, BASE + 64, "shop::codeHeader", ())]
    for number in range(FUNCTIONS):
        start = ranges[-1].stop
        name = f"shop:price_{number}/{number % 4}"
        lines = tuple((start + at, f"shop{number % 3}.erl", 10 * number + at) for at in (48, 60, 100))
        ranges += [Range(start, start + 48, name + CODE_INFO, ()), Range(start + 48, start + SIZE, name, lines)]
    ranges.append(Range(ranges[-1].stop, ranges[-1].stop + 16, "shop::codeFooter", ()))
    return Module("shop", BASE, ranges[-1].stop - BASE, tuple(ranges))


def damaged() -> Iterator[bytes]:
    """The registration of `shop` with some bytes or numbers changed, differently each time but always the same."""
    sound = module_bytes(shop())
    for seed in range(SEEDS):
        chance = random.Random(seed)
        raw = bytearray(sound)
        for _ in range(chance.choice((1, 1, 2, 8))):
            at = chance.randrange(len(raw) - 4)
            if chance.random() < 0.5:
                raw[at] = chance.randrange(256)
            else:
                raw[at : at + 4] = chance.choice(NUMBERS).to_bytes(4, "little")
        yield bytes(raw)


def test_whatever_is_damaged_is_told_or_can_be_described() -> None:
    told = []
    for raw in damaged():
        try:
            module = parse(raw, 8)
        except CorruptRegistration as error:
            told.append(str(error))
            continue
        assert isinstance(module, Module)
        described = symbol_file.write([with_prologues(module, PROLOGUE)], MACHINE, lambda _, file: ("/src", file))
        assert len(described) < 2 * len(raw) + (64 << 10)
    assert SEEDS / 10 < len(told) < SEEDS
    assert not CONTROL & set("".join(told))


def described_with(lines: tuple[Line, ...]) -> Module:
    return Module("shop", BASE, SIZE, (Range(BASE, BASE + SIZE, "shop:price/1", lines),))


@pytest.mark.parametrize(
    "lines",
    [
        ((BASE + 40, "shop.erl", 3), (BASE + 20, "shop.erl", 4)),
        ((BASE + 40, "shop.erl", 3), (BASE + SIZE + 1, "shop.erl", 4)),
    ],
    ids=["not by address", "outside of the function"],
)
def test_lines_in_disorder_are_told_with_the_module(lines: tuple[Line, ...]) -> None:
    with pytest.raises(CorruptRegistration, match="^shop: the lines of shop:price/1 are in disorder$"):
        parse(module_bytes(described_with(lines)), 8)


def test_names_of_any_characters_are_made_harmless() -> None:
    """GDB prints names as they are."""
    ranges = (Range(BASE, BASE + SIZE, "shop:'a\nb'/1", ((BASE, "nu\0l\x1b]0;x\x07.erl", 3),)),)
    module = parse(module_bytes(Module("sh\x1b[2Jop", BASE, SIZE, ranges)), 8)
    assert isinstance(module, Module)
    assert (module.name, module.ranges[0].name) == ("sh\\e[2Jop", "shop:'a\\nb'/1")
    assert module.ranges[0].lines == ((BASE, "nu\\000l\\e]0;x\\007.erl", 3),)
    described = symbol_file.write([module], MACHINE, lambda *_: ("/a\x1b[2J\udc80", "b\n\0.erl"))
    assert b"/a\\e[2J\\x{DC80}\0" in described
    assert b"b\\n\\000.erl\0" in described


def test_a_name_longer_than_any_is_cut() -> None:
    long = 0xFFFE * "x"
    ranges = (Range(BASE, BASE + SIZE, long, ((BASE, long, 3),)),)
    module = parse(module_bytes(Module(long, BASE, SIZE, ranges)), 8)
    assert isinstance(module, Module)
    cut = MAX_NAME * "x" + "..."
    assert (module.name, module.ranges[0].name, module.ranges[0].lines[0][1]) == (cut, cut, cut)
    longest = f"{255 * chr(0xE0001)}:{255 * chr(0xE0001)}/255"
    assert Range(0, 1, parse_name(longest), ()).arity == 255


def parse_name(name: str) -> str:
    """A function's name, as it is kept."""
    module = parse(module_bytes(Module("m", BASE, SIZE, (Range(BASE, BASE + SIZE, name, ()),))), 8)
    assert isinstance(module, Module)
    return module.ranges[0].name


def test_functions_and_lines_of_a_module_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = module_bytes(shop())
    records = sum(1 + len(one.lines) for one in shop().ranges)
    monkeypatch.setattr("beamgdb.code.registrations.MAX_MODULE_RECORDS", records)
    assert parse(raw, 8) == shop()
    monkeypatch.setattr("beamgdb.code.registrations.MAX_MODULE_RECORDS", records - 1)
    with pytest.raises(CorruptRegistration, match=f"^shop: more than {records - 1} functions and lines$"):
        parse(raw, 8)


@pytest.mark.parametrize("error", [OSError(36, "File name too long"), ValueError("embedded null byte")])
def test_a_file_that_cannot_be_looked_for_has_no_folder(error: Exception) -> None:
    def locate(module: str, file: str) -> tuple[str, str]:
        raise error

    assert b"shop0.erl\0" in symbol_file.write([shop()], MACHINE, locate)


def test_a_wrong_size_of_the_code_does_not_take_the_place_of_others() -> None:
    module = shop()
    raw = bytearray(module_bytes(module))
    raw[20:24] = (0xFFFF_FFFF).to_bytes(4, "little")
    assert parse(bytes(raw), 8) == module


@pytest.mark.parametrize("name", ["shop:price/256", "shop:price/99999999", "shop:price/" + "9" * 5000])
def test_no_function_has_more_arguments_than_the_vm_allows(name: str) -> None:
    assert Range(0, 1, name, ()).arity is None


def test_code_lies_inside_of_memory() -> None:
    assert fault(shop(), 8) is None
    assert fault(shop(), 4) == f"there cannot be {shop().size} bytes of code at {BASE:#x}"
