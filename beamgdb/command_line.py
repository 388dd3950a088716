"""What the command lines of this project have in common: output that nobody takes, and errors of the system."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable


def complete(act: Callable[[], int]) -> int:
    """The exit status that `act` gives, with its output written. That of SIGPIPE if nobody reads it. Raises what `act`
    does, and OSError for output that cannot be written."""
    try:
        status = act()
        if sys.stdout:  # it may have been closed
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Python would try once more to write the rest, and complain, when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def told(error: OSError) -> str:
    """What users read of an error of the system: the file, if it is of one, and the reason."""
    if not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
