"""How the screen looks."""

from __future__ import annotations

import curses
import os
from typing import Final

from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

STYLE: Final = Style.from_dict({
    "bar": "reverse", "title": "bold", "title-focused": "bold reverse", "heading": "bold", "dim": "ansibrightblack",
    "function": "ansiyellow", "file": "ansigreen", "name": "ansicyan", "error": "ansired", "current": "bold",
    "at": "reverse", "old": "ansiyellow",
})  # fmt: skip
"""Of the sixteen colours that each terminal has as its user likes them."""


def colours() -> ColorDepth | None:
    """As many as prompt_toolkit finds that the terminal has; none where `NO_COLOR` is set, or the terminal has none."""
    if os.environ.get("NO_COLOR"):
        return ColorDepth.DEPTH_1_BIT
    try:
        curses.setupterm()
    except curses.error:
        return None
    return None if curses.tigetnum("colors") > 0 else ColorDepth.DEPTH_1_BIT
