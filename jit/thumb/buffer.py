"""Code under construction whose branches and loads of constants do not reach far.

A branch forward has 16 bits, and waits for its label as long as that may come near enough; then an *island*, a jump
that reaches everywhere, is placed amidst the code for it. Constants wait likewise for a place behind the loads that
want them. These places are where code jumps away anyway, or they are jumped over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from jit.arm32.conditions import Condition
from jit.codegen.code_buffer import CodeBuffer, Does
from jit.codegen.processor import Event, Fill, Jumped, Label, OperandError

#: pc is so far ahead of an instruction that reads it.
PC_AHEAD: Final = 4
#: From a branch or load on, how far behind it there may be what it refers to.
_CONDITIONAL_REACH: Final = PC_AHEAD + 254
_JUMP_REACH: Final = PC_AHEAD + 2046
_LOAD_REACH: Final = 1020
_NEVER: Final = 1 << 60
_FAR_SIZE: Final = 4
#: What an instruction adds to what waits, the jump over a pool, and what aligns it, may take at most.
_SLACK: Final = 12
#: Behind a label, so much code is not interrupted: an entry.
TOGETHER: Final = 12

# Where a pool is placed, all goes into it that would have to be placed within so many bytes more.
_SOON: Final = (128, 512, 300)
_SOON_UNREACHED: Final = (64, 300, 500)

#: udf, up to a multiple of four.
_UNREACHED: Final = b"\x00\xde"
_HALF: Final = struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class FinishedCode:
    """Finished code, of which ``instructions`` bytes are that but for literals, and data stand behind them.

    ``mapping`` says where Thumb instructions (``$t``) and data (``$d``) begin, as the mapping symbols of ELF for the
    ARM Architecture, 5.5.5, do. ``events`` are what instructions do to the stack, and where control goes.
    """

    data: bytes
    instructions: int
    events: list[Event]
    mapping: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant of 32 bits: a number, or what *fill* makes of a label's distance from *origin*."""

    value: int
    label: Label | None = None
    origin: int = 0
    fill: Fill | None = None


