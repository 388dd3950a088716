"""Which bytes of a function that BeamAsm has made are instructions, and which are data between them.

What the code's own control flow leads to is an instruction, and so is where a line begins. What is left over is code
that only the VM knows the way to, such as handlers of exceptions, and data: words that instructions load, which
BeamAsm on ARM64 puts wherever they are near enough, also into other functions of the module; arguments of C code that
are jumped over; and words of a NIF.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from beamgdb.code.registrations import CODE_INFO_SIZE
from beamgdb.late import dataclass
from beamgdb.machine_code.text import LONGEST, Instruction, instructions

WORD = 8
"""Bytes of a word, on each architecture that BeamAsm supports."""

_PROLOGUES = {"x86_64": (0, 3, 8), "aarch64": (0, 8)}
"""Where instructions begin in the prologue of a function (`emit_i_breakpoint_trampoline`, beam_asm_module.cpp): the
jump over it, the call that tracing and NIFs redirect that jump to, and on x86-64 what follows. OTP 25 has a byte of
flags before that call."""

_NIF_WORDS, _NIF_CODE = 2 * WORD, 5 * WORD
"""Distance of the data of an `ErtsNativeFunc`, and of its code, from the start of the function (`emit_call_nif`,
instr_bif.cpp), which is written over another one: of that a part stays behind it."""


@dataclass(frozen=True)
class Listed:
    """What a function consists of, by address without gaps. `led_to`: addresses in it to which its own code leads."""

    instructions: tuple[Instruction, ...]
    led_to: frozenset[int]


@dataclass(frozen=True)
class FunctionCode:
    """Code that lies at `start`, with addresses at which instructions are known to begin."""

    arch: str
    raw: bytes
    start: int
    entries: tuple[int, ...]
    lines: tuple[int, ...] = ()
    """Where lines of the source begin, which may be those of a function that a NIF has been written over."""
    words: range = range(0)
    """Addresses of words that are known to be data."""

    @property
    def stop(self) -> int:
        return self.start + len(self.raw)

    def bytes(self, start: int, stop: int) -> bytes:
        return self.raw[start - self.start : stop - self.start]


def of_function(arch: str, raw: bytes, start: int, lines: Iterable[int]) -> FunctionCode:
    """An Erlang function with its prologue. `lines`: addresses of its lines."""
    return FunctionCode(arch, raw, start, tuple(start + offset for offset in _PROLOGUES.get(arch, (0,))), tuple(lines))


def of_entry_point(arch: str, raw: bytes, start: int) -> FunctionCode:
    """One of BeamAsm's own entry points, which begin with their `ErtsCodeInfo`."""
    code = start + CODE_INFO_SIZE
    return FunctionCode(arch, raw, start, (start, code), words=range(start + WORD, code, WORD))


def of_fragment(arch: str, raw: bytes, start: int) -> FunctionCode:
    """A shared fragment."""
    return FunctionCode(arch, raw, start, (start,))


Leads = Callable[[Instruction], Iterable[int]]
"""Where a jump leads that does not say it itself, as one through a table."""


def listed(function: FunctionCode, leads: Leads, loaded: Callable[[], Iterable[int]]) -> Listed:
    """Instructions and data of a function. `loaded`: addresses of words that code of the module loads; asked for only
    if it matters."""
    flow = _Flow(function, leads)
    flow.follow(function.entries)
    words: set[int] | None = None
    nif = _nif_words(function, flow)
    if not nif:
        flow.follow(function.lines)
    reached = sorted(flow.reached)
    rows: list[Instruction] = []
    at = function.start
    while at < function.stop:
        following = bisect_left(reached, at)
        end = reached[following] if following < len(reached) else function.stop
        if end > at and nif and at > function.start + _NIF_CODE:
            rows += _data(function, at, end)
        elif end > at:
            words = {*function.words, *flow.words, *(nif or loaded())} if words is None else words
            rows += _left_over(function, at, end, words)
        if end < function.stop:
            rows.append(flow.reached[end])
            end = rows[-1].address + rows[-1].size
        at = end
    starts = {one.address for one in rows if not one.is_data}
    # Code that only the VM leads to has branches too.
    named = (to for one in rows if not one.is_data for to in (one.target, one.names))
    inside = {to for to in named if to is not None}
    return Listed(tuple(rows), frozenset((flow.led_to | inside) & starts))


