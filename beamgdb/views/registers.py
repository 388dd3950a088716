"""Registers of an Erlang frame, as `xreg`, `yreg` and `freg` show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from beamgdb.late import dataclass
from beamgdb.views.terms import Terms
from beamgdb.vm.model import Unavailable

NOT_AVAILABLE = "<not available>"
"""What is shown in the place of what a frame does not know any more."""


@dataclass(frozen=True)
class RegisterRow:
    """A register that holds a term; `word` is None where it is not available."""

    name: str
    word: int | None
    text: str


@dataclass(frozen=True)
class FloatRow:
    """A float register."""

    name: str
    content: float


def row(letter: str, number: int, word: int, terms: Terms) -> RegisterRow:
    """The register of this letter and number, which holds a word."""
    return RegisterRow(f"{letter}{number}", word, terms.text(word))


def rows(letter: str, numbers: Iterable[int], word: Callable[[int], int], terms: Terms) -> Iterator[RegisterRow]:
    """The registers of these numbers; `word` gives what is in one, or raises `Unavailable`."""
    for number in numbers:
        try:
            yield row(letter, number, word(number), terms)
        except Unavailable:
            yield RegisterRow(f"{letter}{number}", None, NOT_AVAILABLE)


def line(row: RegisterRow | FloatRow, raw: int = 0) -> str:
    """The text of a register, with its machine word of `raw` bytes before it, unless that is 0."""
    if isinstance(row, FloatRow):
        return f"{row.name:<4} {row.content!r}"
    word = f"{row.word:#0{2 + 2 * raw}x} " if raw and row.word is not None else ""
    return f"{row.name:<4} {word}{row.text}"
