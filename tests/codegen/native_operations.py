"""Which operation native code belongs to, as the section .beam.operations of its ELF file tells."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from elftools.elf.elffile import ELFFile


@dataclass(frozen=True)
class Row:
    """``begin`` is an offset in .text, ``function`` the label of the entry; ``cold``: behind the main part."""

    begin: int
    function: int
    index: int
    cold: bool


def rows(elf: bytes) -> list[Row]:
    """All rows of an ELF file."""
    section = ELFFile(io.BytesIO(elf)).get_section_by_name(".beam.operations")
    assert section is not None
    data = io.BytesIO(section.data())
    end = len(data.getbuffer())
    out: list[Row] = []
    while data.tell() < end:
        out += _function(data)
    return out


def _function(data: io.BytesIO) -> Iterator[Row]:
    function, begin, count = (_unsigned(data) for _ in range(3))
    index = highest = -1
    for number in range(count):
        begin, index = begin + _unsigned(data), index + _signed(data)
        yield Row(4 * begin, function, index, number > 0 and index <= highest)
        highest = max(highest, index)


def _unsigned(data: io.BytesIO) -> int:
    value, shift = 0, 0
    while True:
        byte = data.read(1)[0]
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value


def _signed(data: io.BytesIO) -> int:
    start = data.tell()
    value = _unsigned(data)
    bits = 7 * (data.tell() - start)
    return value - (1 << bits) if value >> (bits - 1) else value
