"""The supervision tree, as `beam-tree` shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from typing import Final

from beamgdb.late import dataclass
from beamgdb.node import Node
from beamgdb.views.listing import Column
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.terms import Terms
from beamgdb.vm import process_dictionary
from beamgdb.vm.process_list import Noted
from beamgdb.vm.supervision import Child, Notes, Supervision, Supervisor

DEEPEST: Final = 200
"""Levels of the tree; what is deeper stands at this one."""

NOT_SUPERVISED: Final = "not supervised"


@dataclass(frozen=True)
class TreeRow:
    """A process in the tree, or a child that does not run, which has no `pid`. `kind` is application (of its master),
    supervisor or worker, as its supervisor has it, or process: one that only notes who started it. `id` and `restart`
    are those of its specification; `strategy` and `restarts`, those within its period, of a supervisor. Above those
    that belong to no application stands one of the kind "not supervised"."""

    depth: int
    pid: str | None
    name: str | None
    called: str | None
    label: str | None
    id: str | None
    kind: str
    restart: str | None
    strategy: str | None
    restarts: int | None
    status: str | None
    parent: str | None
    application: str | None


@dataclass
class _Member:
    """A process, and what hangs below it: children by their supervisor's state, and those that note it."""

    noted: Noted
    notes: Notes
    supervisor: Supervisor | None = None
    as_child: Child | None = None
    parent: int | None = None
    below: list[int] = field(default_factory=list)