class Buffer(CodeBuffer):
    """What the assembler appends to. With *thumb2* for ARMv7-M."""

    def __init__(self, *, thumb2: bool = False) -> None:
        super().__init__()
        self.thumb2 = thumb2
        #: To these, jumps reach at once where they are not bound yet: no island that leads to them is needed, which
        #: might stand in the midst of something else.
        self.elsewhere: frozenset[Label] = frozenset()
        # By label, the places of short branches to it, in the order of those that come first; and loads by constant.
        self._conditional: dict[Label, list[int]] = {}
        self._jumps: dict[Label, list[int]] = {}
        self._loads: dict[Literal, list[int]] = {}
        self._deadline = _NEVER
        self._reached = True
        self._literals: list[tuple[int, int]] = []

    # Labels

    def bind(self, label: Label) -> None:
        """Let *label* be here; no pool comes between it and the next TOGETHER bytes."""
        self.together(TOGETHER)
        super().bind(label)
        here = self.offset
        self._reached = True
        waiting = [*self._conditional.pop(label, ()), *self._jumps.pop(label, ())]
        if waiting:
            self._patch(waiting, here)
            self._renew()

    def together(self, size: int) -> None:
        """Keep pools out of the next so many bytes."""
        if self.offset + size + _SLACK > self._deadline:
            self._make_room()

    def finish(self) -> FinishedCode:  # type: ignore[override]  # there is one thing more in it
        """Everything so far. Raises ValueError for labels used but never bound."""
        self.place_pool()
        for label in (*self._conditional, *self._jumps):
            self._waited_for[label] = None
        done = super().finish()
        return FinishedCode(done.data, done.instructions, done.events, list(self._mapping()))

    def _mapping(self) -> Iterator[tuple[int, str]]:
        position, end = 0, self._instructions
        for begin, behind in (*self._literals, (end, self.offset)):
            if begin > position or position == 0:
                yield position, "$t"
            if behind > begin:
                yield begin, "$d"
            position = behind

    def data(self, content: bytes) -> None:
        """Bytes, behind all instructions, filled up to whole words with zeros."""
        super().data(content + bytes(-len(content) % 4))

    # Instructions

    def _instruction(self, code: bytes, *does: Does) -> None:
        """Append an instruction, which may be preceded by a pool."""
        self.together(len(code))
        self._emit(code, *does)
        self._reached = True

    def _left(self) -> None:
        """Code does not fall through here."""
        self._reached = False
        if self._deadline != _NEVER:
            self._place(*_SOON_UNREACHED)

    def _refer(self, code: bytes, label: Label, origin: int, fill: Fill, *does: Does) -> None:
        """Append an instruction of 32 bits that *fill* completes from the distance of *label* from *origin*."""
        self.together(len(code))
        self._emit_referring(code, label, origin, fill, *does)
        self._reached = True

    def _far(self, target: Label) -> None:
        """A jump that reaches everywhere."""
        does = partial(Jumped, target=target, always=True)
        self._emit_referring(far_code(self.thumb2), target, self.offset + PC_AHEAD, fill_far, does)

    def jump_far(self, target: Label) -> None:
        """Go on at *target*, within 16 MiB; without *thumb2*, lr is used up."""
        self.branches += 1
        self.together(_FAR_SIZE)
        self._far(target)
        self._left()

    def jump(self, target: Label) -> None:
        """The same by 16 bits where that is near enough."""
        self.together(_FAR_SIZE)
        here = self.offset
        near = target not in self.elsewhere if target.offset is None else _fits_jump(target.offset - here - PC_AHEAD)
        if not near:
            self.jump_far(target)
            return
        self.branches += 1
        self._emit(_HALF.pack(0xE000), partial(Jumped, target=target, always=True))
        self._short(self._jumps, target, here)
        self._left()

    def jump_if(self, condition: Condition, target: Label) -> None:
        """Go on at *target* if flags tell so; without *thumb2*, lr is used up."""
        self.branches += 1
        self.together(6)
        here = self.offset
        distance = None if target.offset is None else target.offset - here - PC_AHEAD
        if distance is not None and not _fits_conditional(distance):
            over = Label(offset=here + 2 + _FAR_SIZE)
            self._emit(_HALF.pack(0xD001 | condition.inverse.number << 8), partial(Jumped, target=over, always=False))
            self._far(target)
        else:
            self._emit(_HALF.pack(0xD000 | condition.number << 8), partial(Jumped, target=target, always=False))
            self._short(self._conditional, target, here)
        self._reached = True

    def _short(self, waiting: dict[Label, list[int]], target: Label, place: int) -> None:
        if target.offset is not None:
            self._patch([place], target.offset)
        else:
            waiting.setdefault(target, []).append(place)
            self._renew()

    def ldr_literal(self, number: int, literal: Literal) -> None:
        """A register, by its number, = a constant."""
        self.together(2)
        here = self.offset
        self._emit(_HALF.pack(0x4800 | number << 8))
        self._reached = True
        self._loads.setdefault(literal, []).append(here)
        self._renew()

    def _patch(self, places: list[int], target: int) -> None:
        """Let short branches lead to an offset."""
        for place in places:
            (half,) = _HALF.unpack_from(self._data, place)
            distance = target - place - PC_AHEAD
            if half & 0xF000 == 0xD000:
                if not _fits_conditional(distance):
                    raise OperandError(f"b: a distance of {distance} bytes")
                half = half & 0xFF00 | distance >> 1 & 0xFF
            else:
                if not _fits_jump(distance):
                    raise OperandError(f"b: a distance of {distance} bytes")
                half = half & 0xF800 | distance >> 1 & 0x7FF
            _HALF.pack_into(self._data, place, half)

    # Pools. First come islands of conditional branches, which have to be nearest, then others, then constants.

    def place_pool(self) -> None:
        """Place all constants that wait here, where no code falls through."""
        self._reached = False
        self._place(0, 0, _NEVER)

    def place_islands(self) -> None:
        """Place all that waits here, where no code falls through."""
        self._reached = False
        self._place(_NEVER, _NEVER, _NEVER)

    def _make_room(self) -> None:
        """Code goes on behind a pool: of what is due soon or, if that is not enough, of all."""
        self._place_here(*_SOON)
        if self.offset + TOGETHER + _SLACK > self._deadline:
            self._place_here(_NEVER, _NEVER, _NEVER)

    def _place_here(self, *soon: int) -> None:
        if not self._reached:
            self._place(*soon)
            return
        here, over = self.offset, Label()
        self._emit(_HALF.pack(0xE000), partial(Jumped, target=over, always=True))
        self._place(*soon)
        over.offset = self.offset
        self._patch([here], self.offset)

    def _place(self, conditional: int, jumps: int, loads: int) -> None:
        """A pool of what would have to be placed within so many bytes behind it."""
        here = self.offset
        with_loads = bool(self._loads) and _load_limit(self._loads) - here < loads
        size = _FAR_SIZE * (len(self._conditional) + len(self._jumps)) + (4 * len(self._loads) if with_loads else 0)
        islands: dict[Label, list[int]] = {}
        for waiting, reach, soon in (
            (self._conditional, _CONDITIONAL_REACH, conditional),
            (self._jumps, _JUMP_REACH, jumps),
        ):
            due = [label for label, places in waiting.items() if places[0] + reach - here < soon + size]
            for label in due:
                islands.setdefault(label, []).extend(waiting.pop(label))
        for label, places in islands.items():
            self._patch(places, self.offset)
            self._far(label)
        if with_loads:
            self._place_literals()
        self._renew()

    def _place_literals(self) -> None:
        if self.offset % 4:
            self._emit(_UNREACHED)
        begin = self.offset
        for literal, places in self._loads.items():
            for place in places:
                (half,) = _HALF.unpack_from(self._data, place)
                words = self.offset - _aligned(place) >> 2
                if words not in range(256):
                    raise OperandError(f"ldr: a distance of {words} words")
                _HALF.pack_into(self._data, place, half | words)
            word = struct.pack("<I", literal.value & 0xFFFF_FFFF)
            if literal.label is None:
                self._emit(word)
            else:
                assert literal.fill is not None
                self._emit_referring(word, literal.label, literal.origin, literal.fill)
        self._literals.append((begin, self.offset))
        self._loads.clear()

    def _renew(self) -> None:
        """Where the next pool has to begin at the latest."""
        deadline, size = _NEVER, 0
        if self._conditional:
            size += _FAR_SIZE * len(self._conditional)
            deadline = next(iter(self._conditional.values()))[0] + _CONDITIONAL_REACH - size
        if self._jumps:
            size += _FAR_SIZE * len(self._jumps)
            deadline = min(deadline, next(iter(self._jumps.values()))[0] + _JUMP_REACH - size)
        if self._loads:
            size += 4 * len(self._loads)
            deadline = min(deadline, _load_limit(self._loads) - size)
        self._deadline = deadline


