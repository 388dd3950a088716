"""The table of catches: where they go on is code that is loaded (beam_catches.c)."""

from __future__ import annotations

from beamgdb.code import catches
from beamgdb.evidence.findings import ENOUGH, Findings, NotProved, Seen


def prove(seen: Seen, found: Findings) -> None:
    """`bc_pool` and `beam_catch_t`, if all handlers are where the near table says."""

    def is_code(address: int) -> bool:
        return any(start <= address < end for start, end in found.code)

    table = catches.find(seen.memory, seen.near, seen.symbol, seen.arch, is_code)
    handlers = {handler for index in range(catches.SAMPLE) if (handler := table.handler(index))} if table else set()
    if len(handlers) < ENOUGH:
        raise NotProved("the table of catches")
    how = f"{len(handlers)} catches"
    for struct, fields in (("bc_pool", ("high_mark", "tabsize", "beam_catches")), ("beam_catch_t", ("cp",))):
        found.add(struct, how, {name: seen.near.field(struct, name) for name in fields})
        found.add_size(struct, how, seen.near.size(struct))
