"""The command `beam-top`."""

from __future__ import annotations

from beamgdb.gdbext import session, term_printing
from beamgdb.gdbext.commands.list_command import List, ListCommand
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.running import Running
from beamgdb.node import Node
from beamgdb.views import top
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.top import Reductions, TopColumns
from beamgdb.vm.process_list import Noted


class _Looks(dict["tuple[int, int]", Reductions]):
    """What was seen last of each VM, by its process and the address of its mark."""


class BeamTop(ListCommand[Noted]):
    """List the processes that have run most since the last beam-top.

    That is in reductions, about as many as function calls, that the VM has counted when it scheduled a process out. The
    first time all that each process ever ran is compared. Of a core file there is no other time. While the node stands
    still, what ran in between remains the same: try -sort memory or -sort queue too.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`; 20 are shown.

    Columns: pid, ran, reductions, memory, queue, status, name, label, spawned, called (name, label or spawned),
    current."""

    name = "beam-top"

    def list(self, node: Node) -> List[Noted]:
        current = session.require()
        reductions = extension().part(_Looks).setdefault((current.pid, current.marked_at), Reductions())
        shown = ProcessColumns(node, Running(node), term_printing.terms(node).syntax)
        columns = TopColumns(shown, reductions)
        reductions.look(current.stops)
        return List(
            columns.columns, columns.items(), "processes", columns.notes, shown.list.count(), columns.order, top.LIMIT
        )


def install() -> None:
    """Define the command."""
    BeamTop()
