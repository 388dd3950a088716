"""Symbols as pyelftools reads them, of real files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from jit.object.elf_symbols import ElfSymbol, defined
from tests.harness.targets import TARGETS, Target

TYPES = {"STT_NOTYPE": 0, "STT_OBJECT": 1, "STT_FUNC": 2, "STT_SECTION": 3, "STT_TLS": 6, "STT_LOOS": 10}


def slowly(elf: ELFFile, name: str) -> list[ElfSymbol]:
    table = elf.get_section_by_name(name)
    assert isinstance(table, SymbolTableSection)
    return [
        ElfSymbol(one.name, one["st_value"], one["st_size"], TYPES[one["st_info"]["type"]])
        for one in table.iter_symbols()
        if one["st_shndx"] != "SHN_UNDEF"
    ]


@pytest.mark.parametrize("target", [TARGETS[1], TARGETS[2], TARGETS[4]], ids=str)
def test_those_of_a_vm(target: Target) -> None:
    with target.sandbox.beam.open("rb") as file:
        elf = ELFFile(file)
        found = list(defined(elf, ".dynsym"))
        assert found == slowly(elf, ".dynsym")
        assert list(defined(elf, ".symtab")) == []
    main = next(one for one in found if one.name == "process_main")
    assert main.is_function
    assert main.size


@pytest.fixture
def damaged(request: pytest.FixtureRequest) -> tuple[bytearray, int, int]:
    """A VM's file, where its symbols are, and where their names are."""
    content = bytearray(Path(TARGETS[1].sandbox.beam).read_bytes())
    table = ELFFile(BytesIO(content)).get_section_by_name(".dynsym")
    assert isinstance(table, SymbolTableSection)
    return content, table["sh_offset"], table.stringtable["sh_offset"]


def test_names_that_are_none(damaged: tuple[bytearray, int, int]) -> None:
    """They are left out, and no others."""
    content, rows, names = damaged
    whole = list(defined(ELFFile(BytesIO(content)), ".dynsym"))
    start = content.index(b"enif_make_atom\0", names)
    content[start] = 0xFF
    at = next(at for at in range(rows, rows + 16 * 100, 16) if content[at + 14 : at + 16] != b"\0\0")
    content[at : at + 4] = b"\xff\xff\xff\xff"
    left = list(defined(ELFFile(BytesIO(content)), ".dynsym"))
    assert len(left) == len(whole) - 2
    assert set(left) < set(whole)


def test_part_of_a_symbol(damaged: tuple[bytearray, int, int]) -> None:
    content, _, _ = damaged
    elf = ELFFile(BytesIO(content))
    header = next(n for n, one in enumerate(elf.iter_sections()) if one.name == ".dynsym")
    at = elf["e_shoff"] + header * elf["e_shentsize"]
    for field in (at + 20, at + 36):  # sh_size, sh_entsize, which pyelftools wants to fit
        content[field : field + 4] = (15).to_bytes(4, "little")
    with pytest.raises(ELFError, match="part of a symbol"):
        list(defined(ELFFile(BytesIO(content)), ".dynsym"))
