"""The command `beam-fds`."""

from __future__ import annotations

from beamgdb.gdbext.commands.list_command import List, ListCommand
from beamgdb.node import Node
from beamgdb.views.descriptors import DescriptorColumns
from beamgdb.vm.descriptors import Descriptor


class BeamFds(ListCommand[Descriptor]):
    """List the file descriptors that the VM waits for, and for whom.

    Each with who has selected upon it, a driver or a NIF, the events that are waited for, which threads look for them,
    and the ports or processes that are told: who reads, and who writes; of a NIF also the type of the resource that it
    belongs to. Only these are known here: of files, and of sockets for which nobody waits, the VM has nothing to tell
    but by `beam-ports`.

    Poll threads wait for descriptors all the time. One that often has something to read is looked at by the schedulers,
    in between; one that epoll does not take, by a thread for that (fallback). Of one that is not active the event has
    come, and is about to be handled.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: fd, type, events, active, poller, pollset, reader, writer, errors, resource, flags, count, address."""

    name = "beam-fds"

    def list(self, node: Node) -> List[Descriptor]:
        shown = DescriptorColumns(node)
        return List(shown.columns, shown.items(), "file descriptors", shown.notes)


def install() -> None:
    """Define the command."""
    BeamFds()
