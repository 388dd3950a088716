"""What machine code for 32-bit ARM does to registers and to the stack, followed along its paths."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator
from dataclasses import field
from typing import Final, Union

from beamgdb.late import dataclass
from beamgdb.machine_code.arm32 import (
    ALWAYS,
    CALL_CLOBBERED,
    UNTRACKED,
    Arm32Instruction,
    Effect,
    Transfer,
    advanced,
    decode,
)
from beamgdb.machine_code.reading import ReadMemory

WORD: Final = 4
ADDRESSES: Final = 0xFFFFFFFF
MAX_TABLE: Final = 1024
"""Entries of a jump table."""
PAGE: Final = 4096
"""Bytes of code that are read at a time."""


@dataclass(frozen=True)
class Register:
    """What register `name` holds at the place in question, plus `offset`."""

    name: str
    offset: int = 0


@dataclass(frozen=True)
class Saved:
    """The word (double word, for d8 to d15) in memory at what register `base` holds, plus `offset`."""

    base: str
    offset: int


@dataclass(frozen=True)
class TableEntry:
    """A distance read from a jump table, or an address made of it."""

    table: int
    index: str
    added: bool = False


Held = Union[Register, Saved, TableEntry, int]


class PagedCode:
    """Machine code, read page by page and kept: it does not change.

    `read` is asked for whole pages, and for less where a page cannot be read.
    """

    def __init__(self, read: ReadMemory) -> None:
        self._read = read
        self._pages: dict[int, bytes | None] = {}

    def at(self, address: int, size: int) -> bytes:
        """Up to `size` bytes at `address`; fewer, or none, where memory ends."""
        page, at = address // PAGE, address % PAGE
        if page not in self._pages:
            self._pages[page] = self._read(page * PAGE, PAGE)
        held = self._pages[page]
        if held is None:
            return self._read(address, size) or b""
        part = held[at : at + size]
        return part if len(part) == size else part + self.at(address + len(part), size - len(part))

    def word(self, address: int) -> int | None:
        raw = self.at(address, WORD)
        return int.from_bytes(raw, "little") if len(raw) == WORD else None


@dataclass
class PathState:
    """What is known at a point of the code. What is not in `registers` and `memory` is unknown, or as it was before."""

    registers: dict[str, Held]
    memory: dict[tuple[str, int], Held | None] = field(default_factory=dict)
    """Words stored since the beginning, by register (as of the beginning) and offset. None: an unknown value."""
    compared: tuple[str, int] | None = None
    """The last comparison of a register with a number."""

    def copy(self) -> PathState:
        return PathState(dict(self.registers), dict(self.memory), self.compared)

    def apply(self, effect: Effect, here: int, code: PagedCode) -> None:
        """Make a change; `here` is the address of the instruction."""
        kind, to, source, amount, other = effect
        if kind == "set":
            self._put(to, _plus(self._get(source, here), amount) if source else amount & ADDRESSES)
        elif kind in ("add", "sub"):
            self._put(to, _combined(kind, self._get(source, here), self._get(other, here)))
        elif kind == "top":
            low = self.registers.get(to)
            self._put(to, amount << 16 | low & 0xFFFF if isinstance(low, int) else None)
        elif kind == "load":
            self._put(to, self._loaded(_plus(self._get(source, here), amount), source == "here", code))
        elif kind == "store":
            self._store(_plus(self._get(source, here), amount), to)
        elif kind == "entry":
            base = _plus(self._get(source, here), amount)
            self._put(to, TableEntry(base, other) if isinstance(base, int) else None)
        elif kind == "compare":
            self.compared = (source, amount)
        else:
            self._put(to, None)

    def call(self) -> None:
        """Code that keeps the rules of calls has run."""
        self.forget(CALL_CLOBBERED)

    def forget(self, names: Iterable[str]) -> None:
        """These registers may have changed."""
        for name in names:
            if name:
                self._put(name, None)

    def _get(self, name: str, here: int) -> Held | None:
        return here if name == "here" else self.registers.get(name)

    def _put(self, name: str, value: Held | None) -> None:
        if name[0] in "qs" and name[1:].isdigit():
            number = int(name[1:])
            for part in (number // 2,) if name[0] == "s" else (2 * number, 2 * number + 1):
                self.registers.pop(f"d{part}", None)
        elif value is None:
            self.registers.pop(name, None)
        else:
            self.registers[name] = value
        if self.compared is not None and self.compared[0] == name:
            self.compared = None

    def _loaded(self, address: Held | None, literal: bool, code: PagedCode) -> Held | None:
        if isinstance(address, int):
            return code.word(address) if literal else None
        if not isinstance(address, Register):
            return None
        place = (address.name, address.offset)
        return self.memory[place] if place in self.memory else Saved(*place)

    def _store(self, address: Held | None, name: str) -> None:
        if isinstance(address, Register):
            self.memory[address.name, address.offset] = self.registers.get(name)
            if name[0] == "d":
                self.memory[address.name, address.offset + WORD] = None


def _plus(value: Held | None, amount: int) -> Held | None:
    if isinstance(value, int):
        return (value + amount) & ADDRESSES
    if isinstance(value, Register):
        return Register(value.name, value.offset + amount) if amount else value
    return value if amount == 0 else None


def _combined(kind: str, one: Held | None, other: Held | None) -> Held | None:
    """A sum or difference."""
    if kind == "add" and isinstance(one, int) and not isinstance(other, int):
        one, other = other, one
    if not isinstance(other, int):
        return None
    if isinstance(one, TableEntry):
        return TableEntry(one.table, one.index, True) if kind == "add" and other == one.table else None
    signed = other - (1 << 32) if other >> 31 else other
    return _plus(one, signed if kind == "add" else -signed)


@dataclass
class _Path:
    """Somewhere to go on."""

    pc: int
    thumb: bool
    state: PathState
    calls: int = 0
    """Calls crossed. One may be of a function that never returns, and what follows it in memory something else."""
    it_state: int = 0
    assumed: tuple[int, bool] | None = None
    """Half a condition's number, and whether the even one holds, as chosen since the flags were last set."""


