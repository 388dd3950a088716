"""A frame of Erlang code that a thread runs, whatever runs the code."""

from __future__ import annotations

from dataclasses import dataclass

from beamgdb.code.loaded import Place
from beamgdb.vm.processes import Process


@dataclass(frozen=True)
class ErlangFrame:
    """A frame of Erlang code.

    `top` is the Erlang stack pointer in it (y0), `return_slot` where its return address lies, or would if it was saved;
    None where the end of the frame was not found.
    """

    place: Place
    pc: int
    process: Process | None
    top: int
    return_slot: int | None
    x_registers: int | None
    """Address of x0 in memory, None in a frame whose x registers now belong to a callee."""
    return_address: int | None = None
    """Where the function returns to, if that is known."""
