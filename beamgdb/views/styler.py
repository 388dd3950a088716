"""How text looks: as wide as a terminal, and in colours where there are some."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from unicodedata import combining, east_asian_width

COLUMNS = 79
"""Of a terminal that help and notes are to fit."""

_FUNCTION = "33"
_FILE = "32"
_HEADING = "1"


class Styler:
    """Text without colours; others override `coloured`. Codes are those of ECMA-48, SGR, as terminals know them."""

    def function(self, name: str) -> str:
        """A function's name."""
        return self.coloured(name, _FUNCTION)

    def source(self, file: str, line: int) -> str:
        """A source position."""
        return f"{self.coloured(file, _FILE)}:{line}"

    def heading(self, text: str) -> str:
        """The line above a list."""
        return self.coloured(text, _HEADING)

    def coloured(self, text: str, code: str) -> str:
        """The text in a colour."""
        return text


PLAIN = Styler()

_COLOUR: Final = re.compile(r"\033\[[0-9;]*m")
_COLOURED: Final = re.compile(f"({_COLOUR.pattern})")
_NO_COLOUR: Final = "\033[m"
_MORE: Final = "..."
_START: Final = re.compile(r" *(?:\d+\. )?")


def columns(text: str) -> int:
    """Columns of a terminal that a text takes: colours take none, letters of East Asia two (Unicode, UAX #11)."""
    plain = _COLOUR.sub("", text)
    return len(plain) if plain.isascii() else sum(map(_columns, plain))


def _columns(letter: str) -> int:
    if combining(letter):
        return 0
    return 2 if east_asian_width(letter) in "WF" else 1


def cut(text: str, most: int) -> str:
    """The text in so many columns, with its colours; `...` stands at its end for what is left out."""
    return text if columns(text) <= most else part(text, 0, most - len(_MORE)) + _MORE[:most]


class Sentence(str):
    """A line that goes on in others where it does not fit, for each half of it alone says nothing. Lines that are no
    sentences are rows, as a frame is."""


def fitted(text: str, most: int | None) -> Iterator[str]:
    """A line in so many columns, None for any number: a row is cut."""
    if most is None or columns(text) <= most:
        yield text
    elif isinstance(text, Sentence):
        yield from _wrapped(text, most)
    else:
        yield cut(text, most)


def _wrapped(text: str, most: int) -> Iterator[str]:
    """The lines of a sentence; those behind the first begin where its text does, behind a number."""
    start = _START.match(text)
    assert start is not None
    line, indent = start[0], " " * columns(start[0])
    begun = False
    for word in text[len(start[0]) :].split(" "):
        if begun and columns(line) + 1 + columns(word) > most:
            yield line
            line, begun = indent, False
        line, begun = (f"{line} {word}" if begun else line + word), True
    yield line


def part(text: str, left: int, most: int) -> str:
    """What of the text is in so many columns from `left` on, with its colours."""
    if not left and columns(text) <= most:
        return text
    kept, at, is_coloured = [], 0, False
    for piece in _COLOURED.split(text):
        if _COLOUR.fullmatch(piece):
            kept.append(piece)
            is_coloured = True
            continue
        for letter in piece:
            before, at = at, at + _columns(letter)
            if at > left + most:
                return "".join((*kept, _NO_COLOUR if is_coloured else ""))
            if before >= left:
                kept.append(letter)
    return "".join(kept)
