"""What commands share that list many things: filters, order, limits, JSON."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

import gdb

from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import session
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.style import GdbStyler, width
from beamgdb.late import dataclass
from beamgdb.node import Node
from beamgdb.views import listing
from beamgdb.views.listing import Column, Query, Selected, Value
from beamgdb.views.styler import Sentence, fitted
from beamgdb.views.typed import brief, natural
from beamgdb.vm.model import Unavailable
from beamgdb.vm.pieces import STEP, Pieces, pieces

Item = TypeVar("Item")

AT_ONCE = 1000
"""Lines that are given to GDB together."""


@dataclass(frozen=True)
class List(Generic[Item]):
    """What a command lists of a VM. `what` it is, in the plural; `notes`: what is to be said when all has been gone
    through, each a line. `count`: how many there are, 0 if that is not known. `order`: the column by which they are
    sorted if no other is asked for. `limit`: how many lines of text are shown unless others are asked for."""

    columns: Sequence[Column[Item]]
    items: Iterable[Item]
    what: str
    notes: Callable[[], Iterator[str]]
    count: int = 0
    order: str | None = None
    limit: int = listing.LIMIT


PIECES = "pieces of memory"
"""What is counted while memory with terms is gone through."""


def within(progress: ProgressLine, items: Iterable[Item]) -> Iterator[Item]:
    """Items that are made while a line says how far that has come."""
    with progress:
        yield from items


class ListCommand(Command, Generic[Item]):
    """A command whose subclass says what it lists."""

    def __init__(self) -> None:
        super().__init__()
        extension().part(_Lists).by_name[self.name] = self

    def list(self, node: Node) -> List[Item]:
        """What there is to be listed."""
        raise NotImplementedError

    def listed(self, node: Node, arguments: argparse.Namespace) -> List[Item]:
        """What there is to be listed, where further arguments say what. Its columns are those of `list`."""
        return self.list(node)

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-where", metavar="CONDITION", action="append", default=[])
        parser.add_argument("-sort", metavar="COLUMN")
        parser.add_argument("-reverse", action="store_true")
        parser.add_argument("-limit", metavar="N", type=limit_of)
        parser.add_argument("-json", "--json", action="store_true")

    def words(self, before: str, start: str) -> Iterable[str] | int:
        option = before.split()[-1:]
        current = session.find()
        if current is None or option not in (["-sort"], ["-where"]):
            return ()
        return (column.name for column in self.list(current.node).columns)

    def select(
        self, found: List[Item], arguments: argparse.Namespace, limit: int | None, progress: ProgressLine
    ) -> Selected[Item]:
        """Which of what there is the arguments ask for, in which order. Raises `gdb.GdbError`."""
        try:
            conditions = tuple(listing.condition(found.columns, text) for text in arguments.where)
            order = arguments.sort if arguments.sort is not None else found.order
            sort = listing.named(found.columns, order) if order is not None else None
        except listing.Wrong as error:
            raise gdb.GdbError(f"{self.name}: {error}") from None
        query = Query(conditions, sort, arguments.reverse, limit)
        return Selected(_advancing(found.items, progress), query, found.count)

    def list_in_atomvm(self, vm: AtomVm) -> List[Any] | None:
        """The same in an AtomVM, None if it has none of that."""
        return None

    def run(self, arguments: argparse.Namespace) -> None:
        self._show(self.listed(session.require().node, arguments), arguments)

    def run_in_atomvm(self, arguments: argparse.Namespace, vm: AtomVm) -> None:
        found = self.list_in_atomvm(vm)
        if found is None:
            super().run_in_atomvm(arguments, vm)
            return
        self._show(found, arguments)

    def _show(self, found: List[Any], arguments: argparse.Namespace) -> None:
        limit = arguments.limit if arguments.limit is not None or arguments.json else found.limit
        with ProgressLine(found.what, found.count) as progress:
            selected = self.select(found, arguments, limit, progress)
            if arguments.json:
                write(listing.json_lines(found.columns, selected))
            else:
                # (One is the heading.)
                written = write(listing.lines(found.columns, selected, GdbStyler(), width()))
                if written == 1 and not selected.left_out:
                    gdb.write("(none)\n")
        stream = gdb.STDERR if arguments.json else gdb.STDOUT
        if selected.left_out and not arguments.json:
            gdb.write(f"({selected.left_out} more {found.what}: -limit {limit})\n")
        for note in chain(selected.notes(found.what), found.notes()):
            for line in fitted(Sentence(note), width()):
                gdb.write(line + "\n", stream)


class _Lists:
    """The commands that list."""

    def __init__(self) -> None:
        self.by_name: dict[str, ListCommand[Any]] = {}


def items(node: Node, line: str, notes: list[str]) -> Iterator[tuple[Any, dict[str, Value]]]:
    """What a command lists, one by one, each with what is in its columns by their names: `line` is what a user would
    type, such as `beam-ports -where queue>0`. `notes` gets what it says besides, a line each. Raises `gdb.GdbError` for
    what cannot be typed, `Unavailable` as the command does."""
    name, _, rest = line.strip().partition(" ")
    lists = extension().part(_Lists).by_name
    if name not in lists:
        raise Unavailable(f"{brief(name)} is no command that lists: there are {', '.join(sorted(lists))}")
    command = lists[name]
    arguments = command.parser.parse_args(command.split(rest))
    found = command.listed(node, arguments)
    with ProgressLine(found.what, found.count) as progress:
        selected = command.select(found, arguments, arguments.limit, progress)
        for one in selected:
            yield one, {column.name: column.value(one) for column in found.columns}
    notes += chain(selected.notes(found.what), found.notes())


def rows(node: Node, line: str) -> Iterator[dict[str, Value]]:
    """What is in the columns of what a command lists: see `items`."""
    return (row for _, row in items(node, line, []))


def _advancing(items: Iterable[Item], progress: ProgressLine) -> Iterable[Item]:
    def seen(piece: Sequence[Item]) -> Sequence[Item]:
        progress.advance(len(piece))
        return piece

    return Pieces(map(seen, pieces(items, STEP)))


def write(lines: Iterator[str]) -> int:
    """Lines, many at once: GDB takes its time with each piece. How many there were."""
    number = 0
    for piece in pieces(lines, AT_ONCE):
        number += len(piece)
        gdb.write("\n".join(piece) + "\n")
    return number


def limit_of(text: str) -> int:
    """How many are to be shown, for argparse."""
    number = natural(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{brief(text)} is no number")
    return number
