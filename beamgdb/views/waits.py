"""Calls in flight, as `beam-waits` shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.errors import one_line
from beamgdb.views.listing import Column, damaged_lines
from beamgdb.views.process_list import ProcessColumns
from beamgdb.vm import old_literals, purging, waits
from beamgdb.vm.model import Unavailable
from beamgdb.vm.old_literals import Collection
from beamgdb.vm.process_list import Noted
from beamgdb.vm.processes import Process
from beamgdb.vm.purging import Purge
from beamgdb.vm.waits import Wait
from jit.otp.tags import ATOM, IMMED1_MASK, IMMED2_MASK, PORT

_T = TypeVar("_T")

WHO_CHANGES_CODE = "(who changes code)"
"""Where that is not known."""

MOST_NAMED = 20
"""Of a circle."""


@dataclass(frozen=True)
class WaitRow:
    """A process, what it is called, and whom it waits for: what that is called, does, and has to do yet. `is_sure`: see
    `vm.waits.Wait`."""

    pid: str
    called: str | None
    target: str
    target_called: str | None
    target_status: str | None
    target_current: str | None
    target_queue: int | None
    is_sure: bool


class WaitColumns:
    """What is shown of each call, and who waits in circles."""

    def __init__(self, node: Node, shown: ProcessColumns, advance: Callable[[], None] = lambda: None) -> None:
        """`shown` tells what processes are called, and where they are; `advance` is called for each, twice where
        somebody waits."""
        self._advance = advance
        self._node = node
        self._shown = shown
        self._list = shown.list
        self.cycles: list[list[str]] = []
        self.busy: Counter[str] = Counter()
        """How many wait for which port or node that is busy."""
        self.purge: Purge | None = None
        """The purge that is under way."""
        self.literals: Collection | None = None
        """The collection of literals that purges have left."""
        self.damaged: list[Unreadable] = []
        self.unsure: list[str] = []
        """Who may wait for other messages too."""
        self.unknown: dict[str, str] = {}
        """What could not be asked, and why."""

    def items(self) -> Iterator[WaitRow]:
        """All calls in flight."""
        self.purge = self._or_note("who waits for a purge", purging.purge)
        self.literals = self._or_note("who keeps old literals", old_literals.collection)
        of_purge = waits.of_purge(self.purge) if self.purge is not None else ()
        of_literals = waits.of_literals(self.literals) if self.literals is not None else ()
        of_code = (*of_purge, *of_literals, *self._of_permission())
        calls = tuple(waits.waits(self._node, self._candidates(), self.damaged))
        to_ports = self._or_note("who waits to send to ports", lambda node: [*waits.of_ports(node, self.damaged)])
        to_nodes = self._or_note("who waits to send to nodes", lambda node: [*waits.of_nodes(node, self.damaged)])
        found = [*calls, *of_code, *(to_ports or ()), *(to_nodes or ())]
        found.sort(key=lambda one: not one.is_sure)
        wanted = {one.waiter for one in found} | {one.target for one in found}
        known: dict[str, Noted] = {}
        names: dict[str, str] = {}
        if found:
            for noted in self._list:
                self._advance()
                if not isinstance(noted, Noted):
                    continue
                name = self._list.registered_name(noted)
                if noted.id in wanted or name:
                    pid = self._list.pid(noted)
                    known[pid] = noted
                    if name:
                        names[name] = pid
        edges: dict[str, list[str]] = {}
        rows: list[WaitRow] = []
        for one in found:
            waiter = self._node.term(one.waiter)
            what = self._elsewhere(one)
            if what is not None or one.target is None:
                rows.append(self._row(one, waiter, what or WHO_CHANGES_CODE, known))
                continue
            target = self._node.term(one.target)
            if one.target & IMMED2_MASK == ATOM:
                target = names.get(target) or self._shown.module(target)
            if one.is_sure:
                edges.setdefault(waiter, []).append(target)
            rows.append(self._row(one, waiter, target, known))
        self.cycles = waits.cycles(edges)
        self.unsure = [row.pid for row in rows if not row.is_sure]
        yield from rows

    def _elsewhere(self, wait: Wait) -> str | None:
        """The node or port that a process sends to, or who has a name on another node; None where it waits for a
        process of this one."""
        is_name = wait.target is not None and wait.target & IMMED2_MASK == ATOM
        if wait.node is not None and wait.target is not None and is_name:
            return f"{{{self._node.term(wait.target)},{self._node.term(wait.node)}}}"
        if wait.node is not None:
            what = f"node {self._node.term(wait.node)}"
        elif wait.target is not None and wait.target & IMMED1_MASK == PORT:
            what = self._node.term(wait.target)
        else:
            return None
        self.busy[what] += 1
        return what

    def _candidates(self) -> Iterator[Process]:
        """Those that may wait for an answer: what the VM notes of each is read faster than its stack."""
        for noted in self._list:
            self._advance()
            if isinstance(noted, Unreadable):
                self.damaged.append(noted)
            # (Where it is not known whether there are monitors, that is told when they are asked for.)
            if not isinstance(noted, Noted) or self._list.status(noted) != "waiting":
                continue
            if noted.monitors != 0 or self._shown.current(noted) == waits.STARTING:
                yield self._list.process(noted)

    def _row(self, wait: Wait, waiter: str, target: str, known: dict[str, Noted]) -> WaitRow:
        mine, other = known.get(waiter), known.get(target)
        return WaitRow(
            waiter,
            self._shown.called(mine) if mine else None,
            target,
            self._shown.called(other) if other else None,
            self._list.status(other) if other else None,
            self._shown.current(other) if other else None,
            self._list.queue_length(other) if other else None,
            wait.is_sure,
        )

    @property
    def columns(self) -> Sequence[Column[WaitRow]]:
        return (
            Column("pid", str, lambda one: one.pid, "WAITS", names=True),
            Column("called", str, lambda one: one.called, "NAME, LABEL OR FUNCTION"),
            Column("for", str, lambda one: one.target, "FOR"),
            Column("for_called", str, lambda one: one.target_called, "NAME, LABEL OR FUNCTION"),
            Column("for_queue", int, lambda one: one.target_queue, "QUEUE"),
            Column("for_status", str, lambda one: one.target_status),
            Column("for_current", str, lambda one: one.target_current, "IN"),
            Column("sure", str, lambda one: "yes" if one.is_sure else "no"),
        )

    def _of_permission(self) -> Iterator[Wait]:
        unknown: list[str] = []
        yield from waits.of_permission(self._node, unknown)
        for text in unknown:
            what, _, why = text.partition(" is not known: ")
            self.unknown[what] = why

    def _or_note(self, what: str, ask: Callable[[Node], _T | None]) -> _T | None:
        try:
            return ask(self._node)
        except (Unreadable, Unavailable, KeyError) as error:
            self.unknown[what] = one_line(error)
            return None

    def notes(self) -> Iterator[str]:
        """Deadlocks, and what could not be asked."""
        for cycle in self.cycles:
            yield f"Deadlock: {circle(cycle)}"
        if self.unsure:
            others = len(self.unsure) - 1
            more = f" and {others} other{'s' * (others > 1)}" if others else ""
            yield f"(sure=no: {self.unsure[0]}{more} may take other messages too)"
        yield from (f"({what} is not known: {why})" for what, why in self.unknown.items())
        yield from damaged_lines(self.damaged)


def circle(cycle: Sequence[str]) -> str:
    """Who waits for whom in a circle of pids; of a long one, with whom it begins."""
    if len(cycle) > MOST_NAMED:
        return f"{' waits for '.join(cycle[:MOST_NAMED])}, and so on: {len(cycle)} in a circle"
    return " waits for ".join([*cycle, cycle[0]])
