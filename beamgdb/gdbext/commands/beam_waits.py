"""The command `beam-waits`."""

from __future__ import annotations

from beamgdb.gdbext import term_printing
from beamgdb.gdbext.commands.list_command import List, ListCommand, within
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.running import Running
from beamgdb.node import Node
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.waits import WaitColumns, WaitRow


class BeamWaits(ListCommand[WaitRow]):
    """List which process waits for an answer of which.

    These are calls in flight: by gen_server:call, erpc and all else that monitors who is to answer and keeps the
    monitor's reference until then. What may take other messages besides, as most code may that is not of kernel or
    stdlib, comes last, is not `sure`, and in no deadlock. Then purges of old code, and of the literals that these leave
    (see `beam-purge`); who has to wait until another process has loaded or changed code (see `beam-locks`); and who
    sends to a port or node that is busy (see `beam-ports`, `beam-nodes`). Of who is waited for it shows the messages
    that wait for it, and where it is. Those that wait for each other in a circle are named as deadlocks.

    Who waits for whom is what the VM knows. A server that has passed a call on to another process, which is to reply in
    its place, is still the one that is waited for, and no list has that the other one has it to do. What
    Task.async_stream waits for is not told: it keeps no reference of those who do it.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: pid, called, for, for_called, for_queue, for_status, for_current, sure."""

    name = "beam-waits"

    def list(self, node: Node) -> List[WaitRow]:
        progress = ProgressLine("processes", 0)
        processes = ProcessColumns(node, Running(node), term_printing.terms(node).syntax)
        shown = WaitColumns(node, processes, progress.advance)
        return List(shown.columns, within(progress, shown.items()), "calls", shown.notes)


def install() -> None:
    """Define the command."""
    BeamWaits()
