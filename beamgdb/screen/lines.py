"""What panes show: lines of pieces of text, each in a style, and what is done where one is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from itertools import accumulate, takewhile
from typing import Any, Final, Union

from prompt_toolkit.utils import get_cwidth

from beamgdb.late import dataclass
from jit.system.controls import harmless

Piece = tuple[str, str]
"""The name of a style, empty without one, and a text."""

WIDEST: Final = 60
"""Columns of a table's column that is not the last."""


SPACE: Final = "  "
"""What is between texts side by side."""


@dataclass(frozen=True)
class Deed:
    """What is done when a line is chosen: `what` is command, process, table, or unfold; `value` which."""

    what: str
    value: str


@dataclass(frozen=True)
class Line:
    """A line; `is_current`: where the program is, or what is selected. `deletes` is a command that removes it.
    `is_head`: it says what is below, and stays above that."""

    pieces: tuple[Piece, ...]
    deed: Deed | None = None
    is_current: bool = False
    deletes: str | None = None
    is_head: bool = False

    @property
    def text(self) -> str:
        """It without styles."""
        return "".join(text for _, text in self.pieces)


@dataclass
class Looks:
    """How a pane is looked at: sorted by which column, in which direction, and which lines of it."""

    sort: str | None = None
    reverse: bool = False
    filter: str = ""


@dataclass(frozen=True)
class Asked:
    """What a pane is made of: `ask` gives the value of a question, or None; for then `trouble` is there to be shown."""

    ask: Callable[[str], tuple[Any, list[Line]]]
    looks: Looks = field(default_factory=Looks)
    unfolded: frozenset[str] = frozenset()
    process: str | None = None
    table: str | None = None


def line(text: str, style: str = "", deed: Deed | None = None) -> Line:
    """A line of one piece."""
    return Line(((style, harmless(text)),), deed)


def shortened(text: str, columns: int) -> str:
    """A text that is no wider than so many columns; what is left out is marked."""
    ends = list(takewhile(lambda end: end <= columns, accumulate(map(get_cwidth, text))))
    if len(ends) == len(text):
        return text
    return f"{text[: sum(end < columns for end in ends)]}…" if columns > 0 else ""


def filled(text: str, columns: int) -> str:
    """A text with blanks behind it, so many columns wide."""
    return text + " " * (columns - get_cwidth(text))


def fitted(parts: Sequence[tuple[int, str]], columns: int) -> str:
    """Texts side by side, in so many columns; where there is no room, without those with the largest numbers."""
    kept = list(parts)
    while kept and get_cwidth(SPACE.join(text for _, text in kept)) > columns:
        kept.remove(max(kept, key=lambda one: one[0]))
    return SPACE.join(text for _, text in kept)


def note(text: str) -> Line:
    """A line that is no content."""
    return line(text, "dim")


Cell = Union[str, int, None]


@dataclass(frozen=True)
class Column:
    """A column of a table: the key of its values, its heading, and whether they are numbers."""

    key: str
    heading: str
    is_number: bool = False
    style: str = ""


def table(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    looks: Looks,
    deed: Callable[[Mapping[str, Any]], Deed | None],
    deletes: Callable[[Mapping[str, Any]], str | None] = lambda row: None,
) -> list[Line]:
    """A heading, and a line for each row that has the text which is looked for. The sorted column is marked."""
    wanted = looks.filter.lower()
    texts = [tuple(_cell(row.get(one.key)) for one in columns) for row in rows]
    kept = [(row, text) for row, text in zip(rows, texts) if not wanted or any(wanted in one.lower() for one in text)]
    marks = [
        "▾" if one.key == looks.sort and not looks.reverse else "▴" if one.key == looks.sort else "" for one in columns
    ]
    heads = [one.heading + mark for one, mark in zip(columns, marks)]
    widths = [
        min(WIDEST, max([get_cwidth(head), *(get_cwidth(text[at]) for _, text in kept)]))
        for at, head in enumerate(heads)
    ]
    found = [Line(tuple(_pieces(heads, columns, widths, "heading")), is_head=True)]
    found += (Line(tuple(_pieces(text, columns, widths, None)), deed(row), deletes=deletes(row)) for row, text in kept)
    if not kept:
        found.append(note("(none)" if not wanted else f"(none has {looks.filter!r} in it)"))
    return found


def _cell(found: Any) -> str:
    return "" if found is None else harmless(str(found))


def _pieces(
    texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int], style: str | None
) -> Iterable[Piece]:
    for at, (text, column, width) in enumerate(zip(texts, columns, widths)):
        space = " " * (width - get_cwidth(text))
        is_last = at + 1 == len(texts)
        shown = f"{space}{text}" if column.is_number else text if is_last else f"{text}{space}"
        yield (style if style is not None else column.style), shown
        if not is_last:
            yield style or "", "  "