def _aligned(place: int) -> int:
    """What a load counts from."""
    return place + PC_AHEAD & ~3


def _load_limit(loads: dict[Literal, list[int]]) -> int:
    return _aligned(next(iter(loads.values()))[0]) + _LOAD_REACH


def _fits_conditional(distance: int) -> bool:
    return -256 <= distance < 256


def _fits_jump(distance: int) -> bool:
    return -2048 <= distance < 2048


def far_code(thumb2: bool) -> bytes:
    """A jump that reaches far, without its distance: bl or, if there is that, b.w."""
    return struct.pack("<HH", 0xF000, 0x9000 if thumb2 else 0xD000)


def fill_far(word: int, distance: int) -> int:
    """bl and b.w, T1 and T4, which count from pc."""
    if distance not in range(-1 << 24, 1 << 24):
        raise OperandError(f"bl, b.w: a distance of {distance} bytes")
    sign = distance >> 24 & 1
    first = sign << 10 | distance >> 12 & 0x3FF
    j1, j2 = (~(distance >> bit) & 1 ^ sign for bit in (23, 22))
    return word | first | (j1 << 13 | j2 << 11 | distance >> 1 & 0x7FF) << 16


#: A fill of constants that hold a distance, or offset, itself.
def fill_distance(_word: int, distance: int) -> int:
    """The distance."""
    return distance & 0xFFFF_FFFF
