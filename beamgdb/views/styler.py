"""How text looks: as wide as a terminal, and in colours where there are some."""

from __future__ import annotations

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
