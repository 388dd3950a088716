"""Frames of C code for 32-bit ARM that has no unwind information and, but for exported functions, no symbols.

Where a frame ends is found in the machine code, in two ways. Both carry what is known of registers and of the stack
along the paths of the code.

- From the place in the code forward to where the function returns: there the stack pointer, the return address and the
  saved registers are those of the caller. Needs no start of the function. Nothing is found in a function that does not
  return, and the paths may be wrong behind the call of one that does not.
- From the start of the function, where it is known, to the place: what has been pushed on the way there is the frame.

Registers are named as by capstone (`arm32_instructions`) in rules, as by GDB in what `CFrames.unwind` answers.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from beamgdb.frames.arm32_functions import Functions
from beamgdb.frames.arm32_instructions import (
    ALWAYS,
    CALL_CLOBBERED,
    CALLEE_SAVED,
    GDB_NAMES,
    GENERAL,
    UNTRACKED,
    Control,
    Effect,
    Instruction,
    decode,
)

ReadRegister = Callable[[str], "int | None"]
"""A CPU register by GDB's name; None where it is not known. d8 to d15 are 64 bits wide."""
ReadMemory = Callable[[int, int], "bytes | None"]
"""(address, size) -> the bytes, or None."""

WORD: Final = 4
_MASK: Final = 0xFFFFFFFF
_THUMB_BIT: Final = 1 << 5
"""T in the CPSR (manual, B1.3.3)."""
_IT_BITS: Final = 0x0600FC00
"""ITSTATE in the CPSR."""

FORWARD_BUDGET: Final = 6_000
"""Instructions followed in search of returns."""
FROM_START_BUDGET: Final = 40_000
"""Instructions followed from the start of a function. The largest, `process_main`, has 13,000."""
ENOUGH_RETURNS: Final = 6
"""Returns found with which the search ends."""
MAX_TABLE: Final = 1024
"""Entries of a jump table."""
MAX_FRAME: Final = 1 << 20
"""Bytes of a frame."""
MAX_BODY: Final = 1 << 16
"""Bytes of a function that are looked through."""
CANDIDATES: Final = 4
"""Starts of functions tried for a place in none that is exported."""
PAGE: Final = 4096
"""Bytes of code that are read at a time."""


