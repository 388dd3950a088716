"""How far a command is that works on many files, told on standard error when it takes long."""

from __future__ import annotations

import sys
import time
from typing import Final

from jit.system.command_line import say

#: Seconds of silence at first.
PATIENCE: Final = 2.0
#: Seconds between two lines where no terminal shows them.
INTERVAL: Final = 10.0
_CLEAR_LINE: Final = "\r\x1b[K"


class Progress:
    """A terminal gets one line that changes, which is gone in the end; a file or pipe a line now and then."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + PATIENCE
        self._shown = False

    def done(self, name: str) -> None:
        """One more is done, of this name."""
        self._done += 1
        now = time.monotonic()
        if now < self._next or self._done == self._total:
            return
        text = f"{self._done} of {self._total} files"
        if self._terminal:
            self._shown = True
            say(f"{_CLEAR_LINE}{text}: {name}")
        else:
            self._next = now + INTERVAL
            say(f"jit: {text}\n")

    def clear(self) -> None:
        """Take the changing line away, so that something else can be written."""
        if self._shown:
            self._shown = False
            say(_CLEAR_LINE)
