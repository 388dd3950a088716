"""Erlang breakpoints and steps in the interpreter: when traps are set and cleared, and what a hit means."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

import gdb

from beamgdb.code.loaded import LoadedCode
from beamgdb.gdbext import (
    c_calls,
    c_expressions,
    ctrl_c,
    current_frame,
    errors,
    events,
    older_gdb,
    session,
    unnamed,
)
from beamgdb.gdbext.breakpoints.native_points import NativePoints
from beamgdb.gdbext.breakpoints.requests import Request, c_string
from beamgdb.gdbext.breakpoints.traps import Arrival, Traps, each_thread
from beamgdb.gdbext.convenience import ConvenienceFunction, text_of
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.points import Asked
from beamgdb.gdbext.stepping import position
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.views.location import BadLocation, LineLocation, parse
from beamgdb.vm.model import Unavailable

PLACE = "_beam_trap"
"""The convenience variable with the address where traps lead, 0 as long as that is not known."""

BEFORE = "_beam_before"
"""The convenience function for a place that is run once by each scheduler, until the VM has told where traps lead. GDB
evaluates locations anew when symbols change, which are those of another release then."""

HIT = "_beam_hit"
"""The convenience function in conditions of GDB's breakpoints there."""

LOADED = "erts_update_ranges"
"""Called with the `BeamCodeHeader` of each module that is loaded (beam_ranges.c)."""

MAIN = "process_main"

LOCATION = f"*(${PLACE} ? ${PLACE} : ${BEFORE}())"
"""Where GDB's breakpoints are."""


STAYS_BEHIND = "this GDB does not tell that it quits: `detach` before, or delete these breakpoints, or the node dies"

Asks = Callable[[], Any]
"""What a front end asks in `Breakpoint.stop`, whether to stop."""


class Watch(Protocol):
    """Somebody who wants to see threads come to instructions, such as a step in progress."""

    def addresses(self) -> set[int]:
        """The instructions."""

    def arrived(self, arrival: Arrival) -> bool:
        """Whether to stop here. May change `addresses`."""


class _TrapPoint(Asked):
    """GDB's breakpoint where traps lead: it sends threads on, and asks whoever watches. The breakpoints of users are at
    the same place, later in GDB's list, with conditions that ask whether they are meant."""

    def __init__(self, breakpoints: InterpretedBreakpoints) -> None:
        self._breakpoints = breakpoints
        super().__init__(LOCATION)

    def is_wanted(self) -> bool:
        try:
            return self._breakpoints.arrived()
        except (gdb.error, gdb.GdbError, Unavailable) as error:
            gdb.write(f"beamgdb: {errors.one_line(error)}\n", gdb.STDERR)
            return True


class _LoadPoint(Asked):
    """Sees modules being loaded, and has `events` wait for those in which there is a breakpoint."""

    def __init__(self, breakpoints: InterpretedBreakpoints, location: str) -> None:
        super().__init__(location)
        self._breakpoints = breakpoints

    def is_wanted(self) -> bool:
        errors.guarded(self._breakpoints.module_comes)
        return False


@dataclass(frozen=True)
class _Places:
    """Where the interpreter of one VM is stopped, and native code that runs in it."""

    owner: session.Session
    traps: Traps
    natives: NativePoints


