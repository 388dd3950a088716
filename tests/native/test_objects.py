"""What beamgdb reads of native objects and .beam files, without GDB: against the compiler that makes them."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from beamgdb.code import native_objects
from beamgdb.code.jit_interface import CodeEntry
from beamgdb.code.native_code import NativeCode
from beamgdb.disassembly import beam_file, operation_table
from beamgdb.disassembly.beam_file import NoOperations, OperationStep
from beamgdb.memory import BytesMemory, CachedMemory
from beamgdb.terms.quoting import runtime_atom
from jit.beam.module import read_module
from jit.codegen.compile import compile_module
from jit.erts.arm32.native import MixedNative
from jit.erts.arm32.rewrite import rewrite
from jit.erts.arm32.runtime import StockErts
from jit.erts.layout import RELEASES
from jit.otp.native_abi import OPERATIONS_SECTION
from tests.codegen.native_node import erlc
from tests.harness.gdb import REPOSITORY
from tests.native.conftest import HERE, line

FILE_AT = 0x10000
DAMAGED = 1000


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return erlc(HERE / "shop.erl", tmp_path_factory.mktemp("plain"))


def compiled(plain: Path, otp: int = 27) -> tuple[MixedNative, bytes]:
    native = compile_module(read_module(plain), StockErts(otp))
    return native, StockErts(otp).elf_file(native)


def in_memory(raw: bytes) -> tuple[CachedMemory, CodeEntry]:
    return CachedMemory(BytesMemory({FILE_AT: raw}, 4)), CodeEntry(0x8000, FILE_AT, len(raw))


def test_functions_and_lines(plain: Path) -> None:
    native, raw = compiled(plain)
    found = native_objects.find(*in_memory(raw))
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


@pytest.mark.parametrize("source", ["tests/native/shop.erl", "tests/erl/terms.erl", "demo/shop.erl"])
def test_lines_are_those_that_pyelftools_reads(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But without it: that of Debian 11 reads no DWARF 5."""
    _, raw = compiled(erlc(REPOSITORY / source, tmp_path))
    dwarf = ELFFile(BytesIO(raw)).get_dwarf_info(relocate_dwarf_sections=False)
    programs = [dwarf.line_program_for_CU(unit) for unit in dwarf.iter_CUs()]
    told = {
        (one.state.address, program["file_entry"][one.state.file].name.decode().rpartition("/")[2], one.state.line)
        for program in programs if program for one in program.get_entries()
        if one.state and one.state.is_stmt and not one.state.end_sequence
    }  # fmt: skip
    monkeypatch.delattr(ELFFile, "get_dwarf_info")
    found = native_objects.find(*in_memory(raw))
    assert found is not None
    assert {row for one in found.module.ranges for row in one.lines} == told
    assert len(told) > 10


def test_code_by_address(plain: Path) -> None:
    native, raw = compiled(plain)
    memory, entry = in_memory(raw)
    code = NativeCode(memory, filter(None, [native_objects.find(memory, entry)]))
    for one in native.functions:
        found = code.find(one.end - 4)
        assert found is not None
        assert found[1].stop == one.end
    assert code.find(len(native.code.data) + 4) is None
    assert code.names() == ["shop"]


def damaged(raw: bytes, chance: random.Random) -> bytes:
    """An object with some bytes or numbers changed: in its header, its table of sections, or anywhere."""
    changed = bytearray(raw)
    for _ in range(chance.choice((1, 2, 8))):
        at = chance.randrange(*chance.choice(((0, 64), (0, len(raw) - 4), (len(raw) - 600, len(raw) - 4))))
        number = chance.choice((0, 1, 0xFFFF, 0x10000, 0x7FFF_FFFF, 0xFFFF_FFFF)).to_bytes(4, "little")
        new = number if chance.random() < 0.5 else bytes([chance.randrange(256)])
        changed[at : at + len(new)] = new
    return bytes(changed)


def test_damaged_objects(plain: Path) -> None:
    """They are no objects, or tell less: nothing is raised."""
    _, raw = compiled(plain)
    for size in range(60):
        assert native_objects.find(*in_memory(raw[:size])) is None
    for seed in range(DAMAGED):
        found = native_objects.find(*in_memory(damaged(raw, random.Random(seed))))
        assert found is None or all(one.start < one.stop for one in found.module.ranges)
    assert native_objects.find(CachedMemory(BytesMemory({}, 4)), CodeEntry(0, FILE_AT, 100)) is None


@pytest.mark.parametrize("otp", RELEASES)
def test_operations_are_those_of_the_compiler(plain: Path, tmp_path: Path, otp: int) -> None:
    """Also in a file with native code."""
    native, raw = compiled(plain, otp)
    rewritten = tmp_path / "shop.beam"
    rewritten.write_bytes(rewrite(native, raw))
    for one in read_module(plain).functions:
        before = beam_file.of_function(plain, "shop", one.name, one.arity)
        after = beam_file.of_function(rewritten, "shop", one.name, one.arity)
        assert before.entry == after.entry == one.entry
        assert [_name(step) for step in before.steps] == [_name(step) for step in after.steps]


def _name(step: OperationStep | None) -> str | None:
    return step.text.split(",")[0] if step is not None else None


def test_operations_of_native_code(plain: Path) -> None:
    native, raw = compiled(plain)
    found = native_objects.find(*in_memory(raw))
    assert found is not None
    table = found.section(OPERATIONS_SECTION)
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
