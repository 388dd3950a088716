"""The container of a .beam file: an IFF form of chunks (EA IFF 85; erts/emulator/beam/beam_file.c).

``FOR1``, size of the rest, ``BEAM``, then chunks: a name of four bytes, the size of the data, the data, padding to a
multiple of four bytes. Numbers are 32 bits, big-endian. The whole may be compressed by gzip (``erlc +compressed``).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from jit.beam.errors import BeamError

#: The most bytes that compressed data may unfold to: a thousand times what any real file holds.
LARGEST: Final = 1 << 27

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_FORM = 31  # window bits of zlib: 15, and 16 for a gzip header


@dataclass(frozen=True, slots=True)
class Chunk:
    """A named chunk of ``file``."""

    file: str
    name: str
    data: bytes

    def error(self, offset: int | None, what: str, *, operation: str = "") -> BeamError:
        """The error to raise for something wrong at *offset* bytes of the data."""
        return BeamError(self.file, what, chunk=self.name, offset=offset, operation=operation)


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
    chunks, at = [], 12
    while at < end:
        name = data[at : at + 4].decode("latin-1")
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        start = at + 8
        at = start + _padded(size)
        if at > end:
            raise BeamError(file, f"{size} bytes of data expected, {max(0, end - start)} are left", chunk=name)
        chunks.append(Chunk(file, name, data[start : start + size]))
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


def unfold_exactly(data: bytes, size: int) -> bytes:
    """Data compressed by zlib that is *size* bytes long. Raises ValueError that says what is wrong."""
    if not 0 < size <= LARGEST:
        raise ValueError(f"it is said to unfold to {size} bytes: more than 0 and at most {LARGEST} expected")
    unfolded = unfold(data, size)
    if len(unfolded) != size:
        raise ValueError(f"it unfolds to {len(unfolded)} bytes, not {size}")
    return unfolded


def _padded(size: int) -> int:
    return (size + 3) & ~3
