"""Memory by what it is for, as `beam-memory` shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.listing import Column, damaged_lines
from beamgdb.vm.memory_use import Use, uses


class UseColumns:
    """What is shown of each kind of memory."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._damaged: list[Unreadable] = []

    @property
    def columns(self) -> Sequence[Column[Use]]:
        return (
            Column("kind", str, lambda one: one.kind, "KIND", names=True),
            Column("size", int, lambda one: one.size, "SIZE", is_everywhere=True),
            Column("without", str, lambda one: one.without or None, "WITHOUT"),
        )

    def items(self) -> Iterator[Use]:
        """All kinds."""
        found, self._damaged = uses(self._node)
        yield from found

    def notes(self) -> Iterator[str]:
        """What is said of what is damaged."""
        return damaged_lines(self._damaged)
