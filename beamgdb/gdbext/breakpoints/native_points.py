"""Breakpoints of GDB in native code that runs in the interpreter, on behalf of those that are where traps lead.

A breakpoint of a user stands at one place for all Erlang functions and lines that it may ever mean, in a part of
`process_main` that is never executed (see `traps`). A thread that comes to one of these here is sent there, if it is
wanted, and back when it has arrived. GDB would step over a breakpoint at the place to which it sees a thread moved: so
the thread is moved to a jump that leads there, the last one of the way into native code.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import gdb

from beamgdb.gdbext import ctrl_c
from beamgdb.gdbext.breakpoints.traps import Arrival, each_thread
from beamgdb.gdbext.c_expressions import set_register
from beamgdb.gdbext.points import Asked
from beamgdb.gdbext.unwinder import register_reader
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.native.registers import SCRATCH, STATE
from beamgdb.node import Node
from jit.otp.native_abi import ENTER, GOES_IN, WORD

Arrived = Callable[[Arrival], bool]
"""What to do with a thread that comes to native code: whether to stop it."""


class _NativePoint(Asked):
    """One breakpoint."""

    def __init__(self, address: int, points: NativePoints) -> None:
        super().__init__(f"*{address:#x}")
        self.address = address
        self._points = points

    def is_wanted(self) -> bool:
        return self._points.reached(self.address)


@dataclass(frozen=True)
class _Sent:
    """A thread that was sent to where traps lead, from `address`: the registers that it had, and where it passes."""

    address: int
    registers: dict[str, int]
    way: tuple[int, int]


class NativePoints:
    """Breakpoints in the native code of one VM."""

    def __init__(self, node: Node, arrived: Arrived) -> None:
        self._node = node
        self._arrived = arrived
        self._points: dict[int, _NativePoint] = {}
        self._sent: dict[int, _Sent] = {}
        self._passing: dict[int, tuple[int | None, ...]] = {}

    def set(self, addresses: set[int], *, tidy: bool = True) -> None:
        """Have breakpoints at these addresses, with `tidy` nowhere else."""
        for address in self._points.keys() - addresses if tidy else ():
            point = self._points.pop(address)
            if point.is_valid():
                point.delete()
        for address in addresses - self._points.keys():
            self._points[address] = _NativePoint(address, self)

    def reached(self, address: int) -> bool:
        """A thread has come to one; whether to stop it there."""
        thread = gdb.selected_thread()
        if thread is None:
            return False
        now = self._state(address)
        if self._passing.pop(thread.num, None) == now:
            # It was stopped here, and goes on.
            return False
        self._passing[thread.num] = now
        return self._arrived(Arrival(address, thread.num))

    def _state(self, address: int) -> tuple[int | None, ...]:
        """What differs whenever a thread comes to an address: with each call there are fewer reductions."""
        read = register_reader(gdb.newest_frame())
        return (address, *map(read, STATE))

    def send(self, arrival: Arrival, place: int, thumb: bool) -> bool:
        """Let the thread go to `place`; whether that can be done."""
        jump = self._jump(arrival.address)
        if jump is None:
            return False
        read = register_reader(gdb.newest_frame())
        kept = {name: value for name in (SCRATCH, "cpsr") if (value := read(name)) is not None}
        with ctrl_c.held():
            self._sent[arrival.thread] = _Sent(arrival.address, kept, (jump, place))
            _write({SCRATCH: place | thumb, "pc": jump})
        return True

    def back(self) -> Arrival | None:
        """Put the selected thread back where it was sent from, if it was."""
        thread = gdb.selected_thread()
        sent = self._sent.get(thread.num) if thread is not None else None
        if thread is None or sent is None or gdb.newest_frame().pc() not in sent.way:
            return None
        with ctrl_c.held():
            _write(sent.registers | {"pc": sent.address})
            del self._sent[thread.num]
        return Arrival(sent.address, thread.num)

    def call_back(self) -> None:
        """The target has stopped: no thread stays on the way. Those that were come to the breakpoint once more."""
        if not self._sent:
            return
        for thread in each_thread():
            with contextlib.suppress(gdb.error), ctrl_c.held():
                if self.back() is not None:
                    self._passing.pop(thread.num, None)

    def _jump(self, address: int) -> int | None:
        """The last instruction of the way into native code, which jumps to the scratch register."""
        place = self._node.code.native_at(address)
        ranges = place.module.ranges if place is not None else ()
        enter = next((one for one in ranges if one.name == ENTER), None)
        if enter is None:
            return None
        words = self._node.memory.words(enter.start, (enter.stop - enter.start) // WORD)
        return next((enter.start + WORD * at for at, word in enumerate(words) if GOES_IN.has(word)), None)

    def forget(self) -> None:
        """The VM has ended, or GDB leaves it."""
        with contextlib.suppress(gdb.error, Unreadable):
            self.set(set())
        self._sent.clear()
        self._passing.clear()


def _write(registers: dict[str, int]) -> None:
    for name, value in registers.items():
        set_register(name, value)