class InterpretedBreakpoints:
    """Traps in the VM that is debugged now, for the breakpoints of users and for a watch."""

    def __init__(self) -> None:
        self._places: _Places | None = None
        self._point: _TrapPoint | None = None
        self._loads: _LoadPoint | None = None
        self._watch: Watch | None = None
        self._runs = False
        self._arrival: Arrival | None = None
        self._hits: set[tuple[str, str]] = set()
        """Locations and conditions of breakpoints that are hit at this stop."""
        self._last_native: tuple[str, int, int] | None = None
        """The line, process and call of which native code was stopped last."""
        self._code_is_wanted = False
        self._follows_resumption = False
        self._has_stale_points = False

    def connect(self) -> None:
        """Connect to GDB's events. To be called before `events.install`: the first thing at a stop is to clear
        traps."""
        gdb.events.stop.connect(self._on_stop)
        gdb.events.inferior_call.connect(self._on_infcall)
        gdb.events.exited.connect(self._on_exit)
        if older_gdb.tells_of_its_end():
            older_gdb.at_exit(self.leave)
        events.on_code_change(self._code_changed, self._waits_for_code, self._is_concerned)

    @property
    def place(self) -> int | None:
        """Where traps lead, None as long as that is not known."""
        return self._places.traps.place if self._places is not None else None

    def make_place(self) -> str:
        """The location of GDB's breakpoints; raises `Unavailable` where traps cannot be made."""
        if not self._follows_resumption:
            # Not before it is needed: GDB 13 may lose a Ctrl-C that comes while Python runs because the target is
            # resumed.
            self._follows_resumption = True
            gdb.events.cont.connect(self._on_continue)
            if not older_gdb.tells_of_its_end():
                gdb.write(f"beamgdb: {STAYS_BEHIND}\n", gdb.STDERR)
        self._make_point()
        if self._point is not None and not self._point.enabled:
            self._point.enabled = True
        return LOCATION

    def _make_point(self) -> None:
        if gdb.convenience_variable(PLACE) is None:
            gdb.set_convenience_variable(PLACE, 0)
        current, point = session.find(), self._point
        places = self._places_of(current) if current is not None and _is_initialised(current) else None
        if point is not None and point.is_valid() and places is not None and not self._is_caught(places.traps):
            # It was made before the place was known, and no symbols have changed since.
            point.delete()
        if point is None or not point.is_valid():
            self._point = _TrapPoint(self)

    def make_ready(self) -> None:
        """Have all breakpoints of our own that one of a user needs. Nobody comes to them before one wants them: of
        several schedulers that do at once qemu's stub may tell no more."""
        self._make_point()
        if self._point is not None and self._watch is None and not extension().requests.any_trapped():
            self._point.enabled = False
        self._watch_loads(wanted=extension().requests.any_trapped())

    def _places_of(self, current: session.Session) -> _Places:
        if self._places is None or self._places.owner is not current:
            self._forget_natives()
            natives = NativePoints(current.node, self._arrived_natively)
            self._places = _Places(current, Traps(current.node, current.target), natives)
            gdb.set_convenience_variable(PLACE, self._places.traps.place)
        return self._places

    def watch(self, watch: Watch | None) -> None:
        """Have someone told of arrivals, or no one any more."""
        if watch is not None:
            self.make_place()
        self._watch = watch
        self._set_native_points()

    def watch_more(self) -> None:
        """The watch has more addresses than before, while the target runs."""
        self._set_native_points(tidy=False)
        if self._runs:
            self._set_traps()

    def requests_changed(self) -> None:
        """There are more requests than before, or fewer."""
        self._follow_loads()
        # GDB may be about to delete other breakpoints, and loses its way if some are deleted meanwhile.
        errors.guarded(lambda: self._set_native_points(tidy=False))
        self._has_stale_points = True

    def request_removed(self) -> None:
        """There is one request less. While the target runs that waits for the next stop: a remote one cannot be told,
        and GDB that fails to remove ours takes that for a failure to remove the user's."""
        if self._runs:
            self._has_stale_points = True
        else:
            self.requests_changed()

    def _follow_loads(self) -> None:
        """See modules being loaded only as long as that matters."""
        wanted = extension().requests.any_trapped()
        if c_calls.first_instruction(LOADED) is None:
            # It is noticed when code is taken into use.
            events.watch_code()
        elif wanted or self._loads is not None:
            self._watch_loads(wanted=wanted)

    def _watch_loads(self, *, wanted: bool) -> None:
        location = c_calls.first_instruction(LOADED)
        if location is not None and (self._loads is None or not self._loads.is_valid()):
            self._loads = _LoadPoint(self, location)
        if self._loads is not None and self._loads.is_valid() and self._loads.enabled != wanted:
            self._loads.enabled = wanted

    def module_comes(self) -> None:
        """A module is being loaded."""
        current = session.known()
        if current is None or not current.node.has_layout:
            return
        current.forget()
        node = current.node
        header = c_calls.first_argument(node)
        if not header:
            return
        first = node.memory.word(node.record("BeamCodeHeader", header).field_address("functions"))
        name = node.term(node.record("ErtsCodeInfo", first)["mfa.module"]).strip("'")
        if self._may_be_in(name):
            self._code_is_wanted = True
            events.watch_code()

    def was_hit(self, request: Request) -> bool:
        """Whether the present stop is one where this breakpoint is, and its condition was true."""
        return self._arrival is not None and (str(request.location), request.wanted) in self._hits

    def _wanted(self, code: LoadedCode) -> set[int]:
        return _wanted_by_users(code) | (self._watch.addresses() if self._watch else set())

    def _set_traps(self) -> None:
        current = session.known()
        if current is None or not current.node.is_interpreter or not current.is_settled:
            return
        code = current.node.code
        wanted = {address for address in self._wanted(code) if not code.native_at(address)}
        if wanted and self._is_caught(self._places_of(current).traps):
            self._places_of(current).traps.set(wanted)

    def _set_native_points(self, *, tidy: bool = True) -> None:
        """Have breakpoints in native code where they are wanted now. Unlike traps the VM does not see them. With `tidy`
        delete those that are not wanted any more: not while GDB works on its breakpoints."""
        current = session.known()
        if current is None or not current.node.is_interpreter or not len(current.node.native):
            if tidy:
                self._forget_natives()
            return
        code = current.node.code
        wanted = {address for address in self._wanted(code) if code.native_at(address)}
        places = self._places_of(current) if wanted else self._places
        if places is not None:
            places.natives.set(wanted, tidy=tidy)

    def _forget_natives(self) -> None:
        if self._places is not None:
            self._places.natives.forget()

    def _arrived_natively(self, arrival: Arrival) -> bool:
        """A thread has come to native code that is wanted: by users, whose breakpoints are where traps lead, or by a
        watch."""
        current = session.known()
        places = self._places
        if current is None or places is None:
            return False
        current.forget()
        current.refresh_code()
        asked = arrival.address in _wanted_by_users(current.node.code)
        thumb = current.node.process_main.is_thumb
        if asked and self._is_caught(places.traps) and places.natives.send(arrival, places.traps.place, thumb):
            return False
        return self._watch is not None and self._watch.arrived(arrival)

    def _is_caught(self, traps: Traps) -> bool:
        """Whether GDB has its breakpoint where traps lead: what got there without one would end the VM."""
        point = self._point
        if point is None or not point.enabled:
            return False
        return any(one.address == traps.place and one.enabled for one in older_gdb.locations(point))

    def arrived(self) -> bool:
        """A thread has come to where traps lead; whether to stop it for the watch."""
        if self._is_at_place():
            # (The condition of a breakpoint that is older than this point has sent it on.)
            self._send_on()
        current = session.known()
        if current is None or self._arrival is None:
            return False
        current.refresh_code()
        return self._watch is not None and self._watch.arrived(self._arrival)

    def _send_on(self) -> None:
        """Have the selected thread leave the place where traps lead, and note where it has come to. Before all else:
        what stays there ends the VM."""
        current, places = session.known(), self._places
        with ctrl_c.held():
            self._arrival = None
            self._hits.clear()
            if current is not None and places is not None and places.owner is current:
                current.forget()
                self._arrival = places.natives.back() or places.traps.arrival()

    def _is_at_place(self) -> bool:
        """Whether the selected thread is where traps lead: Ctrl-C has kept `_TrapPoint` from sending it on."""
        return self._places is not None and gdb.newest_frame().pc() == self._places.traps.place

    def is_hit(self, where: str, wanted: str, asked: Asks | None = None) -> bool:
        """Whether the selected thread has come to a breakpoint at this location, its condition is true, and so is what
        is `asked` then."""
        if self._is_at_place():
            self._send_on()
        current, arrival = session.known(), self._arrival
        if current is None or arrival is None:
            return False
        code = current.node.code
        try:
            location, _ = parse(where, code)
        except BadLocation:
            return False
        if arrival.address not in location.addresses(code):
            return False
        if isinstance(location, LineLocation) and self._is_again(where, arrival, code):
            return False
        try:
            if (wanted or asked) and not _evaluated(wanted, asked):
                return False
        except Exception:
            # GDB tells of a condition that fails, and stops for it.
            self._hits.add((where, wanted))
            raise
        self._hits.add((where, wanted))
        return True

    def _is_again(self, where: str, arrival: Arrival, code: LoadedCode) -> bool:
        """Whether native code has come to this line and has left it to the interpreter, which comes to it now."""
        try:
            here = position.newest()
        except Unavailable:
            return False
        call = (where, here.process.address, here.distance)
        before, self._last_native = self._last_native, call if code.native_at(arrival.address) else None
        return self._last_native is None and before == call

    def _on_continue(self, _: Any) -> None:
        before = extension().interruptions
        # If no stop was told of, Ctrl-C has ended what GDB did for any of the threads.
        errors.guarded(self._send_all_on if self._runs else self._leave_place)
        self._runs = True
        self._arrival = None
        if self._watch is not None or extension().requests.any_trapped():
            errors.guarded(self._set_traps)
        if extension().interruptions != before:
            # GDB goes on to resume the target, and has forgotten that it is to stop.
            gdb.post_event(lambda: gdb.execute("interrupt"))

    def _on_stop(self, event: Any) -> None:
        self._runs = False
        if self._has_stale_points and self._watch is None:
            self._has_stale_points = False
            errors.guarded(self._follow_loads)
            errors.guarded(self._set_native_points)
        if self._places is None:
            return
        errors.guarded(self._clear_traps)
        errors.guarded(self._leave_place)
        errors.guarded(self._places.natives.call_back)
        if not isinstance(event, gdb.BreakpointEvent) or self._point not in event.breakpoints:
            self._arrival = None

    def _clear_traps(self) -> None:
        if self._places is not None:
            for line in self._places.traps.clear():
                gdb.write(f"beamgdb: {line}\n", gdb.STDERR)

    def _leave_place(self) -> None:
        """Have the selected thread not be where traps lead when it is resumed: GDB steps over its breakpoint there.
        What other threads have come to GDB still has to tell."""
        with contextlib.suppress(gdb.error), ctrl_c.held():
            if self._is_at_place():
                self._send_on()

    def _send_all_on(self) -> None:
        for _ in each_thread():
            self._leave_place()

    def _on_infcall(self, event: Any) -> None:
        if isinstance(event, gdb.InferiorCallPostEvent):
            self._runs = False
            errors.guarded(self._clear_traps)

    def leave(self) -> None:
        """GDB is about to leave the target."""
        if self._places is not None and session.has_process():
            errors.guarded(self._places.natives.call_back)
            errors.guarded(self._places.traps.abandon)
        self._forget_natives()
        self._places = None

    def _on_exit(self, event: Any) -> None:
        if self._places is not None and session.of_inferior(event.inferior.num) is not self._places.owner:
            return
        errors.guarded(self._forget_natives)
        self._places = self._arrival = None
        self._runs = False
        # In the next program something else is where these lead.
        gdb.set_convenience_variable(PLACE, 0)
        if self._loads is not None and self._loads.is_valid():
            errors.guarded(self._loads.delete)
        self._loads = None

    def _waits_for_code(self) -> bool:
        """Whether code that is being loaded is of interest. The place of traps is told before symbols change."""
        current = session.known()
        if extension().requests.any_trapped() and current is not None and _is_initialised(current):
            errors.guarded(lambda: self._places_of(current))
        return self._code_is_wanted or self._loads is None and extension().requests.any_trapped()

    def _is_concerned(self) -> bool:
        """Whether a module is taken into use in which there may be a breakpoint, or somebody watches."""
        current = session.known()
        if self._code_is_wanted or self._watch is not None or current is None:
            return True
        return any(self._may_be_in(name) for name in current.node.coming())

    def _may_be_in(self, module: str) -> bool:
        """Whether there may be a breakpoint in a module."""
        return extension().requests.trapped_may_be_in(module)

    def _code_changed(self) -> None:
        if self._watch is not None or extension().requests.any_trapped():
            self._set_native_points(tidy=not self._runs)
        if self._runs:
            self._set_traps()
        if self._code_is_wanted:
            self._code_is_wanted = False
            events.watch_code()


