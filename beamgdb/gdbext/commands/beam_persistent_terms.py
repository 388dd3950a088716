"""The command `beam-persistent-terms`."""

from __future__ import annotations

from beamgdb.gdbext import term_printing
from beamgdb.gdbext.commands.list_command import List, ListCommand
from beamgdb.node import Node
from beamgdb.views.persistent_terms import PersistentTermColumns
from beamgdb.vm.persistent_terms import PersistentTerm


class BeamPersistentTerms(ListCommand[PersistentTerm]):
    """List the persistent terms.

    Each with its key, its value and the bytes that both take, as persistent_term:info/0 counts them.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: key, size, value, address."""

    name = "beam-persistent-terms"

    def list(self, node: Node) -> List[PersistentTerm]:
        shown = PersistentTermColumns(node, term_printing.terms(node))
        return List(shown.columns, shown.items(), "persistent terms", shown.notes, shown.count())


def install() -> None:
    """Define the command."""
    BeamPersistentTerms()
