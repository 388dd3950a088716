"""Which threads of the program run while a user looks: all after `continue &`, some in non-stop mode."""

from __future__ import annotations

import gdb

from beamgdb.vm.model import Unavailable

ADVICE = "stop it first (`interrupt`, or Ctrl-C)"


def running() -> list[gdb.InferiorThread]:
    """The threads that run now. Quick where none can: a remote stub is asked for each thread to list them."""
    selected = gdb.selected_thread()
    alike = not gdb.parameter("non-stop")
    if alike and (selected is None or not selected.is_valid() or not selected.is_running()):
        return []
    return [thread for thread in gdb.selected_inferior().threads() if thread.is_valid() and thread.is_running()]


def require_one() -> None:
    """Raise `Unavailable` if all threads run: whatever is read then is of no one moment."""
    threads = running()
    if threads and len(threads) == len(gdb.selected_inferior().threads()):
        raise Unavailable(f"the program is running: {ADVICE}")


def require_selected() -> None:
    """Raise `Unavailable` if the selected thread runs."""
    try:
        # To GDB a thread is running also while the condition of a breakpoint is evaluated; but then it has frames.
        gdb.newest_frame()
    except gdb.error:
        thread = gdb.selected_thread()
        if thread is not None and thread.is_valid() and thread.is_running():
            raise Unavailable(f"the selected thread is running: {ADVICE}") from None
