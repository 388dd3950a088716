"""Keeps what is known of an AtomVM right while the target runs, stops and ends."""

from __future__ import annotations

from typing import Any

import gdb

from beamgdb.gdbext import errors
from beamgdb.gdbext.atomvm import session, symbols
from beamgdb.memory import Unreadable
from beamgdb.vm.model import Unavailable


def _forget(_: Any) -> None:
    session.forget()


def _find() -> None:
    """Have the VM known before GDB unwinds: an unwinder only asks for what is known."""
    try:
        found = session.find()
        if found is not None:
            symbols.sync(found.vm)
    except (Unavailable, Unreadable, gdb.error):
        pass


def _on_stop(_: Any) -> None:
    session.forget()
    if session.is_atomvm():
        errors.guarded(_find)


def _on_exit(event: Any) -> None:
    errors.guarded(lambda: symbols.withdraw(event.inferior.num))


def install() -> None:
    """Connect to GDB's events."""
    gdb.events.stop.connect(_on_stop)
    gdb.events.exited.connect(_on_exit)
    for registry in (gdb.events.memory_changed, gdb.events.register_changed, gdb.events.inferior_call):
        registry.connect(_forget)
