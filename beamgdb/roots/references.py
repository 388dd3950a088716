"""Which functions of the program refer to a variable: the few that may are found by patterns of bytes, for to decode
millions of them takes seconds; what these refer to is then read as for functions that have a symbol."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from beamgdb.machine_code.references import REFERENCES
from beamgdb.roots.image import Function, Image, Part

WINDOW = 256
"""Bytes of x86-64 code of which nearly all displacements to one variable have the same upper bytes."""

IMMEDIATE = 8
"""Bytes that may follow a displacement in an instruction, which it is counted from."""

PAGE = 4096
"""What `adrp` gives the address of."""

ANCHOR_REACH = 4096
"""How far before a variable the address may be from which a compiler reaches it (GCC's section anchors)."""

LITERAL_REACH = 4096
"""How far before its literal an instruction may be that loads it."""


def users(image: Image, low: int, high: int) -> list[Function]:
    """Functions whose code may refer to an address in this range."""
    find = _PLACES.get(image.arch)
    if find is None or not low < high:
        return []
    functions = {image.function_at(place) for part in image.code for place in find(part, low, high)}
    found = [one for one in functions if one is not None and any(low <= at < high for at in referred(image, one))]
    return sorted(found, key=lambda one: one.start)


def referred(image: Image, function: Function) -> frozenset[int]:
    """Addresses of variables that the code of a function may refer to."""
    found = REFERENCES[image.arch](image.bytes_of(function), function.start)
    return frozenset(address for address in found if image.is_writable(address))


def _x86_64(part: Part, low: int, high: int) -> Iterator[int]:
    """Displacements relative to the instruction pointer that lead there."""
    content = part.content
    for at in range(0, len(content), WINDOW):
        first = low - IMMEDIATE - (part.start + at + WINDOW + 4)
        last = high + IMMEDIATE - (part.start + at + 4)
        for upper in range(first >> 8, (last >> 8) + 1):
            pattern = struct.pack("<i", upper << 8)[1:]
            found = content.find(pattern, at + 1, at + WINDOW + 3)
            while found >= 0:
                yield part.start + found - 1
                found = content.find(pattern, found + 1, at + WINDOW + 3)


def _aarch64(part: Part, low: int, high: int) -> Iterator[int]:
    """`adrp` to a page from which the variable can be reached (Arm Architecture Reference Manual, C6.2.13)."""
    content = part.content
    pages = range((low - ANCHOR_REACH) // PAGE, (high - 1) // PAGE + 1)
    skipped = -part.start % PAGE
    for at in (0, *range(skipped, len(content), PAGE)):
        end = min(at + (part.start + at & -PAGE) + PAGE - (part.start + at), len(content))
        for page in pages:
            distance = page - (part.start + at) // PAGE
            word = 0x9000_0000 | (distance & 3) << 29 | (distance >> 2 & 0x7FFFF) << 5
            pattern = struct.pack("<I", word)[1:]
            found = content.find(pattern, at + 1, end)
            while found >= 0:
                if (found - 1) % 4 == 0 and (content[found - 1] ^ word) & 0xE0 == 0:
                    yield part.start + found - 1
                found = content.find(pattern, found + 1, end)


def _arm32(part: Part, low: int, high: int) -> Iterator[int]:
    """Literals that are distances to the variable, from code before them."""
    start, content = part.start, part.content
    words = struct.unpack_from(f"<{len(content) // 4}I", content)
    first, last = low - ANCHOR_REACH - start, high + LITERAL_REACH - start
    for i, word in enumerate(words):
        if first <= word + 4 * i < last:
            yield start + 4 * i


_PLACES = {"x86_64": _x86_64, "aarch64": _aarch64, "arm32": _arm32}
