"""Who is registered under which name, as the VM looks it up (register.c)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.records import name_table
from beamgdb.records.columns import Columns
from beamgdb.records.hash_table import members
from beamgdb.vm.model import Unavailable, Vm
from beamgdb.vm.processes import Process
from jit.otp.tags import ATOM, IMMED2_MASK

MOST: Final = 1 << 22
"""Names at most; more are damage."""

FIRST: Final = 1 << 10
"""Processes that are asked before: whom one looks for was mostly started with the node, and to find the table takes
hundreds of packets of a remote stub."""


def named(vm: Vm) -> Iterator[tuple[Process, int]]:
    """All processes that have a registered name, and the name, an atom as a term: the first ones, then others. Where
    the table of names is not found, or is damaged or just being changed, all processes are asked for theirs."""
    told = set()
    for process, name in vm.processes.named(FIRST):
        told.add(process.address)
        yield process, name
    try:
        found = in_table(vm)
    except (Unreadable, Unavailable, KeyError):
        yield from ((process, name) for process, name in vm.processes.named() if process.address not in told)
        return
    yield from ((vm.processes.at(address), name) for address, name in found if address not in told)


def in_table(vm: Vm) -> list[tuple[int, int]]:
    """The same by the table, with the addresses of the processes. Raises `Unavailable` where it is not found,
    `Unreadable` where it is not as it must be, KeyError where fields are not known."""
    memory, layout = vm.memory, vm.layout
    variable = name_table.find(memory, layout, vm.symbol, vm.identity.arch or "")
    if variable is None:
        raise Unavailable("the table of registered names is not found in this VM")
    table = vm.record("Hash", variable.address)
    entries = list(islice(members(table), MOST))
    if len(entries) != table["nobjs"]:
        raise Unreadable(table.address, layout.extent("Hash"))
    rows = [row for row in _of(vm, "RegProc", ("p", "name"), entries) if row[1]]  # (Others are of ports.)
    registrations = _of(vm, "Process", ("common.u.alive.reg",), [process for _, process, _ in rows])
    for (entry, _, name), (_, registration) in zip(rows, registrations):
        if registration != entry or name & IMMED2_MASK != ATOM:
            raise Unreadable(entry, layout.extent("RegProc"))
    return [(process, name) for _, process, name in rows]


def _of(vm: Vm, struct: str, paths: tuple[str, ...], addresses: list[int]) -> list[tuple[int, ...]]:
    """Addresses and fields of structures. Raises `Unreadable`, and KeyError for what the layout lacks."""
    size = max(vm.layout.offset(struct, path) for path in paths) + vm.memory.word_size
    found = []
    for address, row in zip(addresses, Columns(vm.memory, vm.layout, struct, paths).of(addresses)):
        if row is None:
            raise Unreadable(address, size)
        found.append(tuple(value or 0 for value in row))
    return found
