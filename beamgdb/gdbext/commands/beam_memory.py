"""The command `beam-memory`."""

from __future__ import annotations

from beamgdb.gdbext.commands.list_command import List, ListCommand
from beamgdb.node import Node
from beamgdb.views.memory_use import UseColumns
from beamgdb.vm.memory_use import Use


class BeamMemory(ListCommand[Use]):
    """Show how much memory the VM has for what.

    The kinds are those of erlang:memory/0, in bytes: processes, with their heaps; binaries outside of heaps; ETS
    tables; loaded code; what is not of processes is of the system. Literals of modules and persistent terms are a part
    of that, and so are atoms, of which is also said how much is used. For each kind is said what erlang:memory/0 counts
    too, and is not known here. What all this leaves unused in memory that the VM has from its system `beam-allocators`
    tells.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: kind, size, without."""

    name = "beam-memory"

    def list(self, node: Node) -> List[Use]:
        shown = UseColumns(node)
        return List(shown.columns, shown.items(), "kinds of memory", shown.notes)


def install() -> None:
    """Define the command."""
    BeamMemory()
