"""Terms as text, within limits."""

from __future__ import annotations

from dataclasses import dataclass

from beamgdb.node import Node
from beamgdb.terms.source import Limits

MAX_TEXT = 1 << 20
"""Characters of one term at most: the limits are on its parts, and it may be made of many large ones."""


@dataclass(frozen=True)
class Terms:
    """Terms of one VM, in Erlang syntax; a text that is too long all the same is cut."""

    node: Node
    limits: Limits

    def text(self, word: int) -> str:
        """The term in a word. Never raises."""
        return _cut(self.node.term(word, self.limits))

    def boxed(self, address: int) -> str:
        """The heap object whose header word is at `address`. Never raises."""
        return _cut(self.node.boxed(address, self.limits))


def _cut(text: str) -> str:
    left_out = len(text) - MAX_TEXT
    return text if left_out <= 0 else f"{text[:MAX_TEXT]}... ({left_out} characters left out)"
