"""Memory that GDB must not write breakpoints into: declared as read-only to it, as `mem` does.

GDB then uses hardware breakpoints there by itself, or says that it cannot. It has one list of regions for all programs,
in which those of the user stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import gdb

from beamgdb.gdbext import front_end
from beamgdb.gdbext.c_expressions import in_c

Area = tuple[int, int]
"""Start, and end (exclusive)."""

_REGION = re.compile(r"^(\d+) +[yn]\s+(0x[0-9a-f]+)\s+(0x[0-9a-f]+)\s", re.M)
"""A line of `info mem`: number, start and end."""

_DEFAULT = "mem inaccessible-by-default"


class ReadOnlyMemory:
    """What GDB has been told, of all its inferiors."""

    def __init__(self) -> None:
        self._wanted: dict[int, set[Area]] = {}
        """By the number of an inferior."""
        self._declared: dict[Area, int] = {}
        """What GDB has of that, and by which number."""
        self._default = True
        """What `_DEFAULT` was before."""

    def declare(self, inferior: int, areas: Collection[Area]) -> None:
        """Have exactly these areas be read-only for an inferior."""
        self._wanted[inferior] = set(areas)
        self._update()

    def release(self, inferior: int) -> None:
        """The process has ended, or GDB has left it: its areas mean nothing any more."""
        if self._wanted.pop(inferior, None):
            self._update()

    def _update(self) -> None:
        wanted = set(_merged(area for areas in self._wanted.values() for area in areas))
        if gone := [number for area, number in self._declared.items() if area not in wanted]:
            self._declared = {area: number for area, number in self._declared.items() if area in wanted}
            _have("delete mem", gone)
        new = sorted(wanted - self._declared.keys())
        if new and not self._declared:
            # Without this, memory outside of all declared areas would be out of reach.
            self._default = bool(gdb.parameter(_DEFAULT))
            front_end.taken(f"set {_DEFAULT} off")
        with in_c():
            for start, stop in new:
                front_end.taken(f"mem {start:#x} {stop:#x} ro")
        regions = _regions()
        self._declared.update((area, regions[area]) for area in new if area in regions)
        if gone and not self._declared:
            if not regions:
                front_end.taken("mem auto")
            front_end.taken(f"set {_DEFAULT} {'on' if self._default else 'off'}")

    def holds(self, address: int) -> bool:
        """Whether an address is in a declared area."""
        return any(start <= address < stop for start, stop in self._declared)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Allow to write there meanwhile."""
        _have("disable mem", self._declared.values())
        try:
            yield
        finally:
            _have("enable mem", self._declared.values())


def _have(command: str, numbers: Collection[int]) -> None:
    """A command for some regions: for none it would be for all."""
    if numbers:
        front_end.taken(f"{command} {' '.join(map(str, numbers))}")


def _regions() -> dict[Area, int]:
    """Those that GDB has, and their numbers."""
    said = front_end.taken("info mem")
    return {(int(start, 16), int(stop, 16)): int(number) for number, start, stop in _REGION.findall(said)}


def _merged(areas: Iterable[Area]) -> Iterator[Area]:
    """Areas that touch or overlap, together: GDB takes none twice."""
    start = stop = 0
    for low, high in sorted(areas):
        if low > stop and stop:
            yield start, stop
            start = stop = 0
        start, stop = start if stop else low, max(stop, high)
    if stop:
        yield start, stop
