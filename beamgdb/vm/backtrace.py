"""The Erlang stack of one process, from where it is to its first function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from beamgdb.memory import Unreadable
from beamgdb.vm.code import Place
from beamgdb.vm.frame import ErlangFrame
from beamgdb.vm.node import Node
from beamgdb.vm.processes import Process
from beamgdb.vm.stack import stack_end

MAX_ARGUMENTS = 256
"""Arguments of a function at most (`MAX_ARG`)."""


@dataclass(frozen=True, slots=True)
class Level:
    """One function on the stack.

    `pc` is where it goes on; `calling` whether that is the return address of a call. `place` is None for code that is
    unknown. `y_registers` lists the words of its frame, y0 first.
    """

    pc: int
    calling: bool
    place: Place | None
    y_registers: tuple[int, ...]

    @property
    def lookup(self) -> int:
        """Address that belongs to the instruction in progress: for a return address one inside of the call."""
        return self.pc - 1 if self.calling else self.pc


def levels(node: Node, process: Process, pc: int, top: int, calling: bool = False) -> Iterator[Level]:
    """The functions of a process that continues at `pc` with its stack pointer at `top`.

    Ends at the first function of the process, or where the stack cannot be read any further.
    """
    reader = node.stack()
    for frame in reader.frames(top, stack_end(process, top)):
        words = node.memory.words(frame.address, frame.slots)
        yield Level(pc, calling, node.code.of_frame(pc, calling), words)
        pc, calling = node.code.goes_on(frame.return_address), True
        place = node.code.find(pc)
        if place is not None and place.is_internal:
            return
    if pc:
        yield Level(pc, calling, node.code.of_frame(pc, calling), ())


def of_frame(node: Node, process: Process, frame: ErlangFrame, calling: bool) -> Iterator[Level]:
    """The stack of a process that runs, from a frame of it on; `calling`: the frame's pc is a return address."""
    slot, return_address = frame.return_slot, frame.return_address
    if slot is None or return_address is None:
        yield from levels(node, process, frame.pc, frame.top, calling)
        return
    words = node.memory.words(frame.top, node.stack().frame(frame.top, slot).slots)
    yield Level(frame.pc, calling, frame.place, words)
    place = node.code.find(return_address)
    if place is None or not place.is_internal:
        goes_on = node.code.goes_on(return_address)
        yield from levels(node, process, goes_on, slot + node.memory.word_size, True)


def of_waiting(node: Node, process: Process) -> Iterator[Level]:
    """The stack of a process that no scheduler runs now: the VM has saved where it goes on."""
    return levels(node, process, process.record["i"], node.top_of(process.record["stop"]))


def saved_arguments(process: Process) -> list[int]:
    """x registers that the VM saved when the process was scheduled out."""
    count = min(process.record["arity"], MAX_ARGUMENTS)
    where = process.record["arg_reg"]
    try:
        return list(process.record.memory.words(where, count)) if where else []
    except Unreadable:
        return []
