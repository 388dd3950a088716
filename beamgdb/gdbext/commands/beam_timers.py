"""The command `beam-timers`."""

from __future__ import annotations

from beamgdb.gdbext import term_printing
from beamgdb.gdbext.commands.list_command import List, ListCommand
from beamgdb.node import Node
from beamgdb.views.timers import TimerColumns
from beamgdb.vm.timers import Timer


class BeamTimers(ListCommand[Timer]):
    """List the timers of Erlang.

    Those of erlang:send_after and start_timer (kind message), each with the message and who gets it, and those of
    processes that wait in a receive with a time (kind receive). left is in milliseconds, from when the scheduler that
    the timer belongs to last looked at the clock; one that slept has done so some time ago.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: kind, receiver, left, message, timer, scheduler, address."""

    name = "beam-timers"

    def list(self, node: Node) -> List[Timer]:
        shown = TimerColumns(node, term_printing.terms(node))
        return List(shown.columns, shown.items(), "timers", shown.notes)


def install() -> None:
    """Define the command."""
    BeamTimers()
