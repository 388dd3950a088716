"""Text in the colours of GDB's own styles, where GDB itself would use colours."""

from __future__ import annotations

import sys

import gdb

from beamgdb.views.styler import Styler


class GdbStyler(Styler):
    """As the user has it (`set style enabled`)."""

    def coloured(self, text: str, code: str) -> str:
        on_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
        return f"\033[{code}m{text}\033[m" if on_terminal and gdb.parameter("style enabled") else text
