"""Breakpoints that wait for code, with a condition that they got after they were made, as editors give it.

GDB takes a condition that it has parsed for a sign that the breakpoint had a place once. So as soon as it looks for
that in vain, whenever there are new symbols, it disables the breakpoint, and tells nobody (`condition_not_parsed` in
`location_to_sals`, breakpoint.c, GDB 10 to 18). What users themselves enable and disable it tells of.
"""

from __future__ import annotations

from typing import Any

import gdb

from beamgdb.gdbext import errors, session, symbols
from beamgdb.gdbext.extension import extension


class _Waiting(dict[int, bool]):
    """Whether those that wait, or did until just now, are to be enabled, by number."""


def _waiting() -> _Waiting:
    return extension().part(_Waiting)


def _note(point: gdb.Breakpoint) -> None:
    if point.pending:
        _waiting()[point.number] = point.enabled


def _deleted(point: gdb.Breakpoint) -> None:
    _waiting().pop(point.number, None)


def _enable_again() -> None:
    waiting = _waiting()
    for point in gdb.breakpoints() if waiting else ():
        if waiting.get(point.number) and not point.enabled:
            point.enabled = True
        if not point.pending:
            waiting.pop(point.number, None)


def _new_objfile(event: Any) -> None:
    """There are symbols that a breakpoint may have waited for: if it has its place now, it is to be hit there."""
    if symbols.is_ours(event.new_objfile) or symbols.is_native(event.new_objfile):
        errors.guarded(_enable_again)
    elif not session.has_process():
        # GDB says why it disables one. It shall not do so once for each library, so this waits for the last one.
        gdb.events.before_prompt.connect(_at_prompt)


def _at_prompt(_: Any = None) -> None:
    gdb.events.before_prompt.disconnect(_at_prompt)
    errors.guarded(_enable_again)


def install() -> None:
    """Follow GDB's breakpoints and symbols. To be called before others do, who ask which breakpoints are enabled."""
    for point in gdb.breakpoints():
        _note(point)
    gdb.events.breakpoint_created.connect(_note)
    gdb.events.breakpoint_modified.connect(_note)
    gdb.events.breakpoint_deleted.connect(_deleted)
    gdb.events.new_objfile.connect(_new_objfile)
    gdb.events.stop.connect(lambda _: errors.guarded(_enable_again))
