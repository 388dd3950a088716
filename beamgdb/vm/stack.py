"""The stack of an Erlang process: y registers, catches and return addresses, from the top down to the first function.

A frame is `y0 .. yN` and then, at the higher addresses, the return address into the caller; with frame pointers
the caller's frame pointer lies between. Return addresses are aligned to 4 bytes and so
have the tag of a header word, which no y register ever has (erl_gc.c scans the stack by the same rule). Only frames of
tracing hold other words with that tag: see `trace_frames`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Optional

from beamgdb.code.loaded import LoadedCode, Place
from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.vm import trace_frames
from beamgdb.vm.processes import Process
from jit.otp.code import MAX_REG, MFA_WORDS
from jit.otp.tags import HEADER, PRIMARY_MASK

MAX_SCAN = 1 << 20
"""Bytes that are searched for a return address: in a sound stack it is less than 9 KiB away."""

AT_ONCE = 256
"""Bytes of a stack that are read together: most frames are smaller."""

SMALL_STACK = 4 << 10
"""Bytes of one that is read as a whole: nearly all are."""

MAX_SHAPES = 1 << 14
"""Shapes of stacks whose frames are kept: most processes wait in a few functions."""

MAX_SLOTS = 1 << 27
"""Words of a stack that are looked at: more than the largest heap block holds is a corrupt process."""


@dataclass(frozen=True)
class FrameForm:
    """How a VM has frames on its stacks.

    `frame_pointers`: below each return address lies the caller's frame pointer. `room_at_top`: the Erlang stack pointer
    points below the frame of the function that runs, to where a call puts the return address; free as long as there is
    none.
    """

    frame_pointers: bool = False
    room_at_top: bool = False


def stack_end(process: Process, top: int) -> int:
    """Address after the stack that has its top at `top`. While a garbage collection moves the stack, the process does
    not tell: then it is a guess, and frames end with that of the first function."""
    end = process.record["hend"]
    return end if top <= end else top + MAX_SCAN


def is_base(process: Process, end: int) -> bool:
    """Whether a frame that ends at `end` has nothing outside of it: no stack goes on where its block ends. Never so
    while a garbage collection has moved the stack but not yet said where it ends: the old end, wherever that is."""
    return process.has_sound_stack() and end >= process.record["hend"]


class StackFrame(NamedTuple):
    """A frame on the stack: `address` of y0, `slots` y registers, and the `return_address` above them.

    `cfa` is the address above the return address: where the caller's frame begins.
    """

    address: int
    slots: int
    return_address: int
    cfa: int

    @property
    def is_sound(self) -> bool:
        """Whether it can be one: not so where the stack, its bounds or the table of loaded code are damaged."""
        return self.slots <= MAX_REG


Shape = tuple[int, bool, tuple[Optional[int], ...]]
"""What tells which frames there are on a stack: where the process goes on, whether that is a return address, and each
word that has the tag of one, None in the place of others."""

Part = tuple[int, bool, Optional[Place], slice, int]
"""A function on a stack of some shape: `pc`, `calling`, `place` and `damaged` as in `backtrace.Level`, and which of the
words of the stack are its y registers."""


class StackReader:
    """Finds frames on stacks of one VM."""

    def __init__(self, memory: CachedMemory, code: LoadedCode, form: FrameForm) -> None:
        self._memory = memory
        self.code = code
        self._form = form
        self._word = memory.word_size
        self.shapes: dict[Shape, list[Part]] = {}
        """What is on stacks of the shapes that have been met, as long as the same code is loaded."""

    def keep(self, shape: Shape, parts: list[Part]) -> None:
        """Note what is on stacks of a shape."""
        if len(self.shapes) >= MAX_SHAPES:
            self.shapes.clear()
        self.shapes[shape] = parts

    def part(self, pc: int, calling: bool, place: Place | None, frame: StackFrame | None, top: int) -> Part:
        """A function with its frame on a stack from `top` on."""
        at, slots = ((frame.address - top) // self._word, frame.slots) if frame is not None else (0, 0)
        if frame is None or frame.is_sound:
            return pc, calling, place, slice(at, at + slots), 0
        return pc, calling, place, slice(0, 0), slots

    def small(self, top: int, end: int) -> tuple[int, ...]:
        """All words of a stack, none of one that is large or cannot be read. With frame pointers no two stacks are of
        one shape: there are none either."""
        size = end - top
        if not 0 < size <= SMALL_STACK or size % self._word or self._form.frame_pointers:
            return ()
        try:
            return self._memory.words(top, size // self._word)
        except Unreadable:
            return ()

    def is_return_address(self, word: int) -> bool:
        """Whether a word on a stack is one: tagged as such, and in loaded code, where that is not the description of
        a function, which lies right before it. The interpreter's own words of code have none, and lie side by side."""
        place = self.code.find(word) if word & PRIMARY_MASK == HEADER else None
        if place is None:
            return False
        is_own = place.is_internal and place.code.start == word
        return is_own or not self._is_entry(word + MFA_WORDS * self._word)

    def y0(self, stack_pointer: int) -> int:
        """Where y0 of the innermost frame is, from the Erlang stack pointer. Raises `Unreadable`."""
        if not self._form.room_at_top or self.is_return_address(self._memory.word(stack_pointer)):
            return stack_pointer
        return stack_pointer + self._word

    def _is_entry(self, address: int) -> bool:
        """Whether a function begins there. Code may return to what stands that near before its description."""
        place = self.code.find(address)
        return place is not None and place.code.start == address and not place.is_fragment

    def return_slot(self, top: int, end: int, place: Place | None = None) -> int | None:
        """Where the return address of the frame with y0 at `top` lies, None without one below `end`, the stack's base.
        `place`: code of the frame, if known. Raises `Unreadable`."""
        if trace_frames.begins_with_function(place) and top < end and self._is_entry(self._memory.word(top)):
            top += self._word
        end = min(end, top + MAX_SCAN)
        for at in range(top, end, AT_ONCE):
            for number, word in enumerate(self._words(at, min(end, at + AT_ONCE))):
                if word & PRIMARY_MASK == HEADER and self.is_return_address(word):
                    return at + number * self._word
        return None

    def _words(self, start: int, end: int) -> Iterable[int]:
        """The words of a part of a stack; one by one where not all can be read."""
        try:
            return self._memory.words(start, (end - start + self._word - 1) // self._word)
        except Unreadable:
            return map(self._memory.word, range(start, end, self._word))

    def next_return_address(self, address: int, end: int, place: Place | None = None) -> int | None:
        """As `return_slot`; None also where the stack cannot be read."""
        try:
            return self.return_slot(address, end, place)
        except Unreadable:
            return None

    def frame(self, top: int, return_slot: int) -> StackFrame:
        """The frame from `top` (y0) to its return address at `return_slot`. Raises `Unreadable`."""
        extra = 1 if self._form.frame_pointers else 0
        slots = max(0, (return_slot - top) // self._word - extra)
        return StackFrame(top, slots, self._memory.word(return_slot), return_slot + self._word)

    def words(self, frame: StackFrame) -> tuple[int, ...]:
        """y registers of a sound frame, y0 first. Raises `Unreadable`."""
        return self._memory.words(frame.address, frame.slots)
