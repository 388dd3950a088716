"""What a user is told after Ctrl-C without asking: where Erlang runs."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import current_frame, session
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.running import Running
from beamgdb.memory import Unreadable
from beamgdb.views import where
from beamgdb.vm.model import Unavailable


def after_interrupt() -> None:
    """Where Erlang runs, if that is not in the selected thread."""
    current = session.find()
    if current is None or not current.node.has_layout:
        return
    running = Running(current.node)
    if not _works_for_a_process(running):
        gdb.write(where.text(where.row(current.node, running, extension().parameters.syntax)) + "\n")


def _works_for_a_process(running: Running) -> bool:
    """Whether the selected thread does."""
    try:
        return current_frame.first_erlang(gdb.selected_frame()) is not None or running.selected() is not None
    except (gdb.error, Unreadable, Unavailable):
        return False
