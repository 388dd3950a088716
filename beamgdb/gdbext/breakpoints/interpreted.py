"""Erlang breakpoints and steps in the interpreter: when traps are set and cleared, and what a hit means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import gdb

from beamgdb.gdbext import c_calls, current_frame, errors, events, session
from beamgdb.gdbext.breakpoints import requests
from beamgdb.gdbext.breakpoints.location import BadLocation, Line, Location, parse
from beamgdb.gdbext.breakpoints.native_points import NativePoints
from beamgdb.gdbext.breakpoints.traps import Arrival, Traps
from beamgdb.gdbext.stepping import position
from beamgdb.memory import Unreadable
from beamgdb.vm.code import CodeIndex
from beamgdb.vm.node import Unavailable

PLACE = "_beam_trap"
"""The convenience variable with the address where traps lead: GDB evaluates locations anew when symbols change."""

HIT = "_beam_hit"
"""The convenience function in conditions of GDB's breakpoints there."""

LOADED = "erts_update_ranges"
"""Called with the `BeamCodeHeader` of each module that is loaded (beam_ranges.c)."""

BEFORE_START = "(unsigned long) (char *) &process_main"
"""A place that is run once by each scheduler, for as long as the VM has not told where traps can lead."""

LOCATION = f"*(${PLACE} ? ${PLACE} : {BEFORE_START})"
"""Where GDB's breakpoints are. By the symbol before the start: the program may not be yet where it will run."""


class Watch(Protocol):
    """Somebody who wants to see threads come to instructions, such as a step in progress."""

    def addresses(self) -> set[int]:
        """The instructions."""

    def arrived(self, arrival: Arrival) -> bool:
        """Whether to stop here. May change `addresses`."""


class _TrapPoint(gdb.Breakpoint):
    """GDB's breakpoint where traps lead: it sends threads on, and asks whoever watches. The breakpoints of users are at
    the same place, later in GDB's list, with conditions that ask whether they are meant."""

    def stop(self) -> bool:
        try:
            return _arrived()
        except (gdb.error, gdb.GdbError, Unavailable) as error:
            gdb.write(f"beamgdb: {errors.one_line(error)}\n", gdb.STDERR)
            return True


class _LoadPoint(gdb.Breakpoint):
    """Sees modules being loaded, and has `events` wait for those in which there is a breakpoint."""

    def stop(self) -> bool:
        errors.guarded(_module_comes)
        return False


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the interpreter of one VM is stopped, and native code that runs in it."""

    owner: session.Session
    traps: Traps
    natives: NativePoints


class _State:
    """What there is for the VM that is debugged now."""

    def __init__(self) -> None:
        self.places: _Places | None = None
        self.point: _TrapPoint | None = None
        self.arrival: Arrival | None = None
        self.hits: set[str] = set()
        self.watch: Watch | None = None
        self.running = False
        self.loads: _LoadPoint | None = None
        self.code_is_wanted = False
        self.follows_resumption = False
        self.has_stale_points = False
        self.last_native: tuple[str, int, int] | None = None


_state = _State()


def is_interpreter() -> bool:
    """Whether the program interprets Erlang code; known before it runs."""
    return session.address_of("beam_ops") is not None


def make_place() -> str:
    """The location of GDB's breakpoints; raises `Unavailable` where traps cannot be made."""
    if not _state.follows_resumption:
        # Not before it is needed: GDB 13 may lose a Ctrl-C that comes while Python runs because the target is resumed.
        _state.follows_resumption = True
        gdb.events.cont.connect(_on_continue)
    if gdb.convenience_variable(PLACE) is None:
        gdb.set_convenience_variable(PLACE, 0)
    current = session.find()
    if current is not None and _is_initialised(current):
        _places(current)
    if _state.point is None or not _state.point.is_valid():
        _state.point = _TrapPoint(LOCATION, internal=True)
        _state.point.silent = True
    return LOCATION


def _places(current: session.Session) -> _Places:
    if _state.places is None or _state.places.owner is not current:
        _forget_natives()
        _state.places = _Places(current, Traps(current.node), NativePoints(current.node, _arrived_natively))
        gdb.set_convenience_variable(PLACE, _state.places.traps.place)
    return _state.places


def watch(watch: Watch | None) -> None:
    """Have someone told of arrivals, or no one any more."""
    if watch is not None:
        make_place()
    _state.watch = watch
    _set_native_points()


