"""Which functions of the program refer to a variable: the few that may are found by patterns of bytes, for to decode
millions of them takes seconds; what these refer to is then read as for functions that have a symbol."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence, Set

from beamgdb.machine_code.references import REFERENCES
from jit.image.image import Function, Image, Part, occurrences

WINDOW = 256
"""Bytes of x86-64 code of which nearly all displacements to one variable have the same upper bytes."""

IMMEDIATE = 8
"""Bytes that may follow a displacement in an instruction, which it is counted from."""

PAGE = 4096
"""What `adrp` gives the address of."""

MAX_SIZE = 16 << 10
"""Bytes of a function that is read: not of the interpreter, which has a hundred times as many."""

ANCHOR_REACH = 4096
"""How far before a variable the address may be from which a compiler reaches it (GCC's section anchors)."""

NEAR_ANCHOR = 512
"""The same on 32-bit ARM, where other files' variables have places in the global offset table."""

LITERAL_REACH = 4096
"""How far before its literal an instruction may be that loads it."""

PAIR_REACH = 64
"""How far apart the two instructions may be that form an address, on ARM."""


def users(image: Image, low: int, high: int) -> list[Function]:
    """Functions whose code may refer to an address in this range."""
    found = (one for one in candidates(image, low, high) if any(low <= at < high for at in referred(image, one)))
    return sorted(found, key=lambda one: one.start)


def candidates(image: Image, low: int, high: int) -> frozenset[Function]:
    """The same, and some that do not: quick."""
    if (low, high) not in image.candidates:
        image.candidates[low, high] = frozenset(_candidates(image, low, high))
    return image.candidates[low, high]


def _candidates(image: Image, low: int, high: int) -> set[Function]:
    find = _PLACES.get(image.arch)
    if find is None or not low < high:
        return set()
    ranges = [(low, high)]
    if image.arch != "arm32":
        # What has a slot in the global offset table is reached through that.
        ranges += [(place, place + image.word_size) for place, to in image.pointers.items() if low <= to < high]
    found = (place for start, stop in ranges for part in image.code for place in find(image, part, start, stop))
    functions = {image.function_at(place) for place in found}
    return {one for one in functions if one is not None and one.stop - one.start <= MAX_SIZE}


def referred(image: Image, function: Function) -> frozenset[int]:
    """Addresses of variables that the code of a function may refer to."""
    if function not in image.referred:
        image.referred[function] = frozenset(filter(image.is_writable, _referred(image, function)))
    return image.referred[function]


def _referred(image: Image, function: Function) -> set[int]:
    code = image.bytes_of(function)
    found = set(REFERENCES[image.arch](code, function.start))
    found.update([image.pointers[address] for address in found if address in image.pointers])
    if image.arch == "arm32":
        found.update(_through_table(image, code, function.start))
    return found


def _x86_64(image: Image, part: Part, low: int, high: int) -> Iterator[int]:
    """Displacements relative to the instruction pointer that lead there."""
    content = part.content
    for at in range(0, len(content), WINDOW):
        first = low - IMMEDIATE - (part.start + at + WINDOW + 4)
        last = high + IMMEDIATE - (part.start + at + 4)
        for upper in range(first >> 8, (last >> 8) + 1):
            pattern = struct.pack("<i", upper << 8)[1:]
            yield from (part.start + found - 1 for found in occurrences(pattern, content, at + 1, at + WINDOW + 3))


def _aarch64(image: Image, part: Part, low: int, high: int) -> Iterator[int]:
    """`adrp` to a page from which the variable can be reached: many variables share one."""
    for page in range((low - ANCHOR_REACH) // PAGE, (high - 1) // PAGE + 1):
        if (part.start, page) not in image.adrps:
            image.adrps[part.start, page] = tuple(_adrps(part, page))
        yield from image.adrps[part.start, page]


def _adrps(part: Part, page: int) -> Iterator[int]:
    """`adrp` to a page (Arm Architecture Reference Manual, C6.2.13)."""
    content = part.content
    skipped = -part.start % PAGE
    for at in (0, *range(skipped, len(content), PAGE)):
        end = min(at + (part.start + at & -PAGE) + PAGE - (part.start + at), len(content))
        distance = page - (part.start + at) // PAGE
        word = 0x9000_0000 | (distance & 3) << 29 | (distance >> 2 & 0x7FFFF) << 5
        pattern = struct.pack("<I", word)[1:]
        for found in occurrences(pattern, content, at + 1, end):
            if (found - 1) % 4 == 0 and (content[found - 1] ^ word) & 0xE0 == 0:
                yield part.start + found - 1


def _arm32(image: Image, part: Part, low: int, high: int) -> Iterator[int]:
    """Literals that are distances to the variable, from code before them."""
    start, content = part.start, part.content
    words = struct.unpack_from(f"<{len(content) // 4}I", content)
    first, last = low - NEAR_ANCHOR - start, high + LITERAL_REACH - start
    slots = {place - image.table for place, to in image.pointers.items() if low <= to < high}
    for i, word in enumerate(words):
        if first <= word + 4 * i < last or word in slots:
            yield start + 4 * i


def _through_table(image: Image, code: bytes, start: int) -> Iterator[int]:
    """What code refers to by the global offset table: literals that it loads are distances in that."""
    for _, literal in _literals(struct.unpack_from(f"<{len(code) // 2}H", code), start):
        to = image.pointers.get(image.table + int.from_bytes(image.read(literal, 4) or b"", "little"))
        if to is not None:
            yield to


def formed(image: Image, addresses: Set[int]) -> Iterator[tuple[int, int]]:
    """Instructions that form exactly one of these addresses, and which: for texts and what else is never written and
    lies close together. Quick on all processors, for no function is decoded; what compilers seldom do is not seen."""
    for part in image.code if addresses and image.arch in _PLACES else ():
        for place in _PLACES[image.arch](image, part, min(addresses), max(addresses) + 1):
            found = _FORMED[image.arch](part, place, addresses)
            yield from ((at, to) for at, to in found if to in addresses)


def _x86_64_formed(part: Part, place: int, _: Set[int]) -> Iterator[tuple[int, int]]:
    """`lea` with a displacement at `place` (Intel SDM 2A, 2.2.1.6)."""
    at = place - part.start
    code = part.content[max(at - 2, 0) : at + 4]
    if len(code) == 6 and code[0] == 0x8D and code[1] & 0xC7 == 0x05:
        yield place, place + 4 + int.from_bytes(code[2:], "little", signed=True)


def _aarch64_formed(part: Part, place: int, _: Set[int]) -> Iterator[tuple[int, int]]:
    """`add` to what the `adrp` at `place` gives (Arm Architecture Reference Manual, C6.2.13, C6.2.5)."""
    code = part.content[place - part.start : place - part.start + 4 + PAIR_REACH]
    (first, *others) = struct.unpack(f"<{len(code) // 4}I", code[: len(code) & ~3])
    number = (first >> 5 & 0x7FFFF) << 2 | first >> 29 & 3
    page = (place & -PAGE) + (number - ((number & 1 << 20) << 1)) * PAGE
    for i, word in enumerate(others, 1):
        if word & 0xFFC0_0000 == 0x9100_0000 and word >> 5 & 31 == first & 31:
            yield place + 4 * i, page + (word >> 10 & 0xFFF)
        if word & 31 == first & 31 and word & 0x1F00_0000 in (0x1000_0000, 0x1100_0000):
            return


def _arm32_formed(part: Part, place: int, addresses: Set[int]) -> Iterator[tuple[int, int]]:
    """`add` of pc to the literal at `place` (Arm Architecture Reference Manual, A8.8.6, T2), which was loaded not far
    before."""
    literal = int.from_bytes(part.content[place - part.start : place - part.start + 4], "little")
    for to in addresses:
        at = to - literal - 4 & 0xFFFF_FFFF
        start = max(at - PAIR_REACH, part.start)
        if not place - LITERAL_REACH <= at < place or at < start:
            continue
        code = part.content[start - part.start : at + 2 - part.start]
        *before, last = struct.unpack(f"<{len(code) // 2}H", code)
        if last & 0xFF78 == 0x4478 and dict(_literals(before, start)).get(last >> 4 & 8 | last & 7) == place:
            yield at, to


def _literals(halves: Sequence[int], start: int) -> Iterator[tuple[int, int]]:
    """Thumb code that loads literals: to which register, and where they are (Arm Architecture Reference Manual,
    A8.8.64, `LDR (literal)`, T1 and T2)."""
    for i, half in enumerate(halves):
        here = start + 2 * i + 4 & -4
        if half & 0xF800 == 0x4800:
            yield half >> 8 & 7, here + 4 * (half & 0xFF)
        elif half & 0xFF7F == 0xF85F and i + 1 < len(halves):
            distance = halves[i + 1] & 0xFFF
            yield halves[i + 1] >> 12, here + (distance if half & 0x80 else -distance)


_PLACES = {"x86_64": _x86_64, "aarch64": _aarch64, "arm32": _arm32}

_FORMED = {"x86_64": _x86_64_formed, "aarch64": _aarch64_formed, "arm32": _arm32_formed}
