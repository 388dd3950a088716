"""Breakpoints on Erlang functions and lines, as `beam-breakpoints` lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from beamgdb.code.loaded import LoadedCode
from beamgdb.late import dataclass
from beamgdb.views.location import BreakpointLocation
from beamgdb.views.styler import Styler
from beamgdb.views.terms import Syntax


@dataclass(frozen=True)
class BreakpointPlace:
    """An address where a breakpoint is; what is not known of it is None."""

    address: int
    function: str | None
    file: str | None
    line: int | None


@dataclass(frozen=True)
class BreakpointRow:
    """A breakpoint. There are no `places` until its module is loaded. `process` and `condition` are as they were asked
    for, None without; the next `ignored` hits do not count."""

    number: int
    temporary: bool
    enabled: bool
    hits: int
    location: str
    places: tuple[BreakpointPlace, ...]
    process: str | None
    condition: str | None
    ignored: int


def places(location: BreakpointLocation, code: LoadedCode, syntax: Syntax) -> tuple[BreakpointPlace, ...]:
    """Where a breakpoint is, none where its module is not loaded."""
    found: dict[tuple[str | int, int | None], BreakpointPlace] = {}
    for address in location.addresses(code):
        place, where = code.find(address), code.where(address)
        function = syntax.function(place.code.name) if place is not None else None
        file, line = (where.file, where.line) if where is not None else (None, None)
        # A function that has native code has its bytecode too, which may know the file by its path.
        found.setdefault((function or address, line), BreakpointPlace(address, function, file, line))
    return tuple(found.values())


def where(places: Iterable[BreakpointPlace], styler: Styler) -> str:
    """The text of places."""
    return ", ".join(_place(place, styler) for place in places)


def _place(place: BreakpointPlace, styler: Styler) -> str:
    name = styler.function(place.function) if place.function is not None else f"{place.address:#x}"
    if place.file is None or place.line is None:
        return name
    return f"{name} at {styler.source(place.file, place.line)}"


def lines(rows: Iterable[BreakpointRow], styler: Styler) -> Iterator[str]:
    """The table of breakpoints."""
    cells = [("Num", "Disp", "Enb", "Hits", "Where"), *(_cells(row, styler) for row in rows)]
    if len(cells) == 1:
        yield "No Erlang breakpoints."
        return
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    for row in cells:
        head = " ".join(f"{cell:<{width}}" for cell, width in zip(row, widths))
        yield f"{head} {row[4]}"


def _cells(row: BreakpointRow, styler: Styler) -> tuple[str, ...]:
    notes = [f"process {row.process}"] if row.process else []
    notes += [f"if {row.condition}"] if row.condition else []
    notes += [f"ignore next {row.ignored}"] if row.ignored else []
    text = ", ".join((where(row.places, styler) or f"pending: {row.location}", *notes))
    return str(row.number), "del" if row.temporary else "keep", "y" if row.enabled else "n", str(row.hits), text
