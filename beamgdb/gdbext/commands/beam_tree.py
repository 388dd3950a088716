"""The command `beam-tree`."""

from __future__ import annotations

from beamgdb.gdbext import term_printing
from beamgdb.gdbext.commands.list_command import List, ListCommand
from beamgdb.gdbext.running import Running
from beamgdb.node import Node
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.tree import TreeColumns, TreeRow


class BeamTree(ListCommand[TreeRow]):
    """Show the supervision tree: applications, supervisors, workers.

    Who is below whom is in the state of supervisors, which lies on their stacks, and in what processes note of their
    ancestors. Each process is shown with its name, its label or its first function, and its id and role as its
    supervisor has it; a supervisor with the restarts that it remembers, if any. Of a child that does not run there is
    no pid but (undefined), as supervisors call it, or (restarting). Processes that belong to no application come last,
    as not supervised.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`: -where application=kernel, -where status=restarting.

    Columns: tree (the pid, indented), called (name, label or first function), id, role, kind, restart, status,
    restarts, strategy, depth, pid, name, label, parent, application."""

    name = "beam-tree"

    def list(self, node: Node) -> List[TreeRow]:
        terms = term_printing.terms(node)
        shown = TreeColumns(node, ProcessColumns(node, Running(node), terms.syntax), terms)
        return List(shown.columns, shown.items(), "lines", shown.notes)


def install() -> None:
    """Define the command."""
    BeamTree()
