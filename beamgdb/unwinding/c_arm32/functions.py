"""Where the functions of a stripped ELF file for 32-bit ARM start.

Exported functions are in the dynamic symbol table, with their sizes. Of the others, nearly all starts show in what uses
them: calls, addresses computed relative to pc, and pointers in data, which in a position-independent file have
relocations. Addresses of Thumb code are odd here, as in the machine's registers.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import IO, Final

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection

from beamgdb.late import dataclass
from jit.object.elf_symbols import defined

R_ARM_RELATIVE: Final = 23
"""ELF for the Arm Architecture (IHI 0044), 4.6.1.6: the word is an address in this file."""
LITERAL_REACH: Final = 32
"""Instructions between loading a literal and adding pc to it."""


@dataclass(frozen=True)
class Functions:
    """Functions of one file, as addresses in it. What is at `calls` is not complete."""

    code: tuple[tuple[int, int], ...]
    """Ranges of code, sorted."""
    exported: tuple[tuple[int, int], ...]
    """Start, odd for Thumb code, and end of exported functions, sorted."""
    starts: tuple[int, ...]
    """Starts of functions that calls and pointers tell of, odd for Thumb code, sorted."""

    def is_code(self, address: int) -> bool:
        i = bisect_right(self.code, (address, 1 << 32)) - 1
        return i >= 0 and address < self.code[i][1]

    def exported_at(self, pc: int) -> tuple[int, int] | None:
        """Start and end of the exported function with this address."""
        i = bisect_right(self.exported, (pc | 1, 1 << 32)) - 1
        return self.exported[i] if i >= 0 and pc < self.exported[i][1] else None

    def candidates(self, pc: int, count: int) -> list[tuple[int, int]]:
        """Starts and ends of functions that may contain `pc`, nearest first, at most `count`.

        Only one where it is exported. The end of another is at most where the next starts.
        """
        exported = self.exported_at(pc)
        if exported is not None:
            return [exported]
        before = bisect_right(self.exported, (pc | 1, 1 << 32)) - 1
        lowest = self.exported[before][1] if before >= 0 else 0
        i = bisect_right(self.starts, pc | 1)
        ends = (*self.starts[max(1, i - count + 1) : i + 1], self.code[-1][1])
        return [(start, end) for start, end in zip(self.starts[max(0, i - count) : i], ends) if start >= lowest][::-1]


def functions_of(file: IO[bytes]) -> Functions:
    """The functions of an ELF file. Raises elftools' `ELFError` where it is none."""
    elf = ELFFile(file)
    sections = [each for each in elf.iter_sections() if each["sh_flags"] & 4 and each["sh_type"] == "SHT_PROGBITS"]
    code = tuple(sorted((each["sh_addr"], each["sh_addr"] + each["sh_size"]) for each in sections))
    exported = tuple(sorted(_exported(elf)))
    is_thumb = any(start & 1 for start, _ in exported) or bool(elf["e_entry"] & 1)
    found = {start for start, _ in exported} | set(_pointers(elf))
    text = elf.get_section_by_name(".text")
    known = Functions(code, exported, ())
    jumps: list[tuple[int, int]] = []
    if text is not None:
        found.update((_thumb_targets if is_thumb else _arm_targets)(text.data(), text["sh_addr"], jumps))
    starts = [start for start in found if known.is_code(start & ~1) and _is_own(known, start)]
    return Functions(code, exported, tuple(_with_tail_calls(starts, jumps)))


def _is_own(known: Functions, start: int) -> bool:
    """It is not in the middle of an exported function."""
    exported = known.exported_at(start & ~1)
    return exported is None or exported[0] == start


def _with_tail_calls(starts: list[int], jumps: list[tuple[int, int]]) -> list[int]:
    """Starts, sorted, and the targets of jumps out of the function that they are in."""
    starts.sort()
    called = {to for at, to in jumps if bisect_right(starts, at | 1) != bisect_right(starts, to | 1)}
    return sorted({*starts, *called})


def _exported(elf: ELFFile) -> Iterator[tuple[int, int]]:
    for symbol in defined(elf, ".dynsym"):
        if symbol.is_function and symbol.size:
            yield symbol.address, (symbol.address & ~1) + symbol.size


def _pointers(elf: ELFFile) -> Iterator[int]:
    """Words of data that are addresses of Thumb code."""
    loads = [each for each in elf.iter_segments() if each["p_type"] == "PT_LOAD"]
    contents = [(each["p_vaddr"], each.data()) for each in loads]
    for section in elf.iter_sections():
        if not isinstance(section, RelocationSection) or section.is_RELA():
            continue
        for relocation in section.iter_relocations():
            if relocation["r_info_type"] != R_ARM_RELATIVE:
                continue
            for start, data in contents:
                if 0 <= (at := relocation["r_offset"] - start) <= len(data) - 4:
                    (word,) = struct.unpack_from("<I", data, at)
                    if word & 1:
                        yield word


