"""Scheduler threads and their run queues, as `beam-schedulers` shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.listing import Column
from beamgdb.views.threads import ThreadRow
from beamgdb.vm.schedulers import NORMAL, Scheduler
from jit.otp import vm_flags

_Answer = TypeVar("_Answer")


class SchedulerColumns:
    """What is shown of each scheduler. `thread` tells what a debugger calls its thread."""

    def __init__(self, node: Node, thread: Callable[[Scheduler], ThreadRow | None]) -> None:
        self._node = node
        self._thread = thread

    def items(self) -> Iterator[Scheduler]:
        """All that can be found."""
        yield from self._node.schedulers

    @property
    def columns(self) -> Sequence[Column[Scheduler]]:
        queues = (
            Column(priority, int, _known(_waiting(number)), priority.upper())
            for number, priority in enumerate(vm_flags.PRIORITIES)
        )
        return (
            Column("scheduler", str, name, "SCHEDULER"),
            Column("thread", int, self._number, "THREAD"),
            Column("state", str, _known(Scheduler.state), "STATE"),
            Column("runs", str, _known(self._runs), "RUNS"),
            Column("queue", int, _known(lambda one: one.run_queue["len"])),
            *queues,
            Column("ports", int, _known(lambda one: one.run_queue["ports.info.len"]), "PORTS"),
            Column("reductions", int, _known(lambda one: one.record["reductions"])),
            Column("switches", int, _known(lambda one: one.run_queue["procs.context_switches"])),
            Column("flags", str, _known(lambda one: ", ".join(one.flags()) or None)),
            Column("work", str, _known(lambda one: ", ".join(one.other_work()) or None)),
            Column("address", int, lambda one: one.record.address),
        )

    def _number(self, scheduler: Scheduler) -> int | None:
        thread = self._thread(scheduler)
        return thread.number if thread is not None else None

    def _runs(self, scheduler: Scheduler) -> str | None:
        process, port = scheduler.current_process, scheduler.current_port
        if process:
            return self._node.term(self._node.processes.at(process).id)
        return self._node.term(self._node.record("Port", port)["common.id"]) if port else None


def name(scheduler: Scheduler) -> str:
    """Its number, with its kind unless it runs Erlang code."""
    return str(scheduler.number) if scheduler.kind == NORMAL else f"{scheduler.kind} {scheduler.number}"


def _waiting(priority: int) -> Callable[[Scheduler], int]:
    return lambda scheduler: scheduler.waiting(priority)


def _known(question: Callable[[Scheduler], _Answer | None]) -> Callable[[Scheduler], _Answer | None]:
    def answer(scheduler: Scheduler) -> _Answer | None:
        try:
            return question(scheduler)
        except (Unreadable, KeyError):
            return None

    return answer
