"""Fields of many structures at once."""

from __future__ import annotations

import random
import sys
from array import array

import pytest

from beamgdb.memory import BytesMemory, CachedMemory, array_code
from beamgdb.records import arrays
from beamgdb.records.columns import Columns, Gather
from jit.object.target import ByteOrder
from tests.vm.image import LAYOUT, Image

PATHS = ("state", "common.id", "sig_qs.mq_len", "arity")
"""Of different widths, not in order; one is not in OTP 25."""


def test_values_are_in_the_order_that_was_asked_for() -> None:
    image = Image()
    records = [image.struct("Process", {"state": n, "common.id": 100 + n, "arity": 200 + n}) for n in range(50)]
    columns = Columns(image.memory, LAYOUT, "Process", PATHS)
    addresses = [record.address for record in reversed(records)]
    assert columns.of(addresses) == [
        (record.address, n, 100 + n, None, 200 + n) for n, record in reversed(list(enumerate(records)))
    ]
    assert columns.of([]) == []
    rows = columns.of(addresses)
    turned = columns.turned(addresses)
    assert turned is not None
    assert list(zip(*turned, strict=True)) == rows
    assert columns.turned([]) is columns.turned([*addresses, 0xBAD0000]) is None


def test_those_that_cannot_be_read_leave_the_others() -> None:
    image = Image()
    block = image.block(200 * LAYOUT.size("Process"))
    here = [block + n * LAYOUT.size("Process") for n in range(199)]
    for n, address in enumerate(here):
        image.struct("Process", {"state": n}, at=address)
    mixed = [address for one in here for address in (one, 0xBAD0000 + one)]
    rows = Columns(image.memory, LAYOUT, "Process", ("state",)).of(mixed)
    assert rows[0::2] == [(address, n) for n, address in enumerate(here)]
    assert rows[1::2] == [None] * len(here)


def test_few_reads() -> None:
    image = Image()
    size = LAYOUT.size("Process")
    block = image.block(20_000 * size)
    image.memory.reads = 0
    columns = Columns(image.memory, LAYOUT, "Process", ("state", "common.id"))
    rows = columns.of([block + n * size for n in range(20_000)])
    assert None not in rows
    assert image.memory.reads <= 20_000 * size // (1 << 20) + 1


def test_what_shares_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="shares bytes"):
        Columns(Image().memory, LAYOUT, "Process", ("u.initial.module", "u.real_proc"))


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("word_size", [4, 8])
@pytest.mark.parametrize("step", [1, 4, 8])
def test_arrays_have_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch, step: int, word_size: int, order: ByteOrder
) -> None:
    monkeypatch.setattr(arrays, "FEW", 1)
    chosen = random.Random(f"{step} {word_size} {order}")
    memory = CachedMemory(BytesMemory({0x1_0000: chosen.randbytes(8000), 0x10_0000: chosen.randbytes(8000)},
                                      word_size, order))  # fmt: skip
    gather = Gather(memory, "w3xBH2wxI", first=4)
    addresses = [base + step * chosen.randrange(900) for base in (0x1_0000, 0x10_0000) for _ in range(300)]
    chosen.shuffle(addresses)
    for asked in (addresses, sorted(addresses)):
        together = gather.arrays(asked)
        assert together is not None
        assert [column.tolist() for column in together] == [list(column) for column in zip(*gather.of(asked))]
    assert gather.arrays([*addresses, 0x20_0000]) is gather.arrays([]) is gather.arrays([1 << 64]) is None
    assert gather.arrays([*addresses, (1 << 64) - 8]) is None


def test_without_numpy_there_are_no_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image()
    addresses = [image.struct("Process", {"state": n}).address for n in range(3)]
    columns = Columns(image.memory, LAYOUT, "Process", ("state", "arity"))
    monkeypatch.setattr(arrays, "FEW", 1)
    found = columns.turned(addresses)
    assert found is not None
    assert arrays.is_array(found[1])
    monkeypatch.setitem(sys.modules, "numpy", None)
    arrays._numpy.cache_clear()
    try:
        without = columns.turned(addresses)
    finally:
        arrays._numpy.cache_clear()
    assert without is not None
    assert list(map(list, without)) == [list(arrays.numbers(column)) for column in found]


@pytest.mark.parametrize("has_numpy", [True, False])
@pytest.mark.parametrize("word_size", [4, 8])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_places_in_order(monkeypatch: pytest.MonkeyPatch, count: int, word_size: int, has_numpy: bool) -> None:
    """Equal words stay in theirs, and those with the highest bit are the largest."""
    monkeypatch.setattr(arrays, "FEW", 0 if has_numpy else 1 << 20)
    monkeypatch.setattr(arrays, "AT_ONCE", 8)
    chosen = random.Random(count)
    words = array(array_code(word_size), (chosen.choice([1, 2, 3, (1 << 8 * word_size) - 1]) for _ in range(count)))
    found = arrays.places_in_order(words)
    assert found.typecode == words.typecode
    assert list(found) == sorted(range(count), key=words.__getitem__)
