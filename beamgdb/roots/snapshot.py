"""What the program's variables hold at one stop, to be searched."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from beamgdb.memory import CachedMemory, Unreadable
from jit.image.image import Image, occurrences

PIECE = 64 << 10
"""Bytes that are read at a time: a core may lack pages in between."""

PAGE = 4096

MAX_WRITABLE = 32 << 20
"""Bytes of variables at most; a beam.smp has 0.4 MB."""


class Snapshot:
    """All variables of a program, read once. What cannot be read counts as zeros."""

    def __init__(self, memory: CachedMemory, image: Image) -> None:
        self._order = "<" if image.byteorder == "little" else ">"
        self._word = image.word_size
        self._code = "I" if self._word == 4 else "Q"
        left = MAX_WRITABLE
        self._parts: list[tuple[int, bytes]] = []
        for start, stop in image.writable:
            first, size = start + -start % self._word, min(stop - start, left)
            left -= size
            self._parts.append((first, _read(memory, first, size & -self._word)))

    @property
    def parts(self) -> list[tuple[int, tuple[int, ...]]]:
        """Addresses, and the words that stand from there on."""
        return [
            (start, struct.unpack(f"{self._order}{len(data) // self._word}{self._code}", data))
            for start, data in self._parts
        ]

    @property
    def numbers(self) -> list[tuple[int, tuple[int, ...]]]:
        """The same as numbers of 32 bits."""
        return [(start, struct.unpack(f"{self._order}{len(data) // 4}I", data)) for start, data in self._parts]

    def places(self, value: int) -> Iterator[int]:
        """Where a word of this value stands."""
        return self.occurrences(struct.pack(self._order + self._code, value))

    def occurrences(self, wanted: bytes) -> Iterator[int]:
        """Where these bytes stand from the beginning of a word on."""
        for start, data in self._parts:
            yield from (start + at for at in occurrences(wanted, data) if at % self._word == 0)

    def u32(self, address: int) -> int | None:
        """The 32-bit number at an address, None outside of the variables."""
        for start, data in self._parts:
            if start <= address <= start + len(data) - 4:
                return int(struct.unpack_from(self._order + "I", data, address - start)[0])
        return None


def _read(memory: CachedMemory, start: int, size: int) -> bytes:
    parts = []
    for at in range(start, start + size, PIECE):
        length = min(PIECE, start + size - at)
        parts.append(memory.try_read(at, length) or _by_page(memory, at, length))
    return b"".join(parts)


def _by_page(memory: CachedMemory, start: int, size: int) -> bytes:
    parts = []
    at, stop = start, start + size
    while at < stop:
        length = min(PAGE - at % PAGE, stop - at)
        try:
            parts.append(memory.read(at, length))
        except Unreadable:
            parts.append(bytes(length))
        at += length
    return b"".join(parts)