def breakpoints() -> InterpretedBreakpoints:
    """Those of this GDB."""
    return extension().part(InterpretedBreakpoints)


def condition(request: Request) -> str:
    """The condition of GDB's breakpoint for what is asked for in bytecode."""
    wanted = f", {c_string(request.wanted)}" if request.wanted else ""
    return f"${HIT}({c_string(str(request.location))}{wanted})"


def is_condition(text: str) -> bool:
    """Whether a condition is one of these."""
    return text.startswith(f"${HIT}(")


def _wanted_by_users(code: LoadedCode) -> set[int]:
    enabled = (request.location for point, request in extension().requests.all() if request.trapped and point.enabled)
    return {address for location in enabled for address in location.addresses(code)}


class Before(ConvenienceFunction):
    """$_beam_before(): where each scheduler begins to run.

    `beam-break` has its breakpoints for interpreted code there until the VM
    has started."""

    least = most = 0

    def answer(self, *_: gdb.Value) -> gdb.Value:
        for name in (MAIN, unnamed.FIRST_CALLED):
            with contextlib.suppress(gdb.error):
                # (GDB has the language of the breakpoint just now, C.)
                return older_gdb.value(f"(unsigned long) (char *) &{name}")
        raise Unavailable(f"the program has neither {MAIN} nor {unnamed.FIRST_CALLED}: is it a beam.smp?")


