"""What a user sees at an Erlang breakpoint, besides what GDB itself prints."""

from __future__ import annotations

from typing import Any

import gdb

from beamgdb.gdbext import context, current_frame, errors, front_end, older_gdb, term_printing
from beamgdb.gdbext.breakpoints import interpreted
from beamgdb.gdbext.extension import extension
from beamgdb.views import stack


def _on_stop(event: Any) -> None:
    if not isinstance(event, gdb.BreakpointEvent):
        return
    requests = extension().requests
    hit = [(point, request) for point in event.breakpoints if (request := requests.of(point.number)) is not None]
    loud = [request for point, request in hit if not (point.commands or "").lstrip().startswith("silent")]
    trapped = any(request.trapped and interpreted.breakpoints().was_hit(request) for request in loud)
    if trapped or any(not request.trapped for request in loud):
        errors.guarded(lambda: show(with_frame=trapped))


def show(with_frame: bool) -> None:
    """Print the arguments of the Erlang function that has just been called, as far as they are known; before them where
    it is, and select its frame, unless GDB has done so: as it has where native code stands. The arguments are left out
    where `set beam-context on` shows them."""
    found = current_frame.first_erlang(gdb.newest_frame())
    if found is None:
        return
    if with_frame and older_gdb.level(found.gdb_frame):
        found.gdb_frame.select()
        if front_end.speaks_mi():
            # What GDB 18 itself tells a front end here has no ends of lines.
            gdb.write(front_end.taken("frame"))
        else:
            gdb.execute("frame")
    if context.shows_arguments():
        return
    terms = term_printing.terms(found.node)
    for number, word in enumerate(found.arguments()):
        if word is not None:
            gdb.write(stack.variable(stack.VariableRow(f"x{number}", word, terms.text(word))) + "\n")


def install() -> None:
    """Connect to GDB's events. To be called after `events.install`: the session must know of the stop."""
    gdb.events.stop.connect(_on_stop)
