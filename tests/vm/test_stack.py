"""Frames on an Erlang stack in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beamgdb.code.loaded import LoadedCode
from beamgdb.code.module import Module, Range
from beamgdb.memory import Unreadable
from beamgdb.vm.stack import MAX_SCAN, FrameForm, StackFrame, StackReader
from jit.otp.code import MAX_REG
from jit.otp.tags import ATOM, HEADER, NIL, PRIMARY_MASK, SMALL
from tests.vm.image import Image

BASE = 0x40_0000
CODE = LoadedCode([Module("m", BASE, 0x1000, (Range(BASE, BASE + 0x1000, "m:f/0", ()),))])

FUNCTION = Range(BASE + 0x100, BASE + 0x200, "m:f/0", ())

TERMS = st.sampled_from([NIL, 5 << 4 | SMALL, 7 << 6 | ATOM, BASE | 1, BASE | 2, 0x55_0001])
"""Words that y registers hold; also those that point into code, but have the tag of a list or a boxed term."""

RETURNS = st.integers(0, 0xFFF // 4).map(lambda index: BASE + 4 * index)
FRAMES = st.lists(st.tuples(st.lists(TERMS, max_size=5), RETURNS), max_size=6)


def frames_of(reader: StackReader, top: int, end: int) -> Iterator[StackFrame]:
    """All frames of the stack from `top` (the stack pointer) to its base `end`, as far as it can be read."""
    while (slot := reader.next_return_address(top, end)) is not None:
        frame = reader.frame(top, slot)
        yield frame
        top = frame.cfa


@given(FRAMES, st.booleans())
def test_frames_from_the_top_to_the_base(frames: list[tuple[list[int], int]], pointers: bool) -> None:
    image = Image()
    words: list[int] = []
    expected: list[StackFrame] = []
    size = sum(len(slots) + 1 + pointers for slots, _ in frames)
    stack = image.block(8 * size)
    for slots, return_address in frames:
        top = stack + 8 * len(words)
        # A frame pointer points into the stack, aligned to words: it looks like a header word, as it does in the VM.
        words += [*slots, *[stack + 0x100] * pointers, return_address]
        expected.append(StackFrame(top, len(slots), return_address, stack + 8 * len(words)))
    image.poke(stack, *words)
    reader = StackReader(image.memory, CODE, FrameForm(frame_pointers=pointers))
    assert list(frames_of(reader, stack, stack + 8 * size)) == expected


def test_only_aligned_addresses_of_loaded_code_are_return_addresses() -> None:
    reader = StackReader(Image().memory, CODE, FrameForm())
    assert reader.is_return_address(BASE)
    assert reader.is_return_address(BASE + 0xFFC)
    for word in (BASE + 1, BASE + 2, BASE + 3, BASE - 4, BASE + 0x1000, 0):
        assert not reader.is_return_address(word)
    assert BASE & PRIMARY_MASK == HEADER


def test_a_stack_ends_where_it_cannot_be_read() -> None:
    image = Image()
    stack = image.words(NIL, BASE + 8, NIL, NIL)
    reader = StackReader(image.memory, CODE, FrameForm())
    assert list(frames_of(reader, stack, stack + 0x1_0000_0000)) == [StackFrame(stack, 1, BASE + 8, stack + 16)]
    assert list(frames_of(reader, 0xDEAD_0000, 0xDEAD_F000)) == []
    assert list(frames_of(reader, stack, stack)) == []
    assert list(frames_of(reader, stack + 8, stack)) == []
    with pytest.raises(Unreadable):
        reader.return_slot(stack + 16, stack + 0x1_0000_0000)


def test_the_description_of_a_function_is_no_return_address() -> None:
    """Tracing puts its address into frames; a module's first function has it right before its first instruction."""
    code = LoadedCode([Module("m", BASE, 0x200, (Range(BASE, BASE + 0x100, "m::codeHeader", ()), FUNCTION))])
    reader = StackReader(Image().memory, code, FrameForm())
    assert reader.is_return_address(FUNCTION.start + 8)
    assert not reader.is_return_address(FUNCTION.start - 24)


def test_the_interpreters_own_words_of_code_lie_side_by_side() -> None:
    """What stands as far behind one as a function behind its description is another one."""
    names = ("return_trace", "return_to_trace", "continue_exit", "normal_exit")
    words = tuple(Range(BASE + 8 * n, BASE + 8 * n + 8, f"erts_interpreter:{one}/0", ()) for n, one in enumerate(names))
    code = LoadedCode([Module("erts_interpreter", BASE, 32, words, of_vm=True)])
    reader = StackReader(Image().memory, code, FrameForm(room_at_top=True))
    assert all(reader.is_return_address(one.start) for one in words)


def test_a_frame_with_more_slots_than_the_compiler_has_y_registers_is_not_sound() -> None:
    image = Image()
    stack = image.words(*[NIL] * (MAX_REG + 1), BASE + 8)
    reader = StackReader(image.memory, CODE, FrameForm())
    slot = reader.return_slot(stack, stack + 0x1_0000_0000)
    assert slot == stack + 8 * (MAX_REG + 1)
    assert not reader.frame(stack, slot).is_sound
    assert reader.frame(stack + 8, slot).is_sound
    far = image.words(*[NIL] * (MAX_SCAN // 8), BASE + 8)
    assert reader.return_slot(far, far + 0x1_0000_0000) is None
