"""What a program prints that GDB starts."""

from __future__ import annotations

import asyncio
import os
import termios
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import Final

PIECE: Final = 1 << 12
"""Bytes that are read at a time."""


class Printed:
    """A terminal for a program, called `name`; `tell` is called with what is printed there, until it is closed. Its end
    of the program is held open, for the next one that is run. To be made in an event loop. Raises OSError."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._ours, self._its = os.openpty()
        self.name = os.ttyname(self._its)
        settings = termios.tcgetattr(self._its)
        settings[1] &= ~termios.OPOST  # lines end as in a file
        termios.tcsetattr(self._its, termios.TCSANOW, settings)
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def _read(self) -> None:
        self._tell(self._decode(os.read(self._ours, PIECE)))

    def close(self) -> None:
        """It is no more."""
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)
        os.close(self._its)
