"""The command `beam-ports`."""

from __future__ import annotations

from beamgdb.gdbext.commands.list_command import List, ListCommand
from beamgdb.node import Node
from beamgdb.views.ports import PortColumns
from beamgdb.vm.ports import Port


class BeamPorts(ListCommand[Port]):
    """List the ports: sockets, programs and descriptors that drivers work for.

    Each with what it was opened with, its driver, the process that owns it, bytes that it got and sent, bytes that wait
    to be sent, its file descriptor (or the one it reads and the one it writes), and its state. A port that is busy
    makes those wait who send to it: they are in the column suspended.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: port, name, driver, owner, input, output, queue, fd, state, os_pid, registered, links, monitors,
    monitored_by, suspended, address."""

    name = "beam-ports"

    def list(self, node: Node) -> List[Port]:
        shown = PortColumns(node)
        return List(shown.columns, shown.items(), "ports", shown.notes, shown.ports.count())


def install() -> None:
    """Define the command."""
    BeamPorts()
