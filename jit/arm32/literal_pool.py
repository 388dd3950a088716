"""Constants that wait to be placed near the instructions that load them."""

from __future__ import annotations

from collections.abc import Iterator

from jit.arm32.immediates import double_words
from jit.arm32.relocations import External
from jit.codegen.processor import Label

#: A literal of 32 bits: an integer or an address.
Word = int | External | Label

#: A position that code does not reach.
NEVER = 1 << 60
_WORD_REACH = 1023 + 2  # words from a load to the furthest literal: LDR reaches 4095 bytes from pc, and
_DOUBLE_REACH = 255 + 2  # VLDR 1020; pc is two words ahead
_JUMP = 1
_SLACK = 3  # a load is appended, and its literal counted, before anyone looks at the deadline


class LiteralPool:
    """Literals not yet placed, each with the label that its loads use. Positions are counted in words.

    Equal literals share a place, also with the pool placed before where that is near enough.
    """

    def __init__(self) -> None:
        self._words: dict[Word, Label] = {}
        self._doubles: dict[tuple[int, int], Label] = {}
        self._placed: dict[Word, Label] = {}
        self._placed_doubles: dict[tuple[int, int], Label] = {}
        self.size = 0
        self.first_use = NEVER
        self._limit = NEVER

    @property
    def deadline(self) -> int:
        """Where code must end at the latest, for a jump and then all of the pool to be within reach."""
        return self._limit - self.size - _JUMP - _SLACK

    def word(self, value: Word, here: int) -> Label:
        """The label of a literal of 32 bits that is loaded at *here*."""
        label = self._words.get(value)
        if label is None:
            label = self._placed.get(value)
            if label is None or _far(label, here, _WORD_REACH):
                label = self._words[value] = Label()
                self._wait(here, _WORD_REACH, 1)
        return label

    def double(self, value: float, here: int) -> Label:
        """The label of a literal of 64 bits that is loaded at *here*."""
        key = double_words(value)  # not the float: 0.0 equals -0.0
        label = self._doubles.get(key)
        if label is None:
            label = self._placed_doubles.get(key)
            if label is None or _far(label, here, _DOUBLE_REACH):
                label = self._doubles[key] = Label()
                self._wait(here, _DOUBLE_REACH, 2)
        return label

    def _wait(self, here: int, reach: int, size: int) -> None:
        self.size += size
        self.first_use = min(self.first_use, here)
        self._limit = min(self._limit, here + reach)

    def take(self) -> Iterator[tuple[Label, Word]]:
        """Empty the pool: the words to place, in order; a double is two, the second with a label of no use."""
        words, doubles = self._words, self._doubles
        self._placed.update(words)
        self._placed_doubles.update(doubles)
        self._words, self._doubles = {}, {}
        self.size, self.first_use, self._limit = 0, NEVER, NEVER
        for (low, high), label in doubles.items():  # first, because their loads reach less far
            yield label, low
            yield Label(), high
        for value, label in words.items():
            yield label, value


def _far(label: Label, here: int, reach: int) -> bool:
    """Whether a load at *here* does not reach back to a literal."""
    return label.offset is None or here + 2 - label.offset // 4 > reach - 2