@dataclass(frozen=True, slots=True)
class Register:
    """What register `name` holds at the place in question, plus `offset`."""

    name: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Saved:
    """The word (double word, for d8 to d15) in memory at what register `base` holds, plus `offset`."""

    base: str
    offset: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A distance read from a jump table, or an address made of it."""

    table: int
    index: str
    added: bool = False


Value = Register | Saved | Entry | int


@dataclass(frozen=True)
class Rule:
    """What the registers of the caller are, in terms of those of the frame. What is not in `saved` is unknown."""

    stack_pointer: Register | Saved
    return_address: Register | Saved
    saved: dict[str, Register | Saved]


class Code:
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


@dataclass(slots=True)
class State:
    """What is known at a point of the code. What is not in `registers` and `memory` is unknown, or as it was before."""

    registers: dict[str, Value]
    memory: dict[tuple[str, int], Value | None] = field(default_factory=dict)
    """Words stored since the beginning, by register (as of the beginning) and offset. None: an unknown value."""
    compared: tuple[str, int] | None = None
    """The last comparison of a register with a number."""

    def copy(self) -> State:
        return State(dict(self.registers), dict(self.memory), self.compared)

    def apply(self, effect: Effect, here: int, code: Code) -> None:
        """Make a change; `here` is the address of the instruction."""
        kind, to, source, amount, other = effect
        match kind:
            case "set":
                self._put(to, _plus(self._get(source, here), amount) if source else amount & _MASK)
            case "add" | "sub":
                self._put(to, _combined(kind, self._get(source, here), self._get(other, here)))
            case "top":
                low = self.registers.get(to)
                self._put(to, amount << 16 | low & 0xFFFF if isinstance(low, int) else None)
            case "load":
                self._put(to, self._loaded(_plus(self._get(source, here), amount), source == "here", code))
            case "store":
                self._store(_plus(self._get(source, here), amount), to)
            case "entry":
                base = _plus(self._get(source, here), amount)
                self._put(to, Entry(base, other) if isinstance(base, int) else None)
            case "compare":
                self.compared = (source, amount)
            case _:
                self._put(to, None)

    def call(self) -> None:
        """Code that keeps the rules of calls has run."""
        self.forget(CALL_CLOBBERED)

    def forget(self, names: Iterable[str]) -> None:
        """These registers may have changed."""
        for name in names:
            if name:
                self._put(name, None)

    def _get(self, name: str, here: int) -> Value | None:
        return here if name == "here" else self.registers.get(name)

    def _put(self, name: str, value: Value | None) -> None:
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

    def _loaded(self, address: Value | None, literal: bool, code: Code) -> Value | None:
        if isinstance(address, int):
            return code.word(address) if literal else None
        if not isinstance(address, Register):
            return None
        place = (address.name, address.offset)
        return self.memory[place] if place in self.memory else Saved(*place)

    def _store(self, address: Value | None, name: str) -> None:
        if isinstance(address, Register):
            self.memory[address.name, address.offset] = self.registers.get(name)
            if name[0] == "d":
                self.memory[address.name, address.offset + WORD] = None


def _plus(value: Value | None, amount: int) -> Value | None:
    if isinstance(value, int):
        return (value + amount) & _MASK
    if isinstance(value, Register):
        return Register(value.name, value.offset + amount) if amount else value
    return value if amount == 0 else None


def _combined(kind: str, one: Value | None, other: Value | None) -> Value | None:
    """A sum or difference."""
    if kind == "add" and isinstance(one, int) and not isinstance(other, int):
        one, other = other, one
    if not isinstance(other, int):
        return None
    if isinstance(one, Entry):
        return Entry(one.table, one.index, True) if kind == "add" and other == one.table else None
    signed = other - (1 << 32) if other >> 31 else other
    return _plus(one, signed if kind == "add" else -signed)


@dataclass(slots=True)
class _Path:
    """Somewhere to go on."""

    pc: int
    thumb: bool
    state: State
    calls: int = 0
    """Calls crossed. One may be of a function that never returns, and what follows it in memory something else."""
    it_state: int = 0
    assumed: tuple[int, bool] | None = None
    """Half a condition's number, and whether the even one holds, as chosen since the flags were last set."""


@dataclass(frozen=True, slots=True)
class Return:
    """A way out of the function, with the state in the caller."""

    calls: int
    """Crossed on the way there."""
    state: State
    address: Register | Saved
    sure: bool
    """It is no jump to a computed address, which may lead elsewhere in the function."""


