"""What a user has typed: numbers, and how messages repeat it and other text."""

from __future__ import annotations

LONGEST_NUMBER = 18
"""Digits: of anything that is counted or numbered here there is less."""

LONGEST_TEXT = 40
"""Characters that a message repeats."""


def natural(text: str) -> int | None:
    """The number that a user means. None for what is not written in ASCII digits, or has too many of them."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else None


def brief(text: str) -> str:
    """The text between quotes for a message of one line: without control characters, and cut if it is long."""
    return repr(shortened(text, LONGEST_TEXT))


def shortened(text: str, most: int) -> str:
    """The text, cut if it has more characters than that."""
    return text if len(text) <= most else text[: most - 3] + "..."
