"""The list of processes, as `beam-ps` shows it."""

from __future__ import annotations

from collections.abc import Sequence

from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.listing import Column, Readable
from beamgdb.views.terms import Syntax
from beamgdb.views.threads import Threads
from beamgdb.vm import backtrace
from beamgdb.vm.backtrace import StackEnds
from beamgdb.vm.process_list import Noted, ProcessList
from beamgdb.vm.supervision import Supervision
from jit.otp.tags import IMMED1_MASK, PID


class ProcessColumns(Readable[Noted]):
    """What is shown of each process, and of which nothing can be."""

    def __init__(self, node: Node, threads: Threads, syntax: Syntax) -> None:
        self.list = ProcessList(node)
        super().__init__(self.list)
        self._node = node
        self._threads = threads
        self._syntax = syntax
        self._supervision = Supervision(node)

    @property
    def columns(self) -> Sequence[Column[Noted]]:
        known = self.list
        return (
            Column("pid", str, known.pid, "PID", names=True),
            Column("memory", int, known.memory, "MEMORY"),
            Column("queue", int, known.queue_length, "QUEUE"),
            Column("status", str, known.status, "STATUS"),
            Column("name", str, known.registered_name),
            Column("label", str, self._label),
            Column("spawned", str, self._spawned),
            Column("called", str, self.called, "NAME, LABEL OR FUNCTION"),
            Column("current", str, self.current, "CURRENT FUNCTION"),
            Column("reductions", int, lambda one: one.reds),
            Column("parent", str, self._parent),
            Column("address", int, lambda one: one.address),
        )

    def _spawned(self, noted: Noted) -> str | None:
        call = self.list.initial_call(noted)
        return self._syntax.function(call) if call else None

    def called(self, noted: Noted) -> str | None:
        """The name that it is registered under, else its label, else the function that it was spawned with."""
        return self.list.registered_name(noted) or self._label(noted) or self._spawned(noted)

    def _label(self, noted: Noted) -> str | None:
        """What it calls itself (`proc_lib:set_label/1`)."""
        if noted.dictionary == 0:
            return None
        label = self._supervision.label(self.list.process(noted))
        return self._node.term(label) if label is not None else None

    def current(self, noted: Noted) -> str | None:
        """The function in which it is. Of a process that runs its thread knows it, not the VM."""
        process = self.list.process(noted)
        if self.list.status(noted) == "running" and self._threads.in_erlang(process):
            try:
                level = next(iter(self._threads.levels(process)), None)
                name = backtrace.function(self._node, process, level) if level is not None else None
            except (StackEnds, Unreadable):
                return None
            return self._syntax.function(name) if name else None
        call = self.list.current_call(noted)
        return self._syntax.function(call) if call else None

    def _parent(self, noted: Noted) -> str | None:
        is_pid = noted.parent is not None and noted.parent & IMMED1_MASK == PID
        return self._node.term(noted.parent) if is_pid and noted.parent else None
