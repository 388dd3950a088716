"""The breakpoints that users have asked for in terms of Erlang. Each is one of GDB's, and has its number there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import gdb

from beamgdb.gdbext.breakpoints.location import Location


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: `condition` is empty without one, `process` the text of a pid or registered name, or empty.

    `trapped`: it stands for traps in bytecode, and GDB's breakpoint is where those lead; else GDB's own is there.
    """

    location: Location
    condition: str
    process: str
    trapped: bool


_requests: dict[int, Request] = {}


def add(number: int, request: Request) -> None:
    """Remember what GDB's breakpoint with this number is for."""
    _requests[number] = request


def remove(number: int) -> None:
    """That breakpoint has been deleted."""
    _requests.pop(number, None)


def of(number: int) -> Request | None:
    """What a breakpoint is for, None if it is not one of Erlang."""
    return _requests.get(number)


def all() -> Iterator[tuple[gdb.Breakpoint, Request]]:
    """Every breakpoint there is, by number."""
    breakpoints = {one.number: one for one in gdb.breakpoints()}
    return ((breakpoints[number], request) for number, request in sorted(_requests.items()) if number in breakpoints)


def any_trapped() -> bool:
    """Whether there are some in bytecode. Quick."""
    return any(request.trapped for request in _requests.values())
