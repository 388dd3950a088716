"""Names of C code and data, as GDB knows them."""

from __future__ import annotations

import re

import gdb

from beamgdb.gdbext import front_end, gdb_text
from beamgdb.terms.quoting import bare

_SYMBOL = re.compile(r"(?P<name>\S+)(?: \+ (?P<offset>\d+))? in section ")


def c_name(address: int) -> str | None:
    """The symbol of C code or data at an address, None where there is none."""
    try:
        told = front_end.taken(f"info symbol {address & ~1:#x}")
    except gdb.error:
        return None
    match = _SYMBOL.match(told)
    if match is None:
        return None
    return bare(match["name"]) + (f"+{match['offset']}" if match["offset"] else "")


def c_place(address: int) -> str | None:
    """The symbol of C code, and the library that it is in; None where neither is known."""
    library = gdb_text.library(address)
    parts = (c_name(address), f"in {library}" if library else None)
    return " ".join(part for part in parts if part) or None
