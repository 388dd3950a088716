"""The file of the program that GDB debugs, as far as memory of the process is surely the same as the file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import gdb

if TYPE_CHECKING:
    from elftools.elf.segments import Segment

PF_W = 2
"""A segment is writable (ELF gABI, program header, p_flags)."""


@dataclass(frozen=True)
class ProgramFile:
    """Read-only segments of an ELF file, at their addresses in memory."""

    path: Path
    bias: int
    """What is added to an address in the file to get that in memory."""
    segments: tuple[tuple[int, bytes], ...]

    def read(self, address: int, size: int) -> bytes | None:
        """Exactly `size` bytes at `address`; None where the file does not hold them all, or they may be changed."""
        for start, content in self.segments:
            if start <= address and address + size <= start + len(content):
                return content[address - start : address - start + size]
        return None

    def overlaid(self, address: int, data: bytes) -> bytes:
        """What is in memory at `address`, of which `data` was read: as the file has it, as far as that goes."""
        for start, content in self.segments:
            low, high = max(address, start), min(address + len(data), start + len(content))
            if low < high:
                data = data[: low - address] + content[low - start : high - start] + data[high - address :]
        return data

    @cached_property
    def symbols(self) -> dict[str, int]:
        """Addresses in memory of the functions and objects that the file exports; those of functions are even."""
        from elftools.elf.elffile import ELFFile
        from elftools.elf.sections import SymbolTableSection

        with self.path.open("rb") as stream:
            table = ELFFile(stream).get_section_by_name(".dynsym")
            symbols = list(table.iter_symbols()) if isinstance(table, SymbolTableSection) else []
        defined = (each for each in symbols if each["st_shndx"] != "SHN_UNDEF")
        kinds = {"STT_FUNC": ~1, "STT_OBJECT": ~0}
        return {
            each.name: (each["st_value"] & kinds[kind]) + self.bias
            for each in defined
            if (kind := each["st_info"]["type"]) in kinds
        }


_last: tuple[object, ProgramFile | None] = (None, None)


def name() -> str | None:
    """The path of the selected inferior's program, None where there is none."""
    space = gdb.current_progspace()
    return (space.filename or None) if space else None


def find(symbol: str, address: int) -> ProgramFile | None:
    """The file of the selected inferior's program, which has `symbol` at `address` in memory.

    None where there is none, or where the process has been started from another one: their build ids are compared.
    """
    global _last
    path = name()
    key = (path, symbol, address, gdb.selected_inferior().pid)
    if _last[0] != key:
        _last = (key, _open(Path(path), symbol, address) if path else None)
    return _last[1]


def _open(path: Path, symbol: str, address: int) -> ProgramFile | None:
    # Not before they are needed: these take time to load.
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            symbols = elf.get_section_by_name(".dynsym")
            found = symbols.get_symbol_by_name(symbol) if isinstance(symbols, SymbolTableSection) else None
            if not found:
                return None
            bias = address - (int(found[0]["st_value"]) & ~1)
            segments = tuple((each["p_vaddr"] + bias, each.data()) for each in elf.iter_segments() if _is_same(each))
            note = elf.get_section_by_name(".note.gnu.build-id")
            if note is None:
                return None
            # A core file by qemu-user lacks what was never written to: GDB reads zeros there.
            if _memory(note["sh_addr"] + bias, note["sh_size"]) not in (note.data(), bytes(note["sh_size"])):
                return None
    except (ELFError, OSError):
        return None
    return ProgramFile(path, bias, segments)


def _is_same(segment: Segment) -> bool:
    is_loaded = segment["p_type"] == "PT_LOAD" and segment["p_filesz"] == segment["p_memsz"]
    return is_loaded and not segment["p_flags"] & PF_W


def _memory(address: int, size: int) -> bytes | None:
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except (gdb.error, OverflowError, MemoryError):
        return None
