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


@contextmanager
def taken() -> Iterator[None]:
    """Do something at an event, for which nobody has asked. Ctrl-C that comes meanwhile ends that, as soon as memory is
    read (`check`), and is for nobody else: GDB from 15 on passes it to the target, if that has the terminal as it has
    while GDB attaches, and there it waits, and ends a node once GDB lets go of it."""
    this = extension()
    if this.ctrl_c_depth:
        yield
        return
    with held():
        this.takes_ctrl_c = True
        try:
            yield
            check()
        finally:
            this.takes_ctrl_c = False


def check() -> None:
    """Raise `KeyboardInterrupt` if Ctrl-C has come that is `taken`."""
    this = extension()
    if this.takes_ctrl_c and this.ctrl_c_depth == 1 and signal.SIGINT in signal.sigpending():
        signal.sigwait({signal.SIGINT})
        raise KeyboardInterrupt
