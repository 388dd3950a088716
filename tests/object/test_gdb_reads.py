"""What GDB makes of a generated object: stock ``add-symbol-file``, no process."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jit.object import dwarf_expression as expression
from jit.object.dwarf import AddressRelocation, Dwarf
from jit.object.dwarf_constants import DW_AT, DW_ATE, DW_FORM, DW_LANG, DW_TAG
from jit.object.dwarf_info import Attributes, Die
from jit.object.dwarf_line import LineNumberTable
from jit.object.elf import ElfFile
from jit.object.elf_constants import EM, ET, SHF, SHT, STT
from jit.object.target import Target
from tests.harness.patience import PATIENCE

CODE = 0x7F12_3400_0000
FUNCTION_SIZE = 64
R_AARCH64_ABS64 = 257  # ELF for the Arm 64-bit Architecture
FUNCTIONS = ["lists:map/2", "'Elixir.Foo':bar/1", "lists:'-map/2-fun-0-'/2"]
COLUMNS = (
    (DW_AT.name, DW_FORM.strp),
    (DW_AT.low_pc, DW_FORM.addr),
    (DW_AT.high_pc, DW_FORM.data4),
    (DW_AT.decl_file, DW_FORM.data1),
    (DW_AT.decl_line, DW_FORM.data4),
)

pytestmark = pytest.mark.skipif(shutil.which("gdb-multiarch") is None, reason="no gdb-multiarch")


@pytest.fixture(scope="module")
def symbol_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three functions of 64 bytes, at lines 10, 20 and 30, each with a row 8 bytes on and another 24 bytes on."""
    target = Target(8, machine=EM.AARCH64)
    dwarf, elf = Dwarf(target), ElfFile(target, ET.EXEC)
    size = FUNCTION_SIZE * len(FUNCTIONS)
    starts = range(CODE, CODE + size, FUNCTION_SIZE)
    table = LineNumberTable(target, ["/src"], [("lists.erl", 0)], minimum_instruction_length=4)
    steps = ((0, 0), (8, 1), (24, 3))
    rows = [(start + gap, 1, 10 * n + line) for n, start in enumerate(starts, 1) for gap, line in steps]
    table.add_sequence(rows, CODE + size)
    unit = dwarf.add_unit(
        {
            DW_AT.name: "lists.erl",
            DW_AT.comp_dir: "/src",
            DW_AT.language: DW_LANG.Mips_Assembler,
            DW_AT.stmt_list: dwarf.add_line_table(table),
        },
        ranges=[(CODE, size)],
    )
    word = Die(DW_TAG.base_type, {DW_AT.name: "Uint", DW_AT.byte_size: 8, DW_AT.encoding: DW_ATE.unsigned})
    eterm = Die(DW_TAG.typedef, {DW_AT.name: "Eterm", DW_AT.type: word})
    unit.add(word, eterm)
    x0: Attributes = {DW_AT.name: "x0", DW_AT.type: eterm, DW_AT.location: expression.breg(19, 64)}
    unit.add_rows(
        DW_TAG.subprogram,
        COLUMNS,
        [(name, start, FUNCTION_SIZE, 1, 10 * n) for n, (name, start) in enumerate(zip(FUNCTIONS, starts), 1)],
        constants={DW_AT.external: True},
        children=unit.encode(Die(DW_TAG.variable, x0)),
    )
    text = elf.add_section(".text.lists", SHT.NOBITS, SHF.ALLOC | SHF.EXECINSTR, address=CODE, size=size, align=16)
    elf.add_symbols([(name, start, FUNCTION_SIZE) for name, start in zip(FUNCTIONS, starts)], section=text)
    dwarf.add_to(elf)
    path: Path = tmp_path_factory.mktemp("gdb") / "symbols"
    path.write_bytes(elf.to_bytes())
    return path


