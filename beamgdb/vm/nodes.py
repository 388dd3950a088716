"""Other nodes that this one is connected to, was, or has heard of: entries of distribution (erl_node_tables.h)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records.hash_table import members
from beamgdb.records.record import Record
from beamgdb.vm.model import Unavailable, Vm
from beamgdb.vm.ports import suspended
from jit.otp import vm_flags
from jit.otp.tags import ATOM, IMMED1_MASK, IMMED2_MASK, PID, PORT

TABLE: Final = "erts_dist_table"

STATES: Final = ("idle", "pending", "connected", "exiting")
"""By their numbers (`ERTS_DE_STATE_IDLE` and so on), the same in OTP 25, 27 and 29."""

THIS_NODE: Final = "erts_this_node"

_PUBLISHED: Final = 1 << 0
_BUSY: Final = 1 << 0
"""Bits of `dflags` (dist.h, `DFLAG_PUBLISHED`) and `qflgs` (`ERTS_DE_QFLG_BUSY`)."""


@dataclass(frozen=True)
class NodeEntry:
    """A node that this one knows; also this one itself."""

    vm: Vm
    record: Record
    """Its `DistEntry`."""

    @property
    def name(self) -> int:
        """An atom."""
        return self.record["sysname"]

    def state(self) -> str:
        """One of `STATES`."""
        return STATES[self.record["state"]]

    def is_up(self) -> bool:
        """Whether there is a connection, or one is being made or ended."""
        return self.record["state"] != 0

    def is_visible(self) -> bool:
        """Whether a node that is connected is one of nodes(visible)."""
        return bool(self.record["dflags"] & _PUBLISHED)

    def channel(self) -> int | None:
        """The port or pid that the connection goes through; None without."""
        channel = self.record["cid"]
        return channel if channel & IMMED1_MASK in (PID, PORT) else None

    def is_busy(self) -> bool:
        """Whether those who send to it have to wait."""
        return bool(self.record["qflgs"] & _BUSY)

    def queued(self) -> int:
        """Bytes that wait to be sent."""
        has_total = self.record.layout.has("DistEntry", "total_qsize")
        return self.record["total_qsize" if has_total else "qsize"]

    def suspended(self) -> Iterator[int]:
        """The pids of those that wait until it is no longer busy."""
        yield from suspended(self.vm, self.record["suspended"])

    def capabilities(self) -> list[str]:
        """What both nodes can do."""
        return vm_flags.set_in(self.record["dflags"], vm_flags.CAPABILITIES)

    def is_sound(self) -> bool:
        """Whether there is an entry here."""
        return self.name & IMMED2_MASK == ATOM and self.record["state"] < len(STATES)


class NodeEntries:
    """All that a VM knows. Raises `Unavailable` where the table is not found."""

    def __init__(self, vm: Vm) -> None:
        address = vm.symbol(TABLE)
        if address is None:
            raise Unavailable("the table of nodes is not found in this VM")
        self._vm = vm
        self._table = vm.record("Hash", address)

    def __iter__(self) -> Iterator[NodeEntry | Unreadable]:
        """All, and what stands for what is damaged."""
        try:
            for address in members(self._table):
                entry = NodeEntry(self._vm, self._vm.record("DistEntry", address))
                yield entry if entry.is_sound() else Unreadable(address, self._vm.layout.extent("DistEntry"))
        except Unreadable as error:
            yield error


def this_node(vm: Vm) -> int:
    """The name of the node itself, an atom. Raises `Unavailable` where that is not found, `Unreadable`."""
    variable = vm.symbol(THIS_NODE)
    if variable is None:
        raise Unavailable("the node's own entry is not found in this VM")
    entry = vm.record("ErlNode", vm.memory.word(variable))
    name = entry["sysname"]
    if name & IMMED2_MASK != ATOM:
        raise Unreadable(entry.field_address("sysname"), vm.memory.word_size)
    return name
