"""Questions that GDB asks before it does something."""

from __future__ import annotations

from collections.abc import Callable

import gdb


def without_questions(change: Callable[[], object]) -> None:
    """Questions that GDB would ask a user are not for one here."""
    confirm = gdb.parameter("confirm")
    if confirm:
        gdb.execute("set confirm off", to_string=True)
    try:
        change()
    finally:
        if confirm:
            gdb.execute("set confirm on", to_string=True)
