"""The processes that do most, as `beam-top` shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace
from typing import Final

from beamgdb.late import dataclass
from beamgdb.views.listing import Column
from beamgdb.views.process_list import ProcessColumns
from beamgdb.vm.pieces import STEP, Pieces, pieces
from beamgdb.vm.process_list import Noted, fields

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


_COUNTED = fields("id", "reds")


class TopColumns:
    """What is shown of each process."""

    def __init__(self, shown: ProcessColumns, reductions: Reductions) -> None:
        self._shown = shown
        self._reductions = reductions

    def items(self) -> Iterable[Noted]:
        """All processes."""
        return Pieces(map(self._seen, pieces(self._shown.items(), STEP)))

    def _seen(self, many: Sequence[Noted]) -> Sequence[Noted]:
        now = self._reductions.now
        if len(now) < MAX_REMEMBERED:
            ids, reductions = _COUNTED(many)
            now.update((one, ran) for one, ran in zip(ids, reductions) if one is not None and ran is not None)
        return many

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
            replace(own["reductions"], heading="REDUCTIONS"),
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
