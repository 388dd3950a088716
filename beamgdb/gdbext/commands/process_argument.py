"""Command lines of which one argument is a pid, a quoted atom or an expression, and stands between options."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Around:
    """Options that may stand before and behind such an argument."""

    option: re.Pattern[str]

    def split(self, text: str) -> list[str]:
        """The words of options, and the rest as it is: a pid's angle brackets mean nothing special there, and a quoted
        atom keeps its quotes and blanks."""
        options = [word for match in self.option.finditer(text) for word in match[0].split()]
        rest = self.option.sub("", text).strip()
        return [*options, *([rest] if rest else ())]


OPTIONS = Around(re.compile(r"(?:^|(?<=\s))(?:-limit\s+\S+|--?json)(?=\s|$)"))
"""Those that say how much is shown, and how."""
