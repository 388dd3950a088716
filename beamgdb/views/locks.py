"""Locks that are held or waited for, as `beam-locks` shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Optional

from beamgdb.node import Node
from beamgdb.views import schedulers
from beamgdb.views.listing import Column, damaged_lines
from beamgdb.views.threads import ThreadRow
from beamgdb.vm.ets import EtsTable
from beamgdb.vm.locks import Lock, Locks

ThreadOf = Callable[[Lock], Optional[ThreadRow]]
"""What a debugger calls the thread that has a lock, where the lock tells which that is."""

MOST_WAITING = 20
"""Processes that are named of those that wait."""


class LockColumns:
    """What is shown of each lock."""

    def __init__(self, node: Node, thread: ThreadOf, advance: Callable[[], None]) -> None:
        """`advance` is called for each process, table and port."""
        self._node = node
        self._thread = thread
        self._locks = Locks(node, advance)

    def items(self) -> Iterator[Lock]:
        """All that are held or waited for."""
        yield from self._locks

    @property
    def columns(self) -> Sequence[Column[Lock]]:
        return (
            Column("lock", str, lambda one: one.what, "LOCK"),
            Column("of", str, self._of, "OF", names=True),
            Column("state", str, lambda one: one.state, "STATE", names=True),
            Column("holder", str, self._holder, "HOLDER"),
            Column("thread", int, self._number, "THREAD"),
            Column("waits", str, self._waits, "WAITS"),
            Column("address", int, lambda one: one.address),
        )

    def _of(self, lock: Lock) -> str | None:
        if isinstance(lock.owner, EtsTable):
            return self._node.term(lock.owner.name)
        if isinstance(lock.owner, str):
            return lock.owner
        return self._node.term(lock.owner) if lock.owner is not None else None

    def _holder(self, lock: Lock) -> str | None:
        """Who has it: a process, a scheduler, or a thread of the system."""
        if lock.state == "free":
            return None
        if lock.by_vm:
            return "a job of the VM"
        parts = [self._node.term(lock.holder)] if lock.holder is not None else []
        if lock.scheduler is not None:
            parts.append(f"scheduler {schedulers.name(lock.scheduler)}")
        if lock.thread is not None and self._thread(lock) is None:
            parts.append(f"thread {lock.thread} of the system")
        if not parts and lock.thread is None:
            return f"perhaps {', '.join(map(self._node.term, lock.perhaps))}" if lock.perhaps else "not known"
        return ", ".join(parts) or None

    def _number(self, lock: Lock) -> int | None:
        thread = self._thread(lock)
        return thread.number if thread is not None else None

    def _waits(self, lock: Lock) -> str | None:
        if not lock.waiting:
            return "perhaps somebody" if lock.waits is None else "somebody" if lock.waits else None
        named = ", ".join(map(self._node.term, lock.waiting[:MOST_WAITING]))
        more = len(lock.waiting) - MOST_WAITING
        return f"{named} and {more} more" if more > 0 else named

    def notes(self) -> Iterator[str]:
        """What is not known, or cannot be read."""
        yield from (f"({one})" for one in self._locks.unknown)
        yield from damaged_lines(self._locks.damaged)
