"""The convenience function that tells breakpoints which process has come to them."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import current_frame, errors, session
from beamgdb.vm.node import Unavailable

PROCESS = "_beam_process"


class IsProcess(gdb.Function):
    """$_beam_process(NAME): whether the selected thread runs the process with this pid or registered name.

    For conditions of breakpoints, as in: break -function m:f/1 if $_beam_process("<0.80.0>")"""

    def invoke(self, name: gdb.Value) -> bool:  # type: ignore[override]
        text = name.string()
        return errors.raised_as_gdb_error(lambda: _is_running(text))


def _is_running(name: str) -> bool:
    process = current_frame.process(gdb.newest_frame())
    if process is None:
        return False
    try:
        node = session.require().node
        if node.term(process.id) == name:
            return True
        registered = process.registered_name()
        return registered is not None and node.term(registered).strip("'") == name
    except Unavailable:
        return False


def install() -> None:
    """Define the function."""
    IsProcess(PROCESS)
