"""The same fields of many structures, in few reads: a VM has up to 2^27 processes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, Optional

from beamgdb.memory import CachedMemory, Unreadable
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
        self._memory = memory
        known = {path: layout.field(name, path) for path in paths if layout.has(name, path)}
        in_order = sorted(known, key=lambda path: known[path].offset)
        self._first = known[in_order[0]].offset if in_order else 0
        self._struct = struct.Struct(_format(memory, [known[path] for path in in_order], self._first))
        # Values are in order of offsets, then come None and the address.
        places = [in_order.index(path) if path in known else len(in_order) for path in paths]
        self._arranged: Any = itemgetter(len(in_order) + 1, *places)

    def of(self, addresses: Sequence[int]) -> list[Row | None]:
        """A row for each address, in their order; None for a structure that cannot be read."""
        rows: list[Row | None] = [None] * len(addresses)
        order = sorted(range(len(addresses)), key=addresses.__getitem__)
        for group in self._groups(addresses, order):
            self._fill(rows, addresses, group)
        return rows

    def _groups(self, addresses: Sequence[int], order: list[int]) -> Iterator[list[int]]:
        """Those that are read together, of all in order of their addresses."""
        start = 0
        for at in range(1, len(order) + 1):
            if at < len(order):
                here = addresses[order[at]]
                near = here - addresses[order[at - 1]] <= GAP + self._struct.size
                if near and here - addresses[order[start]] < LARGEST - self._struct.size:
                    continue
            yield order[start:at]
            start = at

    def _fill(self, rows: list[Row | None], addresses: Sequence[int], group: list[int]) -> None:
        """Read a group; where that fails, its halves."""
        if not group:
            return
        base = addresses[group[0]]
        size = addresses[group[-1]] - base + self._struct.size
        try:
            data = self._memory.read(base + self._first, size)
        except Unreadable:
            if len(group) > 1:
                half = len(group) // 2
                self._fill(rows, addresses, group[:half])
                self._fill(rows, addresses, group[half:])
            return
        unpack, arranged = self._struct.unpack_from, self._arranged
        for index in group:
            address = addresses[index]
            rows[index] = arranged((*unpack(data, address - base), None, address))


def _format(memory: CachedMemory, fields: list[Field], start: int) -> str:
    """That of `struct` for fields in order of their offsets, from the first one on."""
    text, at = ["<" if memory.byteorder == "little" else ">"], start
    for one in fields:
        if one.offset < at or one.elements is not None or one.bits is not None:
            raise ValueError(f"the field at {one.offset} shares bytes with another one, or is an array")
        text += f"{one.offset - at}x", _CODES[one.width]
        at = one.offset + one.width
    return "".join(text)
