"""Says how far a long command has come, only after a while: on a terminal, and to a front end that wants to know."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import gdb

from beamgdb.gdbext.extension import extension

QUIET_SECONDS = 2.0
"""Commands that are done sooner say nothing."""

STEP_SECONDS = 0.5

TO_FRONT_ENDS = "beam-progress: "
"""What such a line begins with for a front end: see PROTOCOL.md."""


class ProgressLine:
    """`with ProgressLine("processes", 10042) as progress: ... progress.advance()`; 0 where nobody knows how many."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._next = time.monotonic() + QUIET_SECONDS
        self._shown = False

    def __enter__(self) -> ProgressLine:
        return self

    def advance(self, count: int = 1) -> None:
        """So many more are done. Raises KeyboardInterrupt when the user has pressed Ctrl-C."""
        self._done += count
        now = time.monotonic()
        if now >= self._next:
            self._next = now + STEP_SECONDS
            of_all = f" of {self._total}" if self._total else ""
            how_far = f"{self._done}{of_all} {self._what}"
            if extension().parameters.progress:
                gdb.write(f"{TO_FRONT_ENDS}{how_far}\n", gdb.STDERR)
                gdb.flush(gdb.STDERR)
            elif sys.__stderr__ is not None and sys.__stderr__.isatty():
                self._shown = True
                gdb.write(f"\r{how_far}", gdb.STDERR)
                gdb.flush(gdb.STDERR)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            gdb.write("\r\033[K", gdb.STDERR)
