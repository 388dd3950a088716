"""Steps in code that BeamAsm has made.

The thread is followed through the code of the function and shared fragments, from one jump or call to the next. Of C
functions, and Erlang functions that are stepped over, there is a breakpoint where they return to: few are needed at a
time, since in memory that cannot be written a processor has only a few. When the scheduler takes the process off the
thread, there is one where it will go on. Those look who comes: it must be the process, and not deeper in its stack.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Optional

import gdb

from beamgdb.beamasm.flow import Control, FunctionFlow
from beamgdb.gdbext import events, session
from beamgdb.gdbext.breakpoints import compiled
from beamgdb.gdbext.points import Asked
from beamgdb.gdbext.stepping import position as positions
from beamgdb.gdbext.stepping.position import Position
from beamgdb.gdbext.stepping.resume import ExitPoint, exit_watched, resume
from beamgdb.gdbext.unwinder import register_reader, unwinder_of
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.unwinding.beamasm import PROCESS_MAIN, BeamAsmUnwinder
from beamgdb.vm.model import Unavailable

MAX_INSTRUCTIONS = 100_000
"""Machine instructions of one step at most."""

LINK_REGISTER = {"aarch64": "x30"}
"""Where a C function finds the address to return to when it is called; elsewhere at the top of the thread's stack."""

FLAGS = ("eflags", "cpsr")
"""Registers that conditions of branches are read from, as GDB names them."""

Wanted = Callable[[Position], bool]
"""Whether to stop where a process has come to."""


class _Point(Asked):
    """One of the places where a leg of a walk ends."""

    def __init__(self, address: int) -> None:
        super().__init__(f"*{address:#x}")
        self.arrived: Callable[[_Point], bool] = lambda _: True
        """Goes on from here; whether the target is to stop instead."""

    def is_wanted(self) -> bool:
        return self.is_arrival() and self.arrived(self)

    def is_arrival(self) -> bool:
        """Whether what has come here is what was waited for."""
        return True


class _ProcessPoint(_Point):
    """Where the process that is stepped is wanted."""

    def __init__(self, address: int, start: Position, wanted: Wanted) -> None:
        super().__init__(address)
        self._start = start
        self._wanted = wanted

    def is_arrival(self) -> bool:
        node = session.require().node
        if node.machine is None or _read(node.machine.process) != self._start.process.address:
            return False
        try:
            return self._wanted(positions.newest())
        except Unavailable:
            return False


class _ThreadPoint(_Point):
    """Where a thread comes to, such as what a C function returns to."""

    def __init__(self, address: int, thread: gdb.InferiorThread) -> None:
        super().__init__(address)
        self.thread = thread.global_num


Leg = Optional[Sequence[_Point]]
"""Where a walk goes on to: one of these, or the next instruction. Without any point only something else ends it."""


class _Journey:
    """Lets the target run from leg to leg of a walk. The next one begins while GDB asks the point where the last has
    ended, and the target is not seen to stop: front ends are told of every stop."""

    def __init__(self, walk: Iterator[Leg], start: Position, at_exit: ExitPoint | None) -> None:
        self._walk = walk
        self._start = start
        self._at_exit = at_exit
        self._leg: Leg = ()
        self._past: Leg = ()
        """The leg before."""
        self._is_over = False
        self._error: Exception | None = None

    def run(self) -> None:
        """To the end of the walk. Raises what that does, `Ended` and `Interrupted`."""
        try:
            self._go_on()
            while not self._is_over:
                leg = self._leg
                resume("stepi" if leg is None else "continue", self._start, self._at_exit)
                if leg is self._leg and not self._is_over:
                    self._go_on()
        finally:
            self._delete(self._past)
            self._delete(self._leg)
        if self._error is not None:
            raise self._error

    def _go_on(self) -> None:
        """Begin the next leg."""
        session.forget_all()
        self._delete(self._past)
        for point in self._leg or ():
            # The processor has room for few; but GDB may just be asking this one.
            point.enabled = False
        self._past, self._leg = self._leg, ()
        try:
            self._leg = next(self._walk)
        except StopIteration:
            self._is_over = True
        except (gdb.error, gdb.GdbError, Unavailable, Unreadable) as error:
            self._is_over, self._error = True, error
        for point in self._leg or ():
            point.arrived = self._arrived

    def _delete(self, points: Leg) -> None:
        for point in points or ():
            if point.is_valid():
                point.delete()

    def _arrived(self, point: _Point) -> bool:
        """The leg has ended at a point; whether the target is to stop there."""
        self._go_on()
        point.is_passing = not self._is_over
        return self._is_over or self._leg is None