class TreeColumns:
    """What is shown of each process."""

    def __init__(self, node: Node, shown: ProcessColumns, terms: Terms) -> None:
        self._node = node
        self._shown = shown
        self._terms = terms
        self._supervision = Supervision(node)
        self._lost = 0
        """Supervisors whose state was not found."""

    def items(self) -> Iterator[TreeRow]:
        """First all applications, then what belongs to none. Raises KeyError where it is not known what processes note
        of who has started them."""
        process_dictionary.require(self._node.layout)
        members = self._members()
        masters = {pid: name for pid, name in self._supervision.applications().items() if pid in members}
        self._place(members, masters)
        seen: set[int] = set()
        for pid, name in masters.items():
            yield from self._below(members, pid, name, 0, seen)
        # What is in a circle, which no tree is, has no root.
        roots = [pid for pid, one in members.items() if one.parent is None and pid not in seen]
        is_first = True
        for pid in (*roots, *members):
            if pid in seen:
                continue
            if is_first:
                yield TreeRow(0, None, None, None, None, None, NOT_SUPERVISED, None, None, None, None, None, None)
                is_first = False
            yield from self._below(members, pid, None, 1, seen)

    def _members(self) -> dict[int, _Member]:
        """All processes by their pids."""
        members: dict[int, _Member] = {}
        for noted in self._shown.items():
            if noted.id is None:
                continue
            process = self._shown.list.process(noted)
            notes = self._supervision.notes(process) if noted.dictionary != 0 else Notes()
            member = members[noted.id] = _Member(noted, notes)
            if self._supervision.is_supervisor(notes):
                member.supervisor = self._supervision.supervisor(process)
                self._lost += member.supervisor is None
        return members

    def _place(self, members: dict[int, _Member], masters: dict[int, str]) -> None:
        """Give everybody a parent: the supervisor that has it for a child, else the nearest ancestor that is alive. An
        application's master has a second process, which notes nothing, and starts what is on top."""
        for pid, member in members.items():
            for child in member.supervisor.children if member.supervisor is not None else ():
                other = members.get(child.pid) if child.pid is not None else None
                if other is not None and other.parent is None:
                    other.as_child, other.parent = child, pid
        names: dict[str, int] = {}
        for pid, member in members.items():
            if member.noted.registration and (name := self._shown.list.registered_name(member.noted)):
                names[name] = pid
        for pid, member in members.items():
            if member.parent is None and pid not in masters:
                member.parent = self._ancestor(pid, member, members, names, masters)
            if member.parent is not None and member.as_child is None:
                members[member.parent].below.append(pid)

    def _ancestor(
        self, pid: int, member: _Member, members: dict[int, _Member], names: dict[str, int], masters: dict[int, str]
    ) -> int | None:
        for word in member.notes.ancestors:
            found = word if word in members else names.get(self._node.term(word))
            if found is not None and found != pid:
                return found
        return member.noted.parent if member.noted.parent in masters else None

    def _below(
        self, members: dict[int, _Member], root: int, application: str | None, depth: int, seen: set[int]
    ) -> Iterator[TreeRow]:
        """A process and all below it."""
        pending: list[tuple[int | Child, int, int | None]] = [(root, depth, None)]
        while pending:
            one, depth, parent = pending.pop()
            above = self._pid(members[parent]) if parent is not None else None
            if isinstance(one, Child):
                yield self._missing(one, depth, above, application)
                continue
            if one in seen:
                continue
            seen.add(one)
            member = members[one]
            yield self._row(member, depth, above, application)
            children = member.supervisor.children if member.supervisor is not None else ()
            for below in reversed((*self._known(children, members, one), *member.below)):
                pending.append((below, min(depth + 1, DEEPEST), one))

    def _known(self, children: Iterable[Child], members: dict[int, _Member], parent: int) -> Iterator[int | Child]:
        """The processes that children are; the children themselves where they are none."""
        for child in children:
            other = members.get(child.pid) if child.pid is not None else None
            if other is None:
                yield child
            elif other.parent == parent and child.pid is not None:
                yield child.pid

    def _row(self, member: _Member, depth: int, parent: str | None, application: str | None) -> TreeRow:
        noted, notes, child = member.noted, member.notes, member.as_child
        is_master = application is not None and depth == 0
        known = "supervisor" if member.supervisor is not None else "process"
        name = self._shown.name(noted)
        return TreeRow(
            depth=depth,
            pid=self._pid(member),
            name=name,
            called=name or self._label(notes) or self._started_as(notes) or self._shown.called(noted),
            label=self._label(notes),
            id=self._text(child.id) if child is not None else None,
            kind="application" if is_master else child.kind if child is not None else known,
            restart=child.restart if child is not None else None,
            strategy=member.supervisor.strategy if member.supervisor is not None else None,
            restarts=member.supervisor.restarted if member.supervisor is not None else None,
            status=self._shown.list.status(noted),
            parent=parent,
            application=application,
        )

    def _missing(self, child: Child, depth: int, parent: str | None, application: str | None) -> TreeRow:
        """One that does not run, or of which its supervisor does not know yet that it has ended."""
        status = "ended" if child.pid is not None else child.state
        return TreeRow(
            depth, None, None, None, None, self._text(child.id), child.kind, child.restart, None, None, status, parent,
            application,
        )  # fmt: skip

    def _pid(self, member: _Member) -> str:
        return self._shown.list.pid(member.noted)

    def _text(self, word: int | None) -> str | None:
        return self._terms.text(word) if word is not None else None

    def _label(self, notes: Notes) -> str | None:
        return self._text(notes.label)

    def _started_as(self, notes: Notes) -> str | None:
        call = self._supervision.initial_call(notes)
        return self._terms.syntax.function(call) if call else None

    @property
    def columns(self) -> Sequence[Column[TreeRow]]:
        return (
            Column("tree", str, self._in_tree, "PROCESS"),
            Column("called", str, lambda one: one.called, "NAME, LABEL OR FUNCTION"),
            Column("id", str, lambda one: one.id, "ID"),
            Column("role", str, self._role, "ROLE"),
            Column("kind", str, lambda one: one.kind),
            Column("restart", str, lambda one: one.restart),
            Column("status", str, lambda one: one.status),
            Column("restarts", int, lambda one: one.restarts),
            Column("strategy", str, lambda one: one.strategy),
            Column("depth", int, lambda one: one.depth),
            Column("pid", str, lambda one: one.pid),
            Column("name", str, lambda one: one.name),
            Column("label", str, lambda one: one.label),
            Column("parent", str, lambda one: one.parent),
            Column("application", str, lambda one: one.application),
        )

    @staticmethod
    def _in_tree(one: TreeRow) -> str:
        is_heading = one.kind == NOT_SUPERVISED
        what = f"{one.application} {one.pid}" if one.kind == "application" else one.pid or f"({one.status})"
        return NOT_SUPERVISED if is_heading else "  " * one.depth + what

    @staticmethod
    def _role(one: TreeRow) -> str | None:
        if one.kind in ("process", NOT_SUPERVISED):
            return None
        again = f", restarts: {one.restarts}" if one.restarts else ""
        return " ".join(filter(None, (one.restart, one.kind))) + again

    def notes(self) -> Iterator[str]:
        """What is said of what cannot be shown."""
        if self._lost:
            yield f"(the states of {self._lost} supervisors were not found: who notes them as ancestors is below them)"
        yield from self._shown.notes()
