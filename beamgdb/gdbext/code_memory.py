"""Tells GDB that it cannot write breakpoints into BeamAsm's code.

BeamAsm maps its code twice: writable at one address, executable at another, both shared. The kernel lets no debugger
write through the executable one, so GDB's software breakpoints fail there. Declared as read-only to GDB, the same
breakpoints become hardware ones by themselves. With `+JPperf true` code is mapped once, and software breakpoints work.
"""

from __future__ import annotations

import gdb

from beamgdb.gdbext import core_files, session

_CHECKED = "code memory is checked"
"""Key in what a session keeps for the code that is loaded."""

_protected: set[tuple[int, int]] = set()
_owner = 0
"""The process whose mappings are declared."""


def protect() -> None:
    """Declare new mappings of code to GDB. For a live process, here or with a gdbserver, which writes as GDB does; an
    emulator's stub has its own ways, and tells of no mappings."""
    global _owner
    current = session.known()
    if current is None or not len(current.node.code) or current.per_code.get(_CHECKED):
        return
    current.per_code[_CHECKED] = True
    if core_files.has_core():
        return
    if _owner != current.pid:
        release()
        _owner = current.pid
    modules = list(current.node.code)
    for start, stop in _read_only_shared():
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


def needs_hardware(address: int) -> bool:
    """Whether GDB can stop at an address in code only by means of the processor."""
    return any(start <= address < stop for start, stop in _protected)


def _read_only_shared() -> list[tuple[int, int]]:
    """Executable shared mappings that are not writable (proc(5), maps)."""
    try:
        rows = [line.split() for line in gdb.execute("info proc mappings", to_string=True).splitlines()]
    except gdb.error:
        return []
    return [(int(row[0], 16), int(row[1], 16)) for row in rows if len(row) > 4 and row[4] == "r-xs"]
