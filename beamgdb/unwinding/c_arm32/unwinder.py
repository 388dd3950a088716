"""Frames of C code for 32-bit ARM that has no unwind information and, but for exported functions, no symbols.

Where a frame ends is found in the machine code, in two ways. Both carry what is known of registers and of the stack
along the paths of the code.

- From the place in the code forward to where the function returns: there the stack pointer, the return address and the
  saved registers are those of the caller. Needs no start of the function. Nothing is found in a function that does not
  return, and the paths may be wrong behind the call of one that does not.
- From the start of the function, where it is known, to the place: what has been pushed on the way there is the frame.

Registers are named as by capstone (`machine_code.arm32`) in rules, as by GDB in what `CUnwinder.unwind` answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.late import dataclass
from beamgdb.machine_code.arm32 import GDB_NAMES, Transfer, decode
from beamgdb.machine_code.reading import ReadMemory, ReadRegister
from beamgdb.unwinding.c_arm32.functions import Functions
from beamgdb.unwinding.c_arm32.paths import ADDRESSES, WORD, PagedCode, Register, Saved
from beamgdb.unwinding.c_arm32.rules import MAX_FRAME, Body, Rule, body_of, rule_at, rules_of_returns

_THUMB_BIT: Final = 1 << 5
"""T in the CPSR (manual, B1.3.3)."""
_IT_BITS: Final = 0x0600FC00
"""ITSTATE in the CPSR."""
CANDIDATES: Final = 4
"""Starts of functions tried for a place in none that is exported."""


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
        raw = None if base is None else self._memory((base + place.offset) & ADDRESSES, size)
        return None if raw is None or len(raw) != size else int.from_bytes(raw, "little")


@dataclass(frozen=True)
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
        self._code = PagedCode(read_code)
        self._starts = frozenset((start + bias) & ADDRESSES for start in functions.starts)
        self._bodies: dict[int, Body] = {}
        self._rules: dict[tuple[int, bool, bool, int], tuple[list[_Candidate], Iterator[_Candidate]]] = {}

    def unwind(self, read_register: ReadRegister, read_memory: ReadMemory, innermost: bool) -> CFrame | None:
        """The frame with these registers; None where the code is not the program's, or cannot be followed.

        `innermost`: pc is the next instruction, not a return address. So it is also outside of a signal handler.
        """
        pc, sp, status = (read_register(name) for name in ("pc", "sp", "cpsr"))
        if pc is None or sp is None or status is None or not self._functions.is_code((pc - self._bias) & ADDRESSES):
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
        in_file = (place - self._bias) & ADDRESSES
        for start, end in self._functions.candidates(in_file, CANDIDATES):
            start, end = (start + self._bias) & ADDRESSES, (end + self._bias) & ADDRESSES
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
            if found.size == size and found.control is Transfer.CALL:
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
