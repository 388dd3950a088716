"""Links and monitors of processes and ports (erl_monitor_link.h of OTP 25, 27 and 29).

Each side of a link or monitor has a node of its own: in a red-black tree, or, where it is monitored by a local process
or port, in a ring. `other` of a node is who is at the other side.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records.chain import ring
from beamgdb.records.record import Record
from jit.otp.features import PRIORITY_MESSAGES
from jit.otp.tags import ATOM, IMMED1_MASK, IMMED2_MASK, PID, PORT

MAX_NODES: Final = 1 << 22
"""Links or monitors of a process that are followed."""

LINKS: Final = "common.u.alive.links"
MONITORS: Final = "common.u.alive.monitors"
LOCAL_TARGETS: Final = "common.u.alive.lt_monitors"

_TYPES: Final = (
    "process", "port", "time_offset", "process", "port", "resource", "node", "nodes", "suspend", "alias",
    "link", "link", "link", "link",
)  # fmt: skip
"""What `ERTS_MON_TYPE_` and, from 10 on, `ERTS_LNK_TYPE_` mean."""

_TYPE_MASK: Final = (1 << 5) - 1
"""Where flags and type share a word, from OTP 28 on: flags are above the type and two bits of an alias's state."""

_FLAGS_SHIFT: Final = 7
_TARGET: Final = 1 << 0
_NAME: Final = 1 << 3


@dataclass(frozen=True)
class Side:
    """One side of a link or a monitor. `type` is of `_TYPES`; `other` is a term, None where there is none: a resource
    is no term, and an alias has no other side. `is_target`: the other side monitors this one. `name` is the atom by
    which who is monitored was named, None without, and `node` the name of the node that it was to be looked up on, None
    for this one. `ref` is the monitor's reference, a term; None of a link. `resource` is the address of the
    `ErtsResource` that monitors."""

    type: str
    other: int | None
    is_target: bool
    name: int | None
    ref: int | None
    node: int | None = None
    resource: int | None = None


class MonitorLinks:
    """Those of the VM's processes and ports."""

    def __init__(self, release: int) -> None:
        self._shared_word = PRIORITY_MESSAGES.of(release)

    def links(self, owner: Record) -> Iterator[Side]:
        """All links, but for those that it has given up while the other side does not know it yet. Whoever goes through
        them gets `Unreadable` where the tree is damaged, KeyError where the layout lacks what leads to it; so with the
        others."""
        yield from self._sides(node for node in _tree(owner, owner[LINKS]) if not _is_given_up(node))

    def monitors(self, owner: Record) -> Iterator[Side]:
        """Whom it monitors."""
        yield from (side for side in self._sides(_tree(owner, owner[MONITORS])) if not side.is_target)

    def monitored_by(self, owner: Record) -> Iterator[Side]:
        """Who monitors it."""
        yield from self._sides(_ring(owner, owner[LOCAL_TARGETS]))
        yield from (side for side in self._sides(_tree(owner, owner[MONITORS])) if side.is_target)

    def _sides(self, nodes: Iterator[Record]) -> Iterator[Side]:
        for node in nodes:
            flags = node["flags"]
            number = flags & _TYPE_MASK if self._shared_word else node["type"]
            if number >= len(_TYPES):
                raise Unreadable(node.address, node.layout.extent("ErtsMonLnkNode"))
            if self._shared_word:
                flags >>= _FLAGS_SHIFT
            kind = _TYPES[number]
            other = node["other.item"] if kind not in ("resource", "alias") else None
            ref = name = host = None
            if kind != "link":
                data = Record(node.memory, node.layout, "ErtsMonitorData", node.address - node["offset"])
                ref = data["ref"]
                if flags & _NAME:
                    # Those of ErtsMonitorDataExtended, which begins with an ErtsMonitorData; the third word behind that
                    # is the address of an ErtsMonLnkDist, which begins with the name of its node.
                    word, _, dist = node.memory.words(data.address + node.layout.size("ErtsMonitorData"), 3)
                    name = word if word & IMMED2_MASK == ATOM else None
                    host = node.memory.word(dist) if dist else None
            resource = node["other.item"] if kind == "resource" and flags & _TARGET else None
            yield Side(kind, other, bool(flags & _TARGET), name, ref, host, resource)


def _is_given_up(link: Record) -> bool:
    """Whether the other side of a link has still to confirm that there is none any more: then a number of 8 bytes is
    not 0. It is behind the node of a link in this VM (`ErtsILink`), and two words behind the data of another one
    (`ErtsELink`)."""
    memory, layout = link.memory, link.layout
    try:
        if link["other.item"] & IMMED1_MASK in (PID, PORT):
            behind = link.address + layout.size("ErtsMonLnkNode")
        else:
            behind = link.address - link["offset"] + layout.size("ErtsLinkData") + 2 * memory.word_size
        return memory.u64(behind + -behind % 8) != 0
    except (Unreadable, KeyError):
        return False  # which is not known


def _tree(owner: Record, root: int) -> Iterator[Record]:
    """The nodes of a tree, in order of their keys."""
    memory, layout = owner.memory, owner.layout
    left, right = (layout.offset("ErtsMonLnkNode", f"node.tree.{name}") for name in ("left", "right"))
    path: list[int] = []
    seen: set[int] = set()
    at = root
    while at or path:
        while at:
            if at in seen or len(seen) >= MAX_NODES:
                raise Unreadable(at, layout.extent("ErtsMonLnkNode"))
            seen.add(at)
            path.append(at)
            at = memory.word(at + left)
        at = path.pop()
        yield Record(memory, layout, "ErtsMonLnkNode", at)
        at = memory.word(at + right)


def _ring(owner: Record, first: int) -> Iterator[Record]:
    """The nodes of a ring."""
    memory, layout = owner.memory, owner.layout
    for at in ring(memory, first, layout.offset("ErtsMonLnkNode", "node.list.next"), MAX_NODES):
        yield Record(memory, layout, "ErtsMonLnkNode", at)
