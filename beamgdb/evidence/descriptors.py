"""The table of file descriptors: each of its elements knows its number (erl_check_io.c)."""

from __future__ import annotations

from beamgdb.evidence.findings import ENOUGH, Findings, NotProved, Seen
from beamgdb.records import descriptor_table


def prove(seen: Seen, found: Findings) -> None:
    """`drv_ev_state_shared` and `ErtsDrvEventState`, if so many of them are where the near table says."""
    address = seen.variable(descriptor_table.VARIABLE)
    if not descriptor_table.is_table(seen.memory, seen.near, address, ENOUGH):
        raise NotProved("the table of file descriptors")
    how = f"{ENOUGH} file descriptors"
    for struct, fields in (("drv_ev_state_shared", ("len", "max_fds", "v")), ("ErtsDrvEventState", ("fd",))):
        found.add(struct, how, {name: seen.near.field(struct, name) for name in fields})
    found.add_size("ErtsDrvEventState", how, seen.near.size("ErtsDrvEventState"))
