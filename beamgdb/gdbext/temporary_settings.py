"""Settings of GDB that must be our own while we ask something of it, and the user's again behind that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gdb

from beamgdb.gdbext import front_end

_WORDS = {True: "on", False: "off", None: "auto"}


@contextmanager
def temporarily(name: str, value: str) -> Iterator[None]:
    """Have a setting be something else meanwhile; one that is on, off, auto or a word."""
    found = gdb.parameter(name)
    before = found if isinstance(found, str) else _WORDS[found]  # type: ignore[index]
    if before == value:
        yield
        return
    front_end.taken(f"set {name} {value}")
    try:
        yield
    finally:
        front_end.taken(f"set {name} {before}")


def without_questions(change: Callable[[], object]) -> None:
    """Questions that GDB would ask a user are not for one here."""
    with temporarily("confirm", "off"):
        change()
