"""Carriers and blocks as they lie in memory, sound and damaged."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from beamgdb.memory import BytesMemory, CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.views import allocators
from beamgdb.views.allocators import HeldRow, held_lines
from beamgdb.vm.allocators import OFFSET_BITS, Block, Carrier, Instance, within
from beamgdb.vm.model import Unavailable
from jit.otp.layouts.layout import Layout, load_table
from tests.vm.image import Image
from tests.vm.test_memory_use import with_allocators

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


def held(address: int, changes: Mapping[int, int]) -> tuple[Block | None, Block | Unreadable | None]:
    """What block an address is in, by its distance from the first one, and what is wrong before that."""
    one = carrier(8, changes)
    first = next(one.blocks()).address
    found = within(one, first + address)
    return found.block, found.damage


def test_which_block_has_an_address() -> None:
    block, damage = held(ROOM + 8, {})
    assert block is not None
    assert (block.size, block.is_used, damage) == (ROOM, False, None)
    assert held(-8, {}) == (None, None)


def test_a_block_behind_a_damaged_one() -> None:
    """Where it begins is known of the one before alone."""
    for header in (0, 7):
        block, damage = held(ROOM + 8, {0: header})
        assert block is None
        assert isinstance(damage, Block)
        assert damage.wrong.startswith(f"its header {header:#x} is of none")
    block, damage = held(ROOM + 8, {0: SIZE})
    assert block is not None
    assert (block.wrong.startswith(f"its header {SIZE:#x} is of none"), damage) == (True, None)
    block, damage = held(2 * ROOM + 8, {0: ROOM | PREVIOUS_FREE})
    assert block is not None
    assert isinstance(damage, Block)
    assert damage.wrong.endswith("is free, which is not so")


def test_what_is_said_of_a_damaged_block() -> None:
    damage = "of the block at 0x8, before it: its header 0x0 is of none"
    row = HeldRow(4096, "x_alloc", 1, START, SIZE, "multi", None, None, None, None, "", damage)
    first, *others = held_lines(row, 8)
    assert first == "0x1000 is in a carrier; in which of its blocks cannot be told, for one before it is damaged"
    assert f"damage:     {damage}" in others


def test_a_list_of_carriers_that_is_damaged() -> None:
    """Then an address may be in one that is not found."""
    image = Image()
    instances = with_allocators(image)
    with pytest.raises(Unavailable, match=r"^0x1000 is in no carrier of the VM's allocators: it may be the program's"):
        allocators.held(image.node(), 4096)
    image.struct("Allctr_t", {"mbc_list.first": 0xDEAD_0000}, instances["fix_"])
    image.memory.forget()
    with pytest.raises(Unavailable, match="can be found, but not all can: cannot read memory: 8 bytes at 0xdead0008"):
        allocators.held(image.node(), 4096)


def test_a_carrier_of_which_a_part_is_missing() -> None:
    one = carrier(8, {})
    whole = one.record.memory.read(START, SIZE)
    instance = one.instance.record.memory.read(4096, one.record.layout.size("Allctr_t"))
    first = next(one.blocks()).address
    cut = CachedMemory(BytesMemory({START: whole[: first + ROOM - START], 4096: instance}))
    rest = Carrier(
        Instance("x_alloc", 1, Record(cut, one.record.layout, "Allctr_t", 4096)),
        Record(cut, one.record.layout, "Carrier_t", START),
    )
    found = within(rest, first + 8)
    assert (found.block, found.damage) == (next(one.blocks()), None)
    found = within(rest, first + ROOM + 8)
    assert found.block is None
    assert isinstance(found.damage, Unreadable)
