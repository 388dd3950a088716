"""What to do when the system forbids GDB to attach."""

from __future__ import annotations

from pathlib import Path

SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")
SETTING = "kernel.yama.ptrace_scope"


def scope() -> int | None:
    """The setting of Yama (Linux, Documentation/admin-guide/LSM/Yama.rst), None on a system without it."""
    try:
        return int(SCOPE.read_text())
    except (OSError, ValueError):
        return None


def advice(scope: int | None) -> str:
    """How to make ptrace possible; `scope` is the setting in force."""
    if scope == 3:
        return f"{SCOPE} is 3: no process may attach to another one until the next boot of this machine."
    if scope == 2:
        return f"{SCOPE} is 2: only root may attach. Try `sudo make demo`, or lower it by `sudo sysctl {SETTING}=1`."
    return "Containers often forbid it: start this one with --cap-add=SYS_PTRACE, or run the demo outside of it."
