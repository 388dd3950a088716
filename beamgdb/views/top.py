"""The processes that do most, as `beam-top` shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from beamgdb.views.listing import Column
from beamgdb.views.process_list import ProcessColumns
from beamgdb.vm.process_list import Noted

LIMIT: Final = 20
"""Processes that are shown unless more are asked for."""

MAX_REMEMBERED: Final = 1 << 21
"""Processes whose reductions are remembered, of some hundred bytes each."""


@dataclass
class Reductions:
    """What each process has run up to a look, by its pid as a word; and up to the last look of before the target ran
    again. `run` tells which look that was: how often the target had run."""

    run: int | None = None
    now: dict[int, int] = field(default_factory=dict)
    before: dict[int, int] | None = None

    def look(self, run: int) -> None:
        """Begin another look. While the target stands still what was before stays the same."""
        if self.run is not None and run != self.run:
            self.before, self.now = self.now, {}
        self.run = run


class TopColumns:
    """What is shown of each process."""

    def __init__(self, shown: ProcessColumns, reductions: Reductions) -> None:
        self._shown = shown
        self._reductions = reductions

    def items(self) -> Iterator[Noted]:
        """All processes."""
        now = self._reductions.now
        for one in self._shown.items():
            if one.id is not None and one.reds is not None and len(now) < MAX_REMEMBERED:
                now[one.id] = one.reds
            yield one

    @property
    def order(self) -> str:
        """The column by which they are sorted."""
        return "ran" if self._reductions.before is not None else "reductions"

    @property
    def columns(self) -> Sequence[Column[Noted]]:
        own = {column.name: column for column in self._shown.columns}
        return (
            own["pid"],
            Column("ran", int, self._ran, "RAN"),
            Column("reductions", int, own["reductions"].value, "REDUCTIONS"),
            *(own[name] for name in ("memory", "queue", "status", "name", "label", "spawned", "called", "current")),
        )

    def _ran(self, noted: Noted) -> int | None:
        """Reductions since the last look; all of a process that is new. The VM's counter may overflow."""
        before = self._reductions.before
        if before is None or noted.reds is None or noted.id is None:
            return None
        return max(0, noted.reds - before.get(noted.id, 0))

    def notes(self) -> Iterator[str]:
        """What the numbers are of."""
        if self._reductions.before is None:
            yield "(RAN, what ran in between, is there from the second beam-top on, once the node has run again)"
        yield from self._shown.notes()
