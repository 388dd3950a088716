"""Trees and rings of links and monitors that are damaged."""

from __future__ import annotations

import pytest

from beamgdb.memory import Unreadable
from beamgdb.vm.monitor_links import LINKS, LOCAL_TARGETS, MonitorLinks
from jit.otp.tags import IMMED1_BITS, PID
from tests.vm.image import LAYOUT, Image

LINK = 10
"""`ERTS_LNK_TYPE_PROC`."""


def link(image: Image, number: int, left: int = 0, right: int = 0, kind: int = LINK) -> int:
    fields = {"other.item": number << IMMED1_BITS | PID, "node.tree.left": left, "node.tree.right": right, "type": kind}
    return image.struct("ErtsMonLnkNode", fields).address


def numbers(image: Image, root: int) -> list[int]:
    owner = image.struct("Process", {LINKS: root})
    return [(side.other or 0) >> IMMED1_BITS for side in MonitorLinks(25).links(owner)]


def test_in_order() -> None:
    image = Image()
    root = link(image, 4, link(image, 2, link(image, 1), link(image, 3)), link(image, 5))
    assert numbers(image, root) == [1, 2, 3, 4, 5]
    assert numbers(image, 0) == []


def test_a_link_that_is_given_up() -> None:
    """Until the other side knows it, which takes it no time that one could stop in (erl_monitor_link.h: `ErtsILink` and
    `ErtsELink`, of 64 bits)."""
    size, data = LAYOUT.size("ErtsMonLnkNode"), LAYOUT.size("ErtsLinkData")
    for other, behind in ((7 << IMMED1_BITS | PID, size), (0xBADBADBA2, data + 16)):
        for number, expected in ((0, [other]), (1 << 40, [])):
            image = Image()
            root = image.block(2 * data)
            image.struct("ErtsMonLnkNode", {"other.item": other, "type": LINK}, at=root)
            image.poke(root + behind, number)
            owner = image.struct("Process", {LINKS: root})
            assert [side.other for side in MonitorLinks(25).links(owner)] == expected


def test_a_tree_that_is_none() -> None:
    image = Image()
    inner = image.struct("ErtsMonLnkNode", {"type": LINK})
    root = link(image, 4, inner.address)
    image.poke(inner.field_address("node.tree.right"), root)
    with pytest.raises(Unreadable):
        numbers(image, root)
    with pytest.raises(Unreadable):
        numbers(image, link(image, 4, left=0xBAD000))
    with pytest.raises(Unreadable):
        numbers(image, link(image, 4, kind=99))


def test_a_ring_that_does_not_close() -> None:
    image = Image()
    data = [image.struct("ErtsMonitorData", {}) for _ in range(3)]
    target = LAYOUT.offset("ErtsMonitorData", "u.target")
    fields = {"type": 0, "flags": 1, "offset": target}
    nodes = [image.struct("ErtsMonLnkNode", fields, at=one.address + target) for one in data]
    for one, following in zip(nodes, [*nodes[1:], nodes[0]]):
        image.poke(one.field_address("node.list.next"), following.address)
    owner = image.struct("Process", {LOCAL_TARGETS: nodes[0].address})
    links = MonitorLinks(25)
    assert [side.is_target for side in links.monitored_by(owner)] == [True] * 3
    image.poke(nodes[2].field_address("node.list.next"), nodes[1].address)
    image.memory.forget()
    with pytest.raises(Unreadable):
        list(links.monitored_by(owner))
