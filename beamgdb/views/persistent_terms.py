"""Persistent terms, as `beam-persistent-terms` shows them."""

from __future__ import annotations

from collections.abc import Sequence

from beamgdb.node import Node
from beamgdb.views.listing import Column, Readable
from beamgdb.views.terms import Terms
from beamgdb.vm.persistent_terms import PersistentTerm, PersistentTerms


class PersistentTermColumns(Readable[PersistentTerm]):
    """What is shown of each."""

    def __init__(self, node: Node, terms: Terms) -> None:
        self._all = PersistentTerms(node)
        super().__init__(self._all)
        self._terms = terms

    def count(self) -> int:
        """How many there are."""
        return self._all.count()

    @property
    def columns(self) -> Sequence[Column[PersistentTerm]]:
        return (
            Column("key", str, lambda one: self._terms.text(one.key), "KEY"),
            Column("size", int, lambda one: one.size, "SIZE"),
            Column("value", str, lambda one: self._terms.text(one.value), "VALUE"),
            Column("address", int, lambda one: one.address),
        )
