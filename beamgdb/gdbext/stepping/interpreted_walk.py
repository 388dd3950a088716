"""Steps in the interpreter, and in native code that runs in it. Traps are set at all places where the step may end, and
breakpoints at those in native code: they cost nothing elsewhere, are hit by any thread, and so follow the process
wherever it runs, and whatever runs it."""

from __future__ import annotations

import contextlib

import gdb

from beamgdb.code.module import Module
from beamgdb.gdbext import current_frame, session, term_printing
from beamgdb.gdbext.breakpoints import interpreted
from beamgdb.gdbext.breakpoints.traps import Arrival
from beamgdb.gdbext.stepping import position as positions
from beamgdb.gdbext.stepping.position import Position
from beamgdb.gdbext.stepping.resume import exit_watched, resume
from beamgdb.gdbext.unwinder import register_reader
from beamgdb.interpreter import callees, instructions
from beamgdb.interpreter.instructions import LoadedInstruction
from beamgdb.interpreter.operations import Unsupported
from beamgdb.memory import Unreadable
from beamgdb.native.registers import CALLEE, PROCESS
from beamgdb.views.disassembly.listing import bytecode_of
from beamgdb.vm.model import Unavailable
from jit.otp.native_abi import CALL_CODE


class _InterpretedWalk:
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
        if self._process(arrival) != self.start.process.address:
            return False
        self.ended_at = arrival.address
        try:
            return self.ends(arrival, positions.newest())
        except Unavailable:
            return False

    def _process(self, arrival: Arrival) -> int | None:
        """Address of the process that has arrived."""
        read = register_reader(gdb.newest_frame())
        if self._node.code.native_at(arrival.address) is not None:
            return read(PROCESS)
        return self._node.process_main.process(read)

    def ends(self, arrival: Arrival, here: Position) -> bool:
        """Whether the step ends where the process is now."""
        raise NotImplementedError


class _OutWalk(_InterpretedWalk):
    """Until the function has returned to its caller, or raised an exception."""

    def ends(self, arrival: Arrival, here: Position) -> bool:
        return here.distance < self.start.distance


class _ReceiveWalk(_InterpretedWalk):
    """Until the process, which waits, goes on: where it was, or where the time of its receive is up (`timeout_proc`,
    erl_process.c)."""

    def __init__(self, start: Position) -> None:
        super().__init__(start)
        code, places = self._node.code, [start.pc]
        with contextlib.suppress(Unreadable):
            places.append(self._node.memory.word(start.process.record.field_address("def_arg_reg")))
        self._addresses = {code.goes_on(at) for at in places if code.find(at) == start.place}

    def ends(self, arrival: Arrival, here: Position) -> bool:
        return True


class _LineWalk(_InterpretedWalk):
    """Until another line of the function, a new call of it instead of this one, or its caller."""

    def __init__(self, start: Position) -> None:
        super().__init__(start)
        where = start.where
        before = (where.file, where.line) if where else None
        name, lines = start.place.code.name, start.place.code.lines
        for module in self._versions():
            lines += tuple(line for code in self._node.code.lined(module) if code.name == name for line in code.lines)
            self._addresses |= set(self._node.code.entries(module, name))
        self._lines = {address for address, *place in lines if place[1] and tuple(place) != before}
        self._addresses |= self._lines

    def _versions(self) -> list[Module]:
        """The module of the function, in all versions that are loaded."""
        return [module for module in self._node.code if module.name == self.start.place.module.name]

    def ends(self, arrival: Arrival, here: Position) -> bool:
        if arrival.address == self.start.catch and here.is_same_call(self.start):
            # The handler has a line of its own, or soon comes to one.
            return arrival.address in self._lines
        return here.distance <= self.start.distance


class _IntoWalk(_LineWalk):
    """As `_LineWalk`, or until a function is called."""

    def __init__(self, start: Position) -> None:
        super().__init__(start)
        self._entries: set[int] = set()
        self._calls = {call.address: call for call in self._calls_of_function()}
        self._addresses |= self._calls.keys()
        self._through: set[int] = set()
        if self._node.code.native_at(start.pc) is not None:
            self._enter_any()
        else:
            # The instruction in progress has its trap behind it.
            self._enter(start.pc - self._node.memory.word_size)

    def _calls_of_function(self) -> list[LoadedInstruction]:
        """Calls in the bytecode of the function, which it also has where it is native."""
        node = self._node
        code = bytecode_of(node, self.start.place).code
        start = node.code.bytecode_start(code)
        try:
            found = instructions.of_function(node.memory, node.process_main.operations, start, code.stop)
        except Unsupported as error:
            name = term_printing.function(code.name)
            gdb.write(f"beamgdb: calls are stepped over in {name}: {error}\n", gdb.STDERR)
            return []
        return [one for one in found if callees.is_call(one)]

    def _enter_any(self) -> None:
        """Native code may make any of its calls: watch all functions that it names, and where others are called."""
        for call in self._calls.values():
            self._entries |= {self._node.code.goes_on(entry) for entry in callees.of(self._node, call, _no_register)}
        ranges = self.start.place.module.ranges
        self._through |= {one.start for one in ranges if one.name == CALL_CODE}
        self._addresses |= self._entries | self._through

    def _enter(self, address: int) -> None:
        """A call is about to be made: watch the function that is called, if it is one of Erlang."""
        call = self._calls.get(address)
        if call is None:
            return
        for entry in callees.of(self._node, call, current_frame.x_register):
            self._entries.add(self._node.code.goes_on(entry))
        self._addresses |= self._entries

    def ends(self, arrival: Arrival, here: Position) -> bool:
        if arrival.address in self._entries and self._is_erlang(arrival.address):
            return True
        if arrival.address in self._through:
            self._enter_through()
            return False
        if not super().ends(arrival, here):
            return False
        if arrival.address not in self._calls or not here.is_same_line(self.start):
            return True
        self._enter(arrival.address)
        interpreted.breakpoints().watch_more()
        return False

    def _enter_through(self) -> None:
        """Native code calls what it has computed."""
        callee = register_reader(gdb.newest_frame())(CALLEE)
        if callee is not None and self._node.code.find(callee) is not None:
            self._entries.add(self._node.code.goes_on(callee))
            self._addresses |= self._entries
            interpreted.breakpoints().watch_more()

    def _is_erlang(self, entry: int) -> bool:
        if self._node.code.native_at(entry) is not None:
            return True
        handler = self._node.memory.word(entry)
        operation = next((one for one in self._node.process_main.operations if one.handler == handler), None)
        return operation is not None and not operation.name.startswith(instructions.NATIVE)


def _no_register(_: int) -> int:
    """The x registers at calls that are still to come are not known."""
    raise Unreadable(0, 0)


def _run(walk: _InterpretedWalk) -> None:
    with exit_watched(walk.start) as at_exit:
        interpreted.breakpoints().watch(walk)
        try:
            resume("continue", walk.start, at_exit)
        finally:
            interpreted.breakpoints().watch(None)


def line(start: Position, into: bool) -> None:
    """Run to another line, or with `into` to the next call. Raises `Ended`, `Interrupted`."""
    _run(_IntoWalk(start) if into else _LineWalk(start))


def scheduled(start: Position) -> None:
    """Run until a process that waits goes on. Raises `Ended`, `Interrupted`."""
    _run(_ReceiveWalk(start))


def out(start: Position) -> bool:
    """Run until the function has returned, or raised an exception; whether the process is where it would return to.
    Raises `Ended`, `Interrupted`."""
    walk = _OutWalk(start)
    _run(walk)
    return walk.ended_at == start.return_address
