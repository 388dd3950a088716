"""The command `beam-refs`."""

from __future__ import annotations

import argparse

import gdb

from beamgdb.gdbext.commands import eterm
from beamgdb.gdbext.commands.list_command import PIECES, List, ListCommand, within
from beamgdb.gdbext.commands.options_around import OptionsAround
from beamgdb.gdbext.errors import one_line
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.running import Running
from beamgdb.node import Node
from beamgdb.views import refs
from beamgdb.views.refs import ReferenceColumns
from beamgdb.views.typed import brief
from beamgdb.vm.holders import Reference
from beamgdb.vm.model import Unavailable


class BeamRefs(OptionsAround, ListCommand[Reference]):
    """List all places that hold a term: who keeps it, or knows it.

    TERM is a pid (<0.80.0>), an atom (shop, 'a name'), or what `eterm` takes: an expression for a word, or for the
    address of a heap object, such as `beam-heap` shows. A binary is meant by the address that `beam-binaries` shows,
    a resource by that of `beam-resources`: then what leads to it is listed, and each part of it, with its size.

    Looked through are stacks, saved x registers, heaps, dictionaries, messages, links and monitors of all processes,
    objects of ETS tables, literals of modules, persistent terms, and messages that timers are to send, with whom they
    are for; not registers of threads that run, nor memory of drivers. Of what a NIF has in a resource only the NIF
    knows: where a word there is as that of the term, the resource may hold it. A heap also has what the next collection
    would free. `beam-refs` with an address of the column AT tells who holds that in turn.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: owner, in, place, term, at, size, address."""

    name = "beam-refs"

    def list(self, node: Node) -> List[Reference]:
        return self._of(node, 0)

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        super().arguments(parser)
        parser.add_argument("term", metavar="TERM")

    def listed(self, node: Node, arguments: argparse.Namespace) -> List[Reference]:
        try:
            word = refs.word_of(node, arguments.term, eterm.word)
        except gdb.error as error:
            if not refs.may_be_atom(arguments.term):
                raise
            raise Unavailable(f"there is no atom {brief(arguments.term)}: {one_line(error)}") from None
        return self._of(node, word)

    @staticmethod
    def _of(node: Node, word: int) -> List[Reference]:
        progress = ProgressLine(PIECES, 0)
        shown = ReferenceColumns(node, word, Running(node).levels, progress.advance)
        return List(shown.columns, within(progress, shown.items()), "places", shown.notes)


def install() -> None:
    """Define the command."""
    BeamRefs()
