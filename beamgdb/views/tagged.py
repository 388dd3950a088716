"""Rows of several kinds in JSON: each says which it is. PROTOCOL.md tells of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final

_WORDS: Final = re.compile("(?<=[a-z])(?=[A-Z])")


def as_json(row: Any) -> dict[str, Any]:
    """What a row, a dataclass of plain values, is in JSON: `row` is its kind, as `left_out` of a LeftOutRow."""
    kind = _WORDS.sub("_", type(row).__name__.removesuffix("Row")).lower()
    return {"row": kind, **asdict(row)}


def lines(rows: Iterable[Any]) -> Iterator[str]:
    """Rows as an array in JSON, one on a line."""
    left = map(json.dumps, map(as_json, rows))
    last = next(left, None)  # an error comes before all else
    yield "["
    for text in left:
        yield f"{last},"
        last = text
    if last is not None:
        yield last
    yield "]"