class _CompiledWalk:
    """A step of one process, leg by leg."""

    def __init__(self, start: Position) -> None:
        self.start = start
        self._node: Node = session.require().node

    def line(self, into: bool) -> Iterator[Leg]:
        """Until another line, or with `into` a function that is called."""
        for _ in range(MAX_INSTRUCTIONS):
            before = _pc()
            yield self._forwards(before)
            place = self._node.code.find(_pc())
            if place is None:
                yield self._out_of_c()
            elif place.code.name == PROCESS_MAIN:
                yield self._until_scheduled()
            elif place.is_fragment or (place == self.start.place and self._is_plain(before)):
                continue
            if (yield from self._is_done(into)):
                return
        raise gdb.GdbError(f"the step was given up after {MAX_INSTRUCTIONS} machine instructions")

    def _forwards(self, pc: int) -> Leg:
        """Some instructions: over those that lead nowhere else, over C functions, and to what is jumped to or
        called."""
        places, thread = self._next(pc, compiled.room()), gdb.selected_thread()
        return [_ThreadPoint(place, thread) for place in places] if places and thread is not None else None

    def _next(self, pc: int, room: int) -> set[int]:
        """Where the thread comes to next, one of these, not more than there is room for; none if that is not known."""
        node = self._node
        place = node.code.find(pc)
        unwinder = unwinder_of(session.require())
        flow = unwinder.flow(place.code) if place is not None and isinstance(unwinder, BeamAsmUnwinder) else None
        if place is not None and flow is not None and isinstance(unwinder, BeamAsmUnwinder):
            start = place.code.start + unwinder.prologue(place.code)
            lines = {at - start for at, *_ in place.code.lines}
            ahead = {start + offset for offset in self._ahead(flow, pc - start, lines, room)}
            if ahead:
                return ahead
        # Not before it is needed: the disassembler takes time to load.
        from beamgdb.machine_code.control import control
        from beamgdb.machine_code.text import LONGEST

        code = node.memory.read(pc, LONGEST)
        found = control(node.identity.arch or "", code, pc, _register, node.memory.word)
        if found is None:
            return set()
        if found.target is None:
            return {found.end}
        if node.code.find(found.target) is None:
            return {found.end} if found.call else set()
        if not found.conditional:
            return {found.target}
        both = {found.target, found.end}
        if len(both) <= room:
            return both
        return {found.target if found.taken else found.end} if found.taken is not None else set()

    def _ahead(self, flow: FunctionFlow, offset: int, lines: set[int], room: int) -> set[int]:
        """Where straight code from `offset` on ends: at another line, before what jumps or calls elsewhere, or after a
        branch if there is room for all places where it leads. None where there is no straight code."""
        at = offset
        while (step := flow.steps.get(at)) is not None and (at == offset or at not in lines):
            if step.control is Control.NEXT or (step.control is Control.CALL and step.native):
                at = step.end
            elif step.control is Control.BRANCH and step.targets and all(to in flow.steps for to in step.targets):
                after = {*step.targets, step.end}
                if len(after) > room:
                    break
                return after
            else:
                break
        return {at} - {offset} if at in flow.steps else set()

    def _is_plain(self, before: int) -> bool:
        """Whether the thread was in the function before, and has not come to the beginning of a line of it."""
        here, code = _pc(), self.start.place.code
        return code.start <= before < code.stop and all(here != at for at, _, _ in code.lines)

    def _is_done(self, into: bool) -> Generator[Leg, None, bool]:
        """Whether the step ends here; runs a function that is not to be stepped into."""
        place = self._node.code.find(_pc())
        if place is None or place.is_fragment or place.is_internal:
            return False
        here = positions.newest()
        if here.is_same_call(self.start):
            return here.begins_line(self.start.where)
        if into or here.distance < self.start.distance:
            return True
        yield self._over(here)
        return (yield from self._is_done(into))

    def _over(self, here: Position) -> Leg:
        """Through a function that was called, until it has returned or something else ends the step."""
        start = self.start
        places: dict[int, Wanted] = {}
        if here.distance <= start.distance:
            # By a tail call: nothing of the function is left to return to, but it may be called again.
            places[start.place.code.start] = lambda there: there.distance <= start.distance
        if here.return_address is not None:
            places[here.return_address] = lambda there: there.distance < here.distance
        if start.catch is not None:
            places[start.catch] = lambda there: there.distance <= start.distance
        return self._to(places)

    def out(self) -> Iterator[Leg]:
        """Until the function has returned to its caller, or raised an exception."""
        start = self.start
        places = (start.return_address, start.catch)
        yield self._to({at: lambda there: there.distance < start.distance for at in places if at is not None})

    def scheduled(self) -> Iterator[Leg]:
        """Until the process, which waits, goes on."""
        yield self._until_scheduled()

    def _until_scheduled(self) -> Leg:
        """The process waits, or others have their turn: until it goes on."""
        process, node = self.start.process, self._node
        places = {process.record["i"]}
        with contextlib.suppress(Unreadable):
            # Where a process goes on when a receive has timed out (`timeout_proc`, erl_process.c).
            places.add(node.memory.word(process.record.field_address("def_arg_reg")))
            slot = node.stack().next_return_address(process.record["stop"], process.record["hend"])
            places |= {node.memory.word(slot)} if slot is not None else set()
        return self._to({at: lambda there: True for at in places})

    def _out_of_c(self) -> Leg:
        """A C function was called: until it has returned."""
        node = self._node
        link = LINK_REGISTER.get(node.identity.arch or "")
        sp = _read("sp")
        if link is not None:
            returns_to = _read(link)
        else:
            returns_to = node.memory.word(sp) if sp is not None else None
        thread = gdb.selected_thread()
        if returns_to is None or thread is None or node.code.find(returns_to) is None:
            raise gdb.GdbError("the step is in C code that is not seen to return to Erlang: type `finish` first")
        return [_ThreadPoint(returns_to, thread)]

    def _to(self, places: dict[int, Wanted]) -> Leg:
        """Until the process is wanted at one of these addresses of Erlang code."""
        code = self._node.code
        found = {at: code.find(at) for at in places}
        wanted = {at: places[at] for at, place in found.items() if place is not None and not place.is_internal}
        # Before they are made: while a thread runs GDB puts a breakpoint into the processor at once.
        compiled.check_room(wanted)
        return [_ProcessPoint(at, self.start, one) for at, one in wanted.items()]


