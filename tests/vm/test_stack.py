"""Frames on an Erlang stack in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beamgdb.beamasm.registrations import FrameLayout, Module, Range
from beamgdb.terms.tags import ATOM, HEADER, NIL, PRIMARY_MASK, SMALL
from beamgdb.vm.code import CodeIndex
from beamgdb.vm.stack import Frame, StackReader
from tests.vm.image import Image

BASE = 0x40_0000
CODE = CodeIndex([Module("m", BASE, 0x1000, (Range(BASE, BASE + 0x1000, "m:f/0", ()),))])

TERMS = st.sampled_from([NIL, 5 << 4 | SMALL, 7 << 6 | ATOM, BASE | 1, BASE | 2, 0x55_0001])
"""Words that y registers hold; also those that point into code, but have the tag of a list or a boxed term."""

RETURNS = st.integers(0, 0xFFF // 4).map(lambda index: BASE + 4 * index)
FRAMES = st.lists(st.tuples(st.lists(TERMS, max_size=5), RETURNS), max_size=6)


@given(FRAMES, st.sampled_from(FrameLayout))
def test_frames_from_the_top_to_the_base(frames: list[tuple[list[int], int]], layout: FrameLayout) -> None:
    image = Image()
    words: list[int] = []
    expected: list[Frame] = []
    size = sum(len(slots) + 1 + layout for slots, _ in frames)
    stack = image.block(8 * size)
    for slots, return_address in frames:
        top = stack + 8 * len(words)
        # A frame pointer points into the stack, aligned to words: it looks like a header word, as it does in the VM.
        words += [*slots, *[stack + 0x100] * layout, return_address]
        expected.append(Frame(top, len(slots), return_address, stack + 8 * len(words)))
    image.poke(stack, *words)
    reader = StackReader(image.memory, CODE, layout)
    assert list(reader.frames(stack, stack + 8 * size)) == expected


def test_only_aligned_addresses_of_loaded_code_are_return_addresses() -> None:
    reader = StackReader(Image().memory, CODE, FrameLayout.RETURN_ADDRESS)
    assert reader.is_return_address(BASE)
    assert reader.is_return_address(BASE + 0xFFC)
    for word in (BASE + 1, BASE + 2, BASE + 3, BASE - 4, BASE + 0x1000, 0):
        assert not reader.is_return_address(word)
    assert BASE & PRIMARY_MASK == HEADER


def test_a_stack_ends_where_it_cannot_be_read() -> None:
    image = Image()
    stack = image.words(NIL, BASE + 8, NIL, NIL)
    reader = StackReader(image.memory, CODE, FrameLayout.RETURN_ADDRESS)
    assert list(reader.frames(stack, stack + 0x1_0000_0000)) == [Frame(stack, 1, BASE + 8, stack + 16)]
    assert list(reader.frames(0xDEAD_0000, 0xDEAD_F000)) == []
    assert list(reader.frames(stack, stack)) == []
    assert list(reader.frames(stack + 8, stack)) == []
