"""Breakpoints of our own, which users do not see."""

from __future__ import annotations

from typing import Any

import gdb

from beamgdb.gdbext import front_end
from beamgdb.gdbext.c_expressions import in_c
from beamgdb.gdbext.extension import extension


class InternalPoint(gdb.Breakpoint):
    """One at a location in GDB's words; what the location says is C."""

    def __init__(self, location: str) -> None:
        with in_c():
            super().__init__(location, internal=True)
        self.silent = True


class Asked(InternalPoint):
    """One that is asked whether to stop the target. If Ctrl-C comes meanwhile it stops, whatever the answer is."""

    is_passing = False
    """Whether a stop here would be no end of what GDB was told to do."""
    has_agreed = False
    """Whether the answer was to stop. GDB takes any error for that, and Ctrl-C may raise one before `stop` begins."""
    _noted = 0
    """Of GDB's count of hits, those that were looked at. GDB counts what is to stop the target."""

    def is_wanted(self) -> bool:
        """Whether to stop."""
        raise NotImplementedError

    def stop(self) -> bool:
        """For GDB."""
        before = extension().interruptions
        try:
            wanted = self.is_wanted()
        except KeyboardInterrupt:
            return True
        if extension().interruptions != before:
            return True
        self.has_agreed = wanted
        # Of a silent stop front ends that speak GDB/MI are told neither where nor why it is.
        if wanted and not self.is_passing and front_end.speaks_mi():
            self.silent = False
        return wanted

    def has_stopped_unasked(self) -> bool:
        """Whether GDB has stopped the target here since this was asked last, with no such answer. That it was here when
        another breakpoint stopped the target is no such stop."""
        unasked = self.hit_count != self._noted and not self.has_agreed
        self._noted, self.has_agreed = self.hit_count, False
        return unasked


def _on_stop(event: Any) -> None:
    """Find out why the target has stopped."""
    asked = [one for one in event.breakpoints if isinstance(one, Asked)] if hasattr(event, "breakpoints") else []
    unasked = [one.has_stopped_unasked() for one in asked]  # of each, for each is to note that it was
    extension().was_interrupted = any(unasked)


def install() -> None:
    """Connect to GDB's events. To be called before others do, who delete breakpoints at a stop."""
    gdb.events.stop.connect(_on_stop)
