"""Code under construction: words, labels, literal pools, relocations and mapping symbols."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from jit.arm32.cpus import ARMV7_A, Cpu, Feature
from jit.arm32.encoding import Encoding
from jit.arm32.literal_pool import NEVER, LiteralPool
from jit.arm32.references import fill_branch, fill_difference
from jit.arm32.relocations import R_ARM, External, Relocation
from jit.codegen.processor import Event, Fill, Jumped, Label, OperandError

_NOP = 0xE320F000  # NOP, A1
_JUMP = 0xEA000000  # B, A1, always
_MOV_HALF_ADDEND = range(-0x8000, 0x8000)  # what REL's MOVW and MOVT relocations can hold
#: Where code cannot fall through and the first literal has waited this long, in words, the pool is placed without cost.
_READY = 192


@dataclass(frozen=True, slots=True)
class FinishedCode:
    """Finished code, little-endian.

    ``symbols`` are the named labels with their offsets in bytes. ``mapping`` says where instructions (``$a``) and data
    (``$d``) begin, as the mapping symbols of ELF for the ARM Architecture, 5.5.5, do. ``events`` are what instructions
    do to the stack, and where control goes.
    """

    data: bytes
    symbols: dict[str, int]
    relocations: list[Relocation]
    mapping: list[tuple[int, str]]
    events: list[Event]


class Buffer:
    """What the families of instructions append to."""

    def __init__(self, cpu: Cpu = ARMV7_A) -> None:
        self.cpu = cpu
        #: How many branches and calls have been appended.
        self.branches = 0
        self._words: list[int] = []
        self._events: list[Event] = []
        self._data: list[tuple[int, int]] = []  # (first word, word after the last)
        self._relocations: list[Relocation] = []
        self._late: list[tuple[int, R_ARM, Label]] = []  # relocations to labels without name
        self._symbols: dict[str, Label] = {}
        self._waited_for: dict[Label, None] = {}
        self._pool = LiteralPool()
        self._deadline = NEVER
        self._together_until = 0

    def has(self, feature: Feature) -> bool:
        """Whether the processor has it."""
        return feature in self.cpu.features

    @property
    def offset(self) -> int:
        """Where the next instruction goes, in bytes."""
        return 4 * len(self._words)

    def label(self, name: str = "") -> Label:
        """A new label, bound here."""
        label = Label(name)
        self.bind(label)
        return label

    def bind(self, label: Label) -> None:
        """Let *label* be here. Raises ValueError when it, or another of its name, is bound already."""
        if label.offset is not None:
            raise ValueError(f"{label} is bound already")
        if label.name:
            if label.name in self._symbols:
                raise ValueError(f"two labels have the name {label.name}")
            self._symbols[label.name] = label
        here = label.offset = self.offset
        if label.waiting:
            words = self._words
            for place, origin, fill in label.waiting:
                words[place // 4] = fill(words[place // 4], here - origin)
            label.waiting = []
        self._waited_for.pop(label, None)

    def word(self, value: int | External | Label) -> None:
        """A data word: a signed or unsigned 32-bit integer, or an address (with a relocation)."""
        if isinstance(value, int) and not -(1 << 31) <= value < 1 << 32:
            raise OperandError(f"word: {value} does not fit 32 bits")
        self._begin_data(1)
        bits = value if isinstance(value, int) else self._relocated(R_ARM.ABS32, value)
        self._words.append(bits & 0xFFFF_FFFF)

    def distance(self, label: Label, origin: Label) -> None:
        """A data word with the distance in bytes from *origin*, which must be bound, to *label*."""
        if origin.offset is None:
            raise ValueError(f"a distance is counted from {origin}, which is not bound yet")
        self._begin_data(1)
        value = 0
        if label.offset is not None:
            value = fill_difference(0, label.offset - origin.offset)
        else:
            self._wait(label, origin.offset, fill_difference)
        self._words.append(value)

    def data(self, content: bytes) -> None:
        """Bytes, filled up to whole words with zeros."""
        padded = content + bytes(-len(content) % 4)
        count = len(padded) // 4
        self._begin_data(count)
        self._words += struct.unpack(f"<{count}I", padded)

    def align(self, size: int) -> None:
        """Go on at a multiple of *size* bytes, a power of two from 4 on, with nop instructions up to there."""
        if size < 4 or size & (size - 1):
            raise ValueError(f"align: {size} is not a power of two from 4 on")
        self.together(size // 4)
        while self.offset % size:
            self._emit(_NOP)

    def together(self, count: int) -> None:
        """Keep literal pools out of the next *count* words: tables, code that is patched, all kinds of data.

        A pool may be placed right here, so bind labels of data afterwards.
        """
        here = len(self._words)
        # Each of these words may add a literal of two words, which brings the deadline nearer.
        if here + 3 * count >= self._deadline:
            self._jump_over_pool()
            here = len(self._words)
        self._together_until = max(self._together_until, here + count)

    def unreachable(self) -> None:
        """Code does not fall through here: place the pool if that is due before long."""
        here = len(self._words)
        if here - self._pool.first_use >= _READY and here >= self._together_until:
            self.place_pool()

    def place_pool(self) -> None:
        """Place waiting literals here, where no code falls through."""
        if not self._pool.size:
            return
        self._deadline = NEVER
        self._begin_data(self._pool.size)
        for label, value in self._pool.take():
            self.bind(label)
            self._words.append(value & 0xFFFF_FFFF if isinstance(value, int) else self._relocated(R_ARM.ABS32, value))

    def finish(self) -> FinishedCode:
        """Everything so far, with the literals at the end. Raises ValueError for labels used but never bound."""
        self.place_pool()
        if self._waited_for:
            names = ", ".join(sorted({str(label) for label in self._waited_for}))
            raise ValueError(f"labels used but not bound: {names}")
        for index, kind, label in self._late:
            self._relocate_to_start(index, kind, label)
        self._late = []
        symbols = {name: label.offset for name, label in self._symbols.items() if label.offset is not None}
        relocations = sorted(self._relocations, key=lambda relocation: relocation.offset)
        data = struct.pack(f"<{len(self._words)}I", *self._words)
        return FinishedCode(data, symbols, relocations, self._mapping(), list(self._events))

    @property
    def _next(self) -> tuple[int, int]:
        """Where the next instruction begins and ends."""
        return self.offset, self.offset + 4

    def _emit(self, word: int, *events: Event) -> None:
        """Append an instruction."""
        words = self._words
        words.append(word)
        if events:
            self._events += events
        if len(words) >= self._deadline:
            self._jump_over_pool()

    def _emit_referring(self, word: int, label: Label, fill: Fill, *events: Event) -> None:
        """Append an instruction that *fill* completes from its distance to *label*."""
        if label.offset is not None:
            self._emit(fill(word, label.offset - self.offset), *events)
        else:
            self._wait(label, self.offset, fill)
            self._emit(word, *events)

    def _emit_relocated(self, word: int, kind: R_ARM, symbol: External | Label, *events: Event) -> None:
        """Append an instruction with a relocation of its own."""
        self._emit(word | self._relocated(kind, symbol), *events)

    def _word_literal(self, value: int | External | Label) -> Label:
        """The label of a literal that the next instruction loads."""
        label = self._pool.word(value, len(self._words))
        self._deadline = self._pool.deadline
        return label

    def _double_literal(self, value: float) -> Label:
        """The label of a literal that the next instruction loads."""
        label = self._pool.double(value, len(self._words))
        self._deadline = self._pool.deadline
        return label

    def _require(self, encoding: Encoding) -> None:
        """Raise OperandError unless the processor has what *encoding* needs."""
        if encoding.feature and not self.has(encoding.feature):
            raise OperandError(f"{encoding.mnemonic}: needs a processor with {encoding.feature.value}")

    def _wait(self, label: Label, origin: int, fill: Fill) -> None:
        """Let *fill* complete the next word when *label* is bound, from its distance from *origin*."""
        label.waiting.append((self.offset, origin, fill))
        self._waited_for[label] = None

    def _jump_over_pool(self) -> None:
        if len(self._words) < self._together_until:
            raise ValueError("a literal pool would interrupt words kept together: too many words or literals")
        if self._pool.size:
            after = Label()
            self._wait(after, self.offset, fill_branch)
            self._events.append(Jumped(*self._next, after, always=True))
            self._words.append(_JUMP)
            self.place_pool()
            self.bind(after)

    def _begin_data(self, count: int) -> None:
        """Note that the next *count* words are data."""
        here = len(self._words)
        if here + count >= self._deadline:
            raise ValueError(f"{count} words of data put literals out of reach: say together({count}) before them")
        if self._data and self._data[-1][1] == here:
            self._data[-1] = (self._data[-1][0], here + count)
        elif count:
            self._data.append((here, here + count))

    def _relocated(self, kind: R_ARM, symbol: External | Label) -> int:
        """Note a relocation of the word that comes next; gives the bits of its addend in that word."""
        index = len(self._words)
        if isinstance(symbol, External):
            # A branch counts from pc, which is ahead.
            addend = symbol.addend - 8 if kind in (R_ARM.CALL, R_ARM.JUMP24) else symbol.addend
            bits = _addend_bits(kind, addend)
            self._relocations.append(Relocation(4 * index, kind, symbol.name, addend))
            return bits
        if symbol.name:
            self._relocations.append(Relocation(4 * index, kind, symbol.name, 0))
            if symbol.offset is None:
                self._waited_for[symbol] = None
        else:
            self._late.append((index, kind, symbol))
        return 0

    def _relocate_to_start(self, index: int, kind: R_ARM, label: Label) -> None:
        if label.offset is None:
            raise ValueError(f"labels used but not bound: {label}")
        addend = label.offset
        self._words[index] |= _addend_bits(kind, addend)
        self._relocations.append(Relocation(4 * index, kind, None, addend))

    def _mapping(self) -> list[tuple[int, str]]:
        """Alternating: code from 0 on, unless data comes first."""
        marks: list[tuple[int, str]] = []
        position = 0
        for start, end in self._data:
            if start > position:
                marks.append((4 * position, "$a"))
            marks.append((4 * start, "$d"))
            position = end
        if position < len(self._words):
            marks.append((4 * position, "$a"))
        return marks


def _addend_bits(kind: R_ARM, addend: int) -> int:
    """An addend in the field that the relocation fills; raises OperandError when it does not fit."""
    if kind is R_ARM.ABS32:
        return addend & 0xFFFF_FFFF
    if kind in (R_ARM.MOVW_ABS_NC, R_ARM.MOVT_ABS):
        if addend not in _MOV_HALF_ADDEND:
            raise OperandError(f"movw, movt: the addend {addend} does not fit 16 bits (a label with a name needs none)")
        return (addend & 0xF000) << 4 | addend & 0xFFF
    if addend % 4:
        raise OperandError(f"b: the addend {addend} is no multiple of 4")
    return fill_branch(0, addend + 8)
