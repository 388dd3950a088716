"""Ports: sockets, programs and descriptors that drivers work for (erl_port.h, io.c, sys_drivers.c, inet_drv.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from beamgdb.memory import Unreadable
from beamgdb.records.chain import ring
from beamgdb.records.record import Record
from beamgdb.vm.model import Vm
from beamgdb.vm.monitor_links import MonitorLinks, Side
from jit.otp import vm_flags
from jit.otp.tags import ATOM, IMMED1_MASK, IMMED2_MASK, PID, PORT

MAX_SUSPENDED: Final = 1 << 22
"""Processes that one port makes wait."""

NAME: Final = 1024
"""Bytes of a port's or driver's name at most."""

SOCKETS: Final = ("tcp_inet", "udp_inet", "sctp_inet")
"""Drivers whose data begin with an `inet_descriptor`."""

PROGRAMS: Final = ("spawn", "fd", "vanilla")
"""Drivers whose data are an `ErtsSysDriverData`."""

MAX_DESCRIPTOR: Final = 1 << 30


class Port(NamedTuple):
    """What the VM has noted of a port; None for what its layout lacks. `links` and others are addresses."""

    address: int
    id: int | None
    state: int | None
    tasks: int | None
    connected: int | None
    bytes_in: int | None
    bytes_out: int | None
    queue: int | None
    name: int | None
    driver: int | None
    driver_data: int | None
    os_pid: int | None
    suspended: int | None
    registration: int | None


_PATHS: Final = (
    "common.id", "state", "sched.flags", "connected", "bytes_in", "bytes_out", "ioq.size", "name", "drv_ptr",
    "drv_data", "os_pid", "suspended", "common.u.alive.reg",
)  # fmt: skip


class Ports:
    """The ports of a VM; raises `Unavailable` as its parts do, KeyError where it is not known where fields lie."""

    def __init__(self, vm: Vm) -> None:
        vm.layout.offset("Port", "common.id")
        self._vm = vm
        self._links = MonitorLinks(vm.tags.release)
        self._drivers: dict[int, str | None] = {}

    def count(self) -> int:
        """How many there are, 0 where that cannot be told."""
        try:
            return self._vm.ports.count()
        except (Unreadable, KeyError):
            return 0

    def __iter__(self) -> Iterator[Port | Unreadable]:
        """All ports in order of their slots, and what stands for those that cannot be read or are none."""
        for row in self._vm.ports.rows(_PATHS):
            if isinstance(row, Unreadable):
                yield row
            elif row[1] is None or row[1] & IMMED1_MASK != PORT:
                yield Unreadable(row[0] or 0, self._vm.layout.extent("Port"))
            else:
                yield Port._make(row)

    def record(self, port: Port) -> Record:
        """Its structure."""
        return self._vm.record("Port", port.address)

    def name(self, port: Port) -> str | None:
        """What it was opened with: a command, or the driver's name."""
        return self._text(port.name)

    def driver(self, port: Port) -> str | None:
        """The name of its driver."""
        if not port.driver:
            return None
        if port.driver not in self._drivers:
            self._drivers[port.driver] = self._text(self._vm.record("erts_driver_t", port.driver)["name"])
        return self._drivers[port.driver]

    def _text(self, address: int | None) -> str | None:
        return self._vm.memory.cstring(address, NAME).decode("utf-8", "replace") if address else None

    def owner(self, port: Port) -> int | None:
        """The pid of the process that is connected to it; None where that has ended."""
        return port.connected if port.connected is not None and port.connected & IMMED1_MASK == PID else None

    def registered_name(self, port: Port) -> int | None:
        """The name it is registered under, an atom; None without."""
        if not port.registration:
            return None
        name = self._vm.record("RegProc", port.registration)["name"]
        return name if name & IMMED2_MASK == ATOM else None

    def flags(self, port: Port) -> list[str]:
        """What it is, and what happens to it: see `vm_flags`."""
        states, tasks = vm_flags.PORT_STATES, vm_flags.PORT_TASKS
        return [*vm_flags.set_in(port.state, states), *vm_flags.set_in(port.tasks, tasks)]

    def os_pid(self, port: Port) -> int | None:
        """The number of the program's process in its system; None where there is none."""
        half = 1 << 8 * self._vm.memory.word_size - 1
        return port.os_pid if port.os_pid is not None and 0 < port.os_pid < half else None

    def descriptors(self, port: Port) -> tuple[int | None, int | None]:
        """The file descriptors that it reads from and writes to, as far as there are such and its driver is known to
        keep them so: its data must lead back to the port."""
        driver, data = self.driver(port), port.driver_data
        if driver in SOCKETS and data:
            socket = self._vm.record("inet_descriptor", data)
            both = _descriptor(socket["s"]) if socket["port"] == port.address else None
            return both, both
        if driver in PROGRAMS and data:
            record = self._vm.record("ErtsSysDriverData", data)
            if record["port_num"] == port.address:
                return self._end(record["ifd"]), self._end(record["ofd"])
        return None, None

    def _end(self, address: int) -> int | None:
        return _descriptor(self._vm.record("ErtsSysFdData", address)["fd"]) if address else None

    def links(self, port: Port) -> Iterator[Side]:
        """As `MonitorLinks.links`; so with the others."""
        return self._links.links(self.record(port))

    def monitors(self, port: Port) -> Iterator[Side]:
        """Whom it monitors."""
        return self._links.monitors(self.record(port))

    def monitored_by(self, port: Port) -> Iterator[Side]:
        """Who monitors it."""
        return self._links.monitored_by(self.record(port))

    def suspended(self, port: Port) -> Iterator[int]:
        """The pids of those that wait until it is no longer busy."""
        yield from suspended(self._vm, port.suspended or 0)


def suspended(vm: Vm, first: int) -> Iterator[int]:
    """The pids in a ring of `ErtsProcList`, the first of which is at `first`, 0 for none."""
    following = vm.layout.offset("ErtsProcList", "next")
    for at in ring(vm.memory, first, following, MAX_SUSPENDED):
        yield vm.record("ErtsProcList", at)["u.pid"]


def _descriptor(number: int) -> int | None:
    """Of a C `int`: a negative one is none."""
    return number if number < MAX_DESCRIPTOR else None
