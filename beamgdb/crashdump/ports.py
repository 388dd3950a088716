"""The ports of a crash dump, as `print_port_info` of io.c has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.terms.quoting import bare
from beamgdb.vm.model import Unavailable, Vm
from beamgdb.vm.ports import Port, Ports
from jit.otp import vm_flags

CONTROLS: Final = {
    "spawn": "Port controls external process",
    "forker": "Port controls forker process",
    "fd": "Port is UNIX fd not opened by emulator",
}
"""What the viewer tells apart, by the driver; of others the port's name is that of the driver."""

LINKED_IN: Final = "Port controls linked-in driver"

GONE: Final = frozenset(("free", "initializing", "invalid"))
"""States of what is no port."""


class PortSections:
    """All of them."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self.unreadable = 0

    def __iter__(self) -> Iterator[str]:
        """A section for each."""
        try:
            ports = Ports(self._vm)
            for one in ports:
                if isinstance(one, Unreadable):
                    self.unreadable += 1
                elif GONE.isdisjoint(ports.flags(one)):
                    yield "\n".join(self._lines(ports, one)) + "\n"
        except (Unavailable, KeyError):
            self.unreadable += 1

    def _lines(self, ports: Ports, port: Port) -> Iterator[str]:
        term = self._vm.term
        yield f"=port:{term(port.id or 0)}"
        yield f"State: {_flags(port.state, vm_flags.PORT_STATES) or 'none'}"
        if tasks := _flags(port.tasks, vm_flags.PORT_TASKS):
            yield f"Task Flags: {tasks}"
        owner = ports.owner(port)
        if owner is not None:
            yield f"Connected: {term(owner)}"
        try:
            yield from self._relations(ports, port)
        except (Unreadable, KeyError):
            self.unreadable += 1
        try:
            name, driver = ports.name(port), ports.driver(port) or ""
            yield f"{CONTROLS.get(driver, LINKED_IN)}: {bare(name or driver)}"
        except (Unreadable, KeyError):
            self.unreadable += 1
        for key, amount in (("Input", port.bytes_in), ("Output", port.bytes_out), ("Queue", port.queue)):
            if amount is not None:
                yield f"{key}: {amount}"

    def _relations(self, ports: Ports, port: Port) -> Iterator[str]:
        term = self._vm.term
        links = "".join(term(side.other) for side in ports.links(port) if side.other is not None)
        monitors = "".join(
            f"({term(side.other)},{term(side.ref)})"
            for side in ports.monitored_by(port)
            if side.other is not None and side.ref is not None
        )
        name = ports.registered_name(port)
        for key, text in (
            ("Links", links),
            ("Monitors", monitors),
            ("Suspended", "".join(map(term, ports.suspended(port)))),
            ("Registered as", term(name) if name is not None else ""),
        ):
            if text:
                yield f"{key}: {text}"


def _flags(word: int | None, names: Mapping[str, int]) -> str:
    return "|".join(vm_flags.set_in(word, names)).upper()
