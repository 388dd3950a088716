"""`--runtime atomvm`: what is in the files, and what is told."""

from __future__ import annotations

import re
import struct
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from jit.__main__ import main as jit
from jit.atomvm.chunk import CHUNK, NativeChunk, decode_native
from jit.atomvm.formats import F1
from jit.beam.chunks import read_chunks
from jit.beam.module import read_module
from jit.beam.operands import BeamLabel
from tests.atomvm.conftest import SOURCE
from tests.atomvm.host import TOOLS
from tests.codegen.native_node import erlc

STDLIB = ("lists", "maps", "gb_trees", "unicode", "io_lib_format", "gen_server")
TARGETS = list(TOOLS)
#: How an entry begins that the VM does not come to; and what entry 0 goes to, behind which the tables are: `add r0, pc,
#: #0; bx lr`, `adr x0, #8; ret`, `adr r0, #0; bx lr`, `auipc a0, 0; addi a0, a0, 10; ret`, and `lea rax, [rip + 1];
#: ret`.
NOT_ENTERED = {
    "arm32": b"\xf0\0\xf0\xe7",
    "aarch64": bytes(4),
    "armv6m": b"\0\xde",
    "armv6m+thumb2": b"\0\xde",
    "riscv32": b"\x73\x10\0\xc0",
    "riscv64": b"\x73\x10\0\xc0",
    "x86_64": b"\x0f\x0b",
}
TELLS_TABLES = {
    "arm32": bytes.fromhex("00008fe2 1eff2fe1"),
    "aarch64": bytes.fromhex("40000010 c0035fd6"),
    "armv6m": bytes.fromhex("00a0 7047"),
    "armv6m+thumb2": bytes.fromhex("00a0 7047"),
    "riscv32": bytes.fromhex("17050000 1305a500 8280"),
    "riscv64": bytes.fromhex("17050000 1305a500 8280"),
    "x86_64": bytes.fromhex("488d0501000000 c3"),
}


@pytest.fixture(scope="module")
def files(program: Path) -> list[Path]:
    (folder,) = Path("/usr/lib/erlang/lib").glob("stdlib-*/ebin")
    return [program, *(folder / f"{name}.beam" for name in STDLIB)]


def compiled(folder: Path, *words: str, target: str = "arm32") -> None:
    assert jit(["compile", "--runtime", "atomvm", "--target", target, *words, "-o", str(folder)]) == 0


def carried(path: Path) -> NativeChunk:
    return decode_native(next(one for one in read_chunks(path.read_bytes(), "") if one.name == CHUNK))


def table(data: bytes, at: int) -> tuple[dict[int, int], int]:
    """Offsets and what is there, from one of the tables that the VM asks for; and where it ends."""
    (count,) = struct.unpack_from(">H", data, at)
    rows = [struct.unpack_from(">HI", data, at + 2 + 6 * row) for row in range(count)]
    assert sorted(rows, key=lambda row: row[1]) == rows
    return {offset: number for number, offset in rows}, at + 2 + 6 * count


