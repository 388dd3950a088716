"""The command `beam-nodes`."""

from __future__ import annotations

from beamgdb.gdbext.commands.list_command import List, ListCommand
from beamgdb.node import Node
from beamgdb.views.nodes import NodeColumns
from beamgdb.vm.nodes import NodeEntry


class BeamNodes(ListCommand[NodeEntry]):
    """List the Erlang nodes that this one knows, as nodes(known) does.

    Each with the state of the connection (idle, pending, connected or exiting, or that it is this node itself) and,
    where there is one, the port or process that it goes through, its number, bytes that wait to be sent, and whether it
    is busy, so that those have to wait who send to that node. input and output count packets; capabilities are what
    both nodes can do, by the names in OTP's dist.h.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: node, state, kind, channel, connection, queue, busy, suspended, input, output, creation,
    capabilities, address."""

    name = "beam-nodes"

    def list(self, node: Node) -> List[NodeEntry]:
        shown = NodeColumns(node)
        return List(shown.columns, shown.items(), "nodes", shown.notes)


def install() -> None:
    """Define the command."""
    BeamNodes()
