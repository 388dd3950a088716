"""Binaries outside of the heaps, and who holds them, as `beam-binaries` shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from beamgdb.node import Node
from beamgdb.views.listing import Column, damaged_lines
from beamgdb.vm.off_heap import BinaryUse, Holding, OffHeap


class BinaryColumns:
    """What is shown of each binary."""

    def __init__(self, node: Node, advance: Callable[[], None] = lambda: None) -> None:
        """`advance` is called for each process and table."""
        self._off_heap = OffHeap(node, advance)

    def items(self) -> Iterator[BinaryUse]:
        """All binaries that a process or an ETS table holds."""
        return self._off_heap.uses()

    @property
    def columns(self) -> Sequence[Column[BinaryUse]]:
        return (
            Column("binary", str, lambda one: hex(one.address), "BINARY", names=True),
            Column("size", int, lambda one: one.size, "SIZE"),
            Column("references", int, lambda one: one.references, "REFERENCES"),
            Column("found", int, lambda one: one.found, "FOUND"),
            Column("holders", str, holders, "HELD BY"),
        )

    def notes(self) -> Iterator[str]:
        """What is said of what cannot be read."""
        return damaged_lines(self._off_heap.damaged)


def holders(use: Holding) -> str:
    """Who holds it, each as often as it does."""
    shown = [holder if times == 1 else f"{holder} ({times} times)" for holder, times in use.holders.items()]
    others = use.found - sum(use.holders.values())
    return ", ".join([*shown, *([f"{others} others"] if others else [])])
