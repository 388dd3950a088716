"""A term with its parts, for whoever unfolds terms step by step."""

from __future__ import annotations

from beamgdb.brackets import opens
from beamgdb.late import dataclass
from beamgdb.views.terms import AnyTerms


@dataclass(frozen=True)
class PartRow:
    """A part of a term. `name` is its place, from 1 on, in brackets, the key of a value of a map, or `[tail]`;
    `has_parts`: it can be unfolded too, by its `word`, as long as the target stands still."""

    name: str
    word: int
    text: str
    has_parts: bool


@dataclass(frozen=True)
class TermRow:
    """A term with its first parts; `has_more`: there are others."""

    word: int
    text: str
    parts: tuple[PartRow, ...]
    has_more: bool


def has_parts(terms: AnyTerms, word: int, text: str) -> bool:
    """Whether a term of this text is a list, a tuple or a map that is not empty."""
    return opens(text) and bool(terms.node.parts(word, 1))


def row(terms: AnyTerms, word: int) -> TermRow:
    """A term, with as many parts as the limits let be shown of each. Never raises."""
    text, most = terms.text(word), terms.limits.width
    found = terms.node.parts(word, most + 1) if opens(text) else []
    parts = []
    for one in found[:most]:
        place = f"[{one.place}]" if one.place is not None else "[tail]"
        name = terms.text(one.key) if one.key is not None else place
        shown = terms.text(one.word)
        parts.append(PartRow(name, one.word, shown, has_parts(terms, one.word, shown)))
    return TermRow(word, text, tuple(parts), len(found) > most)
