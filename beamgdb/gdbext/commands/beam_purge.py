"""The command `beam-purge`."""

from __future__ import annotations

from beamgdb.gdbext import term_printing
from beamgdb.gdbext.commands.list_command import List, ListCommand, within
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.running import Running
from beamgdb.node import Node
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.purging import PurgeColumns, PurgeRow


class BeamPurge(ListCommand[PurgeRow]):
    """List who is in old code, and for whom a purge waits, or the freeing of literals.

    A module that was loaded anew has old code until that is purged. A process is in it if it runs there, goes on there
    (where it waits), returns there later, or has begun a native call there that runs on a dirty scheduler or waits for
    one: a purge kills such a process, and a soft purge fails. Funs and literals of old code keep nobody from a purge.

    The process erts_code_purger does one purge at a time. It waits until each scheduler has gone on to something else
    (keeps a scheduler), for those who have not answered whether they are in old code, and for those whom it has killed,
    until they have ended. So who is in a native function or a long BIF makes all purges wait, whatever module it runs.
    Which schedulers have gone on is not told; one that runs now may be about to. The last lines tell which purge is
    under way, who has asked for it, and which modules have old code.

    Literals of purged code are freed afterwards, when all processes have copied what they have of them, one area after
    the other. A process that cannot, as it runs native code, keeps them, and all that come later: it holds old
    literals, or, where that is not seen, it has not told of old literals.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: pid, called, module, how, place, status, current."""

    name = "beam-purge"

    def list(self, node: Node) -> List[PurgeRow]:
        running = Running(node)
        progress = ProgressLine("processes", node.processes.count())
        processes = ProcessColumns(node, running, term_printing.terms(node).syntax)
        shown = PurgeColumns(node, running, processes, progress.advance)
        return List(shown.columns, within(progress, shown.items()), "processes", shown.notes)


def install() -> None:
    """Define the command."""
    BeamPurge()
