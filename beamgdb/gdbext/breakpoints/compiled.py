"""Erlang breakpoints in code of BeamAsm: GDB's own, on the functions and lines of the symbol files."""

from __future__ import annotations

from contextlib import AbstractContextManager

import gdb

from beamgdb.code.loaded import LoadedCode
from beamgdb.gdbext import code_memory, older_gdb
from beamgdb.gdbext.temporary_settings import temporarily
from beamgdb.views.location import BreakpointLocation, FunctionLocation

HARDWARE = 4
"""Hardware breakpoints of an x86-64 processor (Intel SDM, volume 3, chapter 18: DR0 to DR3)."""

NO_MORE = f"all {HARDWARE} hardware breakpoints of the processor are taken: delete or disable one"
"""BeamAsm's code needs them: GDB cannot write to it, unless the node was started with +JPperf true."""


class TooMany(gdb.GdbError):
    """There are no hardware breakpoints left."""


def location_text(location: BreakpointLocation, code: LoadedCode) -> str:
    """The location in GDB's words, a line as one that has code if there is any."""
    return f"-function {location}" if isinstance(location, FunctionLocation) else str(location.with_code(code))


def settle(number: int, location: BreakpointLocation, code: LoadedCode) -> bool:
    """Disable places that GDB has found for a line in other modules than those that have it: where a line has no code,
    it takes the next one of any file of that name. Whether there is a place left, if there should be."""
    point = next((one for one in gdb.breakpoints() if one.number == number), None)
    if point is None or isinstance(location, FunctionLocation):
        return True
    wanted = {place.module.base for place in map(code.find, location.addresses(code)) if place is not None}
    found: set[int] = set()
    for one in older_gdb.locations(point):
        place = code.find(one.address)
        if place is not None and place.module.base in wanted:
            found.add(place.module.base)
        elif place is not None and one.enabled:
            one.enabled = False
    return bool(found) or not wanted


def hardware_used() -> int:
    """How many enabled breakpoints are where GDB must use hardware."""
    return sum(
        1
        for point in gdb.breakpoints()
        if point.enabled
        for place in older_gdb.locations(point)
        if place.enabled and code_memory.needs_hardware(place.address)
    )


def check_hardware(number: int) -> None:
    """Delete a new breakpoint and raise `TooMany` if GDB could not go on with it."""
    if hardware_used() <= HARDWARE:
        return
    for point in gdb.breakpoints():
        if point.number == number:
            point.delete()
    raise TooMany(NO_MORE)


def pending() -> AbstractContextManager[None]:
    """Breakpoints may be on what is not loaded yet."""
    return temporarily("breakpoint pending", "on")
