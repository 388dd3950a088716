"""Scheduler threads and their run queues, as `beam-schedulers` shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from beamgdb.node import Node
from beamgdb.views.listing import Column, known
from beamgdb.views.threads import ThreadRow
from beamgdb.vm.model import Unavailable
from beamgdb.vm.schedulers import ARRAY, NORMAL, Scheduler
from jit.otp import vm_flags


class SchedulerColumns:
    """What is shown of each scheduler. `thread` tells what a debugger calls its thread."""

    def __init__(self, node: Node, thread: Callable[[Scheduler], ThreadRow | None]) -> None:
        self._node = node
        self._thread = thread

    def items(self) -> Iterator[Scheduler]:
        """All that can be found. Raises `Unavailable` where none can be, for there always are some once the VM runs."""
        if not self._node.has_layout or self._node.symbol(ARRAY) is None:
            raise Unavailable(self._node.no_layout or "the schedulers are not found in this VM")
        yield from self._node.schedulers

    @property
    def columns(self) -> Sequence[Column[Scheduler]]:
        queues = (
            Column(priority, int, known(_waiting(number)), priority.upper(), is_everywhere=True)
            for number, priority in enumerate(vm_flags.PRIORITIES)
        )
        return (
            Column("scheduler", str, name, "SCHEDULER"),
            Column("thread", int, known(self._number), "THREAD"),
            Column("state", str, known(Scheduler.state), "STATE"),
            Column("runs", str, known(self._runs), "RUNS"),
            Column("queue", int, known(lambda one: one.run_queue["len"]), is_everywhere=True),
            *queues,
            Column("ports", int, known(lambda one: one.run_queue["ports.info.len"]), "PORTS", is_everywhere=True),
            Column("reductions", int, known(lambda one: one.record["reductions"]), is_everywhere=True),
            Column("switches", int, known(lambda one: one.run_queue["procs.context_switches"]), is_everywhere=True),
            Column("flags", str, known(self._flags)),
            Column("work", str, known(lambda one: ", ".join(one.other_work()) or None)),
            Column("jobs", str, known(lambda one: "yes" if one.run_queue["misc.start"] else "no")),
            Column("cpu", int, known(Scheduler.processor)),
            Column("emigrates", str, known(lambda one: self._migrates(one, vm_flags.EMIGRATE))),
            Column("immigrates", str, known(lambda one: self._migrates(one, vm_flags.IMMIGRATE))),
            Column("evacuates", str, known(lambda one: self._migrates(one, vm_flags.EVACUATE))),
            Column("address", int, lambda one: one.record.address),
        )

    def _flags(self, scheduler: Scheduler) -> str | None:
        return ", ".join(scheduler.flags(self._node.tags.release)) or None

    def _migrates(self, scheduler: Scheduler, lowest: int) -> str | None:
        """Which priorities by scheduler, as `normal, low: 2; ports: 3`."""
        migration = self._node.schedulers.migration(scheduler)
        if migration is None:
            return None
        queues = (*vm_flags.PRIORITIES, "ports")
        parts = (
            f"{', '.join(queues[number] for number in numbers)}: {self._names.get(other, f'{other:#x}')}"
            for other, numbers in migration.to_or_from(lowest).items()
        )
        return "; ".join(parts) or None

    @cached_property
    def _names(self) -> dict[int, str]:
        """Those of schedulers by the addresses of their run queues."""
        found: dict[int, str] = {}
        for one in self._node.schedulers:
            queue = known(_queue)(one)
            if queue is not None and one.kind == NORMAL:
                found[queue] = name(one)
        return found

    def _number(self, scheduler: Scheduler) -> int | None:
        thread = self._thread(scheduler)
        return thread.number if thread is not None else None

    def _runs(self, scheduler: Scheduler) -> str | None:
        process = scheduler.current_process
        if process:
            return self._node.term(self._node.processes.at(process).id)
        port = scheduler.current_port
        return self._node.term(self._node.record("Port", port)["common.id"]) if port else None


def name(scheduler: Scheduler) -> str:
    """Its number, with its kind unless it runs Erlang code."""
    return str(scheduler.number) if scheduler.kind == NORMAL else f"{scheduler.kind} {scheduler.number}"


def _queue(scheduler: Scheduler) -> int:
    """The address of its run queue."""
    return scheduler.record["run_queue"]


def _waiting(priority: int) -> Callable[[Scheduler], int]:
    return lambda scheduler: scheduler.waiting(priority)
