"""Command lines of which one argument is a pid, a quoted atom or an expression, and stands between options."""

from __future__ import annotations

import re

_OPTION = re.compile(r"(?:^|(?<=\s))(?:-limit\s+\S+|--?json)(?=\s|$)")
"""One that says how much is shown, or how."""


def split(text: str) -> list[str]:
    """The words of options, and the rest as it is: a pid's angle brackets mean nothing special there, and a quoted atom
    keeps its quotes and blanks."""
    options = [word for match in _OPTION.finditer(text) for word in match[0].split()]
    rest = _OPTION.sub("", text).strip()
    return [*options, *([rest] if rest else ())]
