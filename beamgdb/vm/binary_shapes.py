"""Binaries outside of heaps by their sizes, for `heap_shapes`: there may be as many as processes, and none is kept."""

from __future__ import annotations

from typing import Final, NamedTuple

from beamgdb.records.columns import Columns
from beamgdb.vm.heaps import Owner
from beamgdb.vm.model import Vm
from beamgdb.vm.shape import Shape, size_class

AT_ONCE: Final = 1 << 12
"""Binaries that are looked at together."""

MAX_SHARED: Final = 1 << 18
"""Binaries with several references that are told from others: those of more are counted once for each of these."""

KIND: Final = "binary outside"


class _Held(NamedTuple):
    """A thing of `size` bytes in memory of the kind `place` that leads to the binary at an address."""

    place: str
    binary: int
    size: int
    example: tuple[int, Owner]


class BinaryShapes:
    """Counts things that lead to binaries of a VM, by the sizes of these."""

    def __init__(self, vm: Vm) -> None:
        self._columns = Columns(vm.memory, vm.layout, "Binary", ("orig_size", "intern.refc"))
        self._held: list[_Held] = []
        self._shared: set[int] = set()
        self._shapes: dict[tuple[str, str], Shape] = {}
        self.untold = 0
        """References to binaries that have others, of more than `MAX_SHARED`: some may be of one that was counted."""

    def add(self, place: str, binary: int, size: int, example: tuple[int, Owner]) -> None:
        """Count one more."""
        self._held.append(_Held(place, binary, size, example))
        if len(self._held) >= AT_ONCE:
            self._look()

    def _look(self) -> None:
        for held, row in zip(self._held, self._columns.of([one.binary for one in self._held])):
            _, outside, references = row or (None, None, None)
            name = "of unknown size" if outside is None else f"{size_class(outside)} bytes"
            shape = self._shapes.setdefault((held.place, name), Shape(KIND, name))
            shape.add(held.place, 1, held.size, held.example, outside or 0)
            if outside is not None and held.binary not in self._shared:
                shape.outside += outside
                if references == 1:
                    continue
                if len(self._shared) < MAX_SHARED:
                    self._shared.add(held.binary)
                else:
                    self.untold += 1
        self._held.clear()

    def shapes(self) -> list[tuple[str, Shape]]:
        """All that have been counted, with the place of each."""
        self._look()
        return [(place, shape) for (place, _), shape in self._shapes.items()]
