"""Breakpoints that GDB was asked for itself, as editors do, in bytecode: they become what `beam-break` makes.

GDB would put an instruction where there is but data. So where code of such a breakpoint is bytecode, GDB is told that
its function or line is, besides, where traps lead, and its place in bytecode is disabled; and its condition first asks
whether this one is meant. Number, counts, commands and the rest stay GDB's.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Final

import gdb

from beamgdb.code.loaded import LoadedCode
from beamgdb.code.module import Range
from beamgdb.gdbext import bytecode_memory, errors, events, front_end, older_gdb, session, symbols
from beamgdb.gdbext.breakpoints import interpreted, lines
from beamgdb.gdbext.breakpoints.requests import Request
from beamgdb.gdbext.c_expressions import in_c
from beamgdb.gdbext.extension import extension
from beamgdb.views.location import BadLocation, BreakpointLocation, LineLocation, parse
from beamgdb.vm.model import Unavailable

_EXPLICIT: Final = "-function "

_FUNCTION: Final = re.compile(rf"(?:{_EXPLICIT})?(?P<quote>\"?)(?P<name>.*?)(?P=quote)")
"""What is typed for a function, and how GDB tells of it."""

_OTHERS: Final = (".c", ".h", ".cc", ".cpp", ".hpp", ".cxx", ".S", ".s")
"""Ends of names of files that are not compiled to bytecode."""

_STAND_IN_BYTES: Final = 4
"""How long GDB is told that such a line is: of ARM's addresses it leaves out up to two bits, and a line that ends where
it begins is none."""

_STOPPING: Final = (gdb.BP_BREAKPOINT, getattr(gdb, "BP_HARDWARE_BREAKPOINT", gdb.BP_BREAKPOINT))
"""The latter is named since GDB 12."""


class _Adopted(dict[int, str]):
    """What each of these breakpoints is on, as it was typed, by number."""

    is_at_work = False
    """Whether what GDB tells of a breakpoint is of our own doing."""


def _adopted() -> _Adopted:
    return extension().part(_Adopted)


def _consider(point: gdb.Breakpoint) -> None:
    """Make one of beam-break's of a breakpoint, if its code is bytecode; or see to it that this is done in time."""
    mine, requests = _adopted(), extension().requests
    if mine.is_at_work or requests.is_making_one or not point.visible or point.type not in _STOPPING:
        return
    if point.number not in mine and requests.of(point.number) is not None:
        return
    current = session.known()
    # (A VM that has not begun yet does not say so itself.)
    if not ((current is not None and current.node.is_interpreter) or session.is_interpreter()):
        return
    code = current.node.code if current is not None else LoadedCode()
    # (Who wants a hardware breakpoint is not to get another.)
    found = _location(point, code) if point.type == gdb.BP_BREAKPOINT else None
    if found is not None:
        typed, location = found
        is_there = not isinstance(location, LineLocation) or _file(point, code) is not None or point.number in mine
        addresses = location.addresses(code) if is_there else []
        if current is not None and addresses and not any(map(code.native_at, addresses)):
            mine.is_at_work = True
            try:
                if _adopt(current, point, typed, location):
                    return
            finally:
                mine.is_at_work = False
        elif not addresses and point.number not in requests.waiting and requests.of(point.number) is None:
            requests.waiting[point.number] = location
            interpreted.breakpoints().make_place()
            interpreted.breakpoints().requests_changed()
    bytecode_memory.explain(point)


def _location(point: gdb.Breakpoint, code: LoadedCode) -> tuple[str, BreakpointLocation] | None:
    """What a breakpoint is on, as it was typed, and what that means, None for what is not of Erlang."""
    line = lines.named(point)
    if line is not None:
        file = PurePosixPath(line[0])
        if file.suffix in _OTHERS or not file.suffix:
            return None
        # GDB has compared the folders.
        known = _file(point, code)
        here = LineLocation(known or file.name, line[1])
        return line[0], here.with_code(code) if known else here
    function = _FUNCTION.fullmatch(point.location or "")
    if function is None or PurePosixPath(function["name"].partition(":")[0]).suffix in _OTHERS:
        return None
    try:
        location, condition = parse(function["name"], code)
    except BadLocation:
        return None
    return None if condition else (function["name"], location)


def _file(point: gdb.Breakpoint, code: LoadedCode) -> str | None:
    """The file, as code names it, of the bytecode that GDB has found for a breakpoint; None if it has found none."""
    for one in older_gdb.locations(point):
        place = code.find(one.address)
        if place is not None and not code.native_at(one.address):
            return next((file for at, file, _ in reversed(place.code.lines) if at <= one.address), None)
    return None


