"""What a debugger knows of the threads of a VM: which processes they run, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from beamgdb.late import dataclass
from beamgdb.vm.backtrace import Level
from beamgdb.vm.processes import Process


@dataclass(frozen=True)
class ThreadRow:
    """A thread, by the debugger's number; its name is empty where it has none, as most have in core files."""

    number: int
    name: str


def number_in_namespace(status: str) -> int | None:
    """The number of a thread in the PID namespace of its program, by the text of its `/proc/PID/task/TID/status`: it
    has one in each namespace that sees it, the innermost last (proc(5)). None where it does not tell."""
    line = next((line for line in status.splitlines() if line.startswith("NSpid:")), "")
    number = line.rpartition("\t")[2]
    return int(number) if number.isdecimal() else None


class Threads(Protocol):
    """What threads run, as long as the target stands still."""

    def levels(self, process: Process) -> Iterator[Level]:
        """The stack of a process, which its thread knows better than the VM if it is on one."""

    def thread(self, process: Process) -> ThreadRow | None:
        """The thread that a process runs on, None if it does not run."""

    def moves(self, process: Process) -> bool:
        """Whether the process goes on while it is looked at."""

    def in_erlang(self, process: Process) -> bool:
        """Whether a thread runs Erlang code of the process, so that what the VM saved for it is out of date."""

    def stack_top(self, process: Process) -> int | None:
        """Where y0 of the innermost Erlang function is, of a process whose Erlang code a thread runs; None of another
        one, of which the VM has saved it."""

    def by_schedulers(self) -> Iterator[Process]:
        """The processes that schedulers work for."""
