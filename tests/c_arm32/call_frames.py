"""What a compiler says of the frames of its functions: `.debug_frame` of an ELF file for 32-bit ARM, by instruction."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

REGISTERS = {number: f"r{number}" for number in range(13)} | {13: "sp", 14: "lr", 15: "pc"}
REGISTERS |= {256 + number: f"d{number}" for number in range(32)}
"""DWARF for the Arm Architecture (IHI 0040), 3.1. GCC also gives a double word as its first half, 64 to 95."""
REGISTERS |= {64 + 2 * number: f"d{number}" for number in range(16)}


@dataclass(frozen=True)
class Place:
    """An instruction, and what holds before it is executed.

    `frame`: a register, and what is to be added for the CFA. `saved`: offsets from the CFA, by register.
    """

    function: str
    start: int
    pc: int
    size: int
    thumb: bool
    frame: tuple[str, int]
    saved: dict[str, int]


class CallFrames:
    """Reads a file, which must have mapping symbols and `.debug_frame`."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            self._segments = [(each["p_vaddr"], each.data()) for each in elf.iter_segments("PT_LOAD")]
            table = elf.get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection), "no symbols"
            symbols = list(table.iter_symbols())
            self._functions = {
                symbol["st_value"] & ~1: symbol.name for symbol in symbols if symbol["st_info"]["type"] == "STT_FUNC"
            }
            self._mapping = sorted((s["st_value"], s.name[1]) for s in symbols if s.name[:2] in ("$a", "$t", "$d"))
            entries = elf.get_dwarf_info(relocate_dwarf_sections=False).CFI_entries()
            self._frames = [
                (entry["initial_location"], entry["address_range"], entry.get_decoded().table)
                for entry in entries
                if isinstance(entry, FDE)
            ]

    def read(self, address: int, size: int) -> bytes | None:
        """Bytes of the file by address."""
        for start, data in self._segments:
            if start <= address and address + size <= start + len(data):
                content: bytes = data[address - start : address - start + size]
                return content
        return None

    @cached_property
    def places(self) -> list[Place]:
        """All instructions but those that only fill space."""
        return [place for frame in self._frames for place in self._of_function(*frame)]

    def _of_function(self, start: int, size: int, rows: list[dict[Any, Any]]) -> Iterator[Place]:
        row, pc = 0, start
        while pc < start + size:
            while row + 1 < len(rows) and rows[row + 1]["pc"] <= pc:
                row += 1
            kind = self._mapping[bisect_right(self._mapping, (pc, "~")) - 1][1]
            raw = self.read(pc, 2)
            assert raw is not None
            length = 4 if kind == "a" or (kind == "t" and raw[1] >= 0xE8) else 2
            if kind != "d" and raw not in (b"\x00\xbf", b"\xaf\xf3"):
                yield self._place(start, pc, length, kind == "t", rows[row])
            pc += length

    def _place(self, start: int, pc: int, size: int, thumb: bool, row: dict[Any, Any]) -> Place:
        saved = {
            REGISTERS[key]: rule.arg
            for key, rule in row.items()
            if key not in ("pc", "cfa") and key in REGISTERS and rule.type == "OFFSET"
        }
        frame = (REGISTERS[row["cfa"].reg], row["cfa"].offset)
        return Place(self._functions.get(start, "?"), start, pc, size, thumb, frame, saved)
