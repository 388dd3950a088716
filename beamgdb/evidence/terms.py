"""What terms lead to outside of heaps: export entries, and this node (export.h, erl_node_tables.h)."""

from __future__ import annotations

from beamgdb.evidence.atoms import atom_text
from beamgdb.evidence.findings import Findings, Seen, only
from jit.otp.layouts.resolve import Field


def prove(seen: Seen, found: Findings) -> None:
    """`ErlNode.sysname`."""
    node = seen.memory.word(seen.variable("erts_this_node"))
    places = [
        at for at in range(0, seen.window("ErlNode"), seen.word)
        if b"@" in (atom_text(seen, found, seen.memory.word(node + at)) or b"")
    ]  # fmt: skip
    found.add("ErlNode", "the name of this node", {"sysname": Field(only(places, "ErlNode.sysname"), seen.word)})
