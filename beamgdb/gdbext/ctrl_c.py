"""Ctrl-C that comes while Python works for GDB, which may raise `KeyboardInterrupt` anywhere."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from beamgdb.gdbext.extension import extension


@contextmanager
def held() -> Iterator[None]:
    """Do something to its end, such as a change of the target in several steps. Ctrl-C that comes meanwhile, or has
    come just before, raises `KeyboardInterrupt` afterwards."""
    came, this = False, extension()
    while not this.ctrl_c_depth:
        try:
            # Python raises for what has come before only when the signal is blocked already.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            break
        except KeyboardInterrupt:
            came = True
    this.ctrl_c_depth += 1
    try:
        yield
    finally:
        this.ctrl_c_depth -= 1
        if not this.ctrl_c_depth:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if came:
            raise KeyboardInterrupt