class Walk:
    """The paths of machine code from one place on, those across few calls first."""

    def __init__(self, code: Code, starts: Container[int], budget: int) -> None:
        """`starts`: where functions start, odd for Thumb code; a path that runs into one was none, as the call before
        it never returns. `budget`: instructions."""
        self._code = code
        self._starts = starts
        self._budget = budget
        self._seen: set[tuple[int, int, tuple[int, bool] | None]] = set()
        self._paths: list[tuple[int, int, _Path]] = []
        self._count = 0
        self._returns: list[Return] = []
        self.computed: list[State] = []
        """States at jumps to computed addresses."""
        self.complete = True
        """The budget was enough so far."""

    def begin(self, pc: int, thumb: bool, state: State, it_state: int = 0) -> None:
        self._later(_Path(pc, thumb, state, it_state=it_state))

    def returns(self) -> Iterator[Return]:
        """All returns that paths lead to."""
        while self._paths:
            self._follow(heapq.heappop(self._paths)[2], None)
            yield from self._returns
            self._returns.clear()

    def reach(self, place: int) -> State | None:
        """The state before the instruction at `place`; None if no path was found there."""
        while self._paths:
            found = self._follow(heapq.heappop(self._paths)[2], place)
            if found is not None:
                return found
        return None

    def _later(self, path: _Path) -> None:
        self._count += 1
        heapq.heappush(self._paths, (path.calls, self._count, path))

    def _follow(self, path: _Path, place: int | None) -> State | None:
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

    def _step(self, path: _Path, instruction: Instruction) -> bool:
        """Execute an instruction, or skip it where its condition does not hold. False: the path ends or is put off."""
        it_state, path.it_state = path.it_state, _advanced(path.it_state) or instruction.it_state
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

    def _skip(self, path: _Path, instruction: Instruction, condition: int) -> None:
        """Put off the path on which the condition does not hold, and take this one to be that on which it does."""
        other = _Path(path.pc + instruction.size, path.thumb, path.state.copy(), path.calls, path.it_state)
        if condition != UNTRACKED:
            path.assumed, other.assumed = (condition >> 1, not condition & 1), (condition >> 1, bool(condition & 1))
        self._later(other)

    def _go(self, path: _Path, instruction: Instruction) -> bool:
        match instruction.control:
            case Control.NEXT:
                path.pc += instruction.size
                return True
            case Control.JUMP:
                assert instruction.target is not None
                path.pc += instruction.target
                if path.pc | path.thumb not in self._starts:
                    return True
                self._leave(path, path.state.registers.get("lr"), sure=True)
            case Control.CALL:
                path.state.call()
                path.pc += instruction.size
                path.calls += 1
                self._later(path)
            case Control.RETURN:
                self._leave(path, path.state.registers.get("pc"), sure=True)
            case Control.INDIRECT:
                return self._indirect(path, instruction)
            case Control.TABLE:
                for target in self._targets(path, instruction):
                    self._later(_Path(target, path.thumb, path.state.copy(), path.calls))
            case Control.STOP:
                pass
        return False

    def _indirect(self, path: _Path, instruction: Instruction) -> bool:
        """A jump to the value given to pc: a return, a tail call, or on in this function."""
        to = path.state.registers.get("pc")
        returning = path.state.registers.get("lr")
        if isinstance(to, int):
            path.thumb = bool(to & 1) if instruction.effects[0].kind == "load" or instruction.exchanges else path.thumb
            path.pc = to & ~1
            return True
        if isinstance(to, Entry) and to.added:
            for target in self._entries(path, to.table, to.table, "words", to.index):
                self._later(_Path(target & ~1, path.thumb, path.state.copy(), path.calls))
        elif instruction.effects[0].source == "lr":
            self._leave(path, to, sure=True)
        else:
            self.computed.append(path.state)
            self._leave(path, returning, sure=isinstance(returning, Saved))
        return False

    def _leave(self, path: _Path, address: Value | None, *, sure: bool) -> None:
        if isinstance(address, Saved) or address == Register("lr"):
            assert isinstance(address, Saved | Register)
            self._returns.append(Return(path.calls, path.state, address, sure))

    def _targets(self, path: _Path, instruction: Instruction) -> set[int]:
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
            if len(raw) < size or any(at < target < at + 1 or table < target <= at for target in targets):
                break
            targets.add((base + factor * int.from_bytes(raw, "little", signed=kind == "words" and base != 0)) & _MASK)
        return targets


def _advanced(it_state: int) -> int:
    """ITSTATE behind an instruction (manual, ITAdvance)."""
    return 0 if it_state & 7 == 0 else it_state & 0xE0 | it_state << 1 & 0x1F


def _matters(instruction: Instruction) -> bool:
    """Where it is unknown whether the instruction is executed, both are to be followed: it may move the frame."""
    if instruction.control is not Control.NEXT:
        return True
    return any(effect.to == "lr" or {"sp", "r7", "fp"} & {effect.to, effect.source} for effect in instruction.effects)


