"""The same fields of many structures, in few reads: a VM has up to 2^27 processes."""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Final, Optional

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records import arrays
from beamgdb.records.arrays import Array, Column
from jit.otp.layouts.layout import Layout
from jit.otp.layouts.resolve import Field

LARGEST: Final = 1 << 20
"""Bytes of one read at most."""

GAP: Final = 512
"""Structures that are further apart are read apart: below that a read costs more than the bytes between them, also
through a remote stub."""

Row = tuple[Optional[int], ...]
"""The address of a structure, and the values of its fields; None for those that the layout does not have."""

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Columns:
    """Fields `paths` of structures `name`. A path that the layout lacks gives None; two that share bytes are a
    ValueError, as is an array or a bit field."""

    def __init__(self, memory: CachedMemory, layout: Layout, name: str, paths: Sequence[str]) -> None:
        known = {path: layout.field(name, path) for path in paths if layout.has(name, path)}
        in_order = sorted(known, key=lambda path: known[path].offset)
        first = known[in_order[0]].offset if in_order else 0
        self._gather = Gather(memory, _format([known[path] for path in in_order], first), first)
        # Values are in order of offsets, then come None and the address.
        places = [in_order.index(path) if path in known else len(in_order) for path in paths]
        self._arranged: Any = itemgetter(len(in_order) + 1, *places)

    def of(self, addresses: Sequence[int]) -> list[Row | None]:
        """A row for each address, in their order; None for a structure that cannot be read."""
        together = self._together(addresses)
        if together is not None:
            return list(zip(*map(arrays.numbers, together)))
        arranged, found = self._arranged, self._gather.of(addresses)
        return [
            arranged((*values, None, address)) if values is not None else None
            for values, address in zip(found, addresses)
        ]

    def turned(self, addresses: Sequence[int]) -> tuple[Column, ...] | None:
        """What is in these rows, turned: the addresses, and for each path all values, as arrays where they can be; None
        where a structure cannot be read, or there is none."""
        together = self._together(addresses)
        if together is not None:
            return together
        found = self._gather.of(addresses)
        if not found or None in found:
            return None
        return self._arranged((*zip(*found), (None,) * len(found), addresses))  # type: ignore[no-any-return]

    def _together(self, addresses: Sequence[int]) -> tuple[Column, ...] | None:
        """The same as arrays; None where there are none, or some cannot be read."""
        found = self._gather.arrays(addresses)
        if found is None:
            return None
        return self._arranged((*found, (None,) * len(addresses), addresses))  # type: ignore[no-any-return]


class Gather:
    """What stands at many addresses: at each, `first` bytes on, values in the form of `struct`, without a byte order. A
    "w" is a word."""

    def __init__(self, memory: CachedMemory, form: str, first: int = 0) -> None:
        self._memory = memory
        order = "<" if memory.byteorder == "little" else ">"
        form = form.replace("w", _CODES[memory.word_size])
        self._order, self._struct, self._values = order, struct.Struct(order + form), list(_values(form))
        self._first = first

    def of(self, addresses: Sequence[int]) -> list[tuple[int, ...] | None]:
        """The values at each address, in their order; None where they cannot be read."""
        in_order = sorted(addresses)
        found = list(chain.from_iterable(map(self._read, self._groups(in_order))))
        return found if in_order == addresses else list(map(dict(zip(in_order, found)).__getitem__, addresses))

    def arrays(self, addresses: Sequence[int] | Array) -> list[Array] | None:
        """The same as an array for each value; None where there is none (`arrays.of`), or some cannot be read."""
        given = arrays.of(addresses)
        if given is None:
            return None
        places = arrays.order(given)
        in_order = given if places is None else given[places]
        if in_order[-1] > arrays.MOST:
            return None
        parts: list[list[Array]] = []
        size = self._struct.size
        for group in arrays.groups(in_order, GAP + size, LARGEST - size):
            base, last = int(group[0]), int(group[-1])
            try:
                data = self._memory.read(base + self._first, last - base + size)
            except Unreadable:
                return None
            parts.append(arrays.taken(data, self._order, group - group[0], self._values))
        found = list(map(arrays.joined, zip(*parts)))
        return found if places is None else [arrays.put_back(column, places) for column in found]

    def _groups(self, in_order: list[int]) -> Iterator[list[int]]:
        """Addresses that are read together, of all in their order."""
        size, start = self._struct.size, 0
        most = GAP + size
        far = [at for at, (one, after) in enumerate(zip(in_order, islice(in_order, 1, None)), 1) if after - one > most]
        for end in [*far, len(in_order)]:
            while start < end:
                stop = max(start + 1, bisect_left(in_order, in_order[start] + LARGEST - size, start, end))
                yield in_order[start:stop]
                start = stop

    def _read(self, group: list[int]) -> list[tuple[int, ...] | None]:
        """What stands at the addresses of a group; where that cannot be read, of its halves."""
        base, size, unpack = group[0], self._struct.size, self._struct.unpack_from
        try:
            data = self._memory.read(base + self._first, group[-1] - base + size)
        except Unreadable:
            half = len(group) // 2
            return [*self._read(group[:half]), *self._read(group[half:])] if half else [None]
        return [unpack(data, address - base) for address in group]


def _values(form: str) -> Iterator[tuple[str, int]]:
    """The kind and the offset of each value of a form."""
    at = 0
    for count, kind in re.findall(r"(\d*)([A-Zx])", form):
        for _ in range(int(count or 1)):
            if kind != "x":
                yield kind, at
            at += struct.calcsize("=" + kind)


def form_of_words(offsets: Sequence[int], word_size: int) -> str:
    """That of `Gather` for words at some offsets, in ascending order, from the first one on."""
    gaps = (after - before - word_size for before, after in zip(offsets, offsets[1:]))
    return "w" + "".join(f"{gap}xw" for gap in gaps)


def _format(fields: list[Field], start: int) -> str:
    """That of `struct` for fields in order of their offsets, from the first one on."""
    text, at = [""], start
    for one in fields:
        if one.offset < at or one.elements is not None or one.bits is not None:
            raise ValueError(f"the field at {one.offset} shares bytes with another one, or is an array")
        text += f"{one.offset - at}x", _CODES[one.width]
        at = one.offset + one.width
    return "".join(text)
