"""Erlang stacks of processes, as `beam-bt` shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Final, Optional, Union

from beamgdb.code.loaded import Place
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.styler import PLAIN, Styler
from beamgdb.views.terms import Terms
from beamgdb.views.threads import ThreadRow, Threads
from beamgdb.vm import backtrace, calls, trace_frames
from beamgdb.vm.backtrace import Level, StackEnds
from beamgdb.vm.processes import Process
from beamgdb.vm.stack import MAX_SCAN
from jit.otp.tags import BOXED, CATCH, CONS, IMMED2_MASK, PRIMARY_MASK

FRAMES = 1000
"""Frames of one process, unless more are asked for."""

ROOM_PER_FRAME = 1 << 10
"""Characters that a process may show for each frame that is asked for: a few may be large, all may not."""

MAX_COUNTED = 100_000
"""Frames that are counted when they are not shown."""

MAX_DAMAGED = 20
"""Processes of which nothing can be shown that are listed."""

MAX_KEPT: Final = 1 << 14
"""Places in code, and y registers that are no pointers, whose text is kept: most processes wait in a few functions."""

SMALL_HEAP: Final = 8 << 10
"""Bytes of a heap that is read together with the stack, which lies in the same block."""

_PATHS: Final = (
    "common.id", "state", "common.u.alive.reg", "heap", "stop", "hend", "i", "current", "arity", "arg_reg",
    "u.initial.module", "u.initial.function", "u.initial.arity",
)  # fmt: skip
"""What is asked of each process."""


@dataclass(frozen=True)
class ProcessRow:
    """A process. `description` has its pid and what it was spawned as; `moves`: its thread does not stand still, and
    where it is changes all the time."""

    address: int
    description: str
    status: str
    thread: ThreadRow | None
    moves: bool


@dataclass(frozen=True)
class VariableRow:
    """A register, or a slot of a frame of tracing, with its term. Without a word it is not known what there is."""

    name: str
    word: int | None
    text: str


@dataclass(frozen=True)
class FrameRow:
    """A frame. `function` is None for unknown code, `note` what a frame of tracing is for instead; `offset` is that
    of `pc` in the function, `file` and `line` where that is in the source, None where that is not known. `damaged`
    counts the words of a frame that are no y registers."""

    number: int
    pc: int
    function: str | None
    offset: int | None
    note: str
    file: str | None
    line: int | None
    variables: tuple[VariableRow, ...]
    damaged: int


@dataclass(frozen=True)
class LeftOutRow:
    """Frames that are not shown, and lines of the one before; `are_more`: only the first were counted. `limit` is what
    was asked for, None where there was too much text."""

    frames: int
    are_more: bool
    lines: int
    limit: int | None


@dataclass(frozen=True)
class DamageRow:
    """What cannot be shown: the rest of a stack, a process, or where `address` is None part of the process table."""

    address: int | None
    why: str


StackRow = Union[ProcessRow, FrameRow, LeftOutRow, DamageRow]

_Place = tuple[str, int, Optional[str], Optional[int]]
"""Function, offset in it, file and line, as in `FrameRow`."""


def processes(node: Node, threads: Threads) -> Iterator[Process | DamageRow]:
    """All processes that can be found, and what cannot be shown."""
    left = {process.address: process for process in threads.by_schedulers()}
    is_whole = True
    for piece in node.processes.read(_PATHS):
        node.memory.ahead(chain.from_iterable(map(_stack, piece)))
        for entry in piece:
            if isinstance(entry, Unreadable):
                is_whole = False
                yield DamageRow(None, str(entry))
                continue
            left.pop(entry.address, None)
            found = _if_sound(node, entry)
            is_whole &= found is entry
            yield found
    for process in left.values():
        # One that has ended while a dirty scheduler runs its native code is in no table either.
        if not is_whole or process.has("FREE"):
            yield _if_sound(node, process)


def _stack(process: Process | Unreadable) -> Iterator[tuple[int, int]]:
    """Where the stack of a process lies, of a small heap all."""
    known = process.record.known or {} if isinstance(process, Process) else {}
    heap, stop, end = known.get("heap", 0), known.get("stop", 0), known.get("hend", 0)
    if heap <= stop < end:
        yield (heap if end - heap <= SMALL_HEAP else stop), min(end, stop + MAX_SCAN)


def _if_sound(node: Node, process: Process) -> Process | DamageRow:
    if node.processes.is_process(process):
        return process
    try:
        return DamageRow(process.address, f"it is damaged, its pid is {process.id:#x}")
    except Unreadable as error:
        return DamageRow(process.address, str(error))


def rows(node: Node, process: Process, threads: Threads, terms: Terms, limit: int = FRAMES) -> Iterator[StackRow]:
    """A process and up to `limit` frames of its stack, as far as they can be read, innermost first."""
    return Stacks(node, threads, terms, limit).of(process)


class Stacks:
    """Stacks of many processes, as long as the target stands still: what is equal in them is made once."""

    def __init__(self, node: Node, threads: Threads, terms: Terms, limit: int = FRAMES) -> None:
        self._node, self._threads, self._terms, self._limit = node, threads, terms, limit
        self._places: dict[tuple[int, bool], _Place] = {}
        self._immediates: dict[tuple[int, int], VariableRow] = {}

    def of(self, process: Process) -> Iterator[StackRow]:
        """As `rows`."""
        threads, limit = self._threads, self._limit
        description = calls.spawned_as(self._node, process, self._terms.syntax.function)
        thread, status = threads.thread(process), process.status()
        if status == "free":
            status = "ended, but its native code still runs"
        row = ProcessRow(process.address, description, status, thread, threads.moves(process))
        yield row
        if row.moves:
            return
        room = max(limit, FRAMES) * ROOM_PER_FRAME
        levels = iter(threads.levels(process))
        try:
            for number, level in enumerate(levels):
                if number >= limit:
                    yield _left_out(levels, 1, limit=limit)
                    return
                frame = self._frame(number, level, process)
                size = _size(frame)
                if size > room:
                    lines = _frame_lines(frame, PLAIN)
                    fitting = _fitting(lines, room)
                    if fitting:
                        yield replace(frame, variables=frame.variables[: fitting - 1], damaged=0)
                    yield _left_out(levels, 0, lines=len(lines) - fitting)
                    return
                room -= size
                yield frame
        except (StackEnds, Unreadable) as error:
            yield DamageRow(process.address, str(error))

    def _frame(self, number: int, level: Level, process: Process) -> FrameRow:
        node, terms = self._node, self._terms
        variables: list[VariableRow] = []
        if number == 0 and not self._threads.in_erlang(process):
            saved = backtrace.saved_arguments(process)
            if saved is None:
                variables.append(VariableRow("x0, ...", None, "<not known here: Process.arity is not proved>"))
            variables += (VariableRow(f"x{index}", word, terms.text(word)) for index, word in enumerate(saved or ()))
        variables += (VariableRow(f"x{index}", word, terms.text(word)) for index, word in enumerate(level.arguments))
        place, pc = level.place, level.pc
        kind = trace_frames.kind(place)
        if kind is not None:
            slots = trace_frames.terms(kind, level.y_registers)
            variables += (VariableRow(name, word, terms.text(word)) for name, word in slots)
            note = calls.trace_note(node, kind, level.y_registers, terms.syntax.function)
            return FrameRow(number, pc, None, None, note, None, None, tuple(variables), 0)
        variables += map(self._y_register, count(), level.y_registers)
        if place is None:
            name = backtrace.function(node, process, level)
            function = terms.syntax.function(name) if name else None
            return FrameRow(number, pc, function, None, "", None, None, tuple(variables), level.damaged)
        function, offset, file, line = self._place(level, place)
        return FrameRow(number, pc, function, offset, "", file, line, tuple(variables), level.damaged)

    def _place(self, level: Level, place: Place) -> _Place:
        """The function of a frame, and where in it and in the source."""
        key = level.pc, level.calling
        found = self._places.get(key)
        if found is None:
            if len(self._places) >= MAX_KEPT:
                self._places.clear()
            where = self._node.code.where(level.lookup)
            file, line = (where.file, where.line) if where else (None, None)
            function = self._terms.syntax.function(place.code.name)
            found = self._places[key] = function, level.pc - place.code.start, file, line
        return found

    def _y_register(self, at: int, word: int) -> VariableRow:
        if word & PRIMARY_MASK in (CONS, BOXED):
            return VariableRow(f"y{at}", word, self._terms.text(word))
        found = self._immediates.get((at, word))
        if found is None:
            if len(self._immediates) >= MAX_KEPT:
                self._immediates.clear()
            text = self._terms.text(word)
            is_told = word & IMMED2_MASK != CATCH or "catch" in text
            found = VariableRow(f"y{at}", word, text if is_told else f"{text} (catch)")
            self._immediates[at, word] = found
        return found


def _size(row: FrameRow) -> int:
    """Characters of the lines of a frame."""
    if row.damaged:
        return sum(map(len, _frame_lines(row, PLAIN)))
    return len(_head(row, PLAIN)) + sum([_BESIDE + len(one.name) + len(one.text) for one in row.variables])


def _fitting(lines: list[str], room: int) -> int:
    """How many of the first lines there is room for."""
    for number, line in enumerate(lines):
        room -= len(line)
        if room < 0:
            return number
    return len(lines)


def _left_out(levels: Iterator[Level], first: int, *, lines: int = 0, limit: int | None = None) -> LeftOutRow:
    """The frames that are left, besides `first` that are counted already."""
    count = first
    try:
        for _ in levels:
            count += 1
            if count >= MAX_COUNTED:
                return LeftOutRow(MAX_COUNTED, True, lines, limit)
    except (StackEnds, Unreadable):
        pass
    return LeftOutRow(count, False, lines, limit)


def lines(row: StackRow, styler: Styler) -> Iterator[str]:
    """The text of a row."""
    if isinstance(row, ProcessRow):
        yield styler.heading(f"P{row.description.removeprefix('p')}: {row.status}{_on_thread(row.thread)}")
        if row.moves:
            yield "(its thread is not stopped: where it is changes all the time)"
    elif isinstance(row, FrameRow):
        yield from _frame_lines(row, styler)
    elif isinstance(row, DamageRow):
        yield f"(the stack is damaged here or missing: {row.why})"
    else:
        frames = f"more than {row.frames}" if row.are_more else str(row.frames)
        if row.limit is not None:
            yield f"({frames} more frames: -limit {row.limit})"
        else:
            left = f"{row.lines} lines of this frame and {frames} more frames are left out"
            yield f"({left}: this is too much text; -limit N makes room for more)"


def _on_thread(thread: ThreadRow | None) -> str:
    if thread is None:
        return ""
    return f" on thread {thread.number}" + (f" ({thread.name})" if thread.name else "")


def _frame_lines(row: FrameRow, styler: Styler) -> list[str]:
    found = [_head(row, styler), *map(variable, row.variables)]
    if row.damaged:
        found.append(f"      ({row.damaged} words up to the next return address: they are no y registers, but damaged)")
    return found


def _head(row: FrameRow, styler: Styler) -> str:
    return f"#{row.number:<2} {row.pc:#x} in {_code(row, styler)}"


def _code(row: FrameRow, styler: Styler) -> str:
    if row.note:
        return row.note
    offset = f"+{row.offset}" if row.offset is not None else ""
    text = f"{styler.function(row.function or '<unknown code>')}{offset}"
    return f"{text} at {styler.source(row.file, row.line)}" if row.file is not None and row.line is not None else text


def variable(row: VariableRow) -> str:
    """The line of a variable."""
    return f"      {row.name} = {row.text}"


_BESIDE: Final = len(variable(VariableRow("", None, "")))


def damaged_lines(found: list[DamageRow]) -> Iterator[str]:
    """What is said of all that `processes` cannot show."""
    for row in found[:MAX_DAMAGED]:
        if row.address is None:
            yield f"The process table: {row.why}; processes there are missing"
        else:
            yield f"Process at {row.address:#x}: {row.why}"
    if len(found) > MAX_DAMAGED:
        yield f"And so for {len(found) - MAX_DAMAGED} others."
