"""The command `beam-resources`."""

from __future__ import annotations

import argparse
from typing import Any

from beamgdb.gdbext.c_names import c_place
from beamgdb.gdbext.commands.list_command import List, ListCommand, within
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.node import Node
from beamgdb.views.resources import ResourceColumns

HOLDERS = "processes and tables"
"""What is counted while they are gone through."""


class BeamResources(ListCommand[Any]):
    """List the resources of NIFs that terms lead to, and who holds each.

    Each with the address of its object, as the NIF has it, its size in bytes, the module and the name of its type, the
    number of references that it counts, how many of these were found, and the processes and ETS tables that have terms
    for it, or for binaries that are parts of it: on their heaps, in messages that wait for them, or in objects.
    References that are not found are those of C code (enif_keep_resource), of persistent terms and timers, or of what
    is damaged.

    -types lists the types instead: whether the code of each is loaded or was unloaded, how many resources of it the VM
    counts, how many were found and their bytes, and the destructor, by its address, symbol and library.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`; the largest come first.

    Columns: resource, size, module, type, references, found, holders, destructor, loaded; with -types module, type,
    loaded, resources, found, size, destructor, address."""

    name = "beam-resources"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        super().arguments(parser)
        parser.add_argument("-types", action="store_true")

    def list(self, node: Node) -> List[Any]:
        progress = ProgressLine(HOLDERS, 0)
        shown = ResourceColumns(node, c_place, progress.advance)
        return List(shown.columns, within(progress, shown.items()), "resources", shown.notes, order="size")

    def listed(self, node: Node, arguments: argparse.Namespace) -> List[Any]:
        if not arguments.types:
            return self.list(node)
        progress = ProgressLine(HOLDERS, 0)
        shown = ResourceColumns(node, c_place, progress.advance)
        return List(shown.type_columns, within(progress, shown.types()), "types", shown.type_notes, order="size")


def install() -> None:
    """Define the command."""
    BeamResources()
