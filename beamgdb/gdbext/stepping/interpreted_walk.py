"""Steps in the interpreter. Traps are set at all places where the step may end: they cost nothing elsewhere, are hit by
any thread, and so follow the process wherever it runs."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import current_frame, session
from beamgdb.gdbext.breakpoints import interpreted
from beamgdb.gdbext.breakpoints.traps import Arrival
from beamgdb.gdbext.stepping import position as positions
from beamgdb.gdbext.stepping.position import Position
from beamgdb.gdbext.stepping.resume import exit_watched, resume
from beamgdb.gdbext.unwinder import register_reader
from beamgdb.interpreter import callees, instructions
from beamgdb.interpreter.instructions import Instruction
from beamgdb.interpreter.operations import Unsupported
from beamgdb.vm.node import Unavailable


class _Walk:
    """A watch for one process."""

    def __init__(self, start: Position) -> None:
        self.start = start
        self._node = session.require().node
        self._addresses: set[int] = set()
        self.ended_at = 0
        """The instruction that was to be executed when the step ended."""
        if start.catch is not None:
            self._addresses.add(start.catch)
        if start.return_address is not None and not self._is_end(start.return_address):
            self._addresses.add(start.return_address)

    def _is_end(self, address: int) -> bool:
        place = self._node.code.find(address)
        return place is None or place.is_internal

    def addresses(self) -> set[int]:
        """Where to be told of arrivals."""
        return self._addresses

    def arrived(self, arrival: Arrival) -> bool:
        """Whether the step ends here."""
        read = register_reader(gdb.newest_frame())
        if self._node.process_main.process(read) != self.start.process.address:
            return False
        self.ended_at = arrival.address
        try:
            return self.ends(arrival, positions.newest())
        except Unavailable:
            return False

    def ends(self, arrival: Arrival, here: Position) -> bool:
        """Whether the step ends where the process is now."""
        raise NotImplementedError


class _Out(_Walk):
    """Until the function has returned to its caller, or raised an exception."""

    def ends(self, arrival: Arrival, here: Position) -> bool:
        return here.distance < self.start.distance


class _Line(_Walk):
    """Until another line of the function, a new call of it instead of this one, or its caller."""

    def __init__(self, start: Position) -> None:
        super().__init__(start)
        where = start.where
        before = (where.file, where.line) if where else None
        self._lines = {address for address, *place in start.place.code.lines if place[1] and tuple(place) != before}
        self._addresses |= self._lines | {start.place.code.start}

    def ends(self, arrival: Arrival, here: Position) -> bool:
        if arrival.address == self.start.catch and here.is_same_call(self.start):
            # The handler has a line of its own, or soon comes to one.
            return arrival.address in self._lines
        return here.distance <= self.start.distance


class _Into(_Line):
    """As `_Line`, or until a function is called."""

    def __init__(self, start: Position) -> None:
        super().__init__(start)
        self._entries: set[int] = set()
        self._calls = {call.address: call for call in self._calls_of_function()}
        self._addresses |= self._calls.keys()
        # The instruction in progress has its trap behind it.
        self._enter(start.pc - self._node.memory.word_size)

    def _calls_of_function(self) -> list[Instruction]:
        code = self.start.place.code
        memory = self._node.memory
        try:
            found = instructions.of_function(memory, self._node.process_main.operations, code.start, code.stop)
        except Unsupported as error:
            gdb.write(f"beamgdb: calls are stepped over in {code.name}: {error}\n", gdb.STDERR)
            return []
        return [one for one in found if callees.is_call(one)]

    def _enter(self, address: int) -> None:
        """A call is about to be made: watch the function that is called, if it is one of Erlang."""
        call = self._calls.get(address)
        if call is None:
            return
        for entry in callees.of(self._node, call, current_frame.x_register):
            self._entries.add(entry)
        self._addresses |= self._entries

    def ends(self, arrival: Arrival, here: Position) -> bool:
        if arrival.address in self._entries and self._is_erlang(arrival.address):
            return True
        if not super().ends(arrival, here):
            return False
        if arrival.address not in self._calls or not here.is_same_line(self.start):
            return True
        self._enter(arrival.address)
        interpreted.watch_more()
        return False

    def _is_erlang(self, entry: int) -> bool:
        handler = self._node.memory.word(entry)
        operation = next((one for one in self._node.process_main.operations if one.handler == handler), None)
        return operation is not None and not operation.name.startswith(instructions.NATIVE)


def _run(walk: _Walk) -> None:
    with exit_watched(walk.start) as at_exit:
        interpreted.watch(walk)
        try:
            resume("continue", walk.start, at_exit)
        finally:
            interpreted.watch(None)


def line(start: Position, into: bool) -> None:
    """Run to another line, or with `into` to the next call. Raises `Ended`, `Interrupted`."""
    _run(_Into(start) if into else _Line(start))


def out(start: Position) -> bool:
    """Run until the function has returned, or raised an exception; whether the process is where it would return to.
    Raises `Ended`, `Interrupted`."""
    walk = _Out(start)
    _run(walk)
    return walk.ended_at == start.return_address