def _adopt(current: session.Session, point: gdb.Breakpoint, typed: str, location: BreakpointLocation) -> bool:
    """Do so; whether it will be hit."""
    requests, stops = extension().requests, interpreted.breakpoints()
    try:
        stops.make_place()
    except Unavailable as error:
        gdb.write(f"beamgdb: {errors.one_line(error)}\n", gdb.STDERR)
        return False
    if stops.place is None:
        return False
    first = current.node.code.find(location.addresses(current.node.code)[0])
    if first is None:
        return False
    where = str(point.location)
    module, name, at = typed.partition(":")[0], typed, first.code.lines[:1]
    if isinstance(location, LineLocation):
        module, name, at = "", f"{first.code.name} at line {location.line}", ((0, typed, location.line),)
    elif where.startswith(_EXPLICIT):
        # (Of several at one place GDB may show the line of another one, but without a line it would look for the end of
        # a prologue.)
        module = ""
    rows = tuple((stops.place, file, number) for _, file, number in at)
    symbols.stand_in(current, where, module, Range(stops.place, stops.place + _STAND_IN_BYTES, name, rows))
    places = list(older_gdb.locations(point))
    if all(one.address != stops.place for one in places):
        return False
    if requests.of(point.number) is None:
        _adopted()[point.number] = typed
        requests.waiting.pop(point.number, None)
        requests.add(point.number, Request(location, point.condition or "", "", trapped=True))
        _ask_first(point)
    for one in places:
        if one.address != stops.place and one.enabled:
            one.enabled = False
    stops.requests_changed()
    return True


def _ask_first(point: gdb.Breakpoint) -> None:
    """Have GDB ask first whether a breakpoint is meant, and only then what a front end asks itself, as of a logpoint:
    in the frame of the Erlang function too."""
    theirs = getattr(point, "stop", None)
    if theirs is not None:
        # GDB takes no `stop` where there is a condition; the other way round it does.
        point.condition = None
        point.stop = partial(_is_hit, point, theirs)  # type: ignore[method-assign]
    _set_condition(point)


def _is_hit(point: gdb.Breakpoint, theirs: interpreted.Asks) -> bool:
    request = extension().requests.of(point.number)
    if request is None:
        return False
    return interpreted.breakpoints().is_hit(str(request.location), request.wanted, theirs)


def _set_condition(point: gdb.Breakpoint) -> None:
    request = extension().requests.of(point.number)
    if request is not None:
        with in_c():
            point.condition = interpreted.condition(request)


def _modified(point: gdb.Breakpoint) -> None:
    """A breakpoint has been given another condition, or none."""
    mine, requests = _adopted(), extension().requests
    request = requests.of(point.number)
    if mine.is_at_work or request is None or not request.trapped:
        return
    condition = point.condition or ""
    if interpreted.is_condition(condition):
        return
    mine.is_at_work = True
    try:
        requests.add(point.number, replace(request, condition=condition))
        _set_condition(point)
    finally:
        mine.is_at_work = False


def _deleted(point: gdb.Breakpoint) -> None:
    _adopted().pop(point.number, None)
    if extension().requests.waiting.pop(point.number, None) is not None:
        interpreted.breakpoints().request_removed()


def _code_changed() -> None:
    """Code is there that breakpoints may have waited for; or the program, which says that they are to wait."""
    _prepare()
    for point in gdb.breakpoints():
        errors.guarded(partial(_consider, point))
    errors.guarded(bytecode_memory.explain_prints)


def _prepare() -> None:
    """GDB/MI answers who sets a breakpoint with all that are made meanwhile: ours are to be there before."""
    if front_end.speaks_mi() and session.is_interpreter():
        interpreted.breakpoints().make_ready()


def _new_objfile(_: object) -> None:
    if not session.has_process():
        errors.guarded(_code_changed)


def _follow_prints() -> None:
    """No event tells of a new `dprintf`: a hook does, unless the user has one."""
    try:
        front_end.taken("show user hookpost-dprintf")
    except gdb.error:
        command = f"python from {bytecode_memory.__name__} import explain_prints; explain_prints()"
        front_end.taken(f"define hookpost-dprintf\n{command}\nend")


def install() -> None:
    """Follow GDB's breakpoints and the code. To be called before `interpreted` follows that."""
    gdb.events.breakpoint_created.connect(lambda point: errors.guarded(lambda: _consider(point)))
    gdb.events.breakpoint_modified.connect(lambda point: errors.guarded(lambda: _modified(point)))
    gdb.events.breakpoint_deleted.connect(lambda point: errors.guarded(lambda: _deleted(point)))
    gdb.events.new_objfile.connect(_new_objfile)
    _new_objfile(None)
    _follow_prints()
    events.on_code_change(_code_changed, lambda: False, lambda: False)
