"""Tells GDB that it cannot write breakpoints into BeamAsm's code.

BeamAsm maps its code twice: writable at one address, executable at another, both shared. The kernel lets no debugger
write through the executable one, so GDB's software breakpoints fail there. Declared as read-only to GDB, the same
breakpoints become hardware ones by themselves. With `+JPperf true` code is mapped once, and software breakpoints work.
"""

from __future__ import annotations

from pathlib import Path

import gdb

from beamgdb.gdbext import session

_CHECKED = "code memory is checked"
"""Key in what a session keeps for the code that is loaded."""

_protected: set[tuple[int, int]] = set()
_owner = 0
"""The process whose mappings are declared."""


def protect() -> None:
    """Declare new mappings of code to GDB. Only for a live process on this machine: a stub has its own ways."""
    global _owner
    current = session.known()
    if current is None or not len(current.node.code) or current.per_code.get(_CHECKED):
        return
    current.per_code[_CHECKED] = True
    if not _is_native():
        return
    if _owner != current.pid:
        release()
        _owner = current.pid
    modules = list(current.node.code)
    for start, stop in _read_only_shared(current.pid):
        holds_code = any(start <= module.base < stop for module in modules)
        if holds_code and (start, stop) not in _protected:
            if not _protected:
                # Without this, memory outside of all declared regions would be out of reach.
                gdb.execute("set mem inaccessible-by-default off", to_string=True)
            gdb.execute(f"mem {start:#x} {stop:#x} ro", to_string=True)
            _protected.add((start, stop))


def release() -> None:
    """The process has ended, or GDB has left it: its mappings mean nothing any more."""
    if _protected:
        _protected.clear()
        gdb.execute("mem auto", to_string=True)
        gdb.execute("set mem inaccessible-by-default on", to_string=True)


def _is_native() -> bool:
    """Whether GDB itself controls the process. (`Inferior.connection` would tell, but GDB 13 aborts when it quits while
    Python still holds such an object.)"""
    connections = gdb.execute("info connections", to_string=True).splitlines()
    return any(line.startswith("*") and " native" in line for line in connections)


def _read_only_shared(pid: int) -> list[tuple[int, int]]:
    """Executable shared mappings that are not writable (proc(5), maps)."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        bounds, permissions = line.split(maxsplit=2)[:2]
        if permissions == "r-xs":
            start, stop = bounds.split("-")
            found.append((int(start, 16), int(stop, 16)))
    return found
