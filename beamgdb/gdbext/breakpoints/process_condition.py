"""The convenience function that tells breakpoints which process has come to them."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import current_frame, session
from beamgdb.gdbext.breakpoints.requests import PROCESS
from beamgdb.gdbext.convenience import ConvenienceFunction, text_of
from beamgdb.views import process_named


class IsProcess(ConvenienceFunction):
    """$_beam_process(NAME): whether the selected thread runs this process.

    NAME is a pid or a registered name. For conditions of breakpoints, as in:

      break -function m:f/1 if $_beam_process("<0.80.0>")"""

    def answer(self, *arguments: gdb.Value) -> bool:
        (wanted,) = map(text_of, arguments)
        node = session.require().node
        # Where processes are not known, no process would ever be the one: that is an error, which stops the program.
        _ = node.processes
        process = current_frame.process(gdb.newest_frame())
        return process is not None and process_named.is_meant(node, process, wanted)


def install() -> None:
    """Define the function."""
    IsProcess(PROCESS)