def gdb(symbol_file: Path, *commands: str, load: str = "") -> list[str]:
    """What the last of *commands* prints, once the symbol file has been added by *load*."""
    session = ["set confirm off", "set arch aarch64", load or f"add-symbol-file {symbol_file}", *commands[:-1]]
    session += ["echo [answer]\\n", commands[-1]]
    arguments = [word for command in session for word in ("-ex", command)]
    ran = subprocess.run(
        ["gdb-multiarch", "-nx", "-batch", *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert "warning" not in ran.stderr.lower()
    return (ran.stdout.split("[answer]\n")[1] + ran.stderr).splitlines()


def test_line_of_an_address(symbol_file: Path) -> None:
    (answer,) = gdb(symbol_file, f"info line *{CODE + 64 + 12:#x}")
    assert answer.startswith('Line 21 of "lists.erl" starts at address')
    assert "<'Elixir.Foo':bar/1+8>" in answer
    assert answer.endswith("<'Elixir.Foo':bar/1+24>.")


@pytest.mark.parametrize(("number", "name"), list(enumerate(FUNCTIONS)))
def test_symbol_of_an_address(symbol_file: Path, number: int, name: str) -> None:
    (answer,) = gdb(symbol_file, f"info symbol {CODE + FUNCTION_SIZE * number + 5:#x}")
    assert answer == f"{name} + 5 in section .text.lists"


def test_no_symbol_after_the_code(symbol_file: Path) -> None:
    (answer,) = gdb(symbol_file, f"info symbol {CODE + FUNCTION_SIZE * len(FUNCTIONS):#x}")
    assert answer.startswith("No symbol matches")


def test_variables_of_a_function(symbol_file: Path) -> None:
    answer = gdb(symbol_file, "info scope -function lists:map/2")
    assert answer[0] == "Scope for -function lists:map/2:"
    assert "Symbol x0 is" in answer[1]
    assert "DW_OP_breg19 64" in answer[2]
    assert answer[-1].endswith("length 8.")


@pytest.mark.parametrize(
    ("location", "offset", "line"),
    [
        ("-function lists:map/2", 0, 10),
        ("\"'lists:map/2'\"", 0, 10),
        ("-function \"'Elixir.Foo':bar/1\"", 64, 20),
        ("-function lists:'-map/2-fun-0-'/2", 128, 30),
        ("lists.erl:23", 64 + 24, 23),
        ("*&'lists:map/2'", 0, 10),
    ],
)
def test_breakpoint_stops_at_the_entry(symbol_file: Path, location: str, offset: int, line: int) -> None:
    # The entry itself, with no prologue skipped: this is what the unit's language, assembly, is for.
    (answer,) = gdb(symbol_file, f"break {location}")
    assert answer == f"Breakpoint 1 at {CODE + offset:#x}: file lists.erl, line {line}."


@pytest.mark.parametrize("name", FUNCTIONS)
def test_breakpoint_through_python(symbol_file: Path, name: str) -> None:
    (answer,) = gdb(symbol_file, f"python gdb.Breakpoint(function={name!r})")
    assert answer.startswith(f"Breakpoint 1 at {CODE + FUNCTION_SIZE * FUNCTIONS.index(name):#x}: file lists.erl")


def test_type_of_terms(symbol_file: Path) -> None:
    assert gdb(symbol_file, "whatis (Eterm)1") == ["type = Eterm"]


def test_source_is_listed(symbol_file: Path, tmp_path: Path) -> None:
    source = tmp_path / "lists.erl"
    source.write_text("".join(f"%% line {number}\n" for number in range(1, 40)))
    # GDB warns when a source is newer than the symbol file.
    os.utime(source, (0, 0))
    answer = gdb(symbol_file, f"directory {tmp_path}", "list lists.erl:21,22")
    assert answer == ["21\t%% line 21", "22\t%% line 22"]


def test_relocatable_object_is_placed_by_gdb(tmp_path: Path) -> None:
    target = Target(8, machine=EM.AARCH64)
    dwarf, elf = Dwarf(target), ElfFile(target, ET.REL)
    table = LineNumberTable(target, ["/src"], [("native.erl", 0)])
    table.add_sequence([(0, 1, 5), (8, 1, 6)], 16)
    attributes: Attributes = {
        DW_AT.name: "native.erl",
        DW_AT.comp_dir: "/src",
        DW_AT.language: DW_LANG.Mips_Assembler,
        DW_AT.stmt_list: dwarf.add_line_table(table),
    }
    unit = dwarf.add_unit(attributes, ranges=[(0, 16)])
    unit.add_rows(DW_TAG.subprogram, COLUMNS, [("native:f/0", 0, 16, 1, 5)])
    text = elf.add_section(".text", flags=SHF.ALLOC | SHF.EXECINSTR, data=bytes(16), align=4)
    start = elf.add_symbol("", 0, section=text, type=STT.SECTION)
    elf.add_symbols([("native:f/0", 0, 16)], section=text)
    dwarf.add_to(elf, relocation=AddressRelocation(start, R_AARCH64_ABS64))
    path = tmp_path / "native.o"
    path.write_bytes(elf.to_bytes())
    (answer,) = gdb(path, "break -function native:f/0", load=f"add-symbol-file {path} -s .text 0x40000")
    assert answer == "Breakpoint 1 at 0x40000: file native.erl, line 5."
    (answer,) = gdb(path, "info line *0x4000c", load=f"add-symbol-file {path} -s .text 0x40000")
    assert answer.startswith('Line 6 of "native.erl" starts at address 0x40008 <native:f/0+8>')
