"""The last exception of a process, as far as the VM keeps it (error.h, beam_common.c).

While an exception is raised, the process has its reason, class and raw stack trace in fields of its own, the reason
only until a handler is looked for (`handle_error`). As soon as it is caught, or the process is to end, the VM forgets
reason and trace there; the class stays (`freason`) until another exception, a BIF that goes on in Erlang (a trap), or a
purge of code that the trace has been in. The code that catches it gets the raw trace, in which the kind of error is: in
registers as long as that is needed, as in `after`, then on the heap until a collection. A process that exits has its
reason.

What fails in a guard is noted in `freason` too, with the number of its kind, but is not raised. What is raised has such
a number only until it is handled (`handle_error`), before the process is scheduled out: only one that runs may have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.vm import backtrace
from beamgdb.vm.backtrace import MAX_LEVELS, MAX_STACK, Level, StackEnds
from beamgdb.vm.heap_walk import PIECE
from beamgdb.vm.heaps import Area, Heaps
from beamgdb.vm.model import Vm
from beamgdb.vm.processes import Process
from jit.otp.tags import ARITY_SHIFT, BOXED, CONS, IMMED2_MASK, NIL, PRIMARY_MASK, TUPLE_HEADER, Kind

CLASSES: Final = ("error", "exit", "throw")
"""By the lowest bits of `freason` (`EXTAG_ERROR` and so on)."""

CLASS_MASK: Final = 3
WITH_ARGUMENTS: Final = 1 << 7
"""The value is a tuple, with arguments behind the reason (`EXF_ARGLIST`)."""

SAVES_TRACE: Final = 1 << 6
"""It is to be handled yet (`EXF_SAVETRACE`): what Erlang code raises has this, and no number of a kind."""

INDEX_SHIFT, INDEX_MASK = 10, 31
TRAP: Final = 1 << INDEX_SHIFT
"""No exception: a BIF goes on in Erlang code."""

LARGEST: Final = 1 << INDEX_SHIFT + 5

KINDS: Final = (
    "", "normal", "internal_error", "badarg", "badarith", "badmatch", "function_clause", "case_clause", "if_clause",
    "undef", "badfun", "badarity", "timeout_value", "noproc", "notalive", "system_limit", "try_clause", "notsup",
    "badmap", "badkey", "badrecord", "badfield", "novalue",
)  # fmt: skip
"""What the VM has raised itself, by a number in `freason` (`EXC_BADARG` and so on); the last two since OTP 29."""

WITH_VALUE: Final = frozenset(
    ("badmatch", "case_clause", "try_clause", "badfun", "badarity", "badmap", "badkey", "badrecord", "badfield",
     "novalue")
)  # fmt: skip
"""Those whose reason is a tuple with a value (`expand_error_value`)."""

RAISED, EXITING, HANDLED, CAUGHT, UNCLEAR, OVER = "raised", "exiting", "handled", "caught", "unclear", "over"
STATES: Final = (RAISED, EXITING, HANDLED, CAUGHT, UNCLEAR, OVER)
"""What is kept: all, while it is raised; the reason of a process that exits; the raw trace, in a register; the same,
which is garbage on the heap; the kind, by a process that runs, of what is about to be raised, or has failed in a guard;
the class alone."""

_AGES: Final = {"fragment": 0, "heap": 1}
"""Kinds of memory, the newest first."""

MAX_TUPLES: Final = 1 << 20
MAX_TRIES: Final = 1 << 14
"""Tuples of three elements in a block of memory that are looked at, and of these such as begin with a term that lies
there too: each of the latter takes some reads."""

MAX_DEPTH: Final = 1 << 16
Levels = Callable[[Process], Iterator[Level]]


@dataclass(frozen=True)
class Trace:
    """A raw stack trace: the tuple `word`, as a term, has it. `freason` is as it was raised. `function` is the
    `ErtsCodeMFA` of the first function where no code tells it, else 0; `places` are in the code of others, innermost
    first. `arguments` are those of the first function, a list as a term, if they were kept; or, for one that was made
    by `erlang:raise/3`, all that it is, and then it has nothing else."""

    word: int
    freason: int
    function: int
    places: tuple[int, ...]
    arguments: int | None
    is_term: bool


@dataclass(frozen=True)
class LastException:
    """What is kept of it: `state` is one of `STATES`. `kind` is one of `KINDS`, empty if code in Erlang has raised it,
    None where that is not known; `value` the reason, or what is in it besides the kind, as a term, if that is kept.
    `held` says which registers have the trace."""

    process: Process
    state: str
    kind: str | None
    class_: str | None
    value: int | None
    trace: Trace | None
    held: tuple[str, ...] = ()


class Exceptions:
    """Those of a VM; raises `Unavailable` as its parts do, KeyError where it is not known where fields lie."""

    def __init__(self, vm: Vm, levels: Levels, advance: Callable[[], None] = lambda: None) -> None:
        """`advance` is called for each process."""
        self._advance = advance
        for path in ("freason", "fvalue", "ftrace", "state"):
            vm.layout.offset("Process", path)
        self._vm = vm
        self._levels = levels
        self._heaps = Heaps(vm)
        self._trace_at = vm.layout.offset("StackTrace", "trace")
        self.damaged: list[Unreadable] = []
        self.cut: list[Process] = []
        """Those of whose memory not all was searched."""

    def __iter__(self) -> Iterator[LastException]:
        """Those of all processes that have one."""
        for row in self._vm.processes.rows(("freason", "ftrace", "state", "common.id")):
            self._advance()
            if isinstance(row, Unreadable):
                self.damaged.append(row)
                continue
            address, freason, ftrace, state, _ = row
            if address is None or freason is None or ftrace is None or state is None:
                continue
            process = self._vm.processes.at(address)
            if not self._may_have(freason, ftrace) and process.status_of(state) != EXITING:
                continue
            try:
                found = self.of(process)
            except Unreadable as error:
                self.damaged.append(error)
                continue
            if found is not None:
                yield found

    @staticmethod
    def _may_have(freason: int, ftrace: int) -> bool:
        return ftrace & IMMED2_MASK != NIL or freason not in (0, TRAP) and freason < LARGEST

    def of(self, process: Process) -> LastException | None:
        """That of a process, None without one. Raises `Unreadable`."""
        record = process.record
        freason, fvalue, ftrace = record["freason"], record["fvalue"], record["ftrace"]
        if process.status() == EXITING:
            return LastException(process, EXITING, None, None, fvalue, None)
        if not self._may_have(freason, ftrace):
            return None
        trace = self._trace(ftrace) if ftrace & PRIMARY_MASK == BOXED else None
        is_numbered = bool(freason >> INDEX_SHIFT & INDEX_MASK)
        if trace is not None or freason & SAVES_TRACE and not is_numbered:
            if freason & WITH_ARGUMENTS and fvalue & PRIMARY_MASK == BOXED:
                fvalue = self._vm.memory.word(fvalue - BOXED + self._vm.memory.word_size)
            if trace is None or is_numbered or fvalue != NIL:
                return LastException(process, RAISED, _kind(freason), _class(freason), fvalue, trace)
            # While it is handled, the VM has taken the reason from there.
            kind = _kind(trace.freason) if not trace.is_term else None
            return LastException(process, RAISED, kind, _class(freason), None, trace)
        if is_numbered and process.is_running():
            return LastException(process, UNCLEAR, _kind(freason), _class(freason), None, None)
        newest, held = self._newest(process)
        last = _class(freason) if not is_numbered else None
        if newest is None:
            return LastException(process, OVER, None, last, None, None) if last is not None else None
        class_ = _class(newest.freason) if not newest.is_term else last
        kind = _kind(newest.freason) if not newest.is_term else None
        return LastException(process, HANDLED if held else CAUGHT, kind, class_, None, newest, held)

    def _newest(self, process: Process) -> tuple[Trace | None, tuple[str, ...]]:
        """The raw trace that was made last, or one that is in registers, as far as can be told; and which these are."""
        areas = [area for area in self._heaps.of_process(process) if not area.message]
        # Terms that a heap has no room for go to fragments; what has survived a collection is older.
        areas.sort(key=lambda area: _AGES.get(area.kind, len(_AGES)))
        newest: Trace | None = None
        for area in areas:
            try:
                for trace in self._in_area(process, area):
                    held = self._held(process, trace.word)
                    if held:
                        return trace, held
                    newest = newest or trace
            except Unreadable as error:
                self.damaged.append(error)
        return newest, ()

    def _in_area(self, process: Process, area: Area) -> Iterator[Trace]:
        """The raw traces in memory with terms, from its end on. Raises `Unreadable`."""
        memory, size, tuples, tries = self._vm.memory, self._vm.memory.word_size, 0, 0
        wanted = (3 << ARITY_SHIFT | TUPLE_HEADER).to_bytes(size, memory.byteorder)
        for start in reversed(range(area.start, area.end, PIECE)):
            raw = memory.read(start, min(PIECE, area.end - start))
            at = raw.rfind(wanted)
            while at >= 0:
                # (What it begins with is made right before the tuple.)
                first = int.from_bytes(raw[at + size : at + 2 * size], memory.byteorder)
                may_be = at % size == 0 and first & PRIMARY_MASK == BOXED and area.start <= first < area.end
                tuples, tries = tuples + 1, tries + may_be
                if tuples > MAX_TUPLES or tries > MAX_TRIES:
                    self.cut.append(process)
                    return
                if may_be:
                    trace = self._trace(start + at | BOXED)
                    if trace is not None:
                        yield trace
                at = raw.rfind(wanted, 0, at + size - 1)

    def _trace(self, word: int) -> Trace | None:
        """The raw trace that a term is, None if it is none."""
        memory, size = self._vm.memory, self._vm.memory.word_size
        try:
            header, big, arguments, _ = memory.words(word - BOXED, 4)
            if header != 3 << ARITY_SHIFT | TUPLE_HEADER or big & PRIMARY_MASK != BOXED:
                return None
            record = self._vm.record("StackTrace", big - BOXED)
            kind, words = self._vm.tags.kind(record["header"]), record["header"] >> ARITY_SHIFT
            if kind not in (Kind.POS_BIG, Kind.NEG_BIG):
                return None
            freason, depth, pc, function = record["freason"], record["depth"], record["pc"], record["current"]
            room = (words + 1) * size - self._trace_at
            if freason >= LARGEST or freason & CLASS_MASK >= len(CLASSES) or not 0 <= depth * size <= room:
                return None
            places = memory.words(record.address + self._trace_at, depth) if depth <= MAX_DEPTH else ()
        except Unreadable:
            return None
        if pc:
            places, function = (pc, *places), 0
        # (Code that has been purged since is not known any more.)
        if not any(self._vm.code.find(place) for place in places):
            return None
        is_list, is_term = arguments == NIL or arguments & PRIMARY_MASK == CONS, kind is Kind.NEG_BIG
        return Trace(word, freason, function, tuple(places), arguments if is_list else None, is_term)

    def _held(self, process: Process, word: int) -> tuple[str, ...]:
        """The registers of a process that have a term."""
        record, size = process.record, self._vm.memory.word_size
        if not process.is_running() and process.has_sound_stack():
            saved = backtrace.saved_arguments(process) or []
            found = tuple(f"x{number}" for number, one in enumerate(saved) if one == word)
            if found:
                return found
            length = min(MAX_STACK, record["hend"] - record["stop"])
            stack = self._vm.memory.try_read(record["stop"], length) if length else b""
            if not stack or word.to_bytes(size, self._vm.memory.byteorder) not in stack:
                return ()
        held: list[str] = []
        try:
            for number, level in enumerate(islice(self._levels(process), MAX_LEVELS)):
                name = level.place.code.name if level.place is not None else hex(level.pc)
                registers = (at for at, one in enumerate(level.y_registers) if one == word)
                held += (f"y{register} of frame {number}, {name}" for register in registers)
        except (StackEnds, Unreadable):
            pass
        return tuple(held)


def _class(freason: int) -> str | None:
    number = freason & CLASS_MASK
    return CLASSES[number] if number < len(CLASSES) else None


def _kind(freason: int) -> str | None:
    number = freason >> INDEX_SHIFT & INDEX_MASK
    return KINDS[number] if number < len(KINDS) else None
