"""Text in the colours of GDB's own styles, where GDB itself would use colours."""

from __future__ import annotations

import sys
from functools import cached_property

import gdb

from beamgdb.views.styler import Styler


class GdbStyler(Styler):
    """As the user has it (`set style enabled`) when it is first used: one is made for each command."""

    def coloured(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[m" if self._has_colours else text

    @cached_property
    def _has_colours(self) -> bool:
        on_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
        return on_terminal and bool(gdb.parameter("style enabled"))
