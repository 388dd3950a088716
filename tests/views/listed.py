"""Reads the tables that commands print."""

from __future__ import annotations

import re
from itertools import takewhile


def table(text: str) -> list[dict[str, str]]:
    """The rows by the headings, which stand two blanks apart, up to the notes, which stand in parentheses."""
    heading, *lines = takewhile(lambda line: not line.startswith("("), text.splitlines())
    starts = [match.span() for match in re.finditer(r"\S+(?: \S+)*", heading)]
    rows = []
    for line in lines:
        row: dict[str, str] = {}
        for number, (start, end) in enumerate(starts):
            # Numbers are aligned with the end of their heading.
            before = starts[number - 1][1] if number else 0
            after = starts[number + 1][0] if number + 1 < len(starts) else len(line)
            row[heading[start:end]] = _word(line, before, start, end, after)
        rows.append(row)
    return rows


def _word(line: str, before: int, start: int, end: int, after: int) -> str:
    left = line[start:after].split("  ")[0].strip() if line[start : start + 1].strip() else ""
    if left and (start == 0 or line[start - 1] == " "):
        return left
    return line[before:end].split("  ")[-1].strip()
