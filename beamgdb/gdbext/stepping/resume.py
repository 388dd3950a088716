"""Lets the target run on behalf of a step, and tells why it has stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gdb

from beamgdb.gdbext import c_calls, front_end, session, term_printing
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.points import Asked
from beamgdb.gdbext.stepping.position import Position
from beamgdb.late import dataclass
from beamgdb.views import steps

EXIT = "erts_continue_exit_process"
"""Called with the process by all ways in which one ends, normally the last time that it runs (erl_process.c)."""


class Interrupted(Exception):
    """The target has stopped for a reason of its own: a signal, a breakpoint of the user, its end. The text is what GDB
    has printed of it."""


class Ended(Exception):
    """The process that is stepped comes to its end; the text says so."""


@dataclass
class _Seen:
    """The last stop."""

    event: Any = None


class ExitPoint(Asked):
    """Stops where a process begins to end."""

    def __init__(self, location: str, position: Position) -> None:
        super().__init__(location)
        self._process = position.process.address
        self._node = session.require().node

    def is_wanted(self) -> bool:
        return c_calls.first_argument(self._node) == self._process


@contextmanager
def exit_watched(position: Position) -> Iterator[ExitPoint | None]:
    """Have the target stop when the process ends."""
    location = c_calls.first_instruction(EXIT)
    if location is None:
        yield None
        return
    point = ExitPoint(location, position)
    try:
        yield point
    finally:
        point.delete()


def resume(command: str, position: Position, at_exit: ExitPoint | None) -> None:
    """Give GDB a command that resumes the target. Returns when it has stopped because of that, or of an internal
    breakpoint; raises `Ended` or `Interrupted` if for another reason."""
    seen = _Seen()

    def note(event: Any) -> None:
        seen.event = event

    hits = {point.number: point.hit_count for point in gdb.breakpoints()}
    gdb.events.stop.connect(note)
    try:
        said = front_end.followed(command)
    finally:
        gdb.events.stop.disconnect(note)
    event = seen.event
    if event is None or isinstance(event, gdb.SignalEvent) or not session.has_process():
        raise Interrupted(said)
    now = {point.number: point.hit_count for point in gdb.breakpoints()}
    if any(now.get(number) != count for number, count in hits.items() if number > 0):
        raise Interrupted(said)
    if extension().was_interrupted:
        raise Interrupted(said)
    if isinstance(event, gdb.BreakpointEvent) and at_exit is not None and at_exit in event.breakpoints:
        terms = term_printing.terms(session.require().node)
        raise Ended(steps.line(steps.end(terms, position.process, position.pid)) + "\n")
