"""The command `beam-heap`."""

from __future__ import annotations

import argparse
from typing import Any

import gdb

from beamgdb.gdbext import machine_word, term_printing
from beamgdb.gdbext.commands.list_command import PIECES, List, ListCommand, within
from beamgdb.gdbext.commands.options_around import OptionsAround
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.node import Node
from beamgdb.views import process_named
from beamgdb.views.heap import ShapeColumns, ThingColumns
from beamgdb.vm.processes import Process


class BeamHeap(OptionsAround, ListCommand[Any]):
    """Count terms by their shape, on the heaps of all processes or of one.

    Tuples are alike that have the same first atom and size, maps with the same keys, funs of one place in the source;
    integers, binaries and parts of binaries are in classes by their size. Gone through is all memory that holds terms:
    heaps, with what the next collection would free; messages that wait; objects of ETS tables; literals of modules. Not
    known are persistent terms and timers, nor what a process that runs Erlang code now has made since it last called C
    code. In a compressed table a term has the bytes that it takes there; `eterm` knows none by such an address.

    Each shape with how many there are, their bytes, the bytes that they have outside of heaps, each binary once, and
    the largest one: `eterm -boxed ADDRESS` shows it. Bytes are those of the things themselves, not of what they lead
    to.

    PROCESS is as in `beam-process`: then it is what lies on the heaps of that one, and in its messages. With -things
    each thing there is listed, in the order of memory.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`; the shapes with the most bytes come first.

    Columns: kind, shape, count, bytes, outside, largest, address, owner, and the bytes by where they are, heaps,
    messages, ets, literals; with -things address, area, kind, bytes, term."""

    name = "beam-heap"

    def list(self, node: Node) -> List[Any]:
        return self._shapes(node, None)

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        super().arguments(parser)
        parser.add_argument("-things", action="store_true")
        parser.add_argument("process", metavar="PROCESS", nargs="?")

    def listed(self, node: Node, arguments: argparse.Namespace) -> List[Any]:
        if arguments.process is None:
            if arguments.things:
                raise gdb.GdbError("beam-heap: -things is for one process: name it")
            return self.list(node)
        process = process_named.find(node, arguments.process, machine_word.evaluated)
        if not arguments.things:
            return self._shapes(node, process)
        things = ThingColumns(node, process, term_printing.terms(node))
        return List(things.columns, things.items(), "things", things.notes)

    @staticmethod
    def _shapes(node: Node, process: Process | None) -> List[Any]:
        progress = ProgressLine(PIECES, 0)
        shown = ShapeColumns(node, process, progress.advance)
        return List(shown.columns, within(progress, shown.items()), "shapes", shown.notes, order="bytes")


def install() -> None:
    """Define the command."""
    BeamHeap()
