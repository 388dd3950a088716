"""How text looks: as wide as a terminal, and in colours where there are some."""

from __future__ import annotations

import re
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
_NO_COLOUR: Final = "\033[m"


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
    if columns(text) <= most:
        return text
    kept, room = "", most - len("...")
    for part in re.split(f"({_COLOUR.pattern})", text):
        if _COLOUR.fullmatch(part):
            kept += part
            continue
        for letter in part:
            room -= _columns(letter)
            if room < 0:
                return f"{kept}...{_NO_COLOUR}" if _COLOUR.search(kept) else f"{kept}..."[:most]
            kept += letter
    return kept