def watch_more() -> None:
    """The watch has more addresses than before, while the target runs."""
    _set_native_points(tidy=False)
    if _state.running:
        _set_traps()


def requests_changed() -> None:
    """There are more requests than before, or fewer: see modules being loaded only as long as that matters."""
    wanted = requests.any_trapped()
    if wanted and (_state.loads is None or not _state.loads.is_valid()):
        _state.loads = _LoadPoint(c_calls.first_instruction(LOADED), internal=True)
        _state.loads.silent = True
    if _state.loads is not None and _state.loads.is_valid() and _state.loads.enabled != wanted:
        _state.loads.enabled = wanted
    # GDB may be about to delete other breakpoints, and loses its way if some are deleted meanwhile.
    errors.guarded(lambda: _set_native_points(tidy=False))
    _state.has_stale_points = True


def _module_comes() -> None:
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
    if any(request.trapped and request.location.may_be_in(name) for _, request in requests.all()):
        _state.code_is_wanted = True
        events.watch_code()


def condition(location: Location, wanted: str) -> str:
    """The condition of GDB's breakpoint for a location in bytecode."""
    return f"${HIT}({_string(str(location))}{', ' + _string(wanted) if wanted else ''})"


def was_hit(location: Location) -> bool:
    """Whether the present stop is one at this location, and the condition of a breakpoint there was true."""
    return _state.arrival is not None and str(location) in _state.hits


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _wanted(code: CodeIndex) -> set[int]:
    return _wanted_by_users(code) | (_state.watch.addresses() if _state.watch else set())


def _wanted_by_users(code: CodeIndex) -> set[int]:
    enabled = (request.location for point, request in requests.all() if request.trapped and point.enabled)
    return {address for location in enabled for address in location.addresses(code)}


def _set_traps() -> None:
    current = session.known()
    if current is None or not current.node.is_interpreter or not current.is_settled:
        return
    code = current.node.code
    wanted = {address for address in _wanted(code) if not code.native_at(address)}
    if wanted and _is_caught(_places(current).traps):
        _places(current).traps.set(wanted)


def _set_native_points(*, tidy: bool = True) -> None:
    """Have breakpoints in native code where they are wanted now. Unlike traps the VM does not see them. With `tidy`
    delete those that are not wanted any more: not while GDB works on its breakpoints."""
    current = session.known()
    if current is None or not current.node.is_interpreter or not len(current.node.native):
        if tidy:
            _forget_natives()
        return
    code = current.node.code
    wanted = {address for address in _wanted(code) if code.native_at(address)}
    places = _places(current) if wanted else _state.places
    if places is not None:
        places.natives.set(wanted, tidy=tidy)
    if tidy:
        _state.has_stale_points = False


def _forget_natives() -> None:
    if _state.places is not None:
        _state.places.natives.forget()


def _arrived_natively(arrival: Arrival) -> bool:
    """A thread has come to native code that is wanted: by users, whose breakpoints are where traps lead, or a watch."""
    current = session.known()
    places = _state.places
    if current is None or places is None:
        return False
    current.forget()
    current.refresh_code()
    asked = arrival.address in _wanted_by_users(current.node.code)
    thumb = current.node.process_main.is_thumb
    if asked and _is_caught(places.traps) and places.natives.send(arrival, places.traps.place, thumb):
        return False
    return _state.watch is not None and _state.watch.arrived(arrival)


def _is_caught(traps: Traps) -> bool:
    """Whether GDB has its breakpoint where traps lead: what got there without one would end the VM."""
    return _state.point is not None and any(
        one.address == traps.place and one.enabled for one in _state.point.locations if _state.point.enabled
    )


def _arrived() -> bool:
    current, places = session.known(), _state.places
    _state.arrival = None
    _state.hits.clear()
    if current is None or places is None or places.owner is not current:
        return False
    current.forget()
    current.refresh_code()
    _state.arrival = places.natives.back() or places.traps.arrival()
    if _state.arrival is None or _state.watch is None:
        return False
    return _state.watch.arrived(_state.arrival)


class Hit(gdb.Function):
    """$_beam_hit(LOCATION[, CONDITION]): whether the interpreter has come to an Erlang function or line.

    `beam-break` uses it for conditions of breakpoints. CONDITION is an expression, evaluated in the Erlang frame."""

    def invoke(self, location: gdb.Value, wanted: gdb.Value | None = None) -> bool:  # type: ignore[override]
        where, text = location.string(), wanted.string() if wanted is not None else ""
        return errors.raised_as_gdb_error(lambda: _is_hit(where, text))


