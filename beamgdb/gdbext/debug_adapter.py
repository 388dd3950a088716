"""GDB's debug adapter for editors (`gdb -i dap`): what it tells them of our work, and whom its steps follow.

The adapter is Python in GDB, which follows the same events. It tells editors of each breakpoint that there is and of
each stop, so that of one step they would see many. And its steps are GDB's own, which follow a thread, and know nothing
of interpreted code. GDB 16 shows no registers at all of a frame in which a pointer is not saved, as frames of Erlang
have them. Its parts have the names that GDB 16 to 18 give them (gdb/python/lib/gdb/dap); where one is missing, all is
left as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import gdb

from beamgdb.gdbext import errors, front_end, session, term_printing
from beamgdb.gdbext.breakpoints import interpreted
from beamgdb.gdbext.connection import is_core
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.unwinder import erlang_frame

_POINTS = ("created", "modified", "deleted")
_OWN_STEPS = {"next": "beam-next", "step": "beam-step", "finish &": "beam-finish"}
"""What the adapter has GDB execute for a step, and what takes its place in Erlang code."""


_RESUMING = {"next", "stepIn", "stepOut", "continue"}
"""Requests that do."""

NOTHING_RUNS = "this is a core file: nothing can run"


class _Step:
    """The stop at the end of a step, as the adapter wants an event."""

    def __init__(self, returned: gdb.Value | None) -> None:
        self.details = {} if returned is None else {"finish-value": returned}


_STEP = "step"
"""The reason of a stop, by the protocol; and what stands for the event where that is the reason."""


class DebugAdapter:
    """What is between the adapter and GDB's events; nothing where GDB speaks to a terminal or by GDB/MI."""

    def __init__(self) -> None:
        self._tell_stop: Callable[[Any], None] | None = None
        """Tells the editor of a stop."""
        self._expect: Callable[[str], None] = lambda _: None
        """Says for which reason the next stop is."""
        self._keep_going_on: Callable[[], None] = lambda: None
        """Says that the editor knows that the program is about to run."""
        self._tell_going_on: Callable[[Any], None] = lambda _: None
        """Tells the editor that the program runs, and has requests refused until it is told of a stop."""
        self._stepping = False
        self._told = False
        """Whether the editor knows that the program runs: whenever GDB stops it unseen, as where code is loaded, it
        would be told anew."""
        self._last: Any = None
        """The last stop of a step, and that only as `_STEP` if nothing has stopped the program but the step."""
        self.returned: gdb.Value | None = None
        """What the function has given that a step has left."""

    @property
    def is_connected(self) -> bool:
        """Whether editors are told of all by the adapter."""
        return self._tell_stop is not None

    def connect(self) -> None:
        """Step in between."""
        points, stops, steps, scopes, server, startup = (
            sys.modules.get(f"gdb.dap.{name}")
            for name in ("breakpoint", "events", "next", "scopes", "server", "startup")
        )
        try:
            told = [(getattr(gdb.events, f"breakpoint_{one}"), getattr(points, f"_bp_{one}")) for one in _POINTS]
            tell_stop, tell_going_on, self._expect = stops._on_stop, stops._cont, stops.expect_stop  # type: ignore[union-attr]
            execute = steps.exec_and_expect_stop  # type: ignore[union-attr]
            requests, refusal = server._commands, startup.DAPException  # type: ignore[union-attr]
            ask, is_running = server.send_gdb_with_response, partial(getattr, stops, "inferior_running")  # type: ignore[union-attr]
            registers, of_register = scopes._RegisterReference, scopes._RegisterReference.fetch_one_child  # type: ignore[union-attr]
        except AttributeError:
            return
        self._tell_stop, self._tell_going_on = tell_stop, tell_going_on
        self._keep_going_on = partial(setattr, stops, "_suppress_cont", True)
        for registry, handler in told:
            registry.disconnect(handler)
            registry.connect(partial(_if_visible, handler))
        gdb.events.stop.disconnect(tell_stop)
        gdb.events.stop.connect(self._on_stop)
        gdb.events.cont.disconnect(tell_going_on)
        gdb.events.cont.connect(self._on_going_on)
        gdb.events.exited.connect(self._on_exit)
        steps.exec_and_expect_stop = partial(self._execute, execute)  # type: ignore[union-attr]
        for name in _RESUMING & requests.keys():
            requests[name] = partial(_resumed, requests[name], lambda: not is_running() and ask(is_core), refusal)
        registers.fetch_one_child = lambda frame, index: _no_pointer(*of_register(frame, index))

    def _on_stop(self, event: Any) -> None:
        if isinstance(event, gdb.BreakpointEvent):
            # GDB tells of all that are where it has stopped, also if their conditions were false.
            told: Any = event.breakpoints
            told[:] = [one for one in told if one.is_valid() and _is_visible(one) and _is_hit(one)]
        if self._stepping:
            # Our breakpoints are no more, once the step is done.
            hit = bool(getattr(event, "breakpoints", ()))
            self._last = event if hit or isinstance(event, gdb.SignalEvent) else _STEP
        elif self._tell_stop is not None:
            self._told = False
            self._tell_stop(event)

    def _on_exit(self, _: Any) -> None:
        self._told = False

    def _on_going_on(self, event: Any) -> None:
        if not self._told:
            self._told = True
            self._tell_going_on(event)

    @contextmanager
    def one_step(self) -> Iterator[None]:
        """What happens meanwhile is one step, and ends with one stop."""
        if self._tell_stop is None or self._stepping:
            yield
            return
        self._stepping, self._told, self.returned = True, False, None
        try:
            yield
        finally:
            self._stepping = self._told = False
            last, self._last = self._last, None
            if last == _STEP:
                self._expect(_STEP)
                last = _Step(self.returned)
            if last is not None and session.has_process():
                self._tell_stop(last)

    def _execute(self, theirs: Callable[..., None], command: str, *arguments: Any, **options: Any) -> None:
        """Have GDB execute what resumes the program."""
        own = _OWN_STEPS.get(command)
        if own is None or not _is_in_erlang():
            theirs(command, *arguments, **options)
            return
        with self.one_step():
            # The editor takes the program for running until it is told of a stop.
            self._last = _STEP
            self._keep_going_on()
            try:
                front_end.taken(own)
            except gdb.error as error:
                gdb.write(f"beamgdb: {errors.one_line(error)}\n", gdb.STDERR)


