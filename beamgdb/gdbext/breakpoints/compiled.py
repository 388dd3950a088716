"""Erlang breakpoints in code of BeamAsm: GDB's own, on the functions and lines of the symbol files."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager

import gdb

from beamgdb.code.loaded import LoadedCode, Place
from beamgdb.gdbext import code_memory, older_gdb, session
from beamgdb.gdbext.c_expressions import in_c
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.temporary_settings import temporarily
from beamgdb.views.location import BreakpointLocation, FunctionLocation, LineLocation

HARDWARE = 4
"""Hardware breakpoints of an x86-64 processor (Intel SDM, volume 3, chapter 18: DR0 to DR3)."""

NO_MORE = f"all {HARDWARE} hardware breakpoints of the processor are taken: delete or disable one, or a watchpoint"
"""BeamAsm's code needs them: GDB cannot write to it, unless the node was started with +JPperf true."""


WATCHPOINTS = (gdb.BP_HARDWARE_WATCHPOINT, gdb.BP_READ_WATCHPOINT, gdb.BP_ACCESS_WATCHPOINT)
"""Those that take hardware."""


class TooMany(gdb.GdbError):
    """There are no hardware breakpoints left."""


def location_text(location: BreakpointLocation, code: LoadedCode) -> str:
    """The location in GDB's words, a line as one that has code if there is any."""
    if not isinstance(location, FunctionLocation):
        found = location.with_code(code)
        # GDB knows a file by the path that its source has here, or had where it was compiled.
        return _line_text(found) if _is_known(found) else _line_text(found.as_known(code))
    # Quotes that a location begins with are GDB's own.
    return f'-function "{location}"' if location.name.startswith("'") else f"-function {location}"


def _line_text(location: LineLocation) -> str:
    """GDB takes blanks, as in names of folders, only in quotes."""
    return f'"{location.file}":{location.line}' if " " in location.file else str(location)


def _is_known(location: LineLocation) -> bool:
    """Whether GDB knows the file."""
    try:
        with in_c():
            gdb.decode_line(_line_text(location))
    except gdb.error:
        return False
    return True


class _Barred(dict[int, set[str]]):
    """Functions in which places of breakpoints are disabled, by the numbers of those."""


def settle(number: int, location: BreakpointLocation, code: LoadedCode) -> bool:
    """Disable places that GDB has found for a line in other modules than those that have it: where a line has no code,
    it takes the next one of any file of that name. Whether there is a place left, if there should be."""
    point = next((one for one in gdb.breakpoints() if one.number == number), None)
    if point is None or isinstance(location, FunctionLocation):
        return True
    wanted = {place.module.base for place in map(code.find, location.addresses(code)) if place is not None}
    return bar(point, wanted, code)[0] or not wanted


def bar(point: gdb.Breakpoint, wanted: Collection[int], code: LoadedCode) -> tuple[bool, list[Place]]:
    """Disable the places of a breakpoint that are in Erlang code of other modules than those at the bases `wanted`, and
    enable them again where that has changed. Whether there is a place in those, and where one was just disabled."""
    barred = extension().part(_Barred).setdefault(point.number, set())
    is_found, new = False, []
    for one in older_gdb.locations(point):
        place = code.find(one.address)
        if place is None:
            continue
        if place.module.base in wanted:
            is_found = True
            if place.code.name in barred:
                barred.remove(place.code.name)
                one.enabled = True
        elif one.enabled:
            one.enabled = False
            new += [place] if place.code.name not in barred else []
            barred.add(place.code.name)
    return is_found, new


def hardware_used() -> int:
    """How many of the processor's breakpoints GDB needs: for each address where one is enabled and nothing else will
    do, or was asked for, and for each watchpoint of at most a word; what more a larger one takes is not known here."""
    return len(_in_hardware()) + sum(point.type in WATCHPOINTS for point in gdb.breakpoints() if point.enabled)


def _in_hardware() -> set[int]:
    """The addresses for which GDB needs one."""
    return {
        place.address
        for point in gdb.breakpoints()
        if point.enabled
        for place in older_gdb.locations(point)
        if place.enabled and (point.type == older_gdb.HARDWARE_BREAKPOINT or code_memory.needs_hardware(place.address))
    }


def room() -> int:
    """How many more breakpoints there can be where GDB must use hardware; below 0 if there are too many. How many
    another processor than x86-64 has only GDB is told, and qemu's stub, which knows mappings since 8, takes any
    number: there GDB itself says when there are too many, and a step takes as many as it would elsewhere."""
    current = session.known()
    is_known = current is not None and current.node.identity.arch == "x86_64"
    return HARDWARE - hardware_used() if is_known else HARDWARE


def check_room(addresses: Collection[int]) -> None:
    """Raise `TooMany` if there cannot be breakpoints at all of these addresses. At one where there is one already
    another takes none."""
    needed = {at for at in addresses if code_memory.needs_hardware(at)}
    if needed and len(needed - _in_hardware()) > room():
        raise TooMany(NO_MORE)


def check_hardware(number: int) -> None:
    """Delete a new breakpoint and raise `TooMany` if GDB could not go on with it."""
    if room() >= 0:
        return
    for point in gdb.breakpoints():
        if point.number == number:
            point.delete()
    raise TooMany(NO_MORE)


def pending() -> AbstractContextManager[None]:
    """Breakpoints may be on what is not loaded yet."""
    return temporarily("breakpoint pending", "on")