class Hit(ConvenienceFunction):
    """$_beam_hit(LOCATION[, CONDITION]): whether the interpreter is there now.

    `beam-break` uses it in conditions. CONDITION is an expression, which is
    evaluated in the Erlang frame."""

    most = 2

    def answer(self, *arguments: gdb.Value) -> bool:
        where, wanted = (*map(text_of, arguments), "")[:2]
        return breakpoints().is_hit(where, wanted)


def _evaluated(wanted: str, asked: Asks | None) -> bool:
    """A condition, and what is asked if it is true, in the frame of the Erlang function that is about to run."""
    frame = current_frame.first_erlang(gdb.newest_frame())
    if frame is None:
        raise Unavailable("the Erlang frame was not found")
    frame.gdb_frame.select()
    try:
        return (not wanted or bool(c_expressions.evaluated(wanted))) and (asked is None or bool(asked()))
    finally:
        gdb.newest_frame().select()


def _is_initialised(current: session.Session) -> bool:
    """Whether the interpreter knows its own operations yet."""
    table = current.node.symbol("beam_ops")
    try:
        return table is not None and current.node.has_layout and current.node.memory.word(table) != 0
    except Unreadable:
        return False


def install() -> None:
    """Define what conditions use."""
    Hit(HIT)
    Before(BEFORE)
