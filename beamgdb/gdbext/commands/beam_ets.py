"""The commands `beam-ets` and `beam-ets-objects`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

import gdb

from beamgdb.gdbext import machine_word, session, term_printing
from beamgdb.gdbext.commands import completion
from beamgdb.gdbext.commands.list_command import List, ListCommand, limit_of
from beamgdb.gdbext.commands.options_around import OptionsAround
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views import ets
from beamgdb.views.errors import one_line
from beamgdb.views.ets import TableColumns
from beamgdb.vm.ets import EtsTable, EtsTables

OBJECTS = 20
"""Objects that are shown unless more are asked for."""


class BeamEts(ListCommand[EtsTable]):
    """List the ETS tables.

    Each with its name, type, protection, the number of its objects, its memory in bytes, its owner, and what it was
    created with. `beam-ets-objects TABLE` shows what is in one.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: name, type, protection, objects, memory, owner, options, id, address."""

    name = "beam-ets"

    def list(self, node: Node) -> List[EtsTable]:
        shown = TableColumns(node)
        return List(shown.columns, shown.items(), "tables", shown.notes)


class BeamEtsObjects(OptionsAround):
    """Show the objects of an ETS table.

    TABLE is its name, its identifier (#Ref<...>, as `beam-ets -json` has it), or the address of its structure. Objects
    come in the order of the table, also those of private ones.

    -limit N shows N of them; without it 20. -json prints an array of texts."""

    name = "beam-ets-objects"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-limit", metavar="N", type=limit_of, default=OBJECTS)
        parser.add_argument("-json", "--json", action="store_true")
        parser.add_argument("table", metavar="TABLE")

    def words(self, before: str, start: str) -> Iterable[str]:
        current = session.find()
        if current is None:
            return
        tables = (one for one in EtsTables(current.node) if isinstance(one, EtsTable))
        yield from completion.atoms((current.node.term(one.name) for one in tables), start)

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        table, terms = ets.find(node, arguments.table, machine_word.evaluated), term_printing.terms(node)
        shown, left_out, damage = [], 0, ""
        with ProgressLine("objects", table.items() or 0) as progress:
            try:
                for number, word in enumerate(table.objects()):
                    if number < arguments.limit:
                        shown.append(terms.value(table.value(word, terms.limits)))
                    else:
                        left_out += 1
                    progress.advance()
            except (Unreadable, KeyError) as error:
                damage = one_line(error)
        gdb.write(json.dumps(shown) + "\n" if arguments.json else "".join(f"{text}\n" for text in shown))
        stream = gdb.STDERR if arguments.json else gdb.STDOUT
        if left_out:
            gdb.write(f"({left_out} more objects: -limit {arguments.limit})\n", stream)
        if damage:
            gdb.write(f"(the rest of the table is damaged: {damage})\n", stream)


def install() -> None:
    """Define the commands."""
    BeamEts()
    BeamEtsObjects()
