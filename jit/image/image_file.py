"""Reads the program's file into an `Image`."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import Segment

from jit.image.image import Function, Image, Part
from jit.object.elf_constants import SHF, STT
from jit.object.elf_symbols import defined
from jit.object.target import ByteOrder

MAX_BYTES = 256 << 20
"""Bytes of what is loaded of a program at most; a beam.smp has 12 MB."""

FEWEST_FUNCTIONS = 256
"""A table with fewer does not tell of all functions of a program: so it is for most of Debian's for 32-bit ARM."""

MAX_FUNCTIONS = 1 << 20
"""Functions of a program at most; a beam.smp has 7000."""

MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64", "EM_ARM": "arm32"}
"""ELF machines, and the name of the architecture here."""

RELATIVE = {"EM_X86_64": 8, "EM_AARCH64": 1027, "EM_ARM": 23}
"""The relocation that makes an address in the file one in memory (the processors' ELF supplements)."""

RELR = ("SHT_RELR", 19)
"""The type of a table of packed relocations, by its name, which an older pyelftools does not know."""

PF_W = 2
"""A segment is writable (ELF gABI, p_flags)."""

HEADER_ENCODINGS = bytes((1, 0x1B, 0x03, 0x3B))
"""The head of an `.eh_frame_hdr` that every linker writes: version 1, pointer to `.eh_frame` relative to itself, a
count of 32 bits, a table of 32-bit numbers relative to the section (LSB, Core Generic, 10.6.2)."""

PC_RANGE_AT = 12
"""Where in a frame description its second 32-bit number stands, the size of the function: behind length, distance to
the CIE and start (LSB, Core Generic, 10.6.1), which those tables have with 32 bits too."""


class NoImage(Exception):
    """The file is none that can be searched; the text says why."""


def open_image(path: Path, symbol: str, address: int) -> Image:
    """The file of a program, which exports `symbol` and has it at `address` in memory. Raises `NoImage`."""
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            place = next((one.address for one in defined(elf, ".dynsym") if one.name == symbol), None)
            if place is None:
                raise NoImage(f"{path} exports no {symbol}")
            return _image(elf, (address & ~1) - (place & ~1))
    except (ELFError, OSError, struct.error, UnicodeDecodeError) as error:
        raise NoImage(f"{path} cannot be read: {error}") from None


def _image(elf: ELFFile, bias: int) -> Image:
    arch = MACHINES.get(elf["e_machine"])
    if arch is None:
        raise NoImage(f"no known architecture: {elf['e_machine']}")
    loaded = _segments(elf, "PT_LOAD")
    if sum(one["p_filesz"] for one in loaded) > MAX_BYTES:
        raise NoImage(f"more than {MAX_BYTES} bytes are loaded")
    fixed = tuple(Part(one["p_vaddr"] + bias, one.data()) for one in loaded if not one["p_flags"] & PF_W)
    sections = [one for one in elf.iter_sections() if one["sh_flags"] & SHF.ALLOC]
    code = tuple(
        Part(one["sh_addr"] + bias, one.data())
        for one in sections
        if one["sh_flags"] & SHF.EXECINSTR and one["sh_type"] == "SHT_PROGBITS"
    )
    order: ByteOrder = "little" if elf.little_endian else "big"
    exported = {
        one.name: (one.address & ~1 if one.type == STT.FUNC and arch == "arm32" else one.address) + bias
        for one in defined(elf, ".dynsym")
    }
    kept = [(start + bias, stop + bias) for start, stop in _relro(elf)]
    writable = tuple(
        (start, stop)
        for one in loaded
        if one["p_flags"] & PF_W
        for start, stop in _without(one["p_vaddr"] + bias, one["p_vaddr"] + one["p_memsz"] + bias, kept)
    )
    functions = tuple(_functions(elf, bias))
    pointers = {place + bias: to + bias for place, to in _relocated(elf)}
    table = elf.get_section_by_name(".got")
    table_at = table["sh_addr"] + bias if table is not None else 0
    initial = tuple(Part(one["p_vaddr"] + bias, one.data()) for one in loaded if one["p_flags"] & PF_W)
    return Image(
        arch, elf.elfclass // 8, order, bias, fixed, code, writable, initial, exported, pointers, table_at, functions
    )


def _segments(elf: ELFFile, kind: str) -> list[Segment]:
    # The pyelftools of Debian 11 cannot choose by the type itself.
    return [one for one in elf.iter_segments() if one["p_type"] == kind]


