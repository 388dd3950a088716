"""Names of threads in a core file, which has none: those that the VM had given to its schedulers. They are GDB's, as by
`thread name`."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import events, session
from beamgdb.gdbext.connection import is_core
from beamgdb.gdbext.running import Running
from beamgdb.memory import Unreadable
from beamgdb.vm.model import Unavailable


def _name() -> None:
    current = session.known()
    if current is None or not is_core():
        return
    try:
        Running(current.node).name_schedulers()
    except (Unreadable, Unavailable, KeyError, gdb.error):
        return  # they have numbers


def install() -> None:
    """Name them as soon as the VM is known."""
    events.on_code_change(_name, lambda: False, lambda: False)
