"""The Line chunk: the places in source files that ``line`` operations name by index (beam_asm.erl, beam_file.c).

Version, flags, count of line operations, count of locations, count of file names. Then the locations as compact terms:
a line with tag i; before it, where the file changes, its index with tag a, 0 being the module's own file. Then the
names, each with a length of 16 bits. Location 0 is not there: it is no place.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntFlag

from jit.beam import compact
from jit.beam.chunks import Chunk
from jit.beam.compact import Tag
from jit.beam.operands import NOWHERE, Location

_HEADER = struct.Struct(">IIIII")
_VERSION = 0


class LineFlag(IntFlag):
    """Of OTP 27 and later (beam_asm.erl)."""

    NONE = 0
    EXECUTABLE_LINE = 1  # there are executable_line operations
    FORCE_LINE_COUNTERS = 2


@dataclass
class LineTable:
    """``locations`` by index, ``locations[0]`` being nowhere; ``operations`` counts the operations that name them.

    ``own_file`` is the module's source file as the compiler takes it to be: module.erl. ``files`` are others.
    """

    own_file: str
    flags: int = 0
    operations: int = 0
    locations: list[Location] = field(default_factory=lambda: [NOWHERE])
    files: list[str] = field(default_factory=list)


def decode_lines(chunk: Chunk, module: str) -> LineTable | None:
    """The locations of a Line chunk of *module*; None for a version that loaders ignore too. Raises BeamError."""
    data = chunk.data
    if len(data) < _HEADER.size:
        raise chunk.error(0, f"a header of {_HEADER.size} bytes expected, there are {len(data)}")
    version, flags, operations, location_count, file_count = _HEADER.unpack_from(data)
    if version != _VERSION:
        return None
    chunk.check_count(12, location_count, "locations")
    chunk.check_count(16, file_count, "file names")
    places, at = _decode_places(chunk, location_count, file_count)
    files: list[str] = []
    while len(files) < file_count:
        start = at + 2
        end = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or end > len(data):
            raise chunk.error(at, f"file name {len(files) + 1} of {file_count} expected, but the data ends")
        try:
            files.append(data[start:end].decode())
        except UnicodeDecodeError:
            raise chunk.error(start, "a file name in UTF-8 expected") from None
        at = end
    if at != len(data):
        raise chunk.error(at, f"the end after {file_count} file names expected, {len(data) - at} bytes are left")
    names = [f"{module}.erl", *files]
    locations = [NOWHERE, *(Location(names[file], line) for file, line in places)]
    return LineTable(names[0], flags, operations, locations, files)


def _decode_places(chunk: Chunk, count: int, file_count: int) -> tuple[list[tuple[int, int]], int]:
    places: list[tuple[int, int]] = []
    file, at = 0, _HEADER.size
    try:
        while len(places) < count:
            tag, number, end = compact.decode(chunk.data, at)
            if tag == Tag.ATOM and number <= file_count:
                file = number
            elif tag == Tag.INTEGER and number >= 0:
                places.append((file, number))
            else:
                raise chunk.error(at, f"a line (tag i) or one of {file_count} files (tag a) expected")
            at = end
    except compact.DecodeError as error:
        raise chunk.error(error.offset, str(error)) from None
    return places, at


def encode_lines(table: LineTable) -> bytes:
    """The data of a Line chunk. Raises ValueError if a location's file is not among the files."""
    indices = {name: index for index, name in reversed(list(enumerate(table.files, 1)))}
    indices[table.own_file] = 0
    out = bytearray()
    file = 0
    for location in table.locations[1:]:
        if location.file not in indices:
            raise ValueError(f"the file {location.file!r} of a location is not in the table of files")
        if indices[location.file] != file:
            file = indices[location.file]
            out += compact.encode(Tag.ATOM, file)
        out += compact.encode(Tag.INTEGER, location.line)
    for name in table.files:
        text = name.encode()
        out += len(text).to_bytes(2, "big") + text
    counts = table.operations, len(table.locations) - 1, len(table.files)
    return _HEADER.pack(_VERSION, table.flags, *counts) + bytes(out)
