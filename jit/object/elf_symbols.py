"""Symbols of an ELF file (System V ABI, chapter 4, Symbol Table).

pyelftools, which reads the rest of an ELF file here, takes half a second for the 4,700 symbols of a stripped beam.smp,
which is longer than all else that is done to attach to one. This takes some milliseconds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from jit.object.elf_constants import SHN, STT

#: Of a row by class: fields, and which of them are name, value, size, type and binding, section.
_ROWS = {32: ("IIIBBH", (0, 1, 2, 3, 5)), 64: ("IBBHQQ", (0, 4, 5, 1, 3))}


class ElfSymbol(NamedTuple):
    """What a file defines: an address in it, a size in bytes, and one of `STT`'s numbers or another.

    The address of a Thumb function is odd.
    """

    name: str
    address: int
    size: int
    type: int

    @property
    def is_function(self) -> bool:
        return self.type == STT.FUNC


def defined(elf: ELFFile, section: str) -> Iterator[ElfSymbol]:
    """What a file's table of symbols, `.dynsym` or `.symtab`, defines; nothing where there is none. Names that are cut
    off or no text are left out. Raises elftools' `ELFError` where the table itself is damaged."""
    table = elf.get_section_by_name(section)
    if not isinstance(table, SymbolTableSection):
        return
    data, names = table.data(), table.stringtable.data()
    fields, (name_at, value_at, size_at, info_at, section_at) = _ROWS[elf.elfclass]
    row = struct.Struct(("<" if elf.little_endian else ">") + fields)
    if len(data) % row.size:
        raise ELFError(f"{section} has a part of a symbol")
    for one in row.iter_unpack(data):
        start = one[name_at]
        end = names.find(b"\0", start)
        if one[section_at] == SHN.UNDEF or end < 0:
            continue
        try:
            name = names[start:end].decode()
        except UnicodeDecodeError:
            continue
        yield ElfSymbol(name, one[value_at], one[size_at], one[info_at] & 0xF)
