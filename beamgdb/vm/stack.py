"""The stack of an Erlang process: y registers, catches and return addresses, from the top down to the first function.

A frame is `y0 .. yN` and then, at the higher addresses, the return address into the caller; with frame pointers
(`FrameLayout.FRAME_POINTER`) the caller's frame pointer lies between. Return addresses are aligned to 4 bytes and so
have the tag of a header word, which no y register ever has (erl_gc.c scans the stack by the same rule).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from beamgdb.beamasm.registrations import FrameLayout
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.terms.tags import HEADER, PRIMARY_MASK
from beamgdb.vm.code import CodeIndex
from beamgdb.vm.processes import Process

MAX_SCAN = 1 << 20
"""Bytes that are searched for frames where the base of the stack is not known."""

MAX_SLOTS = 1 << 27
"""Words of a stack that are looked at: more than the largest heap block holds is a corrupt process."""


def stack_end(process: Process, top: int) -> int:
    """Address after the stack that has its top at `top`. While a garbage collection moves the stack, the process does
    not tell: then it is a guess, and frames end with that of the first function."""
    end = process.record["hend"]
    return end if top <= end else top + MAX_SCAN


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame on the stack: `address` of y0, `slots` y registers, and the `return_address` above them.

    `cfa` is the address above the return address: where the caller's frame begins.
    """

    address: int
    slots: int
    return_address: int
    cfa: int


class StackReader:
    """Finds frames on stacks of one VM."""

    def __init__(self, memory: CachedMemory, code: CodeIndex, layout: FrameLayout) -> None:
        self._memory = memory
        self._code = code
        self._layout = layout
        self._word = memory.word_size

    def is_return_address(self, word: int) -> bool:
        """Whether a word on a stack is one: tagged as such, and in loaded code."""
        return word & PRIMARY_MASK == HEADER and self._code.find(word) is not None

    def next_return_address(self, address: int, end: int) -> int | None:
        """Where the first return address at or above `address` lies. None without one below `end`, the stack's base."""
        for slot in range(address, min(end, address + MAX_SLOTS * self._word), self._word):
            try:
                if self.is_return_address(self._memory.word(slot)):
                    return slot
            except Unreadable:
                return None
        return None

    def frame(self, top: int, return_slot: int) -> Frame:
        """The frame from `top` (y0) to its return address at `return_slot`. Raises `Unreadable`."""
        extra = 1 if self._layout is FrameLayout.FRAME_POINTER else 0
        slots = max(0, (return_slot - top) // self._word - extra)
        return Frame(top, slots, self._memory.word(return_slot), return_slot + self._word)

    def frames(self, top: int, end: int) -> Iterator[Frame]:
        """All frames of the stack from `top` (the stack pointer) to its base `end`."""
        while (slot := self.next_return_address(top, end)) is not None:
            frame = self.frame(top, slot)
            yield frame
            top = frame.cfa
