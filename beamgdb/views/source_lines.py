"""Lines of a source file around one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from beamgdb.late import dataclass
from beamgdb.views.styler import Styler
from jit.system.controls import harmless

MOST: Final = 16 << 20
"""Bytes of a file that are looked through."""

TAB: Final = 8
"""Columns from one tab stop to the next, as terminals have them."""


@dataclass(frozen=True)
class SourceLineRow:
    """A line of a source file; `is_current`: the program is there."""

    number: int
    text: str
    is_current: bool


def texts(path: Path) -> list[str]:
    """The lines of a file. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MOST).decode(errors="replace").split("\n")


def around(path: Path, line: int, before: int, after: int) -> list[SourceLineRow]:
    """The line of a file, with so many before and behind it; without that line nothing. Raises OSError."""
    with path.open("rb") as file:
        lines = file.read(MOST).split(b"\n")
    if not 0 < line <= len(lines) - (not lines[-1]):
        return []
    first = max(1, line - before)
    last = min(line + after, len(lines) - (not lines[-1]))
    return [
        SourceLineRow(number, harmless(lines[number - 1].decode(errors="replace").expandtabs(TAB)), number == line)
        for number in range(first, last + 1)
    ]


def lines(rows: list[SourceLineRow], styler: Styler) -> Iterator[str]:
    """The text of rows."""
    wide = len(str(rows[-1].number)) if rows else 0
    for row in rows:
        mark = "=>" if row.is_current else "  "
        text = f"{mark} {row.number:>{wide}}  {row.text}".rstrip()
        yield styler.heading(text) if row.is_current else text
