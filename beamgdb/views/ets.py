"""ETS tables, as `beam-ets` shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from beamgdb.node import Node
from beamgdb.terms import elixir_quoting
from beamgdb.views.listing import Column, Readable, known
from beamgdb.views.process_named import Evaluate
from beamgdb.views.typed import brief
from beamgdb.vm.ets import EtsTable, EtsTables
from beamgdb.vm.model import Unavailable
from jit.otp.tags import IMMED2_BITS

_REFERENCE = re.compile(r"#Ref<[\d.]+>")


class TableColumns(Readable[EtsTable]):
    """What is shown of each table."""

    def __init__(self, node: Node) -> None:
        super().__init__(EtsTables(node))
        self._node = node

    @property
    def columns(self) -> Sequence[Column[EtsTable]]:
        return (
            Column("name", str, lambda one: self._node.term(one.name), "NAME"),
            Column("type", str, EtsTable.kind, "TYPE"),
            Column("protection", str, EtsTable.protection, "PROTECTION"),
            Column("objects", int, known(EtsTable.items), "OBJECTS"),
            Column("memory", int, known(EtsTable.memory), "MEMORY"),
            Column("owner", str, lambda one: self._node.term(one.owner), "OWNER", names=True),
            Column("options", str, lambda one: ", ".join(one.options()) or None),
            Column("id", str, known(EtsTable.reference)),
            Column("address", int, lambda one: one.address),
        )


def find(node: Node, text: str, evaluate: Evaluate) -> EtsTable:
    """The table that a user means: by its name, its identifier (`#Ref<...>`), or the address of its structure. Raises
    `Unavailable`."""
    tables = [one for one in EtsTables(node) if isinstance(one, EtsTable)]
    reference = known(EtsTable.reference)
    if _REFERENCE.fullmatch(text):
        found = [one for one in tables if reference(one) == text]
    else:
        meant = elixir_quoting.typed_atoms(text)
        found = [one for one in tables if node.atoms.name(one.name >> IMMED2_BITS) in meant]
    if len(found) > 1:
        identifiers = ", ".join(reference(one) or hex(one.address) for one in found[:3])
        more = ", ..." if len(found) > 3 else ""
        raise Unavailable(f"{len(found)} tables are called {brief(text)}: {identifiers}{more}")
    if found:
        return found[0]
    address = evaluate(text) if not _REFERENCE.fullmatch(text) else None
    for one in tables:
        if one.address == address:
            return one
    raise Unavailable(f"there is no ETS table {brief(text)} (`beam-ets` lists them)")
