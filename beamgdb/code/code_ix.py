"""Which of the VM's code tables are in use (code_ix.h): it has each for three code indices, to change one unseen."""

from __future__ import annotations

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.statics import Symbol

CODE_INDICES = 3
"""`ERTS_NUM_CODE_IX`: elements of every variable that has one for each code index (code_ix.h)."""


def code_index(memory: CachedMemory, symbol: Symbol, which: str) -> int | None:
    """The code index in use now (`which` is "active") or for the next load ("staging"); code_ix.h."""
    address = symbol(f"the_{which}_code_index")
    if address is None:
        return None
    try:
        index = memory.u32(address)
    except Unreadable:
        return None
    return index if index < CODE_INDICES else None
