"""What to do when the system forbids GDB to attach."""

from __future__ import annotations

from pathlib import Path

SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")


def scope() -> int | None:
    """The setting of Yama (Linux, Documentation/admin-guide/LSM/Yama.rst), None on a system without it."""
    try:
        return int(SCOPE.read_text())
    except (OSError, ValueError):
        return None


def advice(scope: int | None) -> str:
    """How to make ptrace possible; `scope` is the setting in force."""
    if scope == 3:
        return f"{SCOPE} is 3: nobody may attach to a process until the machine has started again with a lower setting."
    if scope == 2:
        return f"{SCOPE} is 2: only root may attach. Run `sudo make demo`, or first `sudo sysctl kernel.yama.ptrace_scope=1`."
    return (
        "The system forbids it, as containers do: start the container with --cap-add=SYS_PTRACE, or run this outside of it."
    )
