"""Binaries outside of heaps, by their sizes, in the memory of a VM."""

from __future__ import annotations

import pytest

from beamgdb.vm import binary_shapes
from beamgdb.vm.binary_shapes import BinaryShapes
from beamgdb.vm.heaps import Owner
from tests.vm.image import Image

PLACE = "heap"


def test_those_that_others_hold_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared one is outside once, and its references are two; of more than are told apart it is said."""
    monkeypatch.setattr(binary_shapes, "MAX_SHARED", 1)
    image = Image()
    alone, first, second = (
        image.struct("Binary", {"orig_size": 100, "intern.refc": references}).address for references in (1, 2, 2)
    )
    node = image.node()
    shapes, owner = BinaryShapes(node), Owner(node, "here")
    for binary in (alone, first, first):
        shapes.add(PLACE, binary, 24, (0x1000, owner))
    ((_, shape),) = shapes.shapes()
    assert (shape.count, shape.outside, shapes.untold) == (3, 200, 0)
    for binary in (second, second):
        shapes.add(PLACE, binary, 24, (0x1000, owner))
    shapes.shapes()
    assert (shape.count, shape.outside, shapes.untold) == (5, 400, 2)
