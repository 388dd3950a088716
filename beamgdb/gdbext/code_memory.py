"""Tells GDB that it cannot write breakpoints into BeamAsm's code.

BeamAsm maps its code twice: writable at one address, executable at another, both shared. The kernel lets no debugger
write through the executable one, so GDB's software breakpoints fail there. Declared as read-only to GDB, the same
breakpoints become hardware ones by themselves. With `+JPperf true` code is mapped once, and software breakpoints work.
"""

from __future__ import annotations

import gdb

from beamgdb.gdbext import older_gdb, session
from beamgdb.gdbext.connection import is_core, is_remote
from beamgdb.gdbext.extension import extension


def protect() -> None:
    """Declare the mappings of code to GDB. For a live process, here or with a gdbserver, which writes as GDB does; an
    emulator's stub has its own ways, for which all breakpoints are the same. Qemu's tells of no mappings before 8."""
    current = session.known()
    if current is None or current.node.is_interpreter or not len(current.node.code) or current.per_code.is_protected:
        return
    current.per_code.is_protected = True
    if is_core():
        return
    modules = list(current.node.code)
    areas = [area for area in _read_only_shared() if any(area[0] <= module.base < area[1] for module in modules)]
    extension().read_only.declare(gdb.selected_inferior().num, areas)


def needs_hardware(address: int) -> bool:
    """Whether GDB can stop at an address in code only by means of the processor."""
    return extension().read_only.holds(address)


def _read_only_shared() -> list[tuple[int, int]]:
    """Executable shared mappings that are not writable (proc(5), maps)."""
    found = older_gdb.mappings(gdb.selected_inferior().pid, is_remote())
    return [(start, end) for start, end, permissions in found if permissions == "r-xs"]