def _thumb_targets(code: bytes, address: int, jumps: list[tuple[int, int]]) -> Iterator[int]:
    """Targets of calls, and addresses of Thumb code that are computed (manual, A6.2, A6.3; A8.8.18, A8.8.25).

    Jumps, with their targets, are put into `jumps`: those out of a function are tail calls.
    """
    halves = struct.unpack(f"<{len(code) // 2}H", code[: len(code) & ~1])
    loaded: dict[int, tuple[int, int]] = {}  # register -> (index of its load, literal)
    data: set[int] = set()  # indexes of literals: they follow the code that loads them
    i, count = 0, len(halves)
    while i < count:
        if i in data:
            i += 2
            continue
        first = halves[i]
        pc = address + 2 * i + 4
        if first < 0xE800:
            if first & 0xF800 == 0x4800:  # ldr register, [pc, #literal]
                _note_literal(loaded, data, first >> 8 & 7, i, code, (pc & ~3) + 4 * (first & 0xFF) - address)
            elif first & 0xFF78 == 0x4478:  # add register, pc
                at, literal = loaded.pop(first & 7 | first >> 4 & 8, (0, 0))
                if literal & 1 and i - at <= LITERAL_REACH:
                    yield (literal + pc) & 0xFFFFFFFF
            i += 1
            continue
        second = halves[i + 1] if i + 1 < count else 0
        i += 2
        if first & 0xF800 == 0xF000 and second & 0xD000 == 0xD000:
            yield (pc + _branch_distance(first, second)) & 0xFFFFFFFF | 1
        elif first & 0xF800 == 0xF000 and second & 0xD000 == 0x9000:
            jumps.append((pc - 4, (pc + _branch_distance(first, second)) & 0xFFFFFFFF | 1))
        elif first & 0xFF7F == 0xF85F:  # ldr.w register, [pc, #literal]
            distance = second & 0xFFF if first & 0x80 else -(second & 0xFFF)
            _note_literal(loaded, data, second >> 12, i - 2, code, (pc & ~3) + distance - address)
        elif first == 0xE8DF and second & 0xFFE0 == 0xF000:  # tbb, tbh
            i += _table_size(halves, i, bool(second & 0x10))


def _note_literal(
    loaded: dict[int, tuple[int, int]], data: set[int], register: int, i: int, code: bytes, at: int
) -> None:
    if 0 <= at <= len(code) - 4:
        loaded[register] = (i, int.from_bytes(code[at : at + 4], "little"))
        data.add(at // 2)


def _table_size(halves: tuple[int, ...], start: int, wide: bool) -> int:
    """Half words of the jump table at index `start`: it ends where the first of its targets begins."""
    size, lowest = 0, len(halves) - start
    while size < lowest:
        half = halves[start + size]
        lowest = min(lowest, half if wide else min(half & 0xFF, half >> 8 or lowest))
        size += 1
    return size


def _branch_distance(first: int, second: int) -> int:
    """The distance that a `bl` (T1) or `b` (T4) jumps."""
    sign = first >> 10 & 1
    high = (second >> 13 & 1) ^ sign ^ 1
    low = (second >> 11 & 1) ^ sign ^ 1
    distance = high << 23 | low << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
    return distance - (sign << 24)


def _arm_targets(code: bytes, address: int, jumps: list[tuple[int, int]]) -> Iterator[int]:
    """As `_thumb_targets`, for A32 (manual, A8.8.7, A8.8.18, A8.8.25, A8.8.64)."""
    words = struct.unpack(f"<{len(code) // 4}I", code[: len(code) & ~3])
    loaded: dict[int, tuple[int, int]] = {}  # register -> (index of its load, literal)
    for i, word in enumerate(words):
        pc = address + 4 * i + 8
        if word & 0x0E000000 == 0x0A000000 and word >> 28 != 15:
            to = (pc + 4 * ((word & 0xFFFFFF) - ((word & 0x800000) << 1))) & 0xFFFFFFFF
            if word & 0x01000000:
                yield to
            else:
                jumps.append((pc - 8, to))
        elif word & 0x0F7F0000 == 0x051F0000:  # ldr register, [pc, #literal]
            at = i + 2 + (word & 0xFFF) // 4 * (1 if word & 0x800000 else -1)
            if 0 <= at < len(words):
                loaded[word >> 12 & 15] = (i, words[at])
        elif word & 0x0FFF0FF0 == 0x008F0000:  # add register, pc, register
            at, literal = loaded.get(word & 15, (0, 0))
            if literal and i - at <= LITERAL_REACH and (literal + pc) & 3 == 0:
                yield (literal + pc) & 0xFFFFFFFF