def test_files(files: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """All is native on all targets; native code takes the place of bytecode, and everything else stays."""
    compiled(tmp_path, *map(str, files), target=",".join(TARGETS))
    said = capfd.readouterr()
    assert "functions native (100%)" in said.out
    assert [line for line in said.err.splitlines() if not re.fullmatch(r"jit: \d+ of \d+ files", line)] == []
    for file in files:
        before = {one.name: one.data for one in read_chunks(file.read_bytes(), "")}
        after = {one.name: one.data for one in read_chunks((tmp_path / file.name).read_bytes(), "")}
        assert set(after) == set(before) - {"Code"} | {CHUNK}
        assert {name: after[name] for name in after if name != CHUNK} == {
            name: before[name] for name in after if name != CHUNK
        }


#: Bytes of native code per byte of bytecode: what is long stands once in a module.
MOST = 5.6


@pytest.mark.parametrize("target", TARGETS)
def test_the_vm_finds_labels_and_lines(program: Path, tmp_path: Path, target: str) -> None:
    """Each function that the VM enters has an entry, and the tables tell of these, of handlers, and of lines."""
    compiled(tmp_path, str(program), target=target)
    module, native = read_module(program), carried(tmp_path / program.name)
    (code,) = native.codes
    assert (native.version, native.labels, code.target) == (1, module.code.label_count, target)
    entered = [row.label for rows in (module.exports, module.locals, module.lambdas) for row in rows]
    size = F1.targets[target].entry
    there = {one for one in range(1, native.labels) if not code.data.startswith(NOT_ENTERED[target], size * one)}
    assert set(entered) <= there
    assert len(there) < native.labels / 2
    tables = code.data.rindex(TELLS_TABLES[target]) + len(TELLS_TABLES[target])
    labels, at = table(code.data, tables)
    lines, at = table(code.data, at)
    assert len(code.data) - at < 4
    bytecode = next(one.data for one in module.chunks if one.name == "Code")
    assert len(code.data) < MOST * len(bytecode)
    assert module.lines is not None
    operations = [one for function in module.functions for one in function.operations]
    handled = [one.operands[1] for one in operations if one.name in ("try", "catch")]
    handlers = {label.number for label in handled if isinstance(label, BeamLabel)}
    assert handlers
    assert {function.entry for function in module.functions} | handlers <= set(labels.values()) <= there
    source = SOURCE.read_text(encoding="utf-8").splitlines()
    called = {number for number, line in enumerate(source, 1) if "fib(N - 1)" in line or "lines(results())" in line}
    assert called <= {module.lines.locations[index].line for index in lines.values()}


def test_what_cannot_be_native(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A module is native as a whole or not at all: what makes it so is told, and the file is as it was."""
    (tmp_path / "old.erl").write_text("-module(old).\n-export([f/1, g/0]).\nf(X) -> <<X>>.\ng() -> ok.\n")
    beam = erlc(tmp_path / "old.erl", tmp_path / "ebin", "+no_bs_create_bin")
    compiled(tmp_path / "out", str(beam))
    said = capfd.readouterr()
    assert said.err == "jit: old.beam: f/1: bs_add: the file stays bytecode\n"
    assert said.out.startswith("old.beam: 0 of 4 functions native (0%)")
    assert (tmp_path / "out/old.beam").read_bytes() == beam.read_bytes()
    assert jit(["coverage", "--runtime", "atomvm", str(beam)]) == 0
    assert ["1", "1", "0", "bs_add"] in [line.split() for line in capfd.readouterr().out.splitlines()]


def test_several_targets(program: Path, tmp_path: Path) -> None:
    """One file has what those for each target have, up to whole words."""
    for target in (*TARGETS, ",".join(TARGETS)):
        compiled(tmp_path / target, str(program), target=target)
    codes = {one.target: one.data for one in carried(tmp_path / ",".join(TARGETS) / program.name).codes}
    assert list(codes) == TARGETS
    for target in TARGETS:
        (code,) = carried(tmp_path / target / program.name).codes
        assert codes[target].removeprefix(code.data) in (b"", *map(bytes, range(1, 4)))


def test_small_floats(program: Path, tmp_path: Path) -> None:
    """Code for a VM that is built for floats of 32 bits is told by its variant, and differs where there are floats."""
    compiled(tmp_path, str(program), target="x86_64,x86_64+float32,arm32,arm32+float32")
    codes = {(one.architecture, one.variant): one.data for one in carried(tmp_path / program.name).codes}
    assert list(codes) == [(1, 1), (1, 3), (6, 1), (6, 3)]
    assert len(set(codes.values())) == 4


def test_not_again(program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    compiled(tmp_path, str(program))
    capfd.readouterr()
    assert jit(["compile", "--runtime", "atomvm", str(tmp_path / program.name), "-o", str(tmp_path / "out")]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"jit: {tmp_path / program.name}: ")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["compile", "--runtime", "atomvm", "--otp", "27"], "--otp: atomvm runs files of all releases"),
        (["coverage", "--runtime", "atomvm", "--otp", "27"], "--otp: atomvm runs files of all releases"),
        (["compile", "--dwarf"], "--dwarf: files for erts carry debugging information anyway"),
    ],
)
def test_options(program: Path, capfd: pytest.CaptureFixture[str], words: list[str], what: str) -> None:
    assert jit([*words, str(program)]) == 1
    assert capfd.readouterr().err == f"jit: {what}\n"


@pytest.mark.parametrize("target", TARGETS)
def test_debugging_information(program: Path, tmp_path: Path, target: str) -> None:
    """The VM maps just the code, adds its address to what the list behind the ELF file names: all is in place."""
    compiled(tmp_path / "plain", str(program), target=target)
    compiled(tmp_path / "dwarf", "--dwarf", str(program), target=target)
    (plain,) = carried(tmp_path / "plain" / program.name).codes
    native = carried(tmp_path / "dwarf" / program.name)
    (code,) = native.codes
    assert native.instructions(code) == plain.data
    assert jit(["elf", str(tmp_path / "dwarf" / program.name), "-o", str(tmp_path / "out.elf")]) == 0
    elf = (tmp_path / "out.elf").read_bytes()
    assert elf == native.elf
    count, *places = struct.unpack(f"<{len(native.area[len(elf) :]) // 4}I", native.area[len(elf) :])
    assert count == len(places)
    moved, base, address_of = bytearray(elf), 0x4000_0000, "<I" if F1.targets[target].layout.word == 4 else "<Q"
    for place in places:
        (address,) = struct.unpack_from(address_of, moved, place)
        assert address <= len(plain.data)
        struct.pack_into(address_of, moved, place, address + base)
    file = ELFFile(BytesIO(moved))
    assert file["e_type"] == "ET_REL"
    text, symtab = file.get_section_by_name(".text"), file.get_section_by_name(".symtab")
    assert text is not None
    assert text["sh_offset"] == code.offset
    assert isinstance(symtab, SymbolTableSection)
    odd = target.startswith("armv6m")  # as addresses of Thumb code are told
    symbols = {one.name: one["st_value"] - odd for one in symtab.iter_symbols()}
    functions = {}
    for die in next(file.get_dwarf_info().iter_CUs()).iter_DIEs():
        if die.tag == "DW_TAG_subprogram" and "DW_AT_external" in die.attributes:
            functions[die.attributes["DW_AT_name"].value.decode()] = die.attributes["DW_AT_low_pc"].value - base
    assert functions["program:fib/1"] == symbols["program:fib/1"]
    assert functions == {name: symbols[name] for name in functions}
    verified = subprocess.run(
        ["llvm-dwarfdump", "--verify", tmp_path / "out.elf"], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout


def test_elf_needs_it(program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    compiled(tmp_path, str(program))
    capfd.readouterr()
    path = tmp_path / program.name
    assert jit(["elf", str(path), "-o", str(tmp_path / "out.elf")]) == 1
    assert capfd.readouterr().err == f"jit: {path}: has native code without an ELF file: compile it with --dwarf\n"


@pytest.mark.parametrize("target", TARGETS)
def test_dump(program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], target: str) -> None:
    """Of bytecode beside what would be made of it, and of what a file carries: the same instructions, up to where the
    VM comes in for the next function."""
    compiled(tmp_path, "--dwarf", str(program), target=target)
    capfd.readouterr()
    assert jit(["dump", "--runtime", "atomvm", "--target", target, str(program), "fib/1"]) == 0
    both = capfd.readouterr().out
    assert "{call,1,{f," in both
    assert "; reductions" in both
    assert jit(["dump", str(tmp_path / program.name), "program:fib/1"]) == 0
    header, _, about, *lines = capfd.readouterr().out.splitlines()
    assert header.endswith("labels, with debugging information")
    assert about.startswith(f"% {target}: ")
    listed = [line.split()[:2] for line in lines if line.startswith("    ")]
    made = [line.split()[:2] for line in both.splitlines() if line.startswith("    ")]
    assert made == listed[: len(made)]
    assert len(listed) <= len(made) + 3
    assert jit(["dump", str(tmp_path / program.name), "nothing/0"]) == 1
    assert capfd.readouterr().err.endswith("there is no function nothing/0\n")