def _relocated(elf: ELFFile) -> Iterator[tuple[int, int]]:
    """Pointers into the file itself, as addresses in it; of a file that is not moved, words that look so."""
    kind, order, word = RELATIVE.get(elf["e_machine"], 0), "<" if elf.little_endian else ">", elf.elfclass // 8
    loaded = [(int(one["p_vaddr"]), one.data()) for one in _segments(elf, "PT_LOAD") if one["p_flags"] & PF_W]
    code = "I" if word == 4 else "Q"
    if elf["e_type"] != "ET_DYN":
        for start, content in loaded:
            for i, (value,) in enumerate(struct.iter_unpack(order + code, content[: len(content) & -word])):
                yield start + word * i, value
        return
    for section in elf.iter_sections():
        # Neither class holds the type in more than the low bits of r_info (ELF gABI, Relocation).
        if section["sh_type"] == "SHT_RELA":
            for place, info, addend in struct.iter_unpack(order + 2 * code + code.lower(), section.data()):
                if info & 0xFFFF == kind:
                    yield place, addend
        elif section["sh_type"] == "SHT_REL":
            entries = struct.iter_unpack(order + 2 * code, section.data())
            yield from _in_place(loaded, order + code, (place for place, info in entries if info & 0xFF == kind))
        elif section["sh_type"] in RELR:
            yield from _in_place(loaded, order + code, _packed(struct.iter_unpack(order + code, section.data()), word))


def _in_place(loaded: Iterable[tuple[int, bytes]], form: str, places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Pointers, of which the words in their places are the addresses; none where the file has no whole word."""
    word = struct.calcsize(form)
    for place in places:
        start, content = next((one for one in loaded if 0 <= place - one[0] < len(one[1])), (0, b""))
        if len(there := content[place - start : place - start + word]) == word:
            yield place, struct.unpack(form, there)[0]


def _packed(entries: Iterable[tuple[int]], word: int) -> Iterator[int]:
    """Where pointers stand that a table of `SHT_RELR` tells of: an even entry is the place of one, an odd one a bit for
    each of the words that come next (ELF gABI, Relative Relocation Table)."""
    place, each = 0, 8 * word - 1
    for (entry,) in entries:
        if not entry & 1:
            yield entry
            place = entry + word
            continue
        yield from (place + word * i for i in range(each) if entry >> i + 1 & 1)
        place += word * each


def _relro(elf: ELFFile) -> Iterator[tuple[int, int]]:
    """What is read-only once it was relocated."""
    for one in _segments(elf, "PT_GNU_RELRO"):
        yield one["p_vaddr"], one["p_vaddr"] + one["p_memsz"]


def _without(start: int, stop: int, ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """A range without others, which lie at its start."""
    for low, high in ranges:
        if low <= start < high:
            start = high
    if start < stop:
        yield start, stop


def _functions(elf: ELFFile, bias: int) -> Iterator[Function]:
    """All that the tables for unwinding tell of, sorted."""
    found = list(_in_frame_header(elf, bias)) or list(_in_exception_index(elf, bias))
    if len(found) >= FEWEST_FUNCTIONS:
        yield from sorted(found, key=lambda one: one.start)


def _in_frame_header(elf: ELFFile, bias: int) -> Iterator[Function]:
    header, frames = (elf.get_section_by_name(name) for name in (".eh_frame_hdr", ".eh_frame"))
    if header is None or frames is None:
        return
    order = "<" if elf.little_endian else ">"
    index, descriptions = header.data(), frames.data()
    if index[:4] != HEADER_ENCODINGS:
        return
    (count,) = struct.unpack_from(order + "I", index, 8)
    pairs = index[12 : 12 + 8 * min(count, MAX_FUNCTIONS)]
    for start, description in struct.iter_unpack(order + "ii", pairs[: len(pairs) & ~7]):
        at = description + header["sh_addr"] - frames["sh_addr"] + PC_RANGE_AT
        if 0 <= at <= len(descriptions) - 4:
            (size,) = struct.unpack_from(order + "I", descriptions, at)
            place = start + header["sh_addr"] + bias
            yield Function(place, place + size)


def _in_exception_index(elf: ELFFile, bias: int) -> Iterator[Function]:
    """Exception Handling ABI for the Arm Architecture, 6: pairs of words, the first the distance to a function. Each
    ends where the next one starts."""
    section, text = elf.get_section_by_name(".ARM.exidx"), elf.get_section_by_name(".text")
    if section is None or text is None:
        return
    order = "<" if elf.little_endian else ">"
    data = section.data()
    starts = []
    for i, (distance, _) in enumerate(struct.iter_unpack(order + "II", data[: min(len(data), 8 * MAX_FUNCTIONS) & ~7])):
        signed = (distance & 0x7FFFFFFF) - ((distance & 0x40000000) << 1)
        starts.append(section["sh_addr"] + 8 * i + signed & 0xFFFFFFFF)
    stop = text["sh_addr"] + text["sh_size"]
    for start, following in zip(starts, [*starts[1:], stop]):
        if start < following <= stop:
            yield Function(start + bias, following + bias)
