"""The breakpoints that users have asked for in terms of Erlang. Each is one of GDB's, and has its number there."""

from __future__ import annotations

from collections.abc import Iterator

import gdb

from beamgdb.late import dataclass
from beamgdb.views.location import BreakpointLocation

PROCESS = "_beam_process"
"""The convenience function that tells which process has come to a breakpoint."""


@dataclass(frozen=True)
class Request:
    """What was asked for: `condition` is empty without one, `process` the text of a pid or registered name, or empty.

    `trapped`: it stands for traps in bytecode, and GDB's breakpoint is where those lead; else GDB's own is there.
    """

    location: BreakpointLocation
    condition: str
    process: str
    trapped: bool

    @property
    def wanted(self) -> str:
        """The whole condition, as an expression of GDB; empty without one."""
        own = f"${PROCESS}({c_string(self.process)})" if self.process else ""
        return f"{own} && ({self.condition})" if own and self.condition else own or self.condition


class Requests:
    """All that were asked for, by the numbers of GDB's breakpoints."""

    def __init__(self) -> None:
        self._requests: dict[int, Request] = {}
        self.waiting: dict[int, BreakpointLocation] = {}
        """Breakpoints that GDB was asked for itself, of which the code is not loaded yet: it may be bytecode."""
        self.is_making_one = False
        """Whether GDB is just making a breakpoint that is to be added."""

    def add(self, number: int, request: Request) -> None:
        """Remember what GDB's breakpoint with this number is for."""
        self._requests[number] = request

    def remove(self, number: int) -> None:
        """That breakpoint has been deleted."""
        self._requests.pop(number, None)
        self.waiting.pop(number, None)

    def of(self, number: int) -> Request | None:
        """What a breakpoint is for, None if it is not one of Erlang."""
        return self._requests.get(number)

    def all(self) -> Iterator[tuple[gdb.Breakpoint, Request]]:
        """Every breakpoint there is, by number."""
        points = {one.number: one for one in gdb.breakpoints()}
        return ((points[number], request) for number, request in sorted(self._requests.items()) if number in points)

    def any_trapped(self) -> bool:
        """Whether there are some in bytecode, or may be. Quick."""
        return bool(self.waiting) or any(request.trapped for request in self._requests.values())

    def trapped_may_be_in(self, module: str) -> bool:
        """Whether one of these may be in a module."""
        trapped = (request.location for request in self._requests.values() if request.trapped)
        return any(location.may_be_in(module) for location in (*trapped, *self.waiting.values()))


def c_string(text: str) -> str:
    """A string for an expression of GDB."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'
