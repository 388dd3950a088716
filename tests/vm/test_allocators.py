"""Carriers and blocks as they lie in memory, sound and damaged."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from beamgdb.memory import BytesMemory, CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.vm.allocators import OFFSET_BITS, Block, Carrier, Instance
from jit.otp.layouts.layout import Layout, load_table

START = 1 << 20
SIZE = 1 << 16
USED, FREE, LAST, PREVIOUS_FREE = 0, 1, 4, 2
ROOM = 4096
"""Bytes of the first block."""


def layout_of(word: int) -> Layout:
    found = load_table("15.2.7", *(("x86_64", "jit") if word == 8 else ("arm32", "emu")))
    assert found is not None
    return found


def carrier(word: int, changes: Mapping[int, int]) -> Carrier:
    """One with a block that is in use, one that is free, and one in use to its end. `changes` are words by their
    distance from the first block."""
    layout = layout_of(word)
    header = -(-(layout.size("Carrier_t") + word) // 8) * 8 - word
    rest = SIZE - header - 2 * ROOM & ~7
    words = {
        0: SIZE, layout.offset("Carrier_t", "cpool.orig_allctr"): 0, header: ROOM | USED,
        header + ROOM: ROOM | FREE, header + ROOM + word: START, header + 2 * ROOM - word: ROOM,
        header + 2 * ROOM: rest | USED | PREVIOUS_FREE | LAST, **{header + at: value for at, value in changes.items()},
    }  # fmt: skip
    content = bytearray(SIZE)
    for at, value in words.items():
        content[at : at + word] = value.to_bytes(word, "little")
    instance = bytearray(layout.size("Allctr_t"))
    at = layout.offset("Allctr_t", "mbc_header_size")
    instance[at : at + word] = header.to_bytes(word, "little")
    memory = CachedMemory(BytesMemory({START: bytes(content), 4096: bytes(instance)}, word))
    own = Instance("x_alloc", 1, Record(memory, layout, "Allctr_t", 4096))
    return Carrier(own, Record(memory, layout, "Carrier_t", START))


def wrong(word: int, changes: Mapping[int, int]) -> list[tuple[int, str]]:
    """What is wrong with which of its blocks."""
    return [(number, one.wrong) for number, one in enumerate(carrier(word, changes).blocks()) if one.wrong]


@pytest.mark.parametrize("word", [4, 8])
def test_blocks_that_are_sound(word: int) -> None:
    found = list(carrier(word, {}).blocks())
    assert [(one.size, one.is_used, one.wrong) for one in found[:2]] == [(ROOM, True, ""), (ROOM, False, "")]
    assert found[2] == Block(found[0].address + 2 * ROOM, found[2].size, True)
    assert 0 <= START + SIZE - found[2].address - found[2].size < 8


@pytest.mark.parametrize("word", [4, 8])
def test_blocks_that_are_damaged(word: int) -> None:
    distance = 1 << 8 * word - 1 - OFFSET_BITS[word]
    ((number, text),) = wrong(word, {ROOM: ROOM | USED})
    assert (number, "is free, which is not so") == (2, text[text.index("is free") :])
    assert wrong(word, {0: ROOM | PREVIOUS_FREE})[0][1].endswith("is free, which is not so")
    said = f"it is free, with {ROOM} bytes, but another size at its end"
    assert wrong(word, {2 * ROOM - word: ROOM + 8}) == [(1, said)]
    assert wrong(word, {ROOM + word: START + 8})[0] == (1, f"it says that its carrier is {START + 8:#x}")
    assert wrong(word, {0: ROOM | distance})[0][1].startswith("it says that its carrier is 0x")
    assert wrong(word, {0: ROOM | LAST})[0][1].startswith("it says that it is the last one, with ")
    # What follows a size that cannot be is not gone through.
    for header in (0, SIZE, 7):
        ((number, text),) = wrong(word, {0: header})
        assert (number, text.startswith(f"its header {header:#x} is of none")) == (0, True)


def test_a_carrier_that_cannot_be() -> None:
    one = carrier(8, {})
    with pytest.raises(Unreadable):
        list(Carrier(one.instance, Record(one.record.memory, one.record.layout, "Carrier_t", START + 8)).blocks())
