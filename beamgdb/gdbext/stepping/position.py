"""Where a process is in its Erlang code, and where it may go on when what it runs now returns or raises."""

from __future__ import annotations

import gdb

from beamgdb.code.loaded import Place, Where
from beamgdb.gdbext import current_frame, standing
from beamgdb.gdbext.current_frame import Selected
from beamgdb.gdbext.unwinder import is_innermost
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.vm import backtrace
from beamgdb.vm.model import Unavailable
from beamgdb.vm.processes import Process
from beamgdb.vm.stack import MAX_SLOTS
from jit.otp.tags import CATCH, IMMED2_BITS, IMMED2_MASK

NO_PROCESS = "the selected thread runs no Erlang function to step"

WITHOUT_PROCESSES = "a step follows a process, and processes are not known here"


@dataclass(frozen=True)
class Position:
    """A frame of an Erlang process. `distance` is that of its return address from the base of the stack, in bytes: it
    stays the same while the call lasts, and is larger in functions that are called; 0 for the process's first one.
    """

    process: Process
    pid: int
    place: Place
    pc: int
    where: Where | None
    distance: int
    return_address: int | None
    catch: int | None
    """Where an exception in functions that are called from here goes on, None where nothing catches it."""

    def is_same_call(self, other: Position) -> bool:
        """Whether both are in one call of one function, be its code native or interpreted."""
        names = (self.place.code.name, other.place.code.name)
        return names[0] == names[1] and (self.pid, self.distance) == (other.pid, other.distance)

    def begins_line(self, but: Where | None) -> bool:
        """Whether this is the first instruction of a line other than `but`, or of the function. Code of no line of its
        own, as for `receive`, stands anywhere behind that of others."""
        first = self.pc == self.place.code.start
        return first or (self.where != but and any(self.pc == at for at, _, line in self.place.code.lines if line))

    def is_same_line(self, other: Position) -> bool:
        """Whether both are on one line of one call."""
        return self.is_same_call(other) and self.where == other.where


def newest() -> Position:
    """The Erlang frame that the selected thread runs, also from C. Raises `Unavailable`."""
    standing.require_selected()
    try:
        frame: gdb.Frame | None = gdb.newest_frame()
    except gdb.error:
        frame = None
    found = current_frame.first_erlang(frame)
    if found is None:
        raise Unavailable(current_frame.why_none(NO_PROCESS))
    return of(found)


def selected() -> Position:
    """The Erlang frame that the selected frame belongs to. Raises `Unavailable`."""
    return of(current_frame.selected())


def waiting(node: Node, process: Process) -> Position:
    """Where a process goes on that waits in a receive, or that the selected thread has just brought there. Raises
    `Unavailable`."""
    pid, status, at = node.term(process.id), process.status(), process.record["i"]
    # One that was woken, but has not run yet, waited: no function of it was interrupted (`current`, erl_process.h).
    is_woken = status == "runnable" and not process.record["current"]
    if status != "waiting" and not is_woken and not _is_at(node, process, at):
        raise Unavailable(f"{pid} does not wait for a message, it is {status}: `beam-step` follows it")
    place = node.code.find(at)
    if place is None or place.is_internal:
        raise Unavailable(f"{pid} hibernates: it has no receive to go on in (try `beam-break -process {pid} M:F/A`)")
    return Position(process, process.id, place, at, node.code.where(at), 0, None, None)


def _is_at(node: Node, process: Process, at: int) -> bool:
    """Whether the selected thread is about to run this instruction of a process, or in the first word of it."""
    try:
        here = newest()
    except Unavailable:
        return False
    return here.process.address == process.address and 0 <= here.pc - at <= node.memory.word_size


def of(found: Selected) -> Position:
    """The position of an Erlang frame. Raises `Unavailable`."""
    erlang, node = found.erlang, found.node
    if erlang.process is None:
        try:
            _ = node.processes
        except Unavailable as error:
            raise Unavailable(f"{WITHOUT_PROCESSES}: {error}") from None
        raise Unavailable(current_frame.why_none(NO_PROCESS))
    end = erlang.process.record["hend"]
    slot = erlang.return_slot
    returns_to = erlang.return_address
    if returns_to is None and slot is not None:
        returns_to = node.memory.word(slot)
    if returns_to is not None and slot is not None:
        returns_to = backtrace.past_tracing(node, slot, returns_to, end)
    if returns_to is not None:
        returns_to = node.code.goes_on(returns_to)
    lookup = erlang.pc if is_innermost(found.gdb_frame) else erlang.pc - 1
    return Position(
        erlang.process,
        erlang.process.id,
        erlang.place,
        erlang.pc,
        node.code.where(lookup),
        end - slot if slot is not None else 0,
        returns_to,
        _handler(found, erlang.top, end),
    )


def _handler(found: Selected, top: int, end: int) -> int | None:
    """The code address of the innermost catch on the stack from `top` on."""
    memory = found.node.memory
    try:
        for slot in range(top, min(end, top + MAX_SLOTS * memory.word_size), memory.word_size):
            word = memory.word(slot)
            if word & IMMED2_MASK == CATCH:
                handler = found.node.catch_handler(word >> IMMED2_BITS)
                return found.node.code.goes_on(handler) if handler is not None else None
    except Unreadable:
        pass
    return None
