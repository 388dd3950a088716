"""Who waits for whom: calls that are in flight.

A process that waits for an answer monitors who is to give it, and keeps the monitor's reference, by which the answer
comes, in a y register of the function that waits: gen:call and all that is made of it, erpc, and code of one's own that
does so. So the reference leads to the monitor, and that to who is waited for. Code of one's own may take other messages
besides, and just want to know when the other one ends: what `CALLERS` wait for is an answer, others may. Few wait for
several at once, or know who it is by its pid alone. A purge of
code waits otherwise, as do who frees its literals, who wants to change code while another one does, and who sends to a
port or node that is busy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from jit.otp.tags import BOXED, IMMED1_MASK, PID, PRIMARY_MASK

CALLERS: Final = frozenset((
    "application_master", "code", "code_server", "dets", "disk_log", "epp", "erpc", "file", "gen",
    "inet_gethost_native", "io", "proc_lib", "rpc", "supervisor", "Elixir.Task",
))  # fmt: skip
"""Modules of which a function that waits and has a monitor's reference takes nothing but the answer, or that there is
none: what serves in them keeps no such reference of its own (kernel's and stdlib's sources; Elixir's task.ex)."""

CALLING: Final = frozenset((
    "gen_server:do_multi_call/4", "gen_server:mc_recv/5", "gen_server:rec_nodes/7", "gen_statem:call_clean/4",
))  # fmt: skip
"""Such functions of modules that serve as well."""

AWAITING_ALL: Final = "'Elixir.Task':await_many/5"
"""It keeps the references of all whom it waits for as keys of a map."""

STARTING: Final = "proc_lib:sync_start_link/2"
"""It keeps the pid of who is to answer, and monitors nobody (OTP 25)."""

MAX_AWAITED: Final = 1 << 14
"""Keys of a map that are looked at."""


@dataclass(frozen=True)
class Wait:
    """`waiter` waits for `target`, a process or the name of one, or a port, as terms; None where it is not known who
    changes code. `node`: the name, an atom, of the node that it sends to through that port or process, if it does, or
    where that name is one. `is_sure`: not if other messages may be what it waits for."""

    waiter: int
    target: int | None
    node: int | None = None
    is_sure: bool = True


def waits(vm: Vm, processes: Iterable[Process], damaged: list[Unreadable]) -> Iterator[Wait]:
    """All calls in flight of these processes. `damaged` gets what cannot be read."""
    links = MonitorLinks(vm.tags.release)
    for process in processes:
        try:
            if process.status() == "waiting":
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
    code = level.place.code.name if level.place is not None else None
    if code == STARTING:
        yield from (Wait(process.id, word) for word in level.y_registers if word & IMMED1_MASK == PID)
        return
    if not process.record["common.u.alive.monitors"]:
        return
    words: Iterable[int] = level.y_registers
    if code == AWAITING_ALL:
        words = (part.key for word in words for part in vm.parts(word, MAX_AWAITED) if part.key is not None)
    kept = {vm.term(word) for word in words if word & PRIMARY_MASK == BOXED}
    kept = {text for text in kept if text.startswith("#Ref<")}
    if not kept:
        return
    is_sure = code in CALLING or level.place is not None and level.place.module.name in CALLERS
    for side in links.monitors(process.record):
        target = side.name if side.name is not None else side.other
        if side.ref is not None and target is not None and vm.term(side.ref) in kept:
            yield Wait(process.id, target, side.node if side.name is not None else None, is_sure)
            if code != AWAITING_ALL:
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


def cycles(edges: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Those who wait for each other in a circle, each for all whom `edges` has it wait for. No one is in two of the
    circles, also where there are more."""
    found: list[list[str]] = []
    done: set[str] = set()
    named: set[str] = set()
    for start in edges:
        path: dict[str, Iterator[str]] = {}
        if start not in done:
            path[start] = iter(edges[start])
        while path:
            at, others = next(reversed(path.items()))
            other = next(others, None)
            if other is None:
                done.add(at)
                del path[at]
            elif other in path:
                circle = list(path)[list(path).index(other) :]
                if named.isdisjoint(circle):
                    named.update(circle)
                    found.append(circle)
            elif other not in done:
                path[other] = iter(edges.get(other, ()))
    return found
