"""The timers of a crash dump, as `btm_print` of erl_hl_timer.c has them: those that send a message."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.memory import Unreadable
from beamgdb.vm.model import Unavailable, Vm
from beamgdb.vm.timers import Timers


class TimerSections:
    """All of them."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self.unreadable = 0

    def __iter__(self) -> Iterator[str]:
        """A section for each."""
        try:
            for one in Timers(self._vm):
                if isinstance(one, Unreadable):
                    self.unreadable += 1
                elif one.message is not None and one.receiver is not None and one.left is not None:
                    message = self._vm.term(one.message)
                    yield f"=timer:{self._vm.term(one.receiver)}\nMessage: {message}\nTime left: {one.left}\n"
        except (Unreadable, Unavailable, KeyError):
            self.unreadable += 1
