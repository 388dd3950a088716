"""Arguments of C functions, at their first instruction."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import session, unnamed
from beamgdb.gdbext.unwinder import register_reader
from beamgdb.node import Node

_FIRST = {"x86_64": "rdi", "aarch64": "x0", "arm32": "r0"}
"""GDB's name of the register with the first argument, by architecture (System V and Arm calling conventions)."""


def first_instruction(function: str) -> str | None:
    """The location of a function's first instruction: GDB itself would skip what it takes for a prologue. None where
    the function is not known."""
    if session.address_of(function) is not None:
        return unnamed.beginning(function)
    current = session.known()
    address = current.node.symbol(function) if current is not None else None
    return unnamed.location(address) if address is not None else None


def first_argument(node: Node) -> int | None:
    """The first argument, a word, of the function whose first instruction the selected thread is at."""
    register = _FIRST.get(node.identity.arch or "")
    return register_reader(gdb.newest_frame())(register) if register else None
