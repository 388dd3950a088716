"""The command `beam-binaries`."""

from __future__ import annotations

from beamgdb.gdbext.commands.list_command import List, ListCommand, within
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.node import Node
from beamgdb.views.binaries import BinaryColumns
from beamgdb.vm.off_heap import BinaryUse


class BeamBinaries(ListCommand[BinaryUse]):
    """List the binaries that lie outside of the heaps, and who holds each.

    Each with the address of its Binary structure, its size in bytes, the number of references that it counts, how many
    of these were found, and the processes and ETS tables that have them: on their heaps, in messages that wait for
    them, or in objects. A part of a binary, however small, keeps the whole. References that are not found are those of
    C code, literals, persistent terms, signals that are no messages, or of what is damaged.

    -where holders~<0.80.0> shows those of one process. -where, -sort, -reverse, -limit and -json are as in `beam-ps`;
    the largest come first.

    Columns: binary, size, references, found, holders."""

    name = "beam-binaries"

    def list(self, node: Node) -> List[BinaryUse]:
        progress = ProgressLine("processes and tables", 0)
        shown = BinaryColumns(node, progress.advance)
        return List(shown.columns, within(progress, shown.items()), "binaries", shown.notes, order="size")


def install() -> None:
    """Define the command."""
    BeamBinaries()