def _nif_words(function: FunctionCode, flow: _Flow) -> Sequence[int]:
    """Addresses of the data of an `ErtsNativeFunc`, over which the function begins with a jump; none if it does not."""
    words = range(function.start + _NIF_WORDS, function.start + _NIF_CODE, WORD)
    jumps = (one for at, one in flow.reached.items() if at < words.start and one.ends)
    return words if any(one.target == words.stop for one in jumps) else ()


class _Flow:
    """What the control flow of a function leads to."""

    def __init__(self, function: FunctionCode, leads: Leads) -> None:
        self._function, self._leads = function, leads
        self._decoded = {one.address: one for one in instructions(function.arch, function.raw, function.start)}
        self.reached: dict[int, Instruction] = {}
        self.led_to: set[int] = set()
        self.words: set[int] = set()
        """Addresses of data."""
        self._room = len(function.raw) // WORD
        """Words that there can be yet behind jumps over them: none is behind two."""

    def follow(self, entries: Iterable[int]) -> None:
        """Go wherever control leads from these addresses."""
        todo = sorted(entries, reverse=True)
        while todo:
            for one in self._straight(todo.pop()):
                if one.loads is not None:
                    self.words.add(one.loads)
                if one.names is not None:
                    self.words.update(self._inlined(one, one.names))
                beyond = self._leads(one) if one.ends and one.target is None and not one.text.startswith("ret") else ()
                further = [to for to in (one.target, one.names, *beyond) if to is not None and self._is_inside(to)]
                further = [to for to in further if to not in self.words]
                self.led_to.update(further)
                todo += further

    def _inlined(self, one: Instruction, named: int) -> range:
        """Words that an instruction puts the address of into a register, if the next one is a jump over them: arguments
        for C code, on ARM64 (`embed_vararg_rodata`, beam_asm_module.cpp)."""
        jump = self._at(one.address + one.size)
        if jump is None or not jump.ends or jump.target is None or not 0 <= named - jump.address - jump.size < WORD:
            return range(0)
        words = range(named, jump.target, WORD)
        if jump.target > self._function.stop or len(words) > self._room:
            return range(0)
        self._room -= len(words)
        return words

    def _is_inside(self, address: int) -> bool:
        return self._function.start <= address < self._function.stop

    def _straight(self, at: int) -> Iterator[Instruction]:
        """Instructions from an address on, until control goes elsewhere or they are known."""
        while at not in self.reached and at not in self._function.words and at not in self.words:
            one = self._at(at)
            if one is None or one.is_data:
                return
            self.reached[at] = one
            yield one
            if one.ends:
                return
            at = one.address + one.size

    def _at(self, address: int) -> Instruction | None:
        if address not in self._decoded and self._is_inside(address):
            # One only: where those after it are decoded already is not known, and others may come back here often.
            rest = self._function.bytes(address, min(address + LONGEST, self._function.stop))
            for one in islice(instructions(self._function.arch, rest, address), 1):
                self._decoded[address] = one
        return self._decoded.get(address)


def _left_over(function: FunctionCode, start: int, stop: int, words: set[int]) -> Iterator[Instruction]:
    """What no path leads to, with the data in it."""
    data = sorted(at for at in words if start <= at <= stop - WORD)
    at = start
    for word in [*data, stop]:
        if word < at:
            continue
        yield from instructions(function.arch, function.bytes(at, word), at)
        at = min(word + WORD, stop)
        if word < stop:
            yield from _data(function, word, at)


def _data(function: FunctionCode, start: int, stop: int) -> Iterator[Instruction]:
    """Bytes as data: words, and bytes up to where one is aligned."""
    at = start
    while at < stop:
        size = WORD if at % WORD == 0 and stop - at >= WORD else 1
        value = int.from_bytes(function.bytes(at, at + size), "little")
        directive = ".quad" if size == WORD else ".byte"
        yield Instruction(at, size, f"{directive} {value:#x}", None, None, None, None, is_data=True)
        at += size
