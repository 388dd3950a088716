"""Ports, as `beam-ports` shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from beamgdb.node import Node
from beamgdb.terms.quoting import bare
from beamgdb.views.listing import Column, Readable, known
from beamgdb.vm.monitor_links import Side
from beamgdb.vm.ports import Port, Ports

MOST: Final = 20
"""Processes of a kind that are named in one column."""


class PortColumns(Readable[Port]):
    """What is shown of each port."""

    def __init__(self, node: Node) -> None:
        self.ports = Ports(node)
        super().__init__(self.ports)
        self._node = node

    @property
    def columns(self) -> Sequence[Column[Port]]:
        ports = self.ports
        return (
            Column("port", str, lambda one: self._term(one.id), "PORT", names=True),
            Column("name", str, known(self._name), "NAME"),
            Column("driver", str, known(self._driver)),
            Column("owner", str, lambda one: self._term(ports.owner(one)), "OWNER", names=True),
            Column("input", int, lambda one: one.bytes_in, "INPUT", is_everywhere=True),
            Column("output", int, lambda one: one.bytes_out, "OUTPUT", is_everywhere=True),
            Column("queue", int, lambda one: one.queue, "QUEUE", is_everywhere=True),
            Column("fd", str, known(self._descriptors), "FD"),
            Column("state", str, lambda one: ", ".join(ports.flags(one)) or None, "STATE"),
            Column("os_pid", int, ports.os_pid),
            Column("registered", str, known(lambda one: self._term(ports.registered_name(one)))),
            Column("links", str, known(lambda one: self._sides(ports.links(one)))),
            Column("monitors", str, known(lambda one: self._sides(ports.monitors(one)))),
            Column("monitored_by", str, known(lambda one: self._sides(ports.monitored_by(one)))),
            Column("suspended", str, known(lambda one: self._joined(map(self._node.term, ports.suspended(one))))),
            Column("address", int, lambda one: one.address),
        )

    def _term(self, word: int | None) -> str | None:
        return self._node.term(word) if word else None

    def _name(self, port: Port) -> str | None:
        name = self.ports.name(port)
        return bare(name) if name is not None else None

    def _driver(self, port: Port) -> str | None:
        name = self.ports.driver(port)
        return bare(name) if name is not None else None

    def _descriptors(self, port: Port) -> str | None:
        into, out = self.ports.descriptors(port)
        if into == out:
            return str(into) if into is not None else None
        return "/".join("" if one is None else str(one) for one in (into, out))

    def _sides(self, sides: Iterator[Side]) -> str | None:
        return self._joined(self._node.term(one.other) if one.other is not None else one.type for one in sides)

    def _joined(self, texts: Iterable[str]) -> str | None:
        return joined(texts)


def joined(texts: Iterable[str]) -> str | None:
    """Texts in one, and how many are left out; None for none."""
    rest = iter(texts)
    shown = list(islice(rest, MOST))
    others = sum(1 for _ in rest)
    return ", ".join([*shown, *([f"{others} others"] if others else [])]) or None