def start_state(innermost: bool) -> State:
    """All registers are as they are; those that a call overwrites are unknown where one is in progress."""
    known = GENERAL[:15] + CALLEE_SAVED if innermost else ("sp", *CALLEE_SAVED)
    return State({name: Register(name) for name in known})


@dataclass(frozen=True)
class Body:
    """What shows in the instructions of a function as they stand in memory, whichever way control takes.

    What is no instruction (literals, jump tables) is taken for one, and may add to this; that does little harm.
    """

    start: int
    """Odd for Thumb code."""
    moves_stack_pointer: bool
    """The stack pointer is given back from another register: the frame may have no fixed size."""
    written: frozenset[str]
    """Registers that are changed, other than by popping them."""


def body_of(code: Code, start: int, end: int) -> Body:
    """The function from `start` (odd for Thumb code) to `end`."""
    pc, end, thumb = start & ~1, min(end, start + MAX_BODY), bool(start & 1)
    moves, written = False, set()
    while pc < end:
        instruction = decode(code.at(pc, WORD), pc, thumb)
        changed = {effect.to for effect in instruction.effects if effect.kind != "store"}
        if "sp" not in changed:
            written |= changed
        elif any(effect.to == "sp" and effect.source in GENERAL[4:12] for effect in instruction.effects):
            moves = True
        pc += instruction.size
    return Body(start, moves, frozenset(written))


def rule_at(code: Code, starts: Container[int], body: Body, place: int) -> Rule | None:
    """The rule at `place` in a function.

    None where no path leads to `place`, or where the return address or the end of the frame has been lost there.
    """
    walk = Walk(code, starts, FROM_START_BUDGET)
    walk.begin(body.start & ~1, bool(body.start & 1), start_state(True))
    state = walk.reach(place)
    if state is not None:
        return rule_of_frame(state, body)
    # The instructions of an interpreter are entered by jumps to computed addresses, always with the same frame.
    rules = [rule_of_frame(state, body) for state in walk.computed] if walk.complete else []
    return rules[0] if rules and all(rule == rules[0] for rule in rules) else None


def rules_of_returns(
    code: Code, starts: Container[int], place: int, thumb: bool, innermost: bool, it: int
) -> list[tuple[Rule, bool]]:
    """The rules at `place` that ways to returns of the function tell, those across few calls first.

    With each, whether its way crosses no call: then it is surely one.
    """
    walk = Walk(code, starts, FORWARD_BUDGET)
    walk.begin(place, thumb, start_state(innermost), it)
    found: list[tuple[Rule, bool]] = []
    for each in islice(walk.returns(), ENOUGH_RETURNS):
        rule = rule_of_return(each) if each.sure else None
        if rule is not None and rule not in [other for other, _ in found]:
            found.append((rule, each.calls == 0))
    return found


def rule_of_return(found: Return) -> Rule | None:
    """The caller's registers are what the path has made of them."""
    sp = found.state.registers.get("sp")
    if not isinstance(sp, Register | Saved):
        return None
    saved = {name: found.state.registers.get(name) for name in CALLEE_SAVED}
    return Rule(sp, found.address, {name: at for name, at in saved.items() if isinstance(at, Register | Saved)})


def rule_of_frame(state: State, body: Body) -> Rule | None:
    """The caller's registers are where the function has put them since its start."""
    base = _frame_base(state, body)
    if base is None:
        return None
    name, depth = base
    # What lies below the stack pointer has been popped.
    lowest = depth if name == "sp" else -MAX_FRAME
    # Before a register is used otherwise, other slots may get its value too, as that of a variable: the first counts.
    slots: dict[str, int] = {}
    for (region, at), value in state.memory.items():
        if region == "sp" and lowest <= at < 0 and isinstance(value, Register) and not value.offset:
            slots[value.name] = max(at, slots.get(value.name, at))

    def place(register: str) -> Register | Saved | None:
        if register in slots and (register in body.written or register == "lr"):
            return Saved(name, slots[register] - depth)
        # It may have been pushed only to make room, and its slot be used for something else.
        return Register(register) if state.registers.get(register) == Register(register) else None

    address = place("lr")
    if address is None:
        return None
    saved = {register: place(register) for register in CALLEE_SAVED}
    return Rule(Register(name, -depth), address, {key: at for key, at in saved.items() if at is not None})


