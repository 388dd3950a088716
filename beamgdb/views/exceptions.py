"""The last exceptions of processes, as `beam-exceptions` shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.listing import Column, damaged_lines
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.terms import Terms
from beamgdb.views.threads import Threads
from beamgdb.vm import calls
from beamgdb.vm.exceptions import STATES, WITH_VALUE, Exceptions, LastException, Trace
from beamgdb.vm.process_list import Noted
from beamgdb.vm.processes import Process

MOST_FUNCTIONS = 100
"""Functions of one stack trace that are shown; the VM keeps 8 unless told otherwise (`backtrace_depth`)."""


MOST_CUT = 3
"""Processes that are named of those of which not all memory was searched."""


class ExceptionColumns:
    """What is shown of each."""

    def __init__(
        self, node: Node, threads: Threads, terms: Terms, process: Process | None, advance: Callable[[], None]
    ) -> None:
        """Of all processes, or of one. `advance` is called for each."""
        self._node = node
        self._terms = terms
        self._only = process
        self._processes = ProcessColumns(node, threads, terms.syntax)
        self._exceptions = Exceptions(node, threads.levels, advance)

    def items(self) -> Iterator[LastException]:
        """Those of which most is kept first."""
        found = list(self._exceptions) if self._only is None else [self._exceptions.of(self._only)]
        yield from sorted((one for one in found if one is not None), key=lambda one: STATES.index(one.state))

    @property
    def columns(self) -> Sequence[Column[LastException]]:
        return (
            Column("pid", str, lambda one: self._node.term(one.process.id), "PID", names=True),
            Column("called", str, self._called, "NAME, LABEL OR FUNCTION"),
            Column("state", str, lambda one: one.state, "STATE", names=True),
            Column("class", str, lambda one: one.class_, "CLASS", names=True),
            Column("reason", str, self._reason, "REASON"),
            Column("in", str, lambda one: next(self._stack(one.trace), None), "IN"),
            Column("arguments", str, self._arguments),
            Column("stack", str, lambda one: " < ".join(self._stack(one.trace)) or None),
            Column("held", str, lambda one: "; ".join(one.held) or None),
        )

    def _called(self, found: LastException) -> str | None:
        noted = self._processes.list.of(found.process)
        return self._processes.called(noted) if isinstance(noted, Noted) else None

    def _reason(self, found: LastException) -> str | None:
        """As far as it is kept: `_` stands for a value that is not."""
        value = self._terms.text(found.value) if found.value is not None else "_"
        if not found.kind:
            return value if found.value is not None else None
        return f"{{{found.kind},{value}}}" if found.kind in WITH_VALUE else found.kind

    def _arguments(self, found: LastException) -> str | None:
        trace = found.trace
        if trace is None or trace.arguments is None or trace.is_term:
            return None
        return self._terms.text(trace.arguments)

    def _stack(self, trace: Trace | None) -> Iterator[str]:
        """The functions with their lines, the one that failed first."""
        if trace is None:
            return
        if trace.is_term:
            if trace.arguments is not None:
                yield self._terms.text(trace.arguments)
            return
        if trace.function:
            try:
                yield self._terms.syntax.function(calls.at(self._node, trace.function))
            except (Unreadable, KeyError):
                yield "<unknown code>"
        for place in trace.places[:MOST_FUNCTIONS]:
            found, where = self._node.code.find(place), self._node.code.where(place)
            if found is not None and found.is_internal:
                # Where the first function of a process returns to: Erlang does not show it either.
                continue
            name = self._terms.syntax.function(found.code.name) if found is not None else "<unknown code>"
            yield f"{name} at {where.file}:{where.line}" if where is not None else name

    def notes(self) -> Iterator[str]:
        """What is said of what cannot be read, or was not searched."""
        cut = list(dict.fromkeys(self._node.term(one.id) for one in self._exceptions.cut))
        if cut:
            more = f" and {len(cut) - MOST_CUT} more" if len(cut) > MOST_CUT else ""
            yield f"({', '.join(cut[:MOST_CUT])}{more}: so many tuples that the oldest were not searched for a trace)"
        yield from damaged_lines(self._exceptions.damaged)
