"""File descriptors that the VM waits for (erl_check_io.c, erl_check_io.h): of ports, by their drivers, and of NIFs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from beamgdb.memory import Unreadable
from beamgdb.records import descriptor_table
from beamgdb.records.columns import Columns
from beamgdb.vm.model import Unavailable, Vm
from jit.otp.tags import ATOM, IMMED1_MASK, IMMED2_MASK, PID, PORT

IN, OUT, ERROR = 0x1, 0x4, 0x8 | 0x10
"""Bits of `events`, which are those of epoll(7) and poll(2): `EPOLLIN`, `EPOLLOUT`, `EPOLLERR` with `EPOLLHUP`. Others
that are set mean nothing (`ERTS_POLL_EV_NONE`)."""

KINDS: Final = {
    "ERTS_EV_TYPE_NONE": "none", "ERTS_EV_TYPE_DRV_SEL": "driver", "ERTS_EV_TYPE_STOP_USE": "driver stops",
    "ERTS_EV_TYPE_NIF": "NIF", "ERTS_EV_TYPE_STOP_NIF": "NIF stops",
}  # fmt: skip
"""Who has selected upon it (`EventStateType`)."""

FLAGS: Final = {
    "ERTS_EV_FLAG_USED": "used", "ERTS_EV_FLAG_SCHEDULER": "for schedulers",
    "ERTS_EV_FLAG_NIF_SELECT": "message to come", "ERTS_EV_FLAG_WANT_ERROR": "errors wanted",
}  # fmt: skip
"""What is so with it (`EventStateFlags`)."""

AT_ONCE: Final = 4096
"""Elements of the table that are read at a time."""

_PATHS: Final = (
    "fd", "driver.select", "driver.nif", "driver.stop.resource", "events", "active_events", "type", "flags", "count",
)  # fmt: skip


class Waiting(NamedTuple):
    """Who waits for a descriptor: the terms of ports or processes, None for nobody."""

    to_read: int | None
    to_write: int | None
    for_errors: int | None


class Descriptor(NamedTuple):
    """What the VM has noted of a file descriptor; None for what its layout lacks. `select`, `nif` and `stop` are
    addresses."""

    address: int
    number: int
    select: int
    nif: int
    stop: int
    events: int
    active: int
    kind: int
    flags: int
    triggered: int | None


class Descriptors:
    """The file descriptors that the VM waits for, or has a driver or NIF to ask about. Raises `Unavailable` where they
    cannot be found, KeyError where it is not known where fields lie."""

    def __init__(self, vm: Vm) -> None:
        vm.layout.offset("ErtsDrvEventState", "fd")
        address = vm.symbol(descriptor_table.VARIABLE)
        if address is None:
            raise Unavailable(f"the file descriptors cannot be found: no symbol {descriptor_table.VARIABLE}")
        self._vm = vm
        self._table = vm.record("drv_ev_state_shared", address)

    def __iter__(self) -> Iterator[Descriptor | Unreadable]:
        """All that are in use, in order of their numbers, and what stands for those that cannot be read."""
        layout, memory = self._vm.layout, self._vm.memory
        size, columns = layout.size("ErtsDrvEventState"), Columns(memory, layout, "ErtsDrvEventState", _PATHS)
        try:
            count, first = descriptor_table.count(self._table), self._table["v"]
        except Unreadable as error:
            yield error
            return
        for start in range(0, count, AT_ONCE):
            places = [first + number * size for number in range(start, min(start + AT_ONCE, count))]
            for number, (place, row) in enumerate(zip(places, columns.of(places)), start):
                one = Descriptor._make(row) if row is not None else None
                if one is None or one.number != number:
                    yield Unreadable(place, size)
                elif one.kind or one.flags or one.select or one.nif:
                    yield one

    def kind(self, one: Descriptor) -> str | None:
        """Who has selected upon it: see `KINDS`."""
        return next((name for constant, name in KINDS.items() if self._constant(constant) == one.kind), None)

    def flags(self, one: Descriptor) -> list[str]:
        """What is so with it: see `FLAGS`."""
        return [name for constant, name in FLAGS.items() if one.flags & (self._constant(constant) or 0)]

    def poller(self, one: Descriptor) -> str | None:
        """Which threads look whether something has come: poll threads, schedulers when they have nothing else to do,
        or, for what epoll does not take, the one for that; None if none does now."""
        if one.flags & (self._constant("ERTS_EV_FLAG_FALLBACK") or 0):
            return "fallback"
        if one.flags & (self._constant("ERTS_EV_FLAG_IN_SCHEDULER") or 0):
            return "schedulers"
        return "poll threads" if one.active & (IN | OUT | ERROR) else None

    def poll_set(self, one: Descriptor) -> int | None:
        """The number of the poll set that it is in when poll threads look (`get_pollset_id`); None where it is not
        known how many there are."""
        address = self._vm.symbol("erts_no_pollsets")
        number = self._vm.memory.u32(address) if address is not None else 0
        return one.number % number if number else None

    def waiting(self, one: Descriptor) -> Waiting:
        """Who waits for it."""
        if one.select:
            record = self._vm.record("ErtsDrvSelectDataState", one.select)
            return Waiting(_owner(record["inport"]), _owner(record["outport"]), None)
        if one.nif:
            record = self._vm.record("ErtsNifSelectDataState", one.nif)
            return Waiting(*(_owner(record[path]) for path in ("in.pid", "out.pid", "err.pid")))
        return Waiting(None, None, None)

    def resource(self, one: Descriptor) -> tuple[int, int] | None:
        """Module and name of the type of the NIF's resource that has it, atoms; None where there is none."""
        kind = self.kind(one)
        if kind is None or not kind.startswith("NIF") or not one.stop:
            return None
        found = self._vm.record("ErlNifResourceType", self._vm.record("ErtsResource", one.stop)["type"])
        module, name = found["module"], found["name"]
        return (module, name) if module & IMMED2_MASK == name & IMMED2_MASK == ATOM else None

    def _constant(self, name: str) -> int | None:
        layout = self._vm.layout
        return layout.constant(name) if name in layout.constants else None


def events(bits: int) -> str | None:
    """Events in words, None for none."""
    names = [name for bit, name in ((IN, "in"), (OUT, "out"), (ERROR, "error")) if bits & bit]
    return ", ".join(names) or None


def _owner(word: int) -> int | None:
    return word if word & IMMED1_MASK in (PID, PORT) else None
