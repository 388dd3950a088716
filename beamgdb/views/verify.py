"""What is wrong on heaps, as `beam-verify` shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from beamgdb.late import dataclass
from beamgdb.node import Node
from beamgdb.terms.source import Limits
from beamgdb.views.listing import damaged_lines
from beamgdb.vm import locks
from beamgdb.vm.ets import EtsTable
from beamgdb.vm.heap_check import HeapCheck, Wrong
from beamgdb.vm.heap_walk import Found
from beamgdb.vm.heaps import Owner
from beamgdb.vm.processes import Process
from beamgdb.vm.reference_counts import NAMES, Miscounted, ReferenceCounts, Surplus

BRIEF = Limits(depth=2, width=5, bytes=40, nodes=20)
"""How much is shown of a term in which something is wrong."""


WRITES = "(it runs: what it is just making there is no term yet)"


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
    collected, made or ended, `changing` tables that are being changed; `wrong` is how many rows there are of what is
    wrong, `missing` how often that cannot be told: the memory is not in the core file."""

    heaps: int
    bytes: int
    passed_over: int
    changing: int
    wrong: int
    missing: int = 0


class Verified:
    """What is found on the heaps of a VM, or of one process."""

    def __init__(self, node: Node, process: Process | None, advance: Callable[[], None]) -> None:
        """`advance` is called for each piece of memory."""
        self._node, self._process = node, process
        self._check = HeapCheck(node, advance)
        self._counts = ReferenceCounts(node, advance)
        self._in_tables = ", ".join(map(node.term, locks.in_ets(node))) if locks.tables_have_none(node) else ""
        self._wrong = 0

    def rows(self) -> Iterator[WrongRow]:
        """What is wrong."""
        check, process = self._check, self._process
        for found in check.everywhere() if process is None else iter([check.of_process(process)]):
            for wrong in found:
                self._wrong += 1
                yield self._row(wrong)
        # Who holds an object is not known before all have been asked.
        for miscounted in self._counts.miscounted() if process is None else ():
            self._wrong += 1
            yield self._counted(miscounted)

    def walked(self) -> WalkedRow:
        """How much was gone through so far."""
        check = self._check
        missing = len(check.missing) + len(self._counts.missing)
        return WalkedRow(check.heaps, check.bytes, check.passed_over, check.changing, self._wrong, missing)

    def notes(self) -> Iterator[str]:
        """What is said of what is held by more than is found, and of what cannot be read."""
        unread = {one.address: one for one in (*self._check.damaged, *self._counts.damaged)}
        is_all = not unread and not self.walked().missing
        for name, surplus in self._counts.surplus.items():
            if surplus.objects:
                yield _surplus(name, surplus, is_all)
        yield from damaged_lines(list(unread.values()))

    def _row(self, wrong: Wrong) -> WrongRow:
        found, inside, place = wrong.inside, None, None
        if found is not None:
            inside = self._text(found)
            place = (wrong.address - found.address) // self._node.memory.word_size
        what = f"{wrong.what} {WRITES}" if _runs(wrong.owner) else wrong.what
        if isinstance(wrong.owner.item, EtsTable) and self._in_tables:
            what += f" ({self._in_tables} may be just changing it: with one scheduler nobody locks tables)"
        return WrongRow(wrong.owner.text, wrong.area, wrong.address, wrong.word, what, inside, place)

    def _counted(self, wrong: Miscounted) -> WrongRow:
        name, found = NAMES.get(wrong.kind, "binary"), f"but {wrong.found} were found"
        if wrong.count is None:
            what = f"is none, {found}: it has been freed while it was held"
        else:
            references = "one reference" if wrong.count == 1 else f"{wrong.count} references"
            what = f"counts {references}, {found}: it is freed while it is held"
        owners = [owner.text for owner in wrong.owners]
        if len(owners) > 1:
            what += f", also by {', '.join(owners[1:])}"
        if any(map(_runs, wrong.owners)):
            what += " (one of them runs, and may be about to count)"
        return WrongRow(owners[0] if owners else "nobody", name, wrong.address, None, what, None, None)

    def _text(self, found: Found) -> str:
        if found.form is None:
            return f"the list cell at {found.address:#x}"
        return f"{self._node.boxed(found.address, BRIEF)} at {found.address:#x}"


def _runs(owner: Owner) -> bool:
    return isinstance(owner.item, Process) and owner.item.is_running()


def _surplus(name: str, surplus: Surplus, is_all: bool) -> str:
    """`is_all`: all that may hold some was looked at."""
    size = f", {surplus.bytes} bytes; the largest has {surplus.largest[0]}, at {surplus.largest[1]:#x}"
    return (
        f"({name}: {surplus.objects} count more references than were found{size if name == 'binary' else ''}."
        f" C code, ports, literals and persistent terms hold some{'' if is_all else ', and what cannot be read'};"
        " else somebody has not given them up)"
    )


def line(row: WrongRow) -> str:
    """The text of what is wrong."""
    inside = f", word {row.place} of {row.inside}" if row.inside is not None and row.place else ""
    if row.word is None:
        return f"{row.owner} {row.area}: {row.what}, at {row.address:#x}{inside}"
    return f"{row.owner} {row.area}: {row.word:#x} {row.what}, at {row.address:#x}{inside}"


def summary(row: WalkedRow) -> str:
    """The text of how much was gone through."""
    what = f"{row.wrong} things wrong" if row.wrong > 1 else "one thing wrong" if row.wrong else "nothing wrong"
    many = f"{row.passed_over} processes are" if row.passed_over > 1 else "one process is"
    passed = f"; {many} being collected, made or ended, and passed over" if row.passed_over else ""
    tables = f"{row.changing} tables are" if row.changing > 1 else "one table is"
    changing = f"; {tables} being changed, and passed over" if row.changing else ""
    places = f"in {row.missing} places" if row.missing > 1 else "in one place"
    missing = f"; {places} it cannot be told: what lies there is not in the core file" if row.missing else ""
    return f"{what} in {row.heaps} heaps, {row.bytes} bytes{passed}{changing}{missing}"
