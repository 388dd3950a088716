"""File descriptors, as `beam-fds` shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from beamgdb.node import Node
from beamgdb.views.listing import Column, Readable, known
from beamgdb.vm.descriptors import Descriptor, Descriptors, Waiting, events


class DescriptorColumns(Readable[Descriptor]):
    """What is shown of each file descriptor."""

    def __init__(self, node: Node) -> None:
        self._descriptors = Descriptors(node)
        super().__init__(self._descriptors)
        self._node = node

    @property
    def columns(self) -> Sequence[Column[Descriptor]]:
        found = self._descriptors
        return (
            Column("fd", int, lambda one: one.number, "FD"),
            Column("type", str, found.kind, "TYPE"),
            Column("events", str, lambda one: events(one.events), "EVENTS"),
            Column("active", str, lambda one: events(one.active)),
            Column("poller", str, found.poller, "POLLER"),
            Column("pollset", int, known(found.poll_set)),
            Column("reader", str, self._waiting(lambda one: one.to_read), "READER", names=True),
            Column("writer", str, self._waiting(lambda one: one.to_write), "WRITER", names=True),
            Column("errors", str, self._waiting(lambda one: one.for_errors)),
            Column("resource", str, known(self._resource), "RESOURCE"),
            Column("flags", str, lambda one: ", ".join(found.flags(one)) or None),
            Column("count", int, lambda one: one.triggered),
            Column("address", int, lambda one: one.address),
        )

    def _waiting(self, who: Callable[[Waiting], int | None]) -> Callable[[Descriptor], str | None]:
        @known
        def text(one: Descriptor) -> str | None:
            word = who(self._descriptors.waiting(one))
            return self._node.term(word) if word is not None else None

        return text

    def _resource(self, one: Descriptor) -> str | None:
        found = self._descriptors.resource(one)
        return ":".join(map(self._node.term, found)) if found is not None else None
