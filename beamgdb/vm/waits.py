"""Who waits for whom: calls that are in flight.

A process that waits for an answer monitors who is to give it, and keeps the monitor's reference, by which the answer
comes, in a y register of the function that waits: gen:call and all that is made of it, erpc, and code of one's own that
does so. So the reference leads to the monitor, and that to who is waited for. Code of one's own may take other messages
besides, and just want to know when the other one ends: what `CALLERS` wait for is an answer, others may. A purge of
code waits otherwise, as do who frees its literals, who wants to change code while another one does, and who sends to a
port or node that is busy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.vm import locks
from beamgdb.vm.backtrace import StackEnds, of_waiting
from beamgdb.vm.model import Vm
from beamgdb.vm.monitor_links import MonitorLinks
from beamgdb.vm.nodes import NodeEntries
from beamgdb.vm.old_literals import Collection
from beamgdb.vm.ports import Ports
from beamgdb.vm.processes import Process
from beamgdb.vm.purging import Purge
from jit.otp.tags import BOXED, PRIMARY_MASK

CALLERS: Final = frozenset((
    "application_master", "code", "code_server", "dets", "disk_log", "epp", "erpc", "file", "gen",
    "inet_gethost_native", "io", "proc_lib", "rpc", "supervisor", "Elixir.Task",
))  # fmt: skip
"""Modules of which a function that waits and has a monitor's reference takes nothing but the answer, or that there is
none: what serves in them keeps no such reference of its own (kernel's and stdlib's sources; Elixir's task.ex)."""


@dataclass(frozen=True)
class Wait:
    """`waiter` waits for `target`, a process or the name of one, or a port, as terms; None where it is not known who
    changes code. `node`: the name, an atom, of the node that it sends to through that port or process, if it does.
    `is_sure`: not if other messages may be what it waits for."""

    waiter: int
    target: int | None
    node: int | None = None
    is_sure: bool = True


def waits(vm: Vm, processes: Iterable[Process], damaged: list[Unreadable]) -> Iterator[Wait]:
    """All calls in flight of these processes. `damaged` gets what cannot be read."""
    links = MonitorLinks(vm.tags.release)
    for process in processes:
        try:
            if process.status() == "waiting" and process.record["common.u.alive.monitors"]:
                yield from _of(vm, links, process)
        except Unreadable as error:
            damaged.append(error)
        except StackEnds:
            continue


def _of(vm: Vm, links: MonitorLinks, process: Process) -> Iterator[Wait]:
    # What is kept further out is not for this receive, which has to know what it takes.
    level = next(of_waiting(vm, process), None)
    if level is None:
        return
    kept = {vm.term(word) for word in level.y_registers if word & PRIMARY_MASK == BOXED}
    kept = {text for text in kept if text.startswith("#Ref<")}
    if not kept:
        return
    for side in links.monitors(process.record):
        target = side.name if side.name is not None else side.other
        if side.ref is not None and target is not None and vm.term(side.ref) in kept:
            is_sure = level.place is not None and level.place.module.name in CALLERS
            yield Wait(process.id, target, is_sure=is_sure)
            return


def of_purge(purge: Purge) -> Iterator[Wait]:
    """Who waits for a purge, and whom that waits for."""
    try:
        purger = purge.purger.id
        if purge.requester is not None:
            yield Wait(purge.requester, purger)
        for pid in dict.fromkeys((*(one.id for one in (*purge.running, *purge.unanswered)), *purge.dying)):
            yield Wait(purger, pid)
    except Unreadable:
        return


def of_literals(literals: Collection) -> Iterator[Wait]:
    """Whom the collection of literals of purged code waits for."""
    try:
        for one in (*literals.running, *literals.unanswered):
            yield Wait(literals.collector.id, one.id)
    except Unreadable:
        return


def of_permission(vm: Vm, unknown: list[str]) -> Iterator[Wait]:
    """Who waits until another one has changed code. `unknown` is as for `locks.permissions`."""
    for lock in locks.permissions(vm, unknown):
        yield from (Wait(waiter, lock.holder) for waiter in lock.waiting)


def of_ports(vm: Vm, damaged: list[Unreadable]) -> Iterator[Wait]:
    """Who is suspended until a port is no longer busy. `damaged` is as for `waits`; raises as `Ports` does, and
    KeyError where it is not known where fields lie."""
    vm.layout.offset("Port", "suspended")
    try:
        for port in (ports := Ports(vm)):
            if not isinstance(port, Unreadable) and port.suspended:
                yield from (Wait(pid, port.id) for pid in ports.suspended(port))
    except Unreadable as error:
        damaged.append(error)


def of_nodes(vm: Vm, damaged: list[Unreadable]) -> Iterator[Wait]:
    """Who is suspended until the connection to a node is no longer busy. The rest is as for `of_ports`."""
    vm.layout.offset("DistEntry", "suspended")
    try:
        for entry in NodeEntries(vm):
            if not isinstance(entry, Unreadable):
                channel, name = entry.channel(), entry.name
                yield from (Wait(pid, channel, name) for pid in entry.suspended())
    except Unreadable as error:
        damaged.append(error)


def cycles(edges: dict[str, str]) -> list[list[str]]:
    """Those who wait for each other in a circle; each waits for one other. Every circle once."""
    found: list[list[str]] = []
    done: set[str] = set()
    for start in edges:
        path: dict[str, int] = {}
        at: str | None = start
        while at is not None and at not in done and at not in path:
            path[at] = len(path)
            at = edges.get(at)
        if at is not None and at in path:
            found.append(list(path)[path[at] :])
        done.update(path)
    return found
