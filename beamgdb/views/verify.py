"""What is wrong on heaps, as `beam-verify` shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from beamgdb.node import Node
from beamgdb.terms.source import Limits
from beamgdb.views.listing import damaged_lines
from beamgdb.vm.heap_check import HeapCheck, Wrong
from beamgdb.vm.heap_walk import Found
from beamgdb.vm.processes import Process

BRIEF = Limits(depth=2, width=5, bytes=40, nodes=20)
"""How much is shown of a term in which something is wrong."""


@dataclass(frozen=True)
class WrongRow:
    """What is wrong in memory of `owner`, in its `area`: the word at `address`, None where there is none to be shown;
    `inside` is the text of the term that it is in, if it is in one, and `place` the number of the word there."""

    owner: str
    area: str
    address: int
    word: int | None
    what: str
    inside: str | None
    place: int | None


@dataclass(frozen=True)
class WalkedRow:
    """How much was gone through: blocks of memory with terms, and bytes. `passed_over` are processes that are being
    collected, `wrong` is how many rows there are of what is wrong."""

    heaps: int
    bytes: int
    passed_over: int
    wrong: int


class Verified:
    """What is found on the heaps of a VM, or of one process."""

    def __init__(self, node: Node, process: Process | None, advance: Callable[[], None]) -> None:
        """`advance` is called for each piece of memory."""
        self._node, self._process = node, process
        self._check = HeapCheck(node, advance)
        self._wrong = 0

    def rows(self) -> Iterator[WrongRow]:
        """What is wrong."""
        check, process = self._check, self._process
        for found in check.everywhere() if process is None else iter([check.of_process(process)]):
            for wrong in found:
                self._wrong += 1
                yield self._row(wrong)

    def walked(self) -> WalkedRow:
        """How much was gone through so far."""
        check = self._check
        return WalkedRow(check.heaps, check.bytes, check.passed_over, self._wrong)

    def notes(self) -> Iterator[str]:
        """What is said of what cannot be read."""
        return damaged_lines(self._check.damaged)

    def _row(self, wrong: Wrong) -> WrongRow:
        found, inside, place = wrong.inside, None, None
        if found is not None:
            inside = self._text(found)
            place = (wrong.address - found.address) // self._node.memory.word_size
        return WrongRow(wrong.owner.text, wrong.area, wrong.address, wrong.word, wrong.what, inside, place)

    def _text(self, found: Found) -> str:
        if found.form is None:
            return f"the list cell at {found.address:#x}"
        return f"{self._node.boxed(found.address, BRIEF)} at {found.address:#x}"


def line(row: WrongRow) -> str:
    """The text of what is wrong."""
    inside = f", word {row.place} of {row.inside}" if row.inside is not None and row.place else ""
    if row.word is None:
        return f"{row.owner} {row.area}: {row.what}, at {row.address:#x}{inside}"
    return f"{row.owner} {row.area}: {row.word:#x} {row.what}, at {row.address:#x}{inside}"


def summary(row: WalkedRow) -> str:
    """The text of how much was gone through."""
    what = f"{row.wrong} things wrong" if row.wrong > 1 else "one thing wrong" if row.wrong else "nothing wrong"
    passed = f"; {row.passed_over} processes are being collected, and were passed over" if row.passed_over else ""
    return f"{what} in {row.heaps} heaps, {row.bytes} bytes{passed}"
