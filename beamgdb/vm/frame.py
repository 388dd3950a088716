"""A frame of Erlang code and the step to the one outside of it, whatever runs the code: BeamAsm or the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from beamgdb.frames.flow import FlowState
from beamgdb.vm.code import Place
from beamgdb.vm.processes import Process

ReadRegister = Callable[[str], int | None]
"""A CPU register's value in a frame, None where the frame does not know it."""


@dataclass(frozen=True, slots=True)
class Unwound:
    """The id of a frame, and the registers of its caller that are known. A caller with pc 0: there is none."""

    id_stack: int
    id_code: int
    id_special: int
    registers: dict[str, int]


@dataclass(frozen=True)
class ErlangFrame:
    """A frame of Erlang code.

    `top` is the Erlang stack pointer in it (y0), `return_slot` where its return address lies, or would if it was saved;
    None where the end of the frame was not found. `state` is what machine code tells about this point, None where there
    is none.
    """

    place: Place
    pc: int
    process: Process | None
    top: int
    return_slot: int | None
    caller_frame_pointer: int | None
    state: FlowState | None
    x_registers: int | None
    """Address of x0 in memory, None in a frame whose x registers now belong to a callee."""
    return_address: int | None = None
    """Where the function returns to, if that is known."""


class Unwinder(Protocol):
    """Takes a debugger through the frames of Erlang code. `innermost` frames have not called another function: their pc
    is the next instruction, not a return address."""

    def frame(self, read: ReadRegister, innermost: bool) -> ErlangFrame | None:
        """The frame with these registers, None where its pc is in no Erlang code."""

    def unwind(self, read: ReadRegister, innermost: bool) -> Unwound | None:
        """One step outwards from the frame with these registers, None where it is not of Erlang code."""

    def arguments(self, frame: ErlangFrame, read: ReadRegister, innermost: bool) -> list[int | None]:
        """Arguments of the function in this frame, None for those that are nowhere any more.

        `frame.x_registers` says whether x registers count: they are the callee's once another function was called.
        """

    def x_register(self, frame: ErlangFrame, number: int, read: ReadRegister, innermost: bool) -> int | None:
        """The word in an x register of this frame, None where it is not available. May raise `Unreadable`."""
