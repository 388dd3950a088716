"""How GDB reaches the program that it debugs."""

from __future__ import annotations

import re
from pathlib import Path

from beamgdb.gdbext import front_end
from beamgdb.views.threads import number_in_namespace

_KIND = re.compile(r"^  - (native|core|remote|extended-remote) ", re.M)


def kind() -> str:
    """`native`, `core`, `remote`, `extended-remote`, as `info connections` calls it; empty where there is nothing.

    (That one makes a table, for which GDB ends itself where it is just making one, as `info threads` does when it has
    an argument printed. `Inferior.connection` would tell, but GDB 13 aborts when it quits while Python still holds such
    an object.)
    """
    found = _KIND.search(front_end.taken("maintenance print target-stack"))
    return found[1] if found is not None else ""


def is_remote() -> bool:
    """Whether each question to the target is a packet."""
    return kind() in ("remote", "extended-remote")


def is_core() -> bool:
    """Whether GDB looks at a core file."""
    return kind() == "core"


def own_number(process: int, thread: int) -> int | None:
    """That by which a program of this machine, reached as `native`, knows one of its threads, None if it has ended."""
    try:
        return number_in_namespace(Path(f"/proc/{process}/task/{thread}/status").read_text(errors="replace"))
    except OSError:
        return None