def _is_hit(where: str, wanted: str) -> bool:
    current, arrival = session.known(), _state.arrival
    if current is None or arrival is None:
        return False
    try:
        location, _ = parse(where, current.node.code)
    except BadLocation:
        return False
    if arrival.address not in location.addresses(current.node.code):
        return False
    if wanted and not _evaluated(wanted):
        return False
    if isinstance(location, Line) and _is_again(where, arrival, current.node.code):
        return False
    _state.hits.add(str(location))
    return True


def _is_again(where: str, arrival: Arrival, code: CodeIndex) -> bool:
    """Whether native code has come to this line and has left it to the interpreter, which comes to it now."""
    try:
        here = position.newest()
    except Unavailable:
        return False
    call = (where, here.process.address, here.distance)
    before, _state.last_native = _state.last_native, call if code.native_at(arrival.address) else None
    return _state.last_native is None and before == call


def _evaluated(wanted: str) -> bool:
    """A condition, in the frame of the Erlang function that is about to run."""
    frame = current_frame.first_erlang(gdb.newest_frame())
    if frame is None:
        raise Unavailable("the Erlang frame was not found")
    frame.gdb_frame.select()
    try:
        return bool(gdb.parse_and_eval(wanted))
    finally:
        gdb.newest_frame().select()


def _on_continue(_: Any) -> None:
    _state.running = True
    _state.arrival = None
    if _state.watch is not None or requests.any_trapped():
        errors.guarded(_set_traps)


def _on_stop(event: Any) -> None:
    _state.running = False
    if _state.has_stale_points and _state.watch is None:
        errors.guarded(_set_native_points)
    if _state.places is None:
        return
    for line in _state.places.traps.clear():
        gdb.write(f"beamgdb: {line}\n", gdb.STDERR)
    if not isinstance(event, gdb.BreakpointEvent) or _state.point not in event.breakpoints:
        _state.arrival = None


def _on_infcall(event: Any) -> None:
    if isinstance(event, gdb.InferiorCallPostEvent):
        _state.running = False
        if _state.places is not None:
            _state.places.traps.clear()


def leave() -> None:
    """GDB is about to leave the target."""
    if _state.places is not None and session.has_process():
        errors.guarded(_state.places.traps.abandon)
    _forget_natives()
    _state.places = None


def _leave_before_detaching() -> None:
    """No event tells that GDB is about to detach: a hook (GDB manual, "User-defined Command Hooks") does, unless the
    user has one."""
    try:
        gdb.execute("show user hook-detach", to_string=True)
    except gdb.error:
        command = f"python __import__('{__name__}', fromlist=['leave']).leave()"
        gdb.execute(f"define hook-detach\n{command}\nend", to_string=True)


def _on_exit(_: Any) -> None:
    errors.guarded(_forget_natives)
    _state.places = _state.arrival = None
    _state.running = False


def _code_is_wanted() -> bool:
    """Whether code that is being loaded is of interest. The place of traps is told before symbols change."""
    current = session.known()
    if requests.any_trapped() and current is not None and _is_initialised(current):
        errors.guarded(lambda: _places(current))
    return _state.code_is_wanted


def _is_initialised(current: session.Session) -> bool:
    """Whether the interpreter knows its own operations yet."""
    table = current.node.symbol("beam_ops")
    try:
        return table is not None and current.node.has_layout and current.node.memory.word(table) != 0
    except Unreadable:
        return False


def _code_changed() -> None:
    if _state.watch is not None or requests.any_trapped():
        _set_native_points(tidy=not _state.running)
    if _state.running:
        _set_traps()
    if _state.code_is_wanted:
        _state.code_is_wanted = False
        events.watch_code()


def install() -> None:
    """Connect to GDB's events. To be called before `events.install`: the first thing at a stop is to clear traps."""
    Hit(HIT)
    gdb.events.stop.connect(_on_stop)
    gdb.events.inferior_call.connect(_on_infcall)
    gdb.events.exited.connect(_on_exit)
    gdb.events.gdb_exiting.connect(lambda _: leave())
    _leave_before_detaching()
    events.on_code_change(_code_changed, _code_is_wanted)
