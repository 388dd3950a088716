"""Terms by their shapes, and those of one process one by one, as `beam-heap` shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.listing import Column, damaged_lines
from beamgdb.views.terms import Terms
from beamgdb.vm.heap_shapes import HeapShapes
from beamgdb.vm.heap_walk import Walker
from beamgdb.vm.heaps import PLACES, Heaps
from beamgdb.vm.processes import Process
from beamgdb.vm.shape import Shape
from jit.otp.tags import CONS


def _in_place(place: str) -> Column[Shape]:
    return Column(place, int, lambda one: one.places.get(place, 0))


class ShapeColumns:
    """What is shown of each shape; of all terms, or of those of one process."""

    columns: Sequence[Column[Shape]] = (
        Column("kind", str, lambda one: one.kind, "KIND"),
        Column("shape", str, lambda one: one.name, "SHAPE"),
        Column("count", int, lambda one: one.count, "COUNT"),
        Column("bytes", int, lambda one: one.bytes, "BYTES"),
        Column("outside", int, lambda one: one.outside, "OUTSIDE"),
        Column("largest", int, lambda one: one.largest),
        Column("address", str, lambda one: hex(one.address), "LARGEST AT", names=True),
        Column("owner", str, lambda one: one.owner.text if one.owner is not None else None),
        *map(_in_place, PLACES),
    )

    def __init__(self, node: Node, process: Process | None, advance: Callable[[], None]) -> None:
        """`advance` is called for each piece of memory."""
        self._counted = HeapShapes(node, advance)
        self._process = process

    def items(self) -> Iterator[Shape]:
        """All shapes."""
        if self._process is None:
            self._counted.everywhere()
        else:
            self._counted.of_process(self._process)
        yield from self._counted.shapes()

    def notes(self) -> Iterator[str]:
        """How much was gone through, and what is said of what cannot be read."""
        yield f"({self._counted.walked} bytes of terms)"
        if self._counted.wrong:
            yield f"({self._counted.wrong} words begin no term: `beam-verify` tells of them)"
        if untold := self._counted.binaries.untold:
            yield f"({untold} references to shared binaries: OUTSIDE may have some of these several times)"
        yield from damaged_lines(self._counted.damaged)


@dataclass(frozen=True)
class Thing:
    """A thing or a cell of `size` bytes in the memory of a process. Its term is a word."""

    address: int
    area: str
    kind: str
    size: int
    word: int


class ThingColumns:
    """What is shown of each thing on the heaps of a process."""

    def __init__(self, node: Node, process: Process, terms: Terms) -> None:
        self._heaps, self._walker = Heaps(node), Walker(node.memory, node.tags)
        self._process, self._terms = process, terms

    def items(self) -> Iterator[Thing]:
        """All that lies there, in the order of memory, whether something leads to it or not."""
        for area in self._heaps.of_process(self._process):
            try:
                for thing in self._walker.everything(area.start, area.end):
                    kind = "list cell" if thing.form is None else thing.form.kind.value
                    yield Thing(thing.address, area.kind, kind, thing.size * self._walker.word_size, thing.word)
            except Unreadable as error:
                self._heaps.damaged.append(error)

    @property
    def columns(self) -> Sequence[Column[Thing]]:
        return (
            Column("address", str, lambda one: hex(one.address), "ADDRESS", names=True),
            Column("area", str, lambda one: one.area, "IN"),
            Column("kind", str, lambda one: one.kind),
            Column("bytes", int, lambda one: one.size, "BYTES"),
            Column("term", str, self._term, "TERM"),
        )

    def _term(self, thing: Thing) -> str:
        return self._terms.text(thing.word) if thing.word & CONS else self._terms.boxed(thing.address)

    def notes(self) -> Iterator[str]:
        """What is said of what cannot be read."""
        return damaged_lines(self._heaps.damaged)
