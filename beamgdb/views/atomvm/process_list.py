"""The list of AtomVM's processes and ports, as `beam-ps` shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from beamgdb.atomvm.contexts import Context
from beamgdb.atomvm.vm import AtomVm
from beamgdb.memory import Unreadable
from beamgdb.views.atomvm.threads import Threads
from beamgdb.views.listing import Column, damaged_lines, known


class ProcessColumns:
    """What is shown of each process, and of which nothing can be."""

    def __init__(self, vm: AtomVm, threads: Threads) -> None:
        self._vm = vm
        self._threads = threads
        self._damaged: list[Unreadable] = []

    @property
    def columns(self) -> Sequence[Column[Context]]:
        size = self._vm.memory.word_size
        return (
            Column("pid", str, known(lambda one: one.pid), "PID", names=True),
            Column("memory", int, known(lambda one: size * one.heap_words()), "MEMORY", is_everywhere=True),
            Column("queue", int, known(lambda one: one.queue_length()), "QUEUE", is_everywhere=True),
            Column("status", str, known(lambda one: one.status), "STATUS"),
            Column("name", str, known(self._name), "NAME"),
            Column("called", str, known(self._name)),
            Column("current", str, known(self.current), "CURRENT FUNCTION"),
            Column("address", int, lambda one: one.address),
        )

    def items(self) -> Iterator[Context]:
        """All that can be read, the oldest first."""
        try:
            yield from self._vm.contexts
        except Unreadable as error:
            self._damaged.append(error)

    def notes(self) -> Iterator[str]:
        """What is said of what cannot be shown."""
        return damaged_lines(self._damaged)

    @cached_property
    def _names(self) -> dict[int, int]:
        return self._vm.contexts.names()

    def _name(self, context: Context) -> str | None:
        return self._vm.name(context, self._names)

    def current(self, context: Context) -> str | None:
        """The function in which a process is."""
        return current(self._threads, context)


def current(threads: Threads, context: Context) -> str | None:
    """The function in which a process is, None of a port, or where that is not known. Raises `Unreadable`."""
    if context.is_port:
        return None
    frame = next(iter(threads.frames(context)), None)
    place = frame.position.place if frame is not None and frame.position is not None else None
    return place.function.text if place is not None else None
