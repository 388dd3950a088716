"""Address ranges (.debug_rnglists, .debug_aranges) and location lists (.debug_loclists).

DWARF 5, 2.17.3, 6.1.2 and 2.6.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jit.object.dwarf_constants import ARANGES_VERSION, DW_LLE, DW_RLE, DWARF_VERSION
from jit.object.leb128 import uleb128
from jit.object.target import Target

#: (first address, size in bytes)
Range = tuple[int, int]


_LIST_HEADER_FIELDS = "IHBBI"
_ARANGES_HEADER_FIELDS = "IHIBB"


class SectionOffset(int):
    """An offset into another debugging section, which decides an attribute's class (DW_FORM_sec_offset)."""


@dataclass(frozen=True)
class ListedLocation:
    """Where a value is while the program counter is in a range: an expression. Size 0 makes an empty range."""

    address: int
    size: int
    expression: bytes


class ListSection:
    """A .debug_rnglists or .debug_loclists section with one header for all its lists (7.28, 7.29).

    ``address_offsets`` are the places of addresses in it.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._lists: list[bytes] = []
        self._size = target.struct(_LIST_HEADER_FIELDS).size
        self.address_offsets: list[int] = []

    def add_ranges(self, ranges: Iterable[Range]) -> SectionOffset:
        """Append a range list."""
        entries = [self._addressed(DW_RLE.start_length, start) + uleb128(size) for start, size in ranges]
        return self._add(entries, DW_RLE.end_of_list, addressed=len(entries))

    def add_locations(
        self, locations: Sequence[ListedLocation], *, default: bytes | None = None, unit_base: int | None = None
    ) -> SectionOffset:
        """Append a location list; *default* is the expression wherever no other entry applies.

        Several entries share one base address, the lowest, so that each costs a few bytes. With *unit_base*, the
        DW_AT_low_pc of the unit that the list is for, there is no address in the list at all.
        """
        addressed = 0 if unit_base is not None else min(1, len(locations))
        if unit_base is not None:
            entries = [_offset_pair(location, unit_base) for location in locations]
        elif len(locations) > 1:
            base = min(location.address for location in locations)
            entries = [self._addressed(DW_LLE.base_address, base)]
            entries += [_offset_pair(location, base) for location in locations]
        else:
            entries = [
                self._addressed(DW_LLE.start_length, location.address)
                + uleb128(location.size)
                + _counted(location.expression)
                for location in locations
            ]
        if default is not None:
            entries.append(bytes((DW_LLE.default_location,)) + _counted(default))
        return self._add(entries, DW_LLE.end_of_list, addressed=addressed)

    def _addressed(self, kind: int, address: int) -> bytes:
        return bytes((kind,)) + self.target.address(address)

    def _add(self, entries: list[bytes], end: int, *, addressed: int) -> SectionOffset:
        """Append a list, whose first *addressed* entries have an address after their kind."""
        offset = SectionOffset(self._size)
        for number, entry in enumerate(entries):
            if number < addressed:
                self.address_offsets.append(self._size + 1)
            self._size += len(entry)
        self._lists += [*entries, bytes((end,))]
        self._size += 1
        return offset

    def to_bytes(self) -> bytes:
        """The section's content; empty when no list was added."""
        if not self._lists:
            return b""
        header = self.target.pack(_LIST_HEADER_FIELDS, self._size - 4, DWARF_VERSION, self.target.address_size, 0, 0)
        return b"".join((header, *self._lists))


def _offset_pair(location: ListedLocation, base: int) -> bytes:
    start = location.address - base
    pair = uleb128(start) + uleb128(start + location.size)
    return bytes((DW_LLE.offset_pair,)) + pair + _counted(location.expression)


def _counted(expression: bytes) -> bytes:
    return uleb128(len(expression)) + expression


def encode_aranges(target: Target, unit_offset: int, ranges: Sequence[Range]) -> tuple[bytes, range]:
    """One set of .debug_aranges: which addresses belong to the unit at *unit_offset* of .debug_info.

    Gives the bytes and the places of addresses in them.
    """
    header_size = target.struct(_ARANGES_HEADER_FIELDS).size
    step = 2 * target.address_size
    # Tuples are aligned to their own size from the start of the set (6.1.2).
    padding = bytes(-header_size % step)
    # A tuple of two zeros ends the set, so an empty range, which may look like it, is left out.
    tuples = b"".join([target.pack("WW", start, size) for start, size in ranges if size])
    body = padding + tuples + bytes(step)
    length = header_size - 4 + len(body)
    header = target.pack(_ARANGES_HEADER_FIELDS, length, ARANGES_VERSION, unit_offset, target.address_size, 0)
    first = header_size + len(padding)
    return header + body, range(first, first + len(tuples), step)
