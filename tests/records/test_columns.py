"""Fields of many structures at once."""

from __future__ import annotations

import pytest

from beamgdb.records.columns import Columns
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
