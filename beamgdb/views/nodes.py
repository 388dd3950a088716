"""Nodes, as `beam-nodes` shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.listing import Column, Readable, known
from beamgdb.views.ports import joined
from beamgdb.vm.model import Unavailable
from beamgdb.vm.nodes import NodeEntries, NodeEntry, this_node

_Answer = TypeVar("_Answer")

THIS: Final = "this node"
"""Its own entry, in place of a state: it has no connection to itself."""


class NodeColumns(Readable[NodeEntry]):
    """What is shown of each node that is known. What belongs to a connection is shown only where there is one."""

    def __init__(self, node: Node) -> None:
        super().__init__(NodeEntries(node))
        self._node = node
        self._own: int | None = None
        with suppress(Unavailable, Unreadable, KeyError):
            self._own = this_node(node)

    @property
    def columns(self) -> Sequence[Column[NodeEntry]]:
        return (
            Column("node", str, known(lambda one: self._node.term(one.name)), "NODE"),
            Column("state", str, known(self._state), "STATE"),
            Column("kind", str, _up(lambda one: "visible" if one.is_visible() else "hidden"), "KIND"),
            Column("channel", str, known(self._channel), "CHANNEL"),
            Column("connection", int, _up(lambda one: one.record["connection_id"]), "CONNECTION"),
            Column("queue", int, _up(NodeEntry.queued), "QUEUE"),
            Column("busy", str, _up(lambda one: "yes" if one.is_busy() else "no"), "BUSY"),
            Column("suspended", str, _up(lambda one: joined(map(self._node.term, one.suspended()))), "SUSPENDED"),
            Column("input", int, _up(lambda one: one.record["in"])),
            Column("output", int, _up(lambda one: one.record["out"])),
            Column("creation", int, _up(lambda one: one.record["creation"])),
            Column("capabilities", str, _up(lambda one: ", ".join(one.capabilities()) or None)),
            Column("address", int, lambda one: one.record.address),
        )

    def _state(self, entry: NodeEntry) -> str:
        return THIS if entry.name == self._own else entry.state()

    def _channel(self, entry: NodeEntry) -> str | None:
        channel = entry.channel()
        return self._node.term(channel) if channel is not None else None


def _up(question: Callable[[NodeEntry], _Answer | None]) -> Callable[[NodeEntry], _Answer | None]:
    return known(lambda entry: question(entry) if entry.is_up() else None)
