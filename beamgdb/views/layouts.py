"""Where fields of the VM's structures came from, as `beam-info -layout` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from beamgdb.late import dataclass
from beamgdb.views.styler import COLUMNS, Styler
from jit.otp.layouts.layout import Layout
from jit.otp.layouts.wanted import STRUCTS

SIZE = "sizeof"
"""Stands for the size of a structure among its fields."""


@dataclass(frozen=True)
class LayoutRow:
    """Fields of a structure that came from the same `source`, by name; None: it is not known where they are."""

    struct: str
    source: str | None
    fields: tuple[str, ...]


def rows(layout: Layout) -> Iterator[LayoutRow]:
    """All structures that are wanted. Of one that is in no release of this kind, a table tells nothing."""
    for wanted in STRUCTS:
        here = layout.structs.get(wanted.name)
        by_source: dict[str | None, list[str]] = {}
        told = () if here is None else (*here.fields, *((SIZE,) if here.size is not None else ()))
        for name in told:
            source = layout.evidence.get(wanted.name, {}).get(name) if layout.is_proved else layout.origin
            by_source.setdefault(source, []).append(name)
        if layout.is_proved:
            by_source.setdefault(None, []).extend(one.name for one in wanted.fields if one.name not in told)
        for source, names in by_source.items():
            if names:
                yield LayoutRow(wanted.name, source, tuple(names))


def lines(row: LayoutRow, styler: Styler) -> Iterator[str]:
    """The text of a row."""
    yield styler.heading(f"{row.struct}: {'unknown' if row.source is None else row.source}")
    yield from wrap(" ".join(row.fields), COLUMNS, initial_indent="    ", subsequent_indent="    ")
