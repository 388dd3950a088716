"""The DWARF 5 description of a program or a part of it, as sections for an object file (32-bit DWARF format).

Written from front to back: what an entry points into (line tables, lists) is added before it. See ``dwarf_info`` for
units and entries, ``dwarf_expression`` for locations, ``dwarf_frame`` for call frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jit.object.dwarf_constants import DW_AT
from jit.object.dwarf_frame import FrameSection
from jit.object.dwarf_info import AbbreviationTable, Attributes, Unit, Value
from jit.object.dwarf_line import LineNumberTable
from jit.object.dwarf_ranges import ListSection, Range, SectionOffset, encode_aranges
from jit.object.elf import ElfFile, Section, Symbol
from jit.object.elf_constants import SHF, SHT
from jit.object.string_table import StringTable
from jit.object.target import Target


@dataclass(frozen=True)
class AddressRelocation:
    """How addresses are to be relocated: *type* is the machine's "absolute address" relocation, such as R_ARM_ABS32."""

    symbol: Symbol
    type: int
    rela: bool = True


class Dwarf:
    """Debugging sections being written. ``frames`` is .debug_frame; ``ranges`` and ``locations`` hold the lists."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.frames = FrameSection(target)
        self.ranges = ListSection(target)
        self.locations = ListSection(target)
        self._abbreviations = AbbreviationTable()
        self._strings = StringTable()
        self._line_strings = StringTable()
        self._units: list[Unit] = []
        self._line_tables: list[bytes] = []
        self._line_size = 0
        self._line_addresses: list[int] = []

    def add_line_table(self, table: LineNumberTable) -> SectionOffset:
        """Append a line table, complete with its sequences; gives the unit's DW_AT_stmt_list."""
        data, program = table.encode(self._line_strings)
        offset = SectionOffset(self._line_size)
        self._line_addresses += [offset + program + place for place in table.address_offsets]
        self._line_tables.append(data)
        self._line_size += len(data)
        return offset

    def add_unit(self, attributes: Attributes, *, ranges: Sequence[Range] = ()) -> Unit:
        """Append a compile unit with these attributes, and with those that tell the ranges of its code.

        Whether it has one range or several, its first entry has the same size, so that encoded entries fit all units.
        """
        complete = {**attributes, **self._range_attributes(ranges)}
        unit = Unit(self.target, self._abbreviations, self._strings, self._line_strings, complete, ranges)
        self._units.append(unit)
        return unit

    def _range_attributes(self, ranges: Sequence[Range]) -> dict[DW_AT, Value]:
        if not ranges:
            return {}
        start, size = ranges[0]
        if len(ranges) == 1:
            return {DW_AT.low_pc: start, DW_AT.high_pc: size}
        # With DW_AT_ranges, low_pc is only the base of relative entries (3.1.1), of which there are none.
        return {DW_AT.low_pc: start, DW_AT.ranges: self.ranges.add_ranges(ranges)}

    def sections(self) -> dict[str, bytes]:
        """Name and content of each section that is not empty."""
        contents = {
            ".debug_info": b"".join([unit.to_bytes() for unit in self._units]),
            ".debug_abbrev": self._abbreviations.to_bytes(),
            ".debug_aranges": b"".join([data for data, _ in self._aranges()]),
            ".debug_line": b"".join(self._line_tables),
            ".debug_rnglists": self.ranges.to_bytes(),
            ".debug_loclists": self.locations.to_bytes(),
            ".debug_frame": self.frames.to_bytes(),
            ".debug_str": self._strings.to_bytes(),
            ".debug_line_str": self._line_strings.to_bytes(),
        }
        return {name: content for name, content in contents.items() if content}

    def address_offsets(self) -> dict[str, list[int]]:
        """By section, the places of all addresses: what changes when the code moves.

        Addresses inside expressions (``dwarf_expression.addr``) are not among them.
        """
        info, aranges, offset = [], [], 0
        for unit in self._units:
            info += [offset + place for place in unit.address_offsets()]
            offset += unit.total_size
        offset = 0
        for data, places in self._aranges():
            aranges += [offset + place for place in places]
            offset += len(data)
        return {
            ".debug_info": info,
            ".debug_aranges": aranges,
            ".debug_line": self._line_addresses,
            ".debug_rnglists": self.ranges.address_offsets,
            ".debug_loclists": self.locations.address_offsets,
            ".debug_frame": self.frames.address_offsets,
        }

    def _aranges(self) -> list[tuple[bytes, range]]:
        sets, offset = [], 0
        for unit in self._units:
            if unit.ranges:
                sets.append(encode_aranges(self.target, offset, unit.ranges))
            offset += unit.total_size
        return sets

    def add_to(self, elf: ElfFile, *, relocation: AddressRelocation | None = None) -> None:
        """Append the sections to an object file of the same target.

        With *relocation*, for code whose place is not known yet, all addresses are offsets from its symbol, and a
        relocation section goes with each section that has some.
        """
        places = self.address_offsets() if relocation else {}
        for name, content in self.sections().items():
            section = _add_section(elf, name, content)
            if relocation and places.get(name):
                size, order = self.target.address_size, self.target.byte_order
                rows = [
                    (place, relocation.symbol, relocation.type, int.from_bytes(content[place : place + size], order))
                    for place in places[name]
                ]
                if not relocation.rela:  # REL keeps the offset in the field itself
                    rows = [(place, symbol, kind, 0) for place, symbol, kind, _ in rows]
                elf.add_relocations(section, rows, rela=relocation.rela)


def _add_section(elf: ElfFile, name: str, content: bytes) -> Section:
    if name in (".debug_str", ".debug_line_str"):
        return elf.add_section(name, SHT.PROGBITS, SHF.MERGE | SHF.STRINGS, data=content, entsize=1)
    align = elf.target.address_size if name == ".debug_frame" else 1
    return elf.add_section(name, SHT.PROGBITS, data=content, align=align)
