"""ETS tables, sound and damaged, as they lie in memory."""

from __future__ import annotations

from itertools import islice

import pytest

from beamgdb.memory import Unreadable
from beamgdb.records.record import Record
from beamgdb.records.tree import MAX_HEIGHT
from beamgdb.vm.ets import EtsTable
from jit.otp.tags import BOXED
from tests.vm.image import LAYOUT, Image

SET, ORDERED_SET = 1 << 4, 1 << 7
"""`DB_SET` and `DB_ORDERED_SET`."""


def table(image: Image, name: str, status: int, fields: dict[str, int]) -> EtsTable:
    record = image.struct(name, fields)
    image.struct("DbTableCommon", {"status": status}, record.address)
    return EtsTable(image.node(), Record(image.memory, LAYOUT, "DbTableCommon", record.address))


def objects(one: EtsTable, name: str) -> list[int]:
    """The addresses of the structures that hold its objects."""
    return [word - BOXED - LAYOUT.offset(name, "dbterm.tpl") for word in one.objects()]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_tree_that_leads_back_to_its_root(side: str) -> None:
    image = Image()
    least = image.struct("TreeDbTerm", {})
    root = image.struct("TreeDbTerm", {"left": least.address})
    one = table(image, "DbTableTree", ORDERED_SET, {"root": root.address})
    assert objects(one, "TreeDbTerm") == [least.address, root.address]
    image.poke((least if side == "left" else root).field_address(side), root.address)
    image.memory.forget()
    with pytest.raises(Unreadable):
        list(one.objects())


def test_a_slot_that_is_a_circle() -> None:
    image = Image()
    last = image.struct("HashDbTerm", {})
    first = image.struct("HashDbTerm", {"next": last.address})
    segment = image.words(*[0] * 7, first.address, *[0] * 248)
    one = table(image, "DbTableHash", SET, {"segtab": image.words(segment), "nactive": 256})
    assert objects(one, "HashDbTerm") == [first.address, last.address]
    image.poke(last.field_address("next"), first.address)
    image.memory.forget()
    with pytest.raises(Unreadable):
        list(one.objects())


def tree(image: Image, *children: tuple[int, int]) -> tuple[EtsTable, list[int]]:
    """A table whose objects have these objects, by number, to their left and right, and -1 where there is none; and the
    addresses of the objects. The first one is the root."""
    at = [image.block(LAYOUT.size("TreeDbTerm")) for _ in children]
    for address, (left, right) in zip(at, children):
        fields = {"left": at[left] if left >= 0 else 0, "right": at[right] if right >= 0 else 0}
        image.struct("TreeDbTerm", fields, address)
    record = image.struct("DbTableTree", {"root": at[0]})
    common = image.struct("DbTableCommon", {"status": ORDERED_SET}, record.address)
    return EtsTable(image.node(), common), at


def test_objects_are_in_order() -> None:
    one, at = tree(Image(), (1, 2), (-1, 3), (4, -1), (-1, -1), (-1, -1))
    first = LAYOUT.offset("TreeDbTerm", "dbterm.tpl")
    assert list(one.objects()) == [at[number] + first | BOXED for number in (1, 3, 0, 4, 2)]


@pytest.mark.parametrize("children", [[(-1, 0)], [(0, -1)], [(1, 2), (-1, -1), (-1, 0)], [(1, -1), (-1, 2), (-1, 1)]])
def test_a_circle_of_a_tree_ends(children: list[tuple[int, int]]) -> None:
    """Also one that only ever goes to the right."""
    one, _ = tree(Image(), *children)
    with pytest.raises(Unreadable):
        list(islice(one.objects(), len(children) * (MAX_HEIGHT + 2)))
