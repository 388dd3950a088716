"""Characters that command whoever shows them, and what is shown instead: names in files and in targets can hold any.

They are escaped as Erlang writes characters by their codes. `printable` is for what only people read; `harmless` leaves
all letters and blanks, so that files with such names are still found by what it returns.
"""

from __future__ import annotations

import re
from typing import Final

#: As ranges of a character class: what terminals obey, what reverses the text around it (Unicode's Bidi_Control) or
#: ends its line, what is there without being seen, and surrogates, which stand for bytes that are no text. Not the two
#: joiners (U+200C, U+200D), without which words of some languages are misspelt.
CONTROLS: Final = (
    r"\x00-\x1f\x7f-\x9f"
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    r"\u2028\u2029"
    r"\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    r"\ud800-\udfff"
)
_CONTROL: Final = re.compile(f"[{CONTROLS}]")


def printable(text: str) -> str:
    """The text, of which only what is certainly printed stays as it is."""
    return "".join(one if one.isprintable() else _code(one) for one in text)


def harmless(text: str) -> str:
    """The text without the characters of `CONTROLS`."""
    return _CONTROL.sub(lambda found: _code(found.group()), text)


def _code(character: str) -> str:
    return f"\\x{{{ord(character):x}}}"
