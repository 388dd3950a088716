"""Persistent terms, as `beam-persistent-terms` shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.listing import Column, damaged_lines
from beamgdb.views.terms import Terms
from beamgdb.vm.persistent_terms import PersistentTerm, PersistentTerms


class PersistentTermColumns:
    """What is shown of each."""

    def __init__(self, node: Node, terms: Terms) -> None:
        self._terms = terms
        self._all = PersistentTerms(node)
        self.damaged: list[Unreadable] = []

    def count(self) -> int:
        """How many there are."""
        return self._all.count()

    def items(self) -> Iterator[PersistentTerm]:
        """All of them; `damaged` gets what cannot be read."""
        for one in self._all:
            if isinstance(one, Unreadable):
                self.damaged.append(one)
            else:
                yield one

    @property
    def columns(self) -> Sequence[Column[PersistentTerm]]:
        return (
            Column("key", str, lambda one: self._terms.text(one.key), "KEY"),
            Column("size", int, lambda one: one.size, "SIZE"),
            Column("value", str, lambda one: self._terms.text(one.value), "VALUE"),
            Column("address", int, lambda one: one.address),
        )

    def notes(self) -> Iterator[str]:
        """What is said of what cannot be shown."""
        return damaged_lines(self.damaged)
