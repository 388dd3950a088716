"""ELF files, read back by pyelftools and readelf."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from jit.object.elf import ElfFile, Section
from jit.object.elf_constants import EM, ET, PF, PT, SHF, SHN, SHT, STB, STT
from jit.object.target import Target

targets = st.builds(Target, st.sampled_from([4, 8]), st.sampled_from(["little", "big"]), st.sampled_from(list(EM)))
names = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=12)
words = st.integers(0, 2**32 - 1)


@given(targets, st.lists(st.tuples(names, st.binary(max_size=40), words, st.sampled_from([1, 2, 4, 8, 16]))))
def test_sections_come_back_as_declared(target: Target, sections: list[tuple[str, bytes, int, int]]) -> None:
    elf = ElfFile(target, ET.EXEC, entry=0x1000)
    for name, data, address, align in sections:
        elf.add_section(name, SHT.PROGBITS, SHF.ALLOC, address=address, data=data, align=align)
    read = ELFFile(BytesIO(elf.to_bytes()))
    assert read.elfclass == target.address_size * 8
    assert read.little_endian == (target.byte_order == "little")
    assert read["e_entry"] == 0x1000
    got = [read.get_section(number) for number in range(1, len(sections) + 1)]
    assert [(s.name, s.data(), s["sh_addr"], s["sh_addralign"]) for s in got] == sections
    assert all(s["sh_offset"] % s["sh_addralign"] == 0 for s in got)
    assert [s.name for s in read.iter_sections()][-3:] == [".symtab", ".strtab", ".shstrtab"]


@given(targets, st.lists(st.tuples(names, words, words, st.sampled_from(list(STB)), st.sampled_from([0, 1, 2]))))
def test_symbols_come_back_locals_first(target: Target, symbols: list[tuple[str, int, int, STB, int]]) -> None:
    elf = ElfFile(target)
    text = elf.add_section(".text", SHT.NOBITS, size=64)
    for name, value, size, binding, type in symbols:
        elf.add_symbol(name, value, size, section=text, type=type, binding=binding)
    table: Any = ELFFile(BytesIO(elf.to_bytes())).get_section_by_name(".symtab")
    read = [
        (s.name, s["st_value"], s["st_size"], s["st_info"]["bind"], s["st_info"]["type"]) for s in table.iter_symbols()
    ]
    expected = [
        (name, value, size, f"STB_{binding.name}", f"STT_{STT(type).name}")
        for name, value, size, binding, type in sorted(symbols, key=lambda symbol: symbol[3] != STB.LOCAL)
    ]
    assert read[0][:3] == ("", 0, 0)
    assert read[1:] == expected
    assert table["sh_info"] == 1 + sum(symbol[3] == STB.LOCAL for symbol in symbols)
    assert all(s["st_shndx"] == 1 for s in list(table.iter_symbols())[1:])


def test_many_symbols_equal_single_ones(target: Target) -> None:
    rows = [("lists:map/2", 0x10, 8), ("lists:map/3", 0x18, 8)]

    def declared(add: Callable[[ElfFile, Section], Any]) -> bytes:
        elf = ElfFile(target, ET.EXEC)
        add(elf, elf.add_section(".text", SHT.NOBITS, SHF.ALLOC, address=0x10, size=16))
        return elf.to_bytes()

    def one_by_one(elf: ElfFile, text: Section) -> None:
        for name, value, size in rows:
            elf.add_symbol(name, value, size, section=text, type=STT.FUNC, binding=STB.GLOBAL)

    many = declared(lambda elf, text: elf.add_symbols(rows, section=text))
    assert many == declared(one_by_one)


@pytest.mark.parametrize("rela", [False, True])
def test_relocations_name_their_symbols(
    target: Target, rela: bool, parse: Callable[[bytes], Any], accepted: Callable[[bytes], None]
) -> None:
    elf = ElfFile(target)
    text = elf.add_section(".text", flags=SHF.ALLOC | SHF.EXECINSTR, data=bytes(16), align=4)
    used = elf.add_symbol("erts_garbage_collect", 0, binding=STB.GLOBAL)
    local = elf.add_symbol("entry", 4, section=text)
    absolute = elf.add_symbol("absolute", 0x42, section=SHN.ABS, binding=STB.GLOBAL)
    rows = [(0, absolute, 2, -4 if rela else 0), (4, used, 2, 0), (8, local, 2, 0x7000 if rela else 0)]
    elf.add_relocations(text, rows, rela=rela)
    data = elf.to_bytes()
    read = parse(data)
    section = read.get_section_by_name(".rela.text" if rela else ".rel.text")
    symbols = read.get_section(section["sh_link"])
    got = [
        (r["r_offset"], symbols.get_symbol(r["r_info_sym"]).name, r["r_info_type"], r["r_addend"] if rela else 0)
        for r in section.iter_relocations()
    ]
    assert got == [(offset, symbol.name, kind, addend) for offset, symbol, kind, addend in rows]
    assert read.get_section(section["sh_info"]).name == ".text"
    accepted(data)


def test_segment_spans_its_sections(
    target: Target, parse: Callable[[bytes], Any], accepted: Callable[[bytes], None]
) -> None:
    elf = ElfFile(target, ET.DYN)
    elf.add_section(".comment", data=b"abc")
    text = elf.add_section(".text", flags=SHF.ALLOC | SHF.EXECINSTR, address=0x11010, data=bytes(40), align=16)
    bss = elf.add_section(".bss", SHT.NOBITS, SHF.ALLOC | SHF.WRITE, address=0x11040, size=0x100, align=16)
    elf.add_segment(PT.LOAD, PF.R | PF.X, [text, bss], align=0x1000)
    elf.add_segment(PT.GNU_STACK, PF.R | PF.W)
    data = elf.to_bytes()
    load, stack = parse(data).iter_segments()
    assert load["p_offset"] % 0x1000 == load["p_vaddr"] % 0x1000 == 0x10
    assert (load["p_vaddr"], load["p_filesz"], load["p_memsz"]) == (0x11010, 40, 0x130)
    assert data[load["p_offset"] :][:40] == bytes(40)
    assert (stack["p_type"], stack["p_flags"]) == ("PT_GNU_STACK", PF.R | PF.W)
    accepted(data)


def test_code_without_contents_takes_no_room(target: Target, accepted: Callable[[bytes], None]) -> None:
    elf = ElfFile(target, ET.EXEC)
    flags = SHF.ALLOC | SHF.EXECINSTR
    for number in range(100):
        address = 0x10000 + number * 0x10000
        elf.add_section(f".text.{number}", SHT.NOBITS, flags, address=address, size=0x8000, align=16)
    data = elf.to_bytes()
    assert len(data) < 10_000
    accepted(data)


def test_section_limit() -> None:
    elf = ElfFile(Target(8))
    for _ in range(SHN.LORESERVE - 5):
        elf.add_section("")
    elf.to_bytes()
    elf.add_section("one too many")
    with pytest.raises(ValueError, match="SHN_XINDEX"):
        elf.to_bytes()


def test_what_cannot_be_written_is_refused() -> None:
    elf = ElfFile(Target(4))
    with pytest.raises(ValueError, match="NOBITS"):
        elf.add_section(".bss", SHT.NOBITS, data=b"x")
    with pytest.raises(ValueError, match="power of two"):
        elf.add_section(".text", align=3)
    text = elf.add_section(".text")
    with pytest.raises(ValueError, match="addend"):
        elf.add_relocations(text, [(0, elf.add_symbol("x", 0), 2, 4)], rela=False)
    elf.add_symbol("too_far", 1 << 32, section=text)
    with pytest.raises(ValueError, match="too_far"):
        elf.to_bytes()
    other = ElfFile(Target(4))
    other.add_symbol("stranger", 0, section=text)
    with pytest.raises(ValueError, match="another file"):
        other.to_bytes()
