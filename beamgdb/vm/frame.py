"""A frame of Erlang code that a thread runs, whatever runs the code."""

from __future__ import annotations

from beamgdb.code.loaded import Place
from beamgdb.late import dataclass
from beamgdb.vm.processes import Process


class HeldWord(int):
    """A word of a frame, and the address where it is in memory; None where it is in a register."""

    address: int | None

    def __new__(cls, word: int, address: int | None = None) -> HeldWord:
        """The word, as a number. (A copy gets its address later.)"""
        held = super().__new__(cls, word)
        held.address = address
        return held


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