@dataclass(frozen=True)
class Return:
    """A way out of the function, with the state in the caller."""

    calls: int
    """Crossed on the way there."""
    state: PathState
    address: Register | Saved
    sure: bool
    """It is no jump to a computed address, which may lead elsewhere in the function."""


class Walk:
    """The paths of machine code from one place on, those across few calls first."""

    def __init__(self, code: PagedCode, starts: Container[int], budget: int) -> None:
        """`starts`: where functions start, odd for Thumb code; a path that runs into one was none, as the call before
        it never returns. `budget`: instructions."""
        self._code = code
        self._starts = starts
        self._budget = budget
        self._seen: set[tuple[int, int, tuple[int, bool] | None]] = set()
        self._paths: list[tuple[int, int, _Path]] = []
        self._count = 0
        self._returns: list[Return] = []
        self.computed: list[PathState] = []
        """States at jumps to computed addresses."""
        self.complete = True
        """The budget was enough so far."""

    def begin(self, pc: int, thumb: bool, state: PathState, it_state: int = 0) -> None:
        self._later(_Path(pc, thumb, state, it_state=it_state))

    def returns(self) -> Iterator[Return]:
        """All returns that paths lead to."""
        while self._paths:
            self._follow(heapq.heappop(self._paths)[2], None)
            yield from self._returns
            self._returns.clear()

    def reach(self, place: int) -> PathState | None:
        """The state before the instruction at `place`; None if no path was found there."""
        while self._paths:
            found = self._follow(heapq.heappop(self._paths)[2], place)
            if found is not None:
                return found
        return None

    def _later(self, path: _Path) -> None:
        self._count += 1
        heapq.heappush(self._paths, (path.calls, self._count, path))

    def _follow(self, path: _Path, place: int | None) -> PathState | None:
        """One path until it ends, forks or crosses a call. The state, if it comes to `place`."""
        while True:
            key = (path.pc | path.thumb, path.it_state, path.assumed)
            if key in self._seen:
                return None
            if path.pc == place:
                return path.state
            if self._budget <= 0:
                self.complete = False
                self._paths.clear()
                return None
            if path.pc | path.thumb in self._starts and self._seen:
                return None
            self._seen.add(key)
            self._budget -= 1
            instruction = decode(self._code.at(path.pc, WORD), path.pc, path.thumb)
            if not self._step(path, instruction):
                return None

    def _step(self, path: _Path, instruction: Arm32Instruction) -> bool:
        """Execute an instruction, or skip it where its condition does not hold. False: the path ends or is put off."""
        it_state, path.it_state = path.it_state, advanced(path.it_state) or instruction.it_state
        condition = it_state >> 4 if it_state else instruction.condition
        if condition < ALWAYS and path.assumed is not None and path.assumed[0] == condition >> 1:
            if path.assumed[1] == bool(condition & 1):
                path.pc += instruction.size
                return True
        elif condition != ALWAYS:
            if not _matters(instruction):
                path.state.forget(effect.to for effect in instruction.effects if effect.kind != "store")
                path.assumed = None if instruction.sets_flags else path.assumed
                path.pc += instruction.size
                return True
            self._skip(path, instruction, condition)
        if instruction.sets_flags and not (it_state and instruction.size == 2 and not instruction.compares):
            path.assumed = None
        for effect in instruction.effects:
            path.state.apply(effect, path.pc, self._code)
        return self._go(path, instruction)

    def _skip(self, path: _Path, instruction: Arm32Instruction, condition: int) -> None:
        """Put off the path on which the condition does not hold, and take this one to be that on which it does."""
        other = _Path(path.pc + instruction.size, path.thumb, path.state.copy(), path.calls, path.it_state)
        if condition != UNTRACKED:
            path.assumed, other.assumed = (condition >> 1, not condition & 1), (condition >> 1, bool(condition & 1))
        self._later(other)

    def _go(self, path: _Path, instruction: Arm32Instruction) -> bool:
        control = instruction.control
        if control is Transfer.NEXT:
            path.pc += instruction.size
            return True
        if control is Transfer.INDIRECT:
            return self._indirect(path, instruction)
        if control is Transfer.JUMP:
            assert instruction.target is not None
            path.pc += instruction.target
            if path.pc | path.thumb not in self._starts:
                return True
            self._leave(path, path.state.registers.get("lr"), sure=True)
        elif control is Transfer.CALL:
            path.state.call()
            path.pc += instruction.size
            path.calls += 1
            self._later(path)
        elif control is Transfer.RETURN:
            self._leave(path, path.state.registers.get("pc"), sure=True)
        elif control is Transfer.TABLE:
            for target in self._targets(path, instruction):
                self._later(_Path(target, path.thumb, path.state.copy(), path.calls))
        return False

    def _indirect(self, path: _Path, instruction: Arm32Instruction) -> bool:
        """A jump to the value given to pc: a return, a tail call, or on in this function."""
        to = path.state.registers.get("pc")
        returning = path.state.registers.get("lr")
        if isinstance(to, int):
            path.thumb = bool(to & 1) if instruction.effects[0].kind == "load" or instruction.exchanges else path.thumb
            path.pc = to & ~1
            return True
        if isinstance(to, TableEntry) and to.added:
            for target in self._entries(path, to.table, to.table, "words", to.index):
                self._later(_Path(target & ~1, path.thumb, path.state.copy(), path.calls))
        elif instruction.effects[0].source == "lr":
            self._leave(path, to, sure=True)
        else:
            self.computed.append(path.state)
            self._leave(path, returning, sure=isinstance(returning, Saved))
        return False

    def _leave(self, path: _Path, address: Held | None, *, sure: bool) -> None:
        if isinstance(address, Saved) or address == Register("lr"):
            assert isinstance(address, (Saved, Register))
            self._returns.append(Return(path.calls, path.state, address, sure))

    def _targets(self, path: _Path, instruction: Arm32Instruction) -> set[int]:
        assert instruction.table is not None
        kind, chooser = instruction.table
        base = path.pc + (4 if path.thumb else 8)
        return self._entries(path, base, 0 if kind == "words" else base, kind, chooser)

    def _entries(self, path: _Path, table: int, base: int, kind: str, index: str) -> set[int]:
        """Where a jump table leads. It ends where a comparison says, or where the first target begins."""
        compared = path.state.compared
        count = compared[1] + 1 if compared is not None and compared[0] == index else None
        if kind == "branches":
            return {table + WORD * i for i in range(min(count or 0, MAX_TABLE))}
        size, factor = {"tbb": (1, 2), "tbh": (2, 2), "words": (4, 1)}[kind]
        targets: set[int] = set()
        for i in range(min(count or MAX_TABLE, MAX_TABLE)):
            at = table + size * i
            raw = self._code.at(at, size)
            if len(raw) < size or any(table < target <= at for target in targets):
                break
            distance = int.from_bytes(raw, "little", signed=kind == "words")
            targets.add((base + factor * distance) & ADDRESSES)
        return targets


def _matters(instruction: Arm32Instruction) -> bool:
    """Where it is unknown whether the instruction is executed, both are to be followed: it may move the frame."""
    if instruction.control is not Transfer.NEXT:
        return True
    return any(effect.to == "lr" or {"sp", "r7", "fp"} & {effect.to, effect.source} for effect in instruction.effects)
