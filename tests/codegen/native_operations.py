"""Which operation native code belongs to, as the section .beam.operations of its ELF file tells."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from elftools.elf.elffile import ELFFile

from beamgdb.disassembly import operation_table
from beamgdb.disassembly.operation_table import Piece
from jit.otp.native_abi import OPERATIONS_SECTION


@dataclass(frozen=True)
class Row:
    """``begin`` is an offset in .text, ``function`` the label of the entry; ``cold``: behind the main part."""

    begin: int
    function: int
    index: int
    cold: bool


def rows(elf: bytes) -> list[Row]:
    """All rows of an ELF file."""
    section = ELFFile(io.BytesIO(elf)).get_section_by_name(OPERATIONS_SECTION)
    assert section is not None
    return [row for function, _, pieces in operation_table.functions(section.data()) for row in _rows(function, pieces)]


def _rows(function: int, pieces: list[Piece]) -> Iterator[Row]:
    highest = -1
    for number, piece in enumerate(pieces):
        yield Row(piece.offset, function, piece.index, number > 0 and piece.index <= highest)
        highest = max(highest, piece.index)
