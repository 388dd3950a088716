"""Timers of Erlang: messages that are to be sent, and the ends of receives (erl_hl_timer.c, time.c).

Each scheduler has the messages that are to be sent by timers which were started on it in a tree. A process that waits
in a receive with a time has its timer itself. In the structures of all kinds the time lies at one place, behind a head
that is the same: as an absolute number of ticks of a clock, which are milliseconds on Unix (`SYS_CLOCK_RESOLUTION`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records.record import Record
from beamgdb.records.tree import in_order
from beamgdb.vm.model import Vm
from beamgdb.vm.schedulers import NORMAL
from jit.otp.tags import IMMED1_MASK, PID

MAX_TIMERS: Final = 1 << 27
"""Timers of one scheduler that are followed."""

_SCHEDULER: Final = (1 << 11) - 1
_BY_NAME: Final = 1 << 14
_OF_PROCESS: Final = 1 << 15
_PAUSED: Final = 1 << 18
"""Of `roflgs` (`ERTS_TMR_ROFLG_`): the number of the scheduler, and what the receiver is given by; from OTP 29 on
whether only the time that is left is there."""

_ACTIVE: Final = 0
_TIMED_OUT: Final = 1
"""`ERTS_TMR_STATE_ACTIVE`; what stands for the timer of a process that has timed out (`ERTS_PTMR_TIMEDOUT`)."""

MESSAGE: Final = "message"
RECEIVE: Final = "receive"


@dataclass(frozen=True)
class Timer:
    """A timer. `kind` is MESSAGE or RECEIVE; `receiver` the word of a pid or name, None where the process has ended;
    `left` milliseconds from when its scheduler last looked at the clock; `message` a word, and `reference` as a term is
    written, of a message."""

    kind: str
    receiver: int | None
    left: int | None
    scheduler: int
    address: int
    message: int | None = None
    reference: str | None = None


class Timers:
    """Those of a VM; KeyError where it is not known where fields lie."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self._now = dict(self._times())

    def _times(self) -> Iterator[tuple[int, int]]:
        """By the number of a scheduler what time it is there."""
        for scheduler in self._vm.schedulers:
            if scheduler.kind == NORMAL:
                try:
                    wheel = self._vm.record("ErtsTimerWheel", scheduler.record["timer_wheel"])
                    yield scheduler.number, wheel["pos"]
                except Unreadable:
                    continue

    def __iter__(self) -> Iterator[Timer | Unreadable]:
        """All, those of messages first, and what stands for what is damaged."""
        for scheduler in self._vm.schedulers:
            if scheduler.kind != NORMAL:
                continue
            try:
                service = scheduler.record["timer_service"]
                if service:  # (There is none before the scheduler's thread has begun.)
                    yield from self._messages(self._vm.record("ErtsHLTimerService", service)["btm_tree"])
            except Unreadable as error:
                yield error
        for row in self._vm.processes.rows(("common.id", "common.timer")):
            if isinstance(row, Unreadable):
                yield row
            elif row[1] is not None and row[1] & IMMED1_MASK == PID and row[2] and row[2] != _TIMED_OUT:
                try:
                    yield self._receive(row[1], self._vm.record("ErtsBifTimer", row[2]))
                except Unreadable as error:
                    yield error

    def _messages(self, root: int) -> Iterator[Timer | Unreadable]:
        layout = self._vm.layout
        left, right = (layout.offset("ErtsBifTimer", f"btm.tree.{name}") for name in ("left", "right"))
        for at in in_order(self._vm.memory, root, left, right, MAX_TIMERS):
            timer = self._vm.record("ErtsBifTimer", at)
            try:
                if timer["btm.state"] == _ACTIVE:
                    yield self._message(timer)
            except Unreadable as error:
                yield error

    def _message(self, timer: Record) -> Timer:
        flags, receiver = timer["type.head.roflgs"], timer["type.head.receiver"]
        who: int | None = receiver
        if not flags & _BY_NAME:
            who = self._vm.processes.at(receiver).id if flags & _OF_PROCESS and receiver else None
        return Timer(
            MESSAGE, who, self._left(timer), flags & _SCHEDULER, timer.address, timer["btm.message"],
            self._vm.reference(timer.field_address("btm.refn")),
        )  # fmt: skip

    def _receive(self, pid: int, timer: Record) -> Timer:
        return Timer(RECEIVE, pid, self._left(timer), timer["type.head.roflgs"] & _SCHEDULER, timer.address)

    def _left(self, timer: Record) -> int | None:
        flags, time = timer["type.head.roflgs"], timer["type.hlt.timeout"]
        if flags & _PAUSED:
            return time
        now = self._now.get(flags & _SCHEDULER)
        # (Of times that are before the start of the clock both are negative.)
        return max(0, _signed(time) - _signed(now)) if now is not None else None


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
