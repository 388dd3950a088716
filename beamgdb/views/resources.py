"""Resources of NIFs and their types, as `beam-resources` shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Optional

from beamgdb.node import Node
from beamgdb.views.binaries import holders
from beamgdb.views.listing import Column, damaged_lines
from beamgdb.vm.resources import LIST, Resource, Resources, ResourceType, type_named

Named = Callable[[int], Optional[str]]
"""What a debugger calls C code at an address: its symbol, and the file that it is in."""


class ResourceColumns:
    """What is shown of each resource, and of each type."""

    def __init__(self, node: Node, named: Named, advance: Callable[[], None]) -> None:
        """`advance` is called for each process and table."""
        self._node = node
        self._named = named
        self._resources = Resources(node, advance)
        self._destructors: dict[int, str] = {}

    def items(self) -> Iterator[Resource]:
        """All that terms lead to."""
        yield from self._resources.every()

    def types(self) -> Iterator[ResourceType]:
        """All types that are registered, and all others of which there are resources."""
        for _ in self._resources.every():
            pass
        yield from self._resources.types()

    @property
    def columns(self) -> Sequence[Column[Resource]]:
        return (
            Column("resource", str, lambda one: hex(one.data), "RESOURCE", names=True),
            Column("size", int, lambda one: one.size, "SIZE"),
            Column("module", str, lambda one: self._node.term(one.type.module), "MODULE"),
            Column("type", str, lambda one: self._node.term(one.type.name), "TYPE"),
            Column("references", int, lambda one: one.references, "REFERENCES"),
            Column("found", int, lambda one: one.found, "FOUND"),
            Column("holders", str, holders, "HELD BY"),
            Column("destructor", str, lambda one: self._destructor(one.type)),
            Column("loaded", str, lambda one: _loaded(one.type)),
        )

    @property
    def type_columns(self) -> Sequence[Column[ResourceType]]:
        return (
            Column("module", str, lambda one: self._node.term(one.module), "MODULE", names=True),
            Column("type", str, lambda one: self._node.term(one.name), "TYPE", names=True),
            Column("loaded", str, _loaded, "LOADED"),
            Column("resources", int, lambda one: one.resources, "RESOURCES"),
            Column("found", int, lambda one: one.found, "FOUND"),
            Column("size", int, lambda one: one.size, "SIZE"),
            Column("destructor", str, self._destructor, "DESTRUCTOR"),
            Column("address", int, lambda one: one.address),
        )

    def _destructor(self, kind: ResourceType) -> str | None:
        address = kind.destructor
        if not address:
            return None
        if address not in self._destructors:
            name = self._named(address)
            self._destructors[address] = f"{address:#x} {name}" if name else f"{address:#x}"
        return self._destructors[address]

    def notes(self) -> Iterator[str]:
        """What is said of resources that no term leads to, and of what cannot be read."""
        for kind in self._resources.types():
            if kind.resources > kind.found:
                yield (
                    f"({kind.resources - kind.found} more of {type_named(self._node, kind)}: kept by C code, by terms "
                    "outside of processes and tables, or about to be destroyed)"
                )
        yield from self.type_notes()

    def type_notes(self) -> Iterator[str]:
        """What is said of what cannot be known."""
        if not self._resources.is_whole:
            yield f"(types of which no resource is held are not known: {LIST} is not found in this VM)"
        yield from damaged_lines(self._resources.damaged)


def _loaded(kind: ResourceType) -> str:
    return "yes" if kind.is_registered else "unloaded"