def _resumed(
    theirs: Callable[..., Any], is_refused: Callable[[], bool], refusal: Callable[[str], Exception], **options: Any
) -> Any:
    """Answer a request that resumes the program. Of a core file the adapter takes some, and then tells of no stop."""
    if is_refused():
        raise refusal(NOTHING_RUNS)
    return theirs(**options)


def _no_pointer(name: str, value: gdb.Value) -> tuple[str, gdb.Value | str]:
    """A register that is not saved is shown as no pointer: GDB 16 wants to know where that leads."""
    is_missing = value.is_optimized_out and value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR
    return name, term_printing.not_available() if is_missing else value


def _if_visible(tell: Callable[[gdb.Breakpoint], None], point: gdb.Breakpoint) -> None:
    if _is_visible(point):
        tell(point)


def _is_visible(point: gdb.Breakpoint) -> bool:
    """Whether it is one of the user's."""
    return bool(point.visible)


def _is_hit(point: gdb.Breakpoint) -> bool:
    """Whether a breakpoint of the user, where the program has stopped, is hit: many are where traps lead."""
    request = extension().requests.of(point.number)
    return request is None or not request.trapped or interpreted.breakpoints().was_hit(request)


def _is_in_erlang() -> bool:
    """Whether the selected thread is in Erlang code, compiled or interpreted, and not in C."""
    current = session.find()
    if current is None:
        return False
    frame = gdb.newest_frame()
    if erlang_frame(frame) is not None:
        return True
    return current.node.is_interpreter and frame.pc() in current.node.process_main
