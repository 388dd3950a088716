"""Memory that GDB must not write breakpoints into: declared as read-only to it, as `mem` does.

GDB then uses hardware breakpoints there by itself, or says that it cannot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from beamgdb.gdbext import front_end
from beamgdb.gdbext.c_expressions import in_c

Area = tuple[int, int]
"""Start, and end (exclusive)."""


class ReadOnlyMemory:
    """What GDB has been told of one process."""

    def __init__(self) -> None:
        self._declared: set[Area] = set()
        self._owner = 0
        """The process whose memory is declared."""

    def declare(self, pid: int, areas: Collection[Area]) -> None:
        """Have exactly these areas of a process be read-only."""
        wanted = set(areas)
        if self._owner != pid or not self._declared <= wanted:
            self.release()
            self._owner = pid
        new = sorted(wanted - self._declared)
        if new and not self._declared:
            # Without this, memory outside of all declared areas would be out of reach.
            front_end.taken("set mem inaccessible-by-default off")
        with in_c():
            for start, stop in new:
                front_end.taken(f"mem {start:#x} {stop:#x} ro")
                self._declared.add((start, stop))

    def release(self) -> None:
        """The process has ended, or GDB has left it: its areas mean nothing any more."""
        if self._declared:
            self._declared.clear()
            front_end.taken("mem auto")
            front_end.taken("set mem inaccessible-by-default on")

    def holds(self, address: int) -> bool:
        """Whether an address is in a declared area."""
        return any(start <= address < stop for start, stop in self._declared)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Allow to write there meanwhile."""
        if not self._declared:
            yield
            return
        front_end.taken("disable mem")
        try:
            yield
        finally:
            front_end.taken("enable mem")
