"""The step from a frame of Erlang code to the one outside of it, whatever runs the code."""

from __future__ import annotations

from typing import Protocol

from beamgdb.late import dataclass
from beamgdb.machine_code.reading import ReadRegister
from beamgdb.vm.frame import ErlangFrame, HeldWord
from beamgdb.vm.processes import Process
from jit.otp.tags import IMMED1_BITS

SPREAD = 0x9E3779B97F4A7C15
"""A large odd number, whose multiples lie far from each other, in 32 bits too."""


@dataclass(frozen=True)
class Unwound:
    """The id of a frame, and the registers of its caller that are known. A caller with pc 0: there is none."""

    id_stack: int
    id_code: int
    id_special: int
    registers: dict[str, int]


def within_process(process: Process, end: int) -> int:
    """The part of a frame's id that tells frames of processes apart, of which GDB takes the low word: made of the pid's
    number, and of the distance of the frame's `end` from the base of the stack. Neither changes when the stack moves.
    Each frame of a process has its own; for two processes to have the same one takes a rare chance."""
    return (process.id >> IMMED1_BITS) * SPREAD + process.record["hend"] - end


class Unwinder(Protocol):
    """Takes a debugger through the frames of Erlang code. `innermost` frames have not called another function: their pc
    is the next instruction, not a return address."""

    def frame(self, read: ReadRegister, innermost: bool) -> ErlangFrame | None:
        """The frame with these registers, None where its pc is in no Erlang code."""

    def unwind(self, read: ReadRegister, innermost: bool) -> Unwound | None:
        """One step outwards from the frame with these registers, None where it is not of Erlang code."""

    def saved_registers(self, process: Process, pc: int, top: int, sp: int) -> dict[str, int]:
        """The registers of a frame of which only the VM's own notes tell: of Erlang code that goes on at `pc` with y0
        at `top`, and has called another function. `sp` is the thread's stack pointer."""

    def arguments(self, frame: ErlangFrame, read: ReadRegister, innermost: bool) -> list[HeldWord | None]:
        """Arguments of the function in this frame, None for those that are nowhere any more.

        `frame.x_registers` says whether x registers count: they are the callee's once another function was called.
        """

    def x_register(self, frame: ErlangFrame, number: int, read: ReadRegister, innermost: bool) -> int | None:
        """The word in an x register of this frame, None where it is not available. May raise `Unreadable`."""
