"""Lists of many things of one kind: which of them, in which order, as columns of text or as JSON."""

from __future__ import annotations

import heapq
import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar, Union

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.views.styler import COLUMNS, Styler
from beamgdb.views.typed import brief, shortened
from beamgdb.vm.model import Unavailable
from beamgdb.vm.pieces import STEP, InPieces, Pieces, pieces

LIMIT: Final = 1000
"""Lines of text, unless more are asked for."""

MAX_DAMAGED: Final = 20
"""Damages that are told one by one."""

MEASURED: Final = 1000
"""Rows whose texts say how wide columns are; later ones that are wider move what follows, as far as that fits."""

NARROWEST: Final = 8
"""Characters that a column keeps which can be cut."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")

Value = Union[int, str, None]
"""What is in a column: None where it is not there, or not known."""


class Wrong(ValueError):
    """A list is asked for that there cannot be; the text is a part of a line."""


@dataclass(frozen=True)
class Column(Generic[Item]):
    """One thing that is known of each item, under the `name` by which it is filtered and sorted, and in JSON. A number
    is an `int`; what is text is a `str`, and may be cut to make a line fit, what `names` another thing after all others
    only, for cut that is of no use. Without a `heading` it is in no text."""

    name: str
    kind: type[int] | type[str]
    value: Callable[[Item], Value]
    heading: str = ""
    names: bool = False
    many: Callable[[Sequence[Item]], Sequence[Value]] | None = None
    """The same question about many items at once, where that is cheaper."""
    is_everywhere: bool = False
    """Whether each item has it: then None is what is not known. Else it may as well not be there."""

    @classmethod
    def of(
        cls,
        name: str,
        kind: type[int] | type[str],
        many: Callable[[Sequence[Item]], Sequence[Value]],
        heading: str = "",
        names: bool = False,
        is_everywhere: bool = False,
    ) -> Column[Item]:
        """A column whose question is about many items."""
        return cls(name, kind, lambda one: many([one])[0], heading, names, many, is_everywhere)

    def values(self, items: Sequence[Item]) -> Sequence[Value]:
        """What is in the column of each item."""
        return self.many(items) if self.many is not None else list(map(self.value, items))


_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "=": operator.eq, "<": operator.lt, ">": operator.gt,
    "~": lambda text, part: part in text, "=~": lambda text, part: part in text,
}  # fmt: skip
_CONDITION: Final = re.compile(r"\s*([a-z_]+)\s*(!=|<=|>=|=~|=|<|>|~)\s*(.*?)\s*", re.DOTALL)
_NUMBER: Final = re.compile(r"(-?[0-9]{1,18})([kKmMgG]?)", re.ASCII)
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True)
class Condition(Generic[Item]):
    """What must hold for the value in a column."""

    column: Column[Item]
    holds: Callable[[Value], bool]

    def filtered(self, items: Sequence[Item], noted: Unknown[Item]) -> list[Item]:
        """Those for which it holds; it does not for what is not known, which is `noted`."""
        values = self.column.values(items)
        noted.note(values)
        return [items[at] for at, value in enumerate(values) if value is not None and self.holds(value)]


@dataclass
class Unknown(Generic[Item]):
    """Of how many items it is not known what a column has, and of how many it was asked; those are sorted by it, or
    there is a condition on it."""

    column: Column[Item]
    is_sorted: bool = False
    asked: int = 0
    count: int = 0

    def note(self, values: Sequence[Value]) -> None:
        """What is in the column of some items."""
        self.asked += len(values)
        if self.column.is_everywhere:
            self.count += sum(value is None for value in values)

    @property
    def is_of_all(self) -> bool:
        return self.count == self.asked > 0

    def text(self, what: str) -> str:
        """What is said of it; `what` the items are, in the plural."""
        whose = f"of any of the {what}" if self.is_of_all else f"of {self.count} {what}"
        then = "left out" if not self.is_sorted else "not sorted" if self.is_of_all else "last"
        return f"({self.column.name} is not known {whose}: they are {then})"


@dataclass(frozen=True)
class Query(Generic[Item]):
    """Which items are wanted: those for which all `conditions` hold, in order of `sort` if there is one, `limit` of
    them at most. Numbers are sorted largest first, texts by alphabet; `reverse` turns that."""

    conditions: tuple[Condition[Item], ...] = ()
    sort: Column[Item] | None = None
    reverse: bool = False
    limit: int | None = LIMIT


@dataclass
class Selected(InPieces[Item]):
    """The items of a query, to be gone through once; then `left_out` says how many others would have been wanted. If
    `count`, how many items there are, is known, those that are not wanted need not be gone through."""

    items: Iterable[Item]
    query: Query[Item]
    count: int = 0
    left_out: int = 0
    unknown: list[Unknown[Item]] = field(default_factory=list)
    """What conditions and the order want to know, and has been asked."""

    def notes(self, what: str) -> Iterator[str]:
        """What is said of what was not known; `what` the items are, in the plural."""
        return (one.text(what) for one in self.unknown if one.count)

    def pieces(self, size: int) -> Iterator[Sequence[Item]]:
        query = self.query
        if not query.conditions and query.sort is None:
            # (No more are made than are shown.)
            yield from self._first(pieces(self.items, size if query.limit is None else max(1, min(size, query.limit))))
            return
        wanted = self.items
        for condition in query.conditions:
            noted = Unknown(condition.column)
            self.unknown.append(noted)
            wanted = chain.from_iterable(map(condition.filtered, pieces(wanted, MEASURED), repeat(noted)))
        # (How wide columns are is told by the first ones together.)
        yield from self._first(pieces(self._sorted(wanted), size))
        for noted in self.unknown:
            if noted.is_of_all and not noted.is_sorted:
                # (Then none has been given.)
                raise Unavailable(f"{noted.column.name} is not known of any of them")

    def _first(self, every: Iterator[Sequence[Item]]) -> Iterator[Sequence[Item]]:
        """No more of them than are wanted."""
        limit, shown = self.query.limit, 0
        enough = limit is not None and self.count > limit and not self.query.conditions and self.query.sort is None
        for piece in every:
            left = len(piece) if limit is None else limit - shown
            shown += min(left, len(piece))
            self.left_out += max(0, len(piece) - left)
            if left > 0:
                yield piece[:left] if left < len(piece) else piece
            if enough and left <= len(piece):
                # (Where there are fewer, the others cannot be read.)
                self.left_out = self.count - shown
                return

    def _sorted(self, wanted: Iterable[Item]) -> Iterable[Item]:
        column, limit = self.query.sort, self.query.limit
        if column is None:
            return wanted
        least_first = (column.kind is str) != self.query.reverse
        noted = Unknown(column, is_sorted=True)
        self.unknown.append(noted)

        def keyed(values: Sequence[Value]) -> list[tuple[bool, Any]]:
            noted.note(values)
            return [((found is None) is least_first, found if found is not None else "") for found in values]

        every = ((piece, keyed(column.values(piece))) for piece in pieces(wanted, MEASURED))
        if limit is None:
            keys_and_items = (entry for piece, keys in every for entry in zip(keys, piece))
            return (one for _, one in sorted(keys_and_items, key=itemgetter(0), reverse=not least_first))
        choose, comes_before = (heapq.nsmallest, operator.lt) if least_first else (heapq.nlargest, operator.gt)
        best: list[tuple[tuple[bool, Any], Item]] = []
        seen = 0
        for piece, keys in every:
            seen += len(piece)
            if best and len(best) >= limit:
                last = best[-1][0]
                entries = [(key, piece[at]) for at, key in enumerate(keys) if comes_before(key, last)]
            else:
                entries = list(zip(keys, piece))
            # (Of none heapq goes through nothing.)
            best = choose(max(1, limit), chain(best, entries), key=itemgetter(0)) if entries else best
        self.left_out = seen - len(best[:limit])
        return (one for _, one in best[:limit])


def known(question: Callable[[Item], Answer | None]) -> Callable[[Item], Answer | None]:
    """The same question; None where what it asks for cannot be read, or where it lies is not known."""

    def answer(item: Item) -> Answer | None:
        try:
            return question(item)
        except (Unreadable, KeyError):
            return None

    return answer


def named(columns: Sequence[Column[Item]], name: str) -> Column[Item]:
    """The column of a name. Raises `Wrong`."""
    for column in columns:
        if column.name == name:
            return column
    raise Wrong(f"{brief(name)} is no column: there are {', '.join(column.name for column in columns)}")


def condition(columns: Sequence[Column[Item]], text: str) -> Condition[Item]:
    """What `COLUMN=VALUE` asks of an item; instead of `=` also `!=`, `<`, `<=`, `>`, `>=`, and `~` for a text that is
    part of it. Numbers may end in k, M or G, for 2^10, 2^20 and 2^30. Raises `Wrong`."""
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise Wrong(f"{brief(text)} is no condition such as queue>1000, name=init or current~gen_server")
    column, compare = named(columns, match[1]), _OPERATORS[match[2]]
    wanted: int | str = match[3]
    if column.kind is int:
        number = _NUMBER.fullmatch(match[3])
        if number is None or match[2].endswith("~"):
            raise Wrong(f"{brief(text)}: {column.name} is a number")
        wanted = int(number[1]) * _UNITS[number[2].lower()]
    return Condition(column, lambda found: compare(found, wanted))


def json_lines(columns: Sequence[Column[Item]], items: Iterable[Item]) -> Iterator[str]:
    """The items as an array of objects in JSON, one on a line."""
    yield "["
    last = ""
    names = [column.name for column in columns]
    for piece in pieces(items, MEASURED):
        for values in zip(*(column.values(piece) for column in columns)):
            if last:
                yield last + ","
            last = json.dumps(dict(zip(names, values)), ensure_ascii=True)
    if last:
        yield last
    yield "]"


def lines(
    columns: Sequence[Column[Item]], items: Iterable[Item], styler: Styler, width: int = COLUMNS
) -> Iterator[str]:
    """The items as a table whose lines have `width` characters at most, as far as columns can be cut."""
    shown = [column for column in columns if column.heading]
    every = ([_shown(column.values(piece)) for column in shown] for piece in pieces(items, MEASURED))
    nothing: list[Sequence[Any]] = [[] for _ in shown]
    first = next(every, nothing)
    needed = [_longest([column.heading, *values[:MEASURED]]) for column, values in zip(shown, first)]
    forms = _forms(shown, needed, width)
    yield from map(styler.heading, _texts(forms, [[column.heading] for column in shown]))
    for found in chain([first], every):
        texts = list(_texts(forms, found))
        if max(map(len, texts), default=0) > width:
            # What is not cut is longer here than in those that were measured: others are cut more from here on.
            longer = [
                max(wide, _longest(values)) if column.kind is int or column.names else wide
                for column, wide, values in zip(shown, needed, found)
            ]
            if longer != needed:
                needed, forms = longer, _forms(shown, longer, width)
                texts = list(_texts(forms, found))
        yield from texts


def _longest(values: Sequence[Any]) -> int:
    return max(map(len, map(str, values)), default=0)


class _Form(NamedTuple):
    """How the values of a column are written: by `%`, cut if they have more than so many characters."""

    form: str
    most: int | None

    def texts(self, values: Sequence[Any]) -> list[str]:
        """All of them: many are equal, or nearly none."""
        few = values[:MEASURED]
        if self.most is None and 2 * len({*few}) > len(few):
            return list(map(self.form.__mod__, values))
        distinct = list({*values})
        shown = distinct if self.most is None else [shortened(text, self.most) for text in distinct]
        written = dict(zip(distinct, map(self.form.__mod__, shown)))
        return [written[value] for value in values]


def _forms(columns: Sequence[Column[Item]], needed: Sequence[int], width: int) -> list[_Form]:
    """Those of columns whose values, or what is measured of them, have so many characters."""
    widths = list(needed)
    _fit(columns, widths, width)
    # (Behind the last one there is nothing to be aligned; what names another thing is cut only if it must be.)
    return [
        _Form(
            f"%{wide}s" if column.kind is int else "%s" if column is columns[-1] else f"%-{wide}s",
            wide if column.kind is str and (not column.names or wide < whole) else None,
        )
        for column, wide, whole in zip(columns, widths, needed)
    ]


def _texts(forms: Sequence[_Form], found: Sequence[Sequence[Any]]) -> Iterator[str]:
    """The lines of a table with these columns."""
    return map(str.rstrip, map("  ".join, zip(*map(_Form.texts, forms, found))))


def _shown(values: Sequence[Value]) -> Sequence[Any]:
    """Numbers, or texts, of a column: what is not known is empty."""
    return ["" if value is None else value for value in values] if None in values else values


def readable(piece: Sequence[Item | Unreadable]) -> Sequence[Item]:
    """Those that can be read. (Among what was read as columns all can.)"""
    if not isinstance(piece, list) or Unreadable not in map(type, piece):
        return piece  # type: ignore[return-value]
    return [one for one in piece if not isinstance(one, Unreadable)]


class Readable(Generic[Item]):
    """What a list has of a VM: `items` are those of `every` that can be read, `damaged` gets what stands for others."""

    def __init__(self, every: Iterable[Item | Unreadable]) -> None:
        self._every = every
        self.damaged: list[Unreadable] = []

    def items(self) -> Iterable[Item]:
        """All that can be read."""
        return Pieces(map(self._readable, pieces(self._every, STEP)))

    def _readable(self, piece: Sequence[Item | Unreadable]) -> Sequence[Item]:
        found = readable(piece)
        if len(found) < len(piece):
            self.damaged += (one for one in piece if isinstance(one, Unreadable))
        return found

    def notes(self) -> Iterator[str]:
        """What is said of what cannot be shown."""
        return damaged_lines(self.damaged)


def damaged_lines(found: Sequence[Unreadable]) -> Iterator[str]:
    """What is said of memory in which there should be something to list, or what leads to it."""
    for one in found[:MAX_DAMAGED]:
        yield f"(missing: what lies at {one.address:#x}, {one.size} bytes, cannot be read, or is damaged)"
    if len(found) > MAX_DAMAGED:
        yield f"(and so for {len(found) - MAX_DAMAGED} others)"


def _fit(columns: Sequence[Column[Item]], widths: list[int], width: int) -> None:
    """Make columns of text narrower, the widest first, until a line fits."""
    for names in (False, True):
        texts = [at for at, column in enumerate(columns) if column.kind is str and column.names is names]
        while texts and sum(widths) + 2 * (len(widths) - 1) > width:
            widest = max(texts, key=widths.__getitem__)
            if widths[widest] <= NARROWEST:
                break
            widths[widest] -= 1
