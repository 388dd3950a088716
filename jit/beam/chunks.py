"""The container of a .beam file: an IFF form of chunks (EA IFF 85; erts/emulator/beam/beam_file.c).

``FOR1``, size of the rest, ``BEAM``, then chunks: a name of four bytes, the size of the data, the data, padding to a
multiple of four bytes. Numbers are 32 bits, big-endian. The whole may be compressed by gzip (``erlc +compressed``).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from jit.beam.errors import BeamError

# Each is far more than any real file has, and little enough for every machine that has a compiler.
#: The most bytes of a file, also when it is unfolded.
LARGEST: Final = 1 << 26
#: The most bytes that its tables and terms unfold to, all together, with what operations take from the string table.
MOST_UNFOLDED: Final = 1 << 25
#: The most terms in its literals and attributes, all together. The characters of a string are terms too.
MOST_TERMS: Final = 1 << 21
#: The most entries of a table, chunks, operations, and labels that are compiled.
MOST_ROWS: Final = 1 << 20

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_FORM = 31  # window bits of zlib: 15, and 16 for a gzip header


@dataclass
class Room:
    """How much of a file may still be unfolded, whatever it says of itself: what it takes up in memory has a limit."""

    unfolded: int = MOST_UNFOLDED
    terms: int = MOST_TERMS

    def take(self, size: int) -> None:
        """Make use of *size* bytes. Raises ValueError."""
        self.unfolded -= size
        if self.unfolded < 0:
            raise ValueError(f"with it, the file unfolds to more than {MOST_UNFOLDED} bytes, the most that is read")

    def take_terms(self, count: int) -> None:
        """Make *count* terms. Raises ValueError."""
        self.terms -= count
        if self.terms < 0:
            raise ValueError(f"the file has more than {MOST_TERMS} terms, the most that is read")


@dataclass(frozen=True)
class Chunk:
    """A named chunk of ``file``, all of whose chunks have the same ``room``."""

    file: str
    name: str
    data: bytes
    room: Room = field(default_factory=Room, compare=False, repr=False)

    def error(self, offset: int | None, what: str, *, operation: str = "") -> BeamError:
        """The error to raise for something wrong at *offset* bytes of the data."""
        return BeamError(self.file, what, chunk=self.name, offset=offset, operation=operation)

    def check_count(self, offset: int, count: int, what: str) -> None:
        """Raise BeamError for more than there can be of *what*."""
        if count > MOST_ROWS:
            raise self.error(offset, f"{count} {what}: {MOST_ROWS} are the most that is read")


def read_chunks(data: bytes, file: str) -> list[Chunk]:
    """The chunks of a .beam file, in their order. *file* is what errors call it. Raises BeamError."""
    if data.startswith(_GZIP_MAGIC):
        try:
            data = unfold(data, LARGEST, _GZIP_FORM)
        except ValueError as error:
            raise BeamError(file, f"compressed by gzip, but {error}") from None
    if data[:4] != b"FOR1" or data[8:12] != b"BEAM":
        raise BeamError(file, "not a .beam file: it does not begin with an IFF form of type BEAM")
    end = 8 + int.from_bytes(data[4:8], "big")
    if end > len(data):
        raise BeamError(file, f"the file is cut short: {len(data)} bytes of {end}")
    chunks: list[Chunk] = []
    at, room = 12, Room()
    while at < end:
        name = data[at : at + 4].decode("latin-1")
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        start = at + 8
        at = start + _padded(size)
        if at > end:
            raise BeamError(file, f"{size} bytes of data expected, {max(0, end - start)} are left", chunk=name)
        chunks.append(Chunk(file, name, data[start : start + size], room))
        chunks[-1].check_count(0, len(chunks), "chunks")
    return chunks


def write_chunks(chunks: Iterable[tuple[str, bytes]]) -> bytes:
    """A .beam file of chunks, given by name and data."""
    body = bytearray(b"BEAM")
    for name, data in chunks:
        encoded = name.encode("latin-1")
        if len(encoded) != 4:
            raise ValueError(f"a chunk's name has four bytes, not {name!r}")
        body += encoded + len(data).to_bytes(4, "big") + data + bytes(_padded(len(data)) - len(data))
    return b"FOR1" + len(body).to_bytes(4, "big") + bytes(body)


def unfold(data: bytes, limit: int, form: int = zlib.MAX_WBITS) -> bytes:
    """Data compressed by zlib, at most *limit* bytes of it. Raises ValueError that says what is wrong."""
    stream = zlib.decompressobj(form)
    try:
        unfolded = stream.decompress(data, limit)
        # Data of exactly the limit ends only with the checksum that is still to be read.
        excess = b"" if stream.eof else stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise ValueError(f"zlib says: {error}") from None
    if excess:
        raise ValueError(f"it unfolds to more than {limit} bytes")
    if not stream.eof:
        raise ValueError("the compressed data is cut short")
    return unfolded


def unfold_exactly(data: bytes, size: int, room: Room) -> bytes:
    """Data compressed by zlib that is *size* bytes long. Raises ValueError that says what is wrong."""
    try:
        room.take(size)
    except ValueError as error:
        raise ValueError(f"it is said to unfold to {size} bytes: {error}") from None
    unfolded = unfold(data, size) if size else b""
    if len(unfolded) != size:
        raise ValueError(f"it unfolds to {len(unfolded)} bytes, not {size}")
    return unfolded


def _padded(size: int) -> int:
    return (size + 3) & ~3
