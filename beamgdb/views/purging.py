"""Old code, who is in it, what a purge waits for, and who keeps literals of purged code, as `beam-purge` shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.listing import Column, damaged_lines
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.threads import Threads
from beamgdb.vm import old_literals, purging
from beamgdb.vm.model import Unavailable
from beamgdb.vm.old_literals import Collection
from beamgdb.vm.process_list import Noted
from beamgdb.vm.processes import Process
from beamgdb.vm.purging import OldCode, Purge

UNANSWERED = "has not answered"
DYING = "was killed, and has not ended"
RUNNING = "keeps a scheduler"
HOLDS = "holds old literals"
UNCOPIED = "has not told of old literals"


@dataclass(frozen=True)
class PurgeRow:
    """A process in old code of a module, or for which a purge of it waits, or the collection of literals that purges
    have left: which of these, and where in old code. It is not known of which module such literals are."""

    pid: str
    called: str | None
    module: str | None
    how: str
    place: str | None
    status: str | None
    current: str | None


class PurgeColumns:
    """What is shown of each process, and of the purge."""

    def __init__(self, node: Node, threads: Threads, shown: ProcessColumns, advance: Callable[[], None]) -> None:
        """`shown` tells what processes are called, and where they are; `advance` is called for each."""
        self._advance = advance
        self._node = node
        self._threads = threads
        self._shown = shown
        self._old: OldCode | None = None
        self._purge: Purge | None = None
        self._literals: Collection | None = None
        self._unknown: list[str] = []

    def items(self) -> Iterator[PurgeRow]:
        """Those for which a purge waits, or the collection of old literals, then those in old code."""
        try:
            self._purge = purging.purge(self._node, self._advance)
        except (Unreadable, Unavailable, KeyError) as error:
            self._unknown.append(f"whether a purge is under way is not known: {error}")
        try:
            self._literals = old_literals.collection(self._node, self._advance)
        except (Unreadable, Unavailable, KeyError) as error:
            self._unknown.append(f"whether old literals are collected is not known: {error}")
        purge = self._purge
        if purge is not None:
            module = self._node.term(purge.module) if purge.module is not None else None
            for process in purge.unanswered:
                yield self._row(process, module, UNANSWERED, None)
            for process in purge.running:
                yield self._row(process, module, RUNNING, None)
            for pid in purge.dying:
                process_or_none = self._process(pid)
                if process_or_none is None:
                    yield PurgeRow(self._node.term(pid), None, module, DYING, None, None, None)
                else:
                    yield self._row(process_or_none, module, DYING, None)
        literals = self._literals
        if literals is not None:
            for process in literals.running:
                yield self._row(process, None, RUNNING, None)
            for process in literals.unanswered:
                yield self._row(process, None, HOLDS if literals.holds(process) else UNCOPIED, None)
        try:
            self._old = old = OldCode(self._node, self._advance)
        except (Unreadable, Unavailable, KeyError) as error:
            self._unknown.append(f"which code is old is not known: {error}")
            return
        if old.modules and not old.knows_calls:
            self._unknown.append("who has begun a native call in old code is not known for this VM")
        running = ((one, self._threads.levels(one)) for one in self._threads.by_schedulers())
        for found in old.holders(running):
            place = self._node.code.find(found.at)
            yield self._row(
                found.process, self._node.term(found.module), found.how, place.code.name if place is not None else None
            )

    def _process(self, pid: int) -> Process | None:
        return next((one for one in self._node.processes if one.id == pid), None)

    def _row(self, process: Process, module: str | None, how: str, place: str | None) -> PurgeRow:
        noted = self._shown.list.of(process)
        if not isinstance(noted, Noted):
            return PurgeRow(self._node.term(process.id), None, module, how, place, None, None)
        return PurgeRow(
            self._shown.list.pid(noted), self._shown.called(noted), module, how, place, self._shown.list.status(noted),
            self._shown.current(noted),
        )  # fmt: skip

    @property
    def columns(self) -> Sequence[Column[PurgeRow]]:
        return (
            Column("pid", str, lambda one: one.pid, "PID", names=True),
            Column("called", str, lambda one: one.called, "NAME, LABEL OR FUNCTION"),
            Column("module", str, lambda one: one.module, "OLD MODULE", names=True),
            Column("how", str, lambda one: one.how, "HOW", names=True),
            Column("place", str, lambda one: one.place, "PLACE"),
            Column("status", str, lambda one: one.status),
            Column("current", str, lambda one: one.current, "CURRENT FUNCTION"),
        )

    def notes(self) -> Iterator[str]:
        """What is purged, and which old code there is."""
        if self._purge is not None:
            yield f"{under_way(self._node, self._purge)}."
        if self._literals is not None:
            yield f"{not_freed(self._node, self._literals)}."
        yield from (f"({one})" for one in self._unknown)
        if self._old is not None:
            names = ", ".join(self._node.term(one.name) for one in self._old.modules)
            yield f"Modules with old code: {names}" if names else "No module has old code."
            yield from damaged_lines(self._old.damaged)


def under_way(node: Node, purge: Purge) -> str:
    """Which purge is under way, for whom, and for how many it waits."""
    module = node.term(purge.module) if purge.module is not None else "a module"
    asked = f", asked for by {node.term(purge.requester)}," if purge.requester is not None else ""
    parts = []
    if purge.unanswered:
        parts.append(_many(node, [one.id for one in purge.unanswered], "to tell whether they use its code"))
    if purge.running:
        parts.append(_many(node, [one.id for one in purge.running], "to let a scheduler go on"))
    if purge.dying:
        parts.append(_many(node, list(purge.dying), "to end"))
    return f"A purge of {module}{asked} waits for {' and '.join(parts) or 'nobody that is seen'}"


def not_freed(node: Node, literals: Collection) -> str:
    """For whom the collection of old literals waits."""
    size = f" ({literals.size} bytes)" if literals.size is not None else ""
    if literals.running:
        what = _many(node, [one.id for one in literals.running], "to let a scheduler go on")
    else:
        what = _many(node, [one.id for one in literals.unanswered], "to copy what they have of them")
    return f"Literals of purged code{size} are not freed: {node.term(literals.collector.id)} waits for {what}"


def _many(node: Node, pids: Sequence[int], what: str) -> str:
    return f"{', '.join(map(node.term, pids[:3]))}{f' and {len(pids) - 3} more' if len(pids) > 3 else ''} {what}"


def suspects(node: Node, shown: ProcessColumns, purge: Purge | None, literals: Collection | None) -> Iterator[str]:
    """A purge that is under way, and a collection of old literals, that wait for somebody who is seen: a line for each,
    with where the first one is that it waits for."""
    try:
        if purge is not None and purge.is_held_up:
            first = next(iter((*purge.running, *purge.unanswered)), None)
            yield f"a{under_way(node, purge)[1:]}{_where(node, shown, first)} (see `beam-purge`)"
        if literals is not None:
            first = (*literals.running, *literals.unanswered)[0]
            yield f"l{not_freed(node, literals)[1:]}{_where(node, shown, first)} (see `beam-purge`)"
    except (Unreadable, Unavailable, KeyError):
        return


def _where(node: Node, shown: ProcessColumns, process: Process | None) -> str:
    noted = shown.list.of(process) if process is not None else None
    current = shown.current(noted) if isinstance(noted, Noted) else None
    return f"; {node.term(process.id)} is in {current}" if process is not None and current else ""
