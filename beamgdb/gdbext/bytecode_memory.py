"""Keeps GDB from writing trap instructions into interpreted code.

To the interpreter a trap instruction is the address of a handler: it would jump there. GDB would write one for `break`,
and without being asked for `finish` or `until` in the frame of an Erlang function. Memory that is declared as read-only
it does not write to: it uses a hardware breakpoint instead, which is never hit, or says that it cannot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import gdb

from beamgdb.code.module import Module
from beamgdb.gdbext import front_end, older_gdb, session, term_printing
from beamgdb.gdbext.extension import extension

GAP = 64
"""Bytes between two modules that are declared with them: the headers of memory blocks."""

_DPRINTF: Final = re.compile(r"^(\d+) +dprintf ", re.M)


def protect() -> None:
    """Declare the code that is loaded now."""
    current = session.known()
    if current is None or not current.node.is_interpreter or current.per_code.is_protected:
        return
    current.per_code.is_protected = True
    areas = list(_areas(module for module in current.node.code if not module.of_vm))
    extension().read_only.declare(gdb.selected_inferior().num, areas)


class _Explained(set[int]):
    """Numbers of breakpoints of which the user has been told."""


def explain(point: gdb.Breakpoint) -> None:
    """Tell, once, of a user's breakpoint that lies in interpreted code, where it is of no use."""
    if point.visible and _is_interpreted():
        _explain(point.number, "breakpoint", older_gdb.locations(point), "makes one that is")


def explain_prints() -> None:
    """Likewise of each `dprintf`."""
    if not _is_interpreted():
        return
    for number in map(int, _DPRINTF.findall(front_end.taken("info breakpoints"))):
        _explain(number, "dprintf", older_gdb.printed_locations(number), "with `commands` prints there")


def _is_interpreted() -> bool:
    current = session.known()
    return current is not None and current.node.is_interpreter


def _explain(number: int, kind: str, places: Iterable[Any], advice: str) -> None:
    current, told = session.known(), extension().part(_Explained)
    if current is None or number in told:
        return
    found = (current.node.code.find(one.address) for one in places)
    place = next((one for one in found if one and not current.node.code.native_at(one.code.start)), None)
    if place is not None:
        told.add(number)
        instead = f"`beam-break {term_printing.function(place.code.name)}` {advice}"
        gdb.write(f"beamgdb: {kind} {number} is in interpreted code and will not be hit; {instead}\n", gdb.STDERR)


def _areas(modules: Iterable[Module]) -> Iterator[tuple[int, int]]:
    """Where code lies, neighbours together."""
    start = stop = 0
    for module in sorted(modules, key=lambda one: one.base):
        if start and module.base - stop > GAP:
            yield start, stop
            start = 0
        start, stop = start or module.base, module.stop
    if start:
        yield start, stop
