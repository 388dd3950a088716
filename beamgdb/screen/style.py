"""How the screen looks."""

from __future__ import annotations

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
    """As many as the terminal has; none where `NO_COLOR` is set."""
    return ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None
