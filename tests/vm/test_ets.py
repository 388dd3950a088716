"""ETS tables that are damaged."""

from __future__ import annotations

import pytest

from beamgdb.memory import Unreadable
from beamgdb.records.record import Record
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
