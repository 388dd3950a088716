"""Text as GDB itself would have it on its terminal: so wide, and in the colours of its own styles."""

from __future__ import annotations

import os
import sys
from functools import cached_property

import gdb

from beamgdb.views.styler import COLUMNS, Styler

WIDEST = 300
"""Characters of a line where GDB knows of no limit. Names are up to 255 long, and one binary may be held by all."""


class GdbStyler(Styler):
    """As the user has it (`set style enabled`, and `NO_COLOR` in the environment) when it is first used: one is made
    for each command."""

    def coloured(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[m" if self._has_colours else text

    @cached_property
    def _has_colours(self) -> bool:
        on_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
        return on_terminal and bool(gdb.parameter("style enabled")) and not os.environ.get("NO_COLOR")


def width(least: int = COLUMNS) -> int:
    """Characters of a line: those of the terminal, but for one, as GDB knows them (`set width`), but not less than
    `least`. It knows of no limit in batch mode."""
    known = gdb.parameter("width")
    return min(WIDEST, max(least, known - 1 if isinstance(known, int) and known > 0 else WIDEST))


def limit() -> int | None:
    """Characters that fit into a line of the terminal, None where GDB knows of no limit, as where output is piped."""
    known = gdb.parameter("width")
    return known - 1 if isinstance(known, int) and known > 1 else None