def _frame_base(state: State, body: Body) -> tuple[str, int] | None:
    """A register that points into the frame, and how far from its end."""
    for name in ("r7", "fp", "sp") if body.moves_stack_pointer else ("sp", "r7", "fp"):
        value = state.registers.get(name)
        if isinstance(value, Register) and value.name == "sp":
            return name, value.offset
    return None


@dataclass(frozen=True)
class CFrame:
    """A frame of C code, and the registers of its caller that are known, by GDB's names. d8 to d15 are 64 bits wide."""

    cfa: int
    """The stack pointer of the caller."""
    function_start: int
    """The same number for all places of one function; 0 where its start was not found."""
    registers: dict[str, int]


class _Memory:
    """Registers and memory of one frame, for rules."""

    def __init__(self, read_register: ReadRegister, read_memory: ReadMemory) -> None:
        self._register = read_register
        self._memory = read_memory

    def value(self, place: Register | Saved, size: int = WORD) -> int | None:
        """What is there; None if it cannot be read."""
        if isinstance(place, Register):
            held = self._register(GDB_NAMES.get(place.name, place.name))
            return None if held is None else (held + place.offset) & ((1 << 8 * size) - 1)
        base = self._register(GDB_NAMES.get(place.base, place.base))
        raw = None if base is None else self._memory((base + place.offset) & _MASK, size)
        return None if raw is None or len(raw) != size else int.from_bytes(raw, "little")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A rule, and the start of the function, 0 if that is not known. `certain`: it holds if what it gives can be."""

    rule: Rule
    start: int
    certain: bool


class CUnwinder:
    """Frames of the C code of one program. Kept as long as the program is loaded: it remembers what it has analysed."""

    def __init__(self, functions: Functions, bias: int, read_code: ReadMemory) -> None:
        """`functions`: of the program's file. `bias`: added to addresses in the file to get those in memory.
        `read_code`: reads memory that does not change; asked for whole pages first."""
        self._functions = functions
        self._bias = bias
        self._code = Code(read_code)
        self._starts = frozenset((start + bias) & _MASK for start in functions.starts)
        self._bodies: dict[int, Body] = {}
        self._rules: dict[tuple[int, bool, bool, int], tuple[list[_Candidate], Iterator[_Candidate]]] = {}

    def unwind(self, read_register: ReadRegister, read_memory: ReadMemory, innermost: bool) -> CFrame | None:
        """The frame with these registers; None where the code is not the program's, or cannot be followed.

        `innermost`: pc is the next instruction, not a return address. So it is also outside of a signal handler.
        """
        pc, sp, status = (read_register(name) for name in ("pc", "sp", "cpsr"))
        if pc is None or sp is None or status is None or not self._functions.is_code((pc - self._bias) & _MASK):
            return None
        thumb = bool(status & _THUMB_BIT)
        innermost = innermost or self._call_before(pc, thumb) is None
        memory = _Memory(read_register, read_memory)
        likely: CFrame | None = None
        for candidate in self._candidates_at(pc, thumb, innermost, _it_state(status) if innermost else 0):
            found = self._caller(candidate, sp, status, memory)
            if found is None:
                continue
            if candidate.certain or self._surely_called(found, candidate.start):
                # Two ways of finding it agree: the start of the function is known too.
                return likely if likely is not None and likely.registers == found.registers else found
            likely = likely or found
        return likely

    def _candidates_at(self, pc: int, thumb: bool, innermost: bool, it: int) -> Iterator[_Candidate]:
        """Rules that may hold, the likeliest first. They are made when asked for, and kept."""
        key = (pc, thumb, innermost, it)
        if key not in self._rules:
            self._rules[key] = ([], self._analysed(pc, thumb, innermost, it))
        found, more = self._rules[key]
        yield from found
        for each in more:
            found.append(each)
            yield each

    def _analysed(self, pc: int, thumb: bool, innermost: bool, it: int) -> Iterator[_Candidate]:
        place = pc if innermost else self._call_before(pc, thumb)
        if place is None:
            return
        in_file = (place - self._bias) & _MASK
        for start, end in self._functions.candidates(in_file, CANDIDATES):
            start, end = (start + self._bias) & _MASK, (end + self._bias) & _MASK
            if start not in self._bodies:
                self._bodies[start] = body_of(self._code, start, end)
            rule = rule_at(self._code, self._starts, self._bodies[start], place)
            if rule is not None:
                # Another function may follow, to which nothing points: then the way there led across an endless call.
                yield _Candidate(rule, start, certain=self._functions.exported_at(in_file) is not None)
                break
        for rule, certain in rules_of_returns(self._code, self._starts, pc, thumb, innermost, it):
            yield _Candidate(rule, 0, certain)

    def _call_before(self, pc: int, thumb: bool) -> int | None:
        """The address of the call that returns to `pc`; None if there is none before it."""
        for size in (4, 2) if thumb else (4,):
            raw = self._code.at(pc - size, size)
            if len(raw) < size:
                continue
            found = decode(raw, pc - size, thumb)
            if found.size == size and found.control is Control.CALL:
                return pc - size
        return None

    def _caller(self, candidate: _Candidate, sp: int, status: int, memory: _Memory) -> CFrame | None:
        """The frame by this rule; None where what comes out cannot be true."""
        rule = candidate.rule
        cfa, to = memory.value(rule.stack_pointer), memory.value(rule.return_address)
        if cfa is None or to is None or cfa % WORD or not sp <= cfa <= sp + MAX_FRAME:
            return None
        if not self._may_return_to(to):
            return None
        status = (status & ~(_THUMB_BIT | _IT_BITS)) | (_THUMB_BIT if to & 1 else 0)
        # As call frame information has it, lr of the caller is the return address: so it was when the function began.
        registers = {"pc": to & ~1, "lr": to, "sp": cfa, "cpsr": status}
        for name, place in rule.saved.items():
            held = memory.value(place, 8 if name[0] == "d" else WORD)
            if held is not None:
                registers[GDB_NAMES.get(name, name)] = held
        return CFrame(cfa, candidate.start, registers)

    def _may_return_to(self, address: int) -> bool:
        """Where a thread began there is no caller; a signal handler returns to code that the kernel chose."""
        pc, thumb = address & ~1, bool(address & 1)
        if address == 0 or self._call_before(pc, thumb) is not None:
            return True
        return self._code.at(pc, 8) in _SIGNAL_RETURNS or self._code.at(pc, 4) in _SIGNAL_RETURNS

    def _surely_called(self, frame: CFrame, start: int) -> bool:
        """The call that returns to the caller is one of the function itself."""
        pc, thumb = frame.registers["pc"], bool(frame.registers["cpsr"] & _THUMB_BIT)
        at = self._call_before(pc, thumb)
        if at is None or not start:
            return False
        target = decode(self._code.at(at, WORD), at, thumb).target
        return target is not None and (at + target) & ~1 == start & ~1


def _it_state(status: int) -> int:
    """ITSTATE from the CPSR (manual, B1.3.3)."""
    return (status >> 8 & 0xFC) | (status >> 25 & 3)


_SIGNAL_RETURNS: Final = frozenset(
    bytes.fromhex(text) for text in ("772700df", "ad2700df", "7770a0e3770000ef", "ad70a0e3ad0000ef",
                                     "7770a0e3000000ef", "ad70a0e3000000ef")
)  # fmt: skip
"""`mov r7, #119 or #173; svc`, sigreturn and rt_sigreturn, in both instruction sets, for both ABIs."""
