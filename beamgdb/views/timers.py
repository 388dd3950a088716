"""Timers, as `beam-timers` shows them."""

from __future__ import annotations

from collections.abc import Sequence

from beamgdb.node import Node
from beamgdb.views.listing import Column, Readable
from beamgdb.views.terms import Terms
from beamgdb.vm.timers import Timer, Timers


class TimerColumns(Readable[Timer]):
    """What is shown of each timer."""

    def __init__(self, node: Node, terms: Terms) -> None:
        super().__init__(Timers(node))
        self._node = node
        self._terms = terms

    @property
    def columns(self) -> Sequence[Column[Timer]]:
        return (
            Column("kind", str, lambda one: one.kind, "KIND"),
            Column("receiver", str, lambda one: self._node.term(one.receiver) if one.receiver else None, "RECEIVER"),
            Column("left", int, lambda one: one.left, "LEFT"),
            Column("message", str, self._message, "MESSAGE"),
            Column("timer", str, lambda one: one.reference),
            Column("scheduler", int, lambda one: one.scheduler),
            Column("address", int, lambda one: one.address),
        )

    def _message(self, timer: Timer) -> str | None:
        return self._terms.text(timer.message) if timer.message is not None else None
