"""ETS tables, as they lie in memory."""

from __future__ import annotations

from itertools import islice

import pytest

from beamgdb.memory import Unreadable
from beamgdb.vm.ets import CA_ORDERED_SET, KINDS, MAX_DEPTH, EtsTable
from jit.otp.tags import BOXED
from tests.vm.image import LAYOUT, Image

(ORDERED_SET,) = (bit for bit, name in KINDS.items() if name == "ordered_set" and bit != CA_ORDERED_SET)


def tree(image: Image, *children: tuple[int, int]) -> tuple[EtsTable, list[int]]:
    """A table whose objects have these objects, by number, to their left and right, and -1 where there is none; and the
    addresses of the objects. The first one is the root."""
    at = [image.block(LAYOUT.size("TreeDbTerm")) for _ in children]
    for address, (left, right) in zip(at, children):
        fields = {"left": at[left] if left >= 0 else 0, "right": at[right] if right >= 0 else 0}
        image.struct("TreeDbTerm", fields, address)
    table = image.struct("DbTableTree", {"root": at[0]})
    common = image.struct("DbTableCommon", {"status": ORDERED_SET}, table.address)
    return EtsTable(image.node(), common), at


def test_objects_are_in_order() -> None:
    table, at = tree(Image(), (1, 2), (-1, 3), (4, -1), (-1, -1), (-1, -1))
    first = LAYOUT.offset("TreeDbTerm", "dbterm.tpl")
    assert list(table.objects()) == [at[number] + first | BOXED for number in (1, 3, 0, 4, 2)]


@pytest.mark.parametrize("children", [[(-1, 0)], [(0, -1)], [(1, 2), (-1, -1), (-1, 0)], [(1, -1), (-1, 2), (-1, 1)]])
def test_a_circle_ends(children: list[tuple[int, int]]) -> None:
    """Also one that only ever goes to the right."""
    table, _ = tree(Image(), *children)
    with pytest.raises(Unreadable):
        list(islice(table.objects(), len(children) * MAX_DEPTH + 1))