def _pc() -> int:
    return int(gdb.newest_frame().pc())


def _register(name: str) -> int | None:
    """A register, also one of flags, which GDB takes for no number."""
    return int(gdb.newest_frame().read_register(name)) if name in FLAGS else _read(name)


def _read(register: str) -> int | None:
    return register_reader(gdb.newest_frame())(register)


def line(start: Position, into: bool) -> None:
    """Run to another line, or with `into` to the next call. Raises `Ended`, `Interrupted`, `TooMany`."""
    if compiled.room() <= 0:
        raise compiled.TooMany(compiled.NO_MORE)
    with exit_watched(start) as at_exit, events.later():
        _Journey(_CompiledWalk(start).line(into), start, at_exit).run()


def scheduled(start: Position) -> None:
    """Run until a process that waits goes on. Raises `Ended`, `Interrupted`, `TooMany`."""
    with exit_watched(start) as at_exit:
        _Journey(_CompiledWalk(start).scheduled(), start, at_exit).run()


def out(start: Position) -> bool:
    """Run until the function has returned, or raised an exception; whether the process is where it would return to.
    Raises `Ended`, `Interrupted`."""
    with exit_watched(start) as at_exit:
        _Journey(_CompiledWalk(start).out(), start, at_exit).run()
    return _pc() == start.return_address
