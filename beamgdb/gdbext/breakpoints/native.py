"""Erlang breakpoints in code of BeamAsm: GDB's own, on the functions and lines of the symbol files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gdb

from beamgdb.gdbext import code_memory
from beamgdb.gdbext.breakpoints.location import Function, Location

HARDWARE = 4
"""Hardware breakpoints of an x86-64 processor (Intel SDM, volume 3, chapter 18: DR0 to DR3)."""

NO_MORE = (
    f"an x86-64 processor has {HARDWARE} hardware breakpoints, and all are taken: BeamAsm's code needs them, because "
    "GDB cannot write to it. Delete or disable a breakpoint, or start the node with +JPperf true"
)


class TooMany(gdb.GdbError):
    """There are no hardware breakpoints left."""


def location_text(location: Location) -> str:
    """The location in GDB's words."""
    return f"-function {location}" if isinstance(location, Function) else str(location)


def hardware_used() -> int:
    """How many enabled breakpoints are where GDB must use hardware."""
    return sum(
        1
        for point in gdb.breakpoints()
        if point.enabled
        for place in point.locations
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


@contextmanager
def pending() -> Iterator[None]:
    """Breakpoints may be on what is not loaded yet."""
    before = {True: "on", False: "off", None: "auto"}[gdb.parameter("breakpoint pending")]  # type: ignore[index]
    gdb.execute("set breakpoint pending on", to_string=True)
    try:
        yield
    finally:
        gdb.execute(f"set breakpoint pending {before}", to_string=True)
