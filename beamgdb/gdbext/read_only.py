"""Memory that GDB must not write breakpoints into: declared as read-only to it, as `mem` does.

GDB then uses hardware breakpoints there by itself, or says that it cannot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import gdb

Area = tuple[int, int]
"""Start, and end (exclusive)."""

_declared: set[Area] = set()
_owner = 0
"""The process whose memory is declared."""


def declare(pid: int, areas: Collection[Area]) -> None:
    """Have exactly these areas of a process be read-only."""
    global _owner
    wanted = set(areas)
    if _owner != pid or not _declared <= wanted:
        release()
        _owner = pid
    new = sorted(wanted - _declared)
    if new and not _declared:
        # Without this, memory outside of all declared areas would be out of reach.
        gdb.execute("set mem inaccessible-by-default off", to_string=True)
    for start, stop in new:
        gdb.execute(f"mem {start:#x} {stop:#x} ro", to_string=True)
        _declared.add((start, stop))


def release() -> None:
    """The process has ended, or GDB has left it: its areas mean nothing any more."""
    if _declared:
        _declared.clear()
        gdb.execute("mem auto", to_string=True)
        gdb.execute("set mem inaccessible-by-default on", to_string=True)


def holds(address: int) -> bool:
    """Whether an address is in a declared area."""
    return any(start <= address < stop for start, stop in _declared)


@contextmanager
def suspended() -> Iterator[None]:
    """Allow to write there meanwhile."""
    if not _declared:
        yield
        return
    gdb.execute("disable mem", to_string=True)
    try:
        yield
    finally:
        gdb.execute("enable mem", to_string=True)
