"""What a debugger knows of the threads of an AtomVM: which processes they run, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from beamgdb.atomvm.contexts import Context
from beamgdb.atomvm.frames import Frame
from beamgdb.views.threads import ThreadRow


class Work(Protocol):
    """What a thread does, and for which process."""

    @property
    def thread(self) -> ThreadRow: ...

    @property
    def context(self) -> Context: ...


class Threads(Protocol):
    """What threads run, as long as the target stands still."""

    def of(self, context: Context, /) -> Work | None:
        """By which thread a process is run, None if it is by none."""

    def all(self) -> Sequence[Work]:
        """What all threads run."""

    def frames(self, context: Context, /) -> list[Frame]:
        """The Erlang frames of a process. Raises `Unreadable`."""
