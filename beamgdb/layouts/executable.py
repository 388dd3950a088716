"""The memory image and symbols of a beam.smp as a file: what the VM's own constants can be read from, without GDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import NoteSection, SymbolTableSection

from beamgdb.memory import ByteOrder, BytesMemory

#: The relocation that adds the load address to a pointer: R_X86_64_RELATIVE, R_AARCH64_RELATIVE (the processors' ELF
#: supplements). 32-bit ARM keeps the value in place.
RELATIVE = {"EM_X86_64": 8, "EM_AARCH64": 1027}

SHF_ALLOC = 2


class BadExecutable(ValueError):
    """The file is no ELF file that can be read."""


class Executable:
    """An ELF file at its link-time addresses. Reads what the file holds; memory beyond that is unreadable."""

    def __init__(self, path: Path) -> None:
        """Raises BadExecutable, OSError."""
        try:
            with path.open("rb") as stream:
                elf = ELFFile(stream)
                self.build_id = _build_id(elf)
                self.memory = BytesMemory(
                    _segments(elf),
                    elf.elfclass // 8,
                    "little" if elf.little_endian else "big",
                )
                self._symbols = {
                    symbol.name: int(symbol["st_value"])
                    for section in elf.iter_sections()
                    if isinstance(section, SymbolTableSection)
                    for symbol in section.iter_symbols()
                    if symbol["st_shndx"] != "SHN_UNDEF"
                }
        except (ELFError, UnicodeDecodeError) as error:
            raise BadExecutable(f"{path}: not a readable ELF file ({error})") from error

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the file by link-time address; raises Unreadable."""
        return self.memory.read(address, size)

    def symbol(self, name: str) -> int | None:
        """Link-time address of a symbol that the file defines."""
        return self._symbols.get(name)


def extent(path: Path, name: str) -> tuple[int, int] | None:
    """Link-time address and size in bytes of a function or object in an ELF file, None where it does not tell. The
    address of a Thumb function is odd."""
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            for section in (elf.get_section_by_name(".dynsym"), elf.get_section_by_name(".symtab")):
                if isinstance(section, SymbolTableSection):
                    for symbol in section.get_symbol_by_name(name) or ():
                        if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_size"]:
                            return int(symbol["st_value"]), int(symbol["st_size"])
    except (ELFError, OSError, UnicodeDecodeError):
        return None
    return None


def _build_id(elf: ELFFile) -> str | None:
    section = elf.get_section_by_name(".note.gnu.build-id")
    if not isinstance(section, NoteSection):
        return None
    return next((note["n_desc"] for note in section.iter_notes() if note["n_type"] == "NT_GNU_BUILD_ID"), None)


def _segments(elf: ELFFile) -> dict[int, bytes]:
    """Contents of the loaded segments by address, pointers in them filled in."""
    segments = {int(s["p_vaddr"]): bytearray(s.data()) for s in elf.iter_segments("PT_LOAD") if s["p_filesz"]}
    for address, pointer in _pointers(elf):
        for start, data in segments.items():
            if start <= address <= start + len(data) - len(pointer):
                data[address - start : address - start + len(pointer)] = pointer
    return {start: bytes(data) for start, data in segments.items()}


def _pointers(elf: ELFFile) -> Iterator[tuple[int, bytes]]:
    """Where pointers into the file itself stand, and their bytes. Those without an addend stand in the file already."""
    relative = RELATIVE.get(elf["e_machine"])
    order: ByteOrder = "little" if elf.little_endian else "big"
    for section in elf.iter_sections():
        if isinstance(section, RelocationSection) and section.is_RELA() and section["sh_flags"] & SHF_ALLOC:
            for relocation in section.iter_relocations():
                if relocation["r_info_type"] == relative:
                    yield relocation["r_offset"], relocation["r_addend"].to_bytes(elf.elfclass // 8, order)
