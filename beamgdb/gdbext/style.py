"""Colours of GDB's own styles, where GDB itself would use colours."""

from __future__ import annotations

import sys

import gdb

_FUNCTION = "33"
_FILE = "32"
_HEADING = "1"


def _styled(text: str, code: str) -> str:
    on_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
    return f"\033[{code}m{text}\033[m" if on_terminal and gdb.parameter("style enabled") else text


def function(name: str) -> str:
    """A function's name."""
    return _styled(name, _FUNCTION)


def source(file: str, line: int) -> str:
    """A source position."""
    return f"{_styled(file, _FILE)}:{line}"


def heading(text: str) -> str:
    """The line above a list."""
    return _styled(text, _HEADING)
