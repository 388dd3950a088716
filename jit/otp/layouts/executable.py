"""The memory image and symbols of a beam.smp as a file: what the VM's own constants can be read from, without GDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import NoteSection

from jit.object.elf_constants import SHF
from jit.object.elf_symbols import defined
from jit.object.target import ByteOrder

#: The relocation that adds the load address to a pointer: R_X86_64_RELATIVE, R_AARCH64_RELATIVE (the processors' ELF
#: supplements). 32-bit ARM keeps the value in place.
RELATIVE = {"EM_X86_64": 8, "EM_AARCH64": 1027}

SYMBOL_TABLES = (".dynsym", ".symtab")

LARGEST = 1 << 30
"""Bytes of an ELF file: several times what a beam.smp has with all its debug information."""


class BadExecutable(ValueError):
    """The file is no ELF file that can be read."""


class Executable:
    """An ELF file at its link-time addresses. Reads what the file holds; memory beyond that is unreadable."""

    def __init__(self, path: Path) -> None:
        """Raises BadExecutable, OSError."""
        try:
            _check_file(path)
            with path.open("rb") as stream:
                elf = ELFFile(stream)
                _check_sizes(path, elf)
                self.build_id = _build_id(elf)
                self._segments = _segments(elf)
                self._symbols = {
                    symbol.name: symbol.address for table in SYMBOL_TABLES for symbol in defined(elf, table)
                }
        except (ELFError, UnicodeDecodeError) as error:
            raise BadExecutable(f"{path}: not a readable ELF file ({error})") from error

    def read(self, address: int, size: int) -> bytes | None:
        """Bytes of the file by link-time address; None where it has none."""
        for start, data in self._segments.items():
            if start <= address and address + size <= start + len(data):
                return data[address - start : address - start + size]
        return None

    def symbol(self, name: str) -> int | None:
        """Link-time address of a symbol that the file defines."""
        return self._symbols.get(name)


def _check_file(path: Path) -> None:
    """No pipe is waited for. Raises BadExecutable, OSError."""
    if not S_ISREG(path.stat().st_mode):
        raise BadExecutable(f"{path}: not a file")
    if path.stat().st_size > LARGEST:
        raise BadExecutable(f"{path}: larger than {LARGEST} bytes, the most that is read of an ELF file")


def _check_sizes(path: Path, elf: ELFFile) -> None:
    """Raise BadExecutable where a segment or section says that it is too large: no memory is made for what may not be
    there. It need not be: of a separate debug file, headers tell of the program's own segments."""
    sizes = [one["p_filesz"] for one in elf.iter_segments()]
    sizes += [one["sh_size"] for one in elf.iter_sections() if one["sh_type"] != "SHT_NOBITS"]
    if any(size > LARGEST for size in sizes):
        raise BadExecutable(f"{path}: a part of {max(sizes)} bytes: {LARGEST} are the most that is read of an ELF file")


def extent(path: Path, name: str) -> tuple[int, int] | None:
    """Link-time address and size in bytes of a function or object in an ELF file, None where it does not tell. The
    address of a Thumb function is odd."""
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            symbols = (symbol for table in SYMBOL_TABLES for symbol in defined(elf, table))
            return next(((one.address, one.size) for one in symbols if one.name == name and one.size), None)
    except (ELFError, OSError, UnicodeDecodeError):
        return None


def build_id(path: Path) -> str | None:
    """The build id of an ELF file, None without one."""
    try:
        with path.open("rb") as stream:
            return _build_id(ELFFile(stream))
    except (ELFError, OSError):
        return None


def _build_id(elf: ELFFile) -> str | None:
    section = elf.get_section_by_name(".note.gnu.build-id")
    if not isinstance(section, NoteSection):
        return None
    return next((note["n_desc"] for note in section.iter_notes() if note["n_type"] == "NT_GNU_BUILD_ID"), None)


def _segments(elf: ELFFile) -> dict[int, bytes]:
    """Contents of the loaded segments by address, pointers in them filled in."""
    # The pyelftools of Debian 11 cannot choose by the type itself.
    loaded = [s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_filesz"]]
    segments = {int(s["p_vaddr"]): bytearray(s.data()) for s in loaded}
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
        if isinstance(section, RelocationSection) and section.is_RELA() and section["sh_flags"] & SHF.ALLOC:
            for relocation in section.iter_relocations():
                if relocation["r_info_type"] == relative:
                    yield relocation["r_offset"], relocation["r_addend"].to_bytes(elf.elfclass // 8, order)
