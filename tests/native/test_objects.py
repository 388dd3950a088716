"""What beamgdb reads of native objects and .beam files, without GDB: against the compiler that makes them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from beamgdb.beamasm.registrations import Entry
from beamgdb.disassembly import beam_file, operation_table
from beamgdb.disassembly.beam_file import NoOperations, Step
from beamgdb.memory import BytesMemory, CachedMemory
from beamgdb.native import objects
from beamgdb.native.code import NativeCode
from beamgdb.terms.quoting import runtime_atom
from jit.beam.module import read_module
from jit.codegen.compile import Native, compile_module
from jit.codegen.elf_file import elf_file
from jit.codegen.rewrite import rewrite
from jit.erts.layout import RELEASES, load
from tests.codegen.native_node import erlc
from tests.native.conftest import HERE, line

FILE_AT = 0x10000


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return erlc(HERE / "shop.erl", tmp_path_factory.mktemp("plain"))


def compiled(plain: Path, otp: int = 27) -> tuple[Native, bytes]:
    native = compile_module(read_module(plain), load(otp))
    return native, elf_file(native)


def in_memory(raw: bytes) -> tuple[CachedMemory, Entry]:
    return CachedMemory(BytesMemory({FILE_AT: raw}, 4)), Entry(0x8000, FILE_AT, len(raw))


def test_functions_and_lines(plain: Path) -> None:
    native, raw = compiled(plain)
    found = objects.find(*in_memory(raw))
    assert found is not None
    assert found.name == "shop"
    ranges = {one.name: one for one in found.module.ranges}
    for one in native.functions:
        text = f"shop:{runtime_atom(one.function.name)}/{one.function.arity}"
        assert (ranges[text].start, ranges[text].stop) == (one.body, one.end)
        assert (ranges[f"{text} entry"].start, ranges[f"{text} entry"].stop) == (one.start, one.body)
    assert "native::enter" in ranges
    lines = [(file, number) for _, file, number in ranges["shop:priced/2"].lines]
    told = [line("priced(What, Amount) ->"), line("Given = deliver"), line("Given * 2")]
    assert list(dict.fromkeys(lines)) == [("shop.erl", number) for number in told]


def test_code_by_address(plain: Path) -> None:
    native, raw = compiled(plain)
    memory, entry = in_memory(raw)
    code = NativeCode(memory, filter(None, [objects.find(memory, entry)]))
    for one in native.functions:
        found = code.find(one.end - 4)
        assert found is not None
        assert found[1].stop == one.end
    assert code.find(len(native.code.data) + 4) is None
    assert code.names() == ["shop"]


def test_damaged_objects(plain: Path) -> None:
    """They are no objects, or tell less: nothing is raised."""
    _, raw = compiled(plain)
    for size in range(60):
        assert objects.find(*in_memory(raw[:size])) is None
    seed = random.Random(1)
    for _ in range(100):
        at = seed.choice((seed.randrange(64), seed.randrange(len(raw)), len(raw) - 1 - seed.randrange(400)))
        found = objects.find(*in_memory(raw[:at] + bytes([raw[at] ^ seed.randrange(1, 256)]) + raw[at + 1 :]))
        assert found is None or all(one.start < one.stop for one in found.module.ranges)
    assert objects.find(CachedMemory(BytesMemory({}, 4)), Entry(0, FILE_AT, 100)) is None


@pytest.mark.parametrize("otp", RELEASES)
def test_operations_are_those_of_the_compiler(plain: Path, tmp_path: Path, otp: int) -> None:
    """Also in a file that was rewritten, where there are others among them."""
    native, raw = compiled(plain, otp)
    rewritten = tmp_path / "shop.beam"
    rewritten.write_bytes(rewrite(native, raw))
    for one in read_module(plain).functions:
        before = beam_file.of_function(plain, "shop", one.name, one.arity)
        after = beam_file.of_function(rewritten, "shop", one.name, one.arity)
        assert before.entry == after.entry == one.entry
        assert [_name(step) for step in before.steps] == [_name(step) for step in after.steps]


def _name(step: Step | None) -> str | None:
    return step.text.split(",")[0] if step is not None else None


def test_operations_of_native_code(plain: Path) -> None:
    native, raw = compiled(plain)
    found = objects.find(*in_memory(raw))
    assert found is not None
    table = found.section(operation_table.SECTION)
    assert table is not None
    for one in native.functions:
        entry, pieces = operation_table.pieces(table, one.start)
        assert entry == one.function.entry
        assert pieces[0] == operation_table.Piece(one.start, -1)
        hot = {(piece.offset, piece.index) for piece in pieces}
        assert {place for place in one.operations if place[0] < one.end} & hot
        assert all(one.start <= piece.offset < one.end for piece in pieces)
    assert operation_table.pieces(table[:3], 0) == (0, [])


def test_what_is_no_beam_file(tmp_path: Path) -> None:
    bad = tmp_path / "bad.beam"
    bad.write_bytes(b"FOR1")
    with pytest.raises(NoOperations, match="bad.beam"):
        beam_file.of_function(bad, "bad", "f", 0)
