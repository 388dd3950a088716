"""GDB's own breakpoints on lines of Erlang: where a line has no code GDB takes the next one that has, of whatever
module has a file of that name. The module that is meant may not be loaded yet."""

from __future__ import annotations

import re

import gdb

from beamgdb.code.loaded import LoadedCode
from beamgdb.gdbext import errors, events, session, term_printing
from beamgdb.gdbext.breakpoints import compiled
from beamgdb.gdbext.extension import extension
from beamgdb.views.location import LineLocation
from beamgdb.views.typed import natural

_LINE = re.compile(r"(?:-source )?(?P<file>[^:]*?)(?::| -line )(?P<line>[0-9]+)")


def named(point: gdb.Breakpoint) -> tuple[str, int] | None:
    """The file, as it was typed, and the line that a breakpoint of GDB is on; None if it is on something else."""
    match = _LINE.fullmatch(point.location or "")
    line = natural(match["line"]) if match is not None else None
    return (match["file"], line) if match is not None and line is not None else None


def _created(point: gdb.Breakpoint) -> None:
    current = session.known()
    if current is not None and point.visible and not extension().requests.is_making_one:
        _rule(point, current.node.code)
        _tell_of_another(point, current.node.code)


def _code_changed() -> None:
    current = session.known()
    if current is None:
        return
    for point in gdb.breakpoints():
        if point.visible and extension().requests.of(point.number) is None:
            _rule(point, current.node.code)


def _rule(point: gdb.Breakpoint, code: LoadedCode) -> None:
    """Disable a breakpoint where it is in a module that its line is not of."""
    place = named(point)
    if place is None:
        return
    file, line = place
    # GDB has compared the folders.
    meant = LineLocation(file.rpartition("/")[2], line)
    wanted = {one.module.base for one in map(code.find, meant.addresses(code)) if one is not None}
    is_found, barred = compiled.bar(point, wanted, code)
    if barred and not is_found:
        where = term_printing.function(barred[0].code.name)
        text = f"breakpoint {point.number} is disabled in {where}, which may be of another module than line {line}"
        gdb.write(f"beamgdb: {text}: it waits for code of {meant}\n", gdb.STDERR)


def _tell_of_another(point: gdb.Breakpoint, code: LoadedCode) -> None:
    """Tell of another line than the one that was asked for, which may be of another function."""
    place = named(point)
    if place is None:
        return
    moved = LineLocation(place[0].rpartition("/")[2], place[1]).moved(code, extension().parameters.syntax)
    if moved is not None:
        gdb.write(f"beamgdb: breakpoint {point.number}: {moved}\n", gdb.STDERR)


def install() -> None:
    """Follow GDB's breakpoints and the code."""
    gdb.events.breakpoint_created.connect(lambda point: errors.guarded(lambda: _created(point)))
    events.on_code_change(_code_changed, lambda: False)
