"""How a step of a process has ended, as `beam-step` and `beam-finish` tell it."""

from __future__ import annotations

from beamgdb.late import dataclass
from beamgdb.views.terms import Terms
from beamgdb.vm.model import Unavailable
from beamgdb.vm.processes import Process


@dataclass(frozen=True)
class EndRow:
    """A process comes to its end; the reason is None where that is not known."""

    pid: str
    reason: str | None


@dataclass(frozen=True)
class ReturnRow:
    """A function has returned; without a value it has raised an exception, which is caught where the process is."""

    value: str | None


def end(terms: Terms, process: Process, pid: int) -> EndRow:
    """The end of a process; its pid is given as a term, for it may be gone."""
    try:
        reason = process.record["fvalue"]
    except (KeyError, Unavailable):
        reason = 0
    return EndRow(terms.node.term(pid), terms.text(reason) if reason else None)


def returned(terms: Terms, x0: int, at_return: bool) -> ReturnRow:
    """What a function has given; `at_return`: the process is where it would return to. A handler of exceptions may be
    there, too: it finds the non-value in x0."""
    return ReturnRow(terms.text(x0) if at_return and x0 != terms.node.term_tags.non_value else None)


def line(row: EndRow | ReturnRow) -> str:
    """The text of a row."""
    if isinstance(row, EndRow):
        return f"Process {row.pid} ends{f', reason {row.reason}' if row.reason is not None else ''}."
    if row.value is None:
        return "An exception was raised, and is caught here."
    return f"Value returned is {row.value}"
