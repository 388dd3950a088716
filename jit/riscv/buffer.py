"""Code whose branches reach their places, however far these come to be.

A branch to a place that is not known yet has the form that goes a few KiB, a jump or call that which goes a MiB: those
that get too far away from what they still wait for go to an island instead, which goes on to there. Islands are put
between two instructions, where code goes around them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from jit.codegen.code_buffer import CodeBuffer, Does
from jit.codegen.processor import Called, Fill, Jumped, Label
from jit.riscv.encoding import b_type, i_type, j_type, split, u_type
from jit.riscv.operands import T6, ZERO, Register

_JAL, _JALR, _AUIPC = 0x6F, 0x67, 0x17
#: What stands after a label or a jump to it is not parted by an island for so many bytes.
TOGETHER: Final = 64
#: Bytes of an island.
_SIZE: Final = 8
#: From an island on, registers are as they were: this one is for it.
_SCRATCH: Final = T6

#: Is entered while islands are appended: of calls, in which a place to return to is in a register, or of jumps.
Apart = Callable[[bool], AbstractContextManager[None]]


def bytes_of(word: int) -> bytes:
    """An instruction of 32 bits."""
    return struct.pack("<I", word)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A branch, jump or call that waits for a label; ``event`` is its index in the events."""

    place: int
    label: Label
    fill: Fill
    event: int


class _Reach:
    """Those of one form, in the order of their places, which go so many bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: list[_Waiting] = []
        self._due = self._limit()

    def add(self, one: _Waiting) -> None:
        self._waiting.append(one)
        self._due = self._limit()

    def due(self, offset: int) -> list[_Waiting]:
        """Which have to go to islands at an offset, those that soon would have to as well; they are forgotten."""
        if offset < self._due:
            return []
        self._waiting = [one for one in self._waiting if one.label.offset is None]
        self._due = self._limit()
        if offset < self._due:
            return []
        farthest = offset - self._most // 2
        gone = [one for one in self._waiting if one.place <= farthest]
        self._waiting = self._waiting[len(gone) :]
        self._due = self._limit()
        if offset >= self._due:  # so many stand so near to one another
            gone += self._waiting
            self._waiting = []
            self._due = self._limit()
        return gone

    def _limit(self) -> int:
        """Where the first needs an island, before which those of all others may stand."""
        if not self._waiting:
            return 1 << 62
        return self._waiting[0].place + self._most - _SIZE * len(self._waiting) - 2 * TOGETHER


class ReachingBuffer(CodeBuffer):
    """What the assembler appends to."""

    def __init__(self, apart: Apart) -> None:
        super().__init__()
        self._apart = apart
        self._near, self._far = _Reach(1 << 12), _Reach(1 << 20)
        self._whole = False

    def bind(self, label: Label) -> None:
        """Let *label* be here, and what comes next with it. Raises ValueError when it is bound already."""
        self.reach(TOGETHER)
        super().bind(label)

    @contextmanager
    def whole(self, size: int = TOGETHER) -> Iterator[None]:
        """No island is put into what is appended meanwhile, which has not more than so many bytes."""
        self.reach(size)
        outside, self._whole = self._whole, True
        yield
        self._whole = outside

    def reach(self, ahead: int = 0) -> None:
        """Append islands for what needs them before so many bytes more are appended."""
        if self._whole:
            return
        at = self.offset + ahead
        waiting = self._near.due(at) + self._far.due(at)
        if not waiting:
            return
        is_call = [isinstance(self._events[one.event], Called) for one in waiting]
        self._whole = True
        for called in sorted(set(is_call)):
            by_label: dict[Label, list[_Waiting]] = {}
            for one, kind in zip(waiting, is_call):
                if kind == called:
                    by_label.setdefault(one.label, []).append(one)
            size = 4 + _SIZE * len(by_label)
            over = Label(offset=self.offset + size)
            self._emit(bytes_of(_JAL | j_type(size)), partial(Jumped, target=over, always=True))
            with self._apart(called):
                for label, those in by_label.items():
                    self._island(label, those)
        self._whole = False

    def _island(self, label: Label, waiting: list[_Waiting]) -> None:
        here = Label(offset=self.offset)
        for one in waiting:
            label.waiting.remove((one.place, one.place, one.fill))
            (word,) = struct.unpack_from("<I", self._data, one.place)
            struct.pack_into("<I", self._data, one.place, one.fill(word, self.offset - one.place))
            event = self._events[one.event]
            assert isinstance(event, Jumped | Called)
            self._events[one.event] = replace(event, target=here)
        self.go_far(ZERO, label)

    def go_far(self, rd: Register, label: Label) -> None:
        """Go to a label wherever it is, by way of a register that islands have; rd = where to go on behind that."""
        does: Does = partial(Jumped, target=label, always=True) if rd is ZERO else partial(Called, target=label)
        self.branches += 1
        self.refer_twice(u_type(_AUIPC, _SCRATCH, 0), i_type(_JALR, rd, _SCRATCH, 0), label, does)

    def refer_twice(self, upper: int, lower: int, label: Label, *does: Does) -> None:
        """Append two instructions, which hold the upper and the lower part of the distance of a label from the first;
        what the second one *does*."""
        with self.whole():
            begin = self.offset
            self._emit_referring(bytes_of(upper), label, begin, lambda word, far: word | split(far)[0] << 12)
            self._emit_referring(bytes_of(lower), label, begin, lambda word, far: word | split(far)[1] << 20, *does)

    def wait_near(self, word: int, label: Label, does: Does) -> None:
        """Append a branch."""
        self._wait(self._near, word, label, lambda word, distance: word | b_type(distance), does)

    def wait_far(self, word: int, label: Label, does: Does) -> None:
        """Append a jump or call."""
        self._wait(self._far, word, label, lambda word, distance: word | j_type(distance), does)

    def _wait(self, reach: _Reach, word: int, label: Label, fill: Fill, does: Does) -> None:
        self.reach()
        one = _Waiting(self.offset, label, fill, len(self._events))
        self._emit_referring(bytes_of(word), label, one.place, fill, does)
        reach.add(one)

    def _emit(self, code: bytes, *does: Does) -> None:
        self.reach()
        super()._emit(code, *does)


def nowhere(_called: bool) -> AbstractContextManager[None]:
    """For code in which islands are like the rest."""
    return nullcontext()
