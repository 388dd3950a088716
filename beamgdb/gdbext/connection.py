"""How GDB reaches the program that it debugs."""

from __future__ import annotations

from beamgdb.gdbext import front_end


def kind() -> str:
    """`native`, `core`, `remote`, `extended-remote`, as `info connections` calls it; empty where there is nothing.

    (`Inferior.connection` would tell, but GDB 13 aborts when it quits while Python still holds such an object.)
    """
    for line in front_end.taken("info connections").splitlines():
        if line.startswith("*"):
            return line.split()[2]
    return ""


def is_remote() -> bool:
    """Whether each question to the target is a packet."""
    return kind() in ("remote", "extended-remote")


def is_core() -> bool:
    """Whether GDB looks at a core file."""
    return kind() == "core"
