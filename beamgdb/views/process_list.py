"""The list of processes, as `beam-ps` shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.listing import Column, Readable
from beamgdb.views.terms import Syntax
from beamgdb.views.threads import Threads
from beamgdb.vm import backtrace, process_dictionary
from beamgdb.vm.backtrace import StackEnds
from beamgdb.vm.process_list import Noted, ProcessList, fields
from beamgdb.vm.processes import Process
from beamgdb.vm.supervision import Supervision
from jit.otp.tags import IMMED1_MASK, PID

_REDUCTIONS, _ADDRESS = fields("reds"), fields("address")
_REGISTRATION, _DICTIONARY = fields("registration"), fields("dictionary")

BY_PROC_LIB: Final = frozenset(f"{module}init_p/{arity}" for module in ("proc_lib:", ":proc_lib.") for arity in (3, 5))
"""With what proc_lib spawns all of its processes (proc_lib.erl), as Erlang and as Elixir have it."""


class ProcessColumns(Readable[Noted]):
    """What is shown of each process, and of which nothing can be."""

    def __init__(self, node: Node, threads: Threads, syntax: Syntax) -> None:
        self.list = ProcessList(node)
        super().__init__(self.list)
        self._node = node
        self._threads = threads
        self._syntax = syntax
        self._supervision = Supervision(node)
        self._written: dict[str | None, str | None] = {}

    def notes(self) -> Iterator[str]:
        """What cannot be shown, and of how many it is not known exactly."""
        yield from super().notes()
        if self.list.estimated:
            count = len(self.list.estimated)
            of = "1 process" if count == 1 else f"{count} processes"
            yield f"(memory of {of} is estimated: of long queues by the first messages, of other nodes' as it came)"

    @property
    def columns(self) -> Sequence[Column[Noted]]:
        known, layout = self.list, self._node.layout
        # (Of a label and a parent, which not all have, it is known of all whether they have one, or of none.)
        return (
            Column.of("pid", str, known.pids, "PID", names=True),
            Column.of("memory", int, known.memories, "MEMORY", is_everywhere=True),
            Column.of("queue", int, known.queue_lengths, "QUEUE", is_everywhere=True),
            Column.of("status", str, known.statuses, "STATUS"),
            Column.of("name", str, self._names),
            Column.of("label", str, self._labels, is_everywhere=not process_dictionary.is_known(layout)),
            Column.of("spawned", str, self._spawned),
            Column.of("called", str, self._called, "NAME, LABEL OR FUNCTION"),
            Column.of("current", str, self._current, "CURRENT FUNCTION"),
            Column.of("reductions", int, lambda many: _REDUCTIONS(many)[0], is_everywhere=True),
            Column("parent", str, self._parent, is_everywhere=not layout.has("Process", "parent")),
            Column.of("address", int, lambda many: _ADDRESS(many)[0]),
        )

    def _functions(self, calls: Sequence[str | None]) -> list[str | None]:
        for call in {*calls} - self._written.keys():
            self._written[call] = self._syntax.function(call) if call else None
        return [self._written[call] for call in calls]

    def _spawned(self, many: Sequence[Noted]) -> list[str | None]:
        return self._functions(self.list.initial_calls(many))

    def called(self, noted: Noted) -> str | None:
        """The name that it is registered under, else its label, else its first function."""
        return self._called([noted])[0]

    def _called(self, many: Sequence[Noted]) -> list[str | None]:
        names, labels, first = self._names(many), self._labels(many), self._first(many)
        if not any(names) and not any(labels):
            return first
        return [name or label or call for name, label, call in zip(names, labels, first)]

    def _first(self, many: Sequence[Noted]) -> list[str | None]:
        """What it was spawned with; of what proc_lib spawns, which is always the same, what that is to call."""
        found = self._spawned(many)
        by_proc_lib = [at for at, call in enumerate(found) if call in BY_PROC_LIB]
        if by_proc_lib:
            (dictionaries,) = _DICTIONARY([many[at] for at in by_proc_lib])
            noted = self._supervision.initial_calls([dictionary or 0 for dictionary in dictionaries])
            for at, call in zip(by_proc_lib, self._functions(noted)):
                found[at] = call or found[at]
        return found

    def name(self, noted: Noted) -> str | None:
        """The name that it is registered under; many of Elixir's are those of modules."""
        name = self.list.registered_name(noted)
        return self.module(name) if name else None

    def module(self, name: str) -> str:
        """A module's name as users see it."""
        return self._syntax.module(name)

    def _names(self, many: Sequence[Noted]) -> list[str | None]:
        (registrations,) = _REGISTRATION(many)
        if not any(registrations):
            return [None] * len(many)
        return [self.name(many[at]) if registration else None for at, registration in enumerate(registrations)]

    def _labels(self, many: Sequence[Noted]) -> list[str | None]:
        """What they call themselves (`proc_lib:set_label/1`)."""
        labels = self._supervision.labels([dictionary or 0 for dictionary in _DICTIONARY(many)[0]])
        if not any(labels):
            return [None] * len(many)
        return [self._node.term(label) if label is not None else None for label in labels]

    def current(self, noted: Noted) -> str | None:
        """The function in which it is. Of a process that runs its thread knows it, not the VM."""
        return self._current([noted])[0]

    def _current(self, many: Sequence[Noted]) -> list[str | None]:
        found = self._functions(self.list.current_calls(many))
        statuses = self.list.statuses(many)
        if "running" in statuses:
            for at, status in enumerate(statuses):
                if status == "running" and self._threads.in_erlang(process := self.list.process(many[at])):
                    found[at] = self._running_in(process)
        return found

    def _running_in(self, process: Process) -> str | None:
        try:
            level = next(iter(self._threads.levels(process)), None)
            name = backtrace.function(self._node, process, level) if level is not None else None
        except (StackEnds, Unreadable):
            return None
        return self._syntax.function(name) if name else None

    def _parent(self, noted: Noted) -> str | None:
        is_pid = noted.parent is not None and noted.parent & IMMED1_MASK == PID
        return self._node.term(noted.parent) if is_pid and noted.parent else None
