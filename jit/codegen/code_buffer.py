"""Code under construction: what assemblers have in common that place no literals amidst code."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from jit.codegen.processor import Event, Fill, Jumped, Label

#: What an instruction does, told of where it begins and ends.
Does = Callable[[int, int], Event]
#: Control goes elsewhere.
LEFT: Final = partial(Jumped, target=None, always=True)

_WORD: Final = struct.Struct("<I")
_BITS: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class FinishedCode:
    """Finished code, of which ``instructions`` bytes are that, and data stand behind them.

    ``events`` are what instructions do to the stack, and where control goes.
    """

    data: bytes
    instructions: int
    events: list[Event]


class CodeBuffer:
    """What an assembler appends to; ``finish`` gives the code."""

    def __init__(self) -> None:
        #: How many branches and calls have been appended.
        self.branches = 0
        self._data = bytearray()
        self._instructions = 0
        self._events: list[Event] = []
        self._waited_for: dict[Label, None] = {}

    @property
    def offset(self) -> int:
        """Where the next instruction goes, in bytes from the beginning."""
        return len(self._data)

    def bind(self, label: Label) -> None:
        """Let *label* be here. Raises ValueError when it is bound already."""
        if label.offset is not None:
            raise ValueError(f"{label} is bound already")
        label.offset = self.offset
        for place, origin, fill in label.waiting:
            (word,) = _WORD.unpack_from(self._data, place)
            _WORD.pack_into(self._data, place, fill(word, label.offset - origin) & _BITS)
        label.waiting = []
        self._waited_for.pop(label, None)

    def data(self, content: bytes) -> None:
        """Bytes, behind all instructions."""
        self._data += content

    def finish(self) -> FinishedCode:
        """Everything so far. Raises ValueError for labels used but never bound."""
        if self._waited_for:
            raise ValueError(f"labels used but not bound: {', '.join(sorted(map(str, self._waited_for)))}")
        return FinishedCode(bytes(self._data), self._instructions, list(self._events))

    def _emit(self, code: bytes, *does: Does) -> None:
        """Append an instruction."""
        begin = len(self._data)
        self._data += code
        self._instructions = end = len(self._data)
        for one in does:
            self._events.append(one(begin, end))

    def _emit_referring(self, code: bytes, label: Label, origin: int, fill: Fill, *does: Does) -> None:
        """Append one whose last 32 bits *fill* completes from the distance of *label* from *origin*."""
        place = self.offset + len(code) - _WORD.size
        if label.offset is not None:
            (word,) = _WORD.unpack(code[-_WORD.size :])
            code = code[: -_WORD.size] + _WORD.pack(fill(word, label.offset - origin) & _BITS)
        else:
            label.waiting.append((place, origin, fill))
            self._waited_for[label] = None
        self._emit(code, *does)
