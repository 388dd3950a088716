"""Erlang stacks of processes, as `beam-bt` shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import chain, compress, count
from typing import Final, NamedTuple, Optional, Union

from beamgdb.code.loaded import Place
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.styler import PLAIN, Sentence, Styler
from beamgdb.views.terms import Terms
from beamgdb.views.threads import ThreadRow, Threads
from beamgdb.vm import backtrace, calls, trace_frames
from beamgdb.vm.backtrace import Level, StackEnds
from beamgdb.vm.pids import Pids
from beamgdb.vm.processes import Fields, Process
from beamgdb.vm.stack import MAX_SCAN, StackReader
from jit.otp.tags import BOXED, CATCH, CONS, IMMED1_MASK, IMMED2_MASK, PID, PRIMARY_MASK

FRAMES = 1000
"""Frames of one process, unless more are asked for."""

ROOM_PER_FRAME = 1 << 10
"""Characters that a process may show for each frame that is asked for: a few may be large, all may not."""

MAX_COUNTED = 100_000
"""Frames that are counted when they are not shown."""

MAX_DAMAGED = 20
"""Processes of which nothing can be shown that are listed."""

MAX_KEPT: Final = 1 << 14
"""Stacks without what pointers in them lead to, places in code, and y registers that are no pointers, whose text is
kept: most processes wait in a few functions."""

_POINTERS: Final = (CONS, BOXED)

_MARK: Final = "\0"
"""Stands in a text for a term: no text has it, for what comes from the target is escaped."""

SMALL_HEAP: Final = 8 << 10
"""Bytes of a heap that is read together with the stack, which lies in the same block."""

_PATHS: Final = (
    "common.id", "state", "common.u.alive.reg", "heap", "stop", "hend", "i", "current", "arity", "arg_reg",
    "u.initial.module", "u.initial.function", "u.initial.arity",
)  # fmt: skip
"""What is asked of each process."""

_HEAP: Final = 1 + _PATHS.index("heap")
"""Where `heap`, `stop` and `hend` are in a row, which the address begins."""


@dataclass(frozen=True)
class ProcessRow:
    """A process. `description` has its `pid` and what it was spawned as; `moves`: its thread does not stand still, and
    where it is changes all the time."""

    address: int
    description: str
    status: str
    thread: ThreadRow | None
    moves: bool
    pid: str


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

    @property
    def more(self) -> str:
        """How many frames, in words."""
        least = "more than " if self.are_more else ""
        return f"{least}{self.frames} more frame{'' if (self.frames, self.are_more) == (1, False) else 's'}"


@dataclass(frozen=True)
class DamageRow:
    """What cannot be shown: the rest of a stack, a process, or where `address` is None part of the process table."""

    address: int | None
    why: str


_UNKNOWN: Final = (None, None, None, None, None)

StackRow = Union[ProcessRow, FrameRow, LeftOutRow, DamageRow]

_Place = tuple[Optional[str], Optional[str], int, Optional[str], Optional[int]]
"""Of which kind a frame of tracing is, None of another one; and function, offset in it, file and line, as in
`FrameRow`."""


def processes(node: Node, threads: Threads) -> Iterator[Process | DamageRow]:
    """All processes that can be found, and what cannot be shown."""
    for piece in _found(node, threads):
        for found in piece:
            yield node.processes.of_row(_PATHS, found) if isinstance(found, tuple) else found


_Found = Union[Fields, Process, DamageRow]
"""A process, as a row where what is asked of it has been read; or what cannot be shown."""


def _found(node: Node, threads: Threads) -> Iterator[list[_Found]]:
    """All processes that can be found, and what cannot be shown, as they are read together."""
    left = {process.address: process for process in threads.by_schedulers()}
    is_whole = True
    for piece in node.processes.found(_PATHS):
        node.memory.ahead(chain.from_iterable(map(_stack, piece)))
        found = [_if_sound(node, entry) for entry in piece]
        is_whole = is_whole and DamageRow not in map(type, found)
        if left:
            for address in (one for one in piece if not isinstance(one, Unreadable)):
                left.pop(address if isinstance(address, int) else address[0] or 0, None)
        yield found
    # One that has ended while a dirty scheduler runs its native code is in no table either.
    more = (process for process in left.values() if not is_whole or process.has("FREE"))
    yield [_if_sound(node, process.address) for process in more]


def _stack(found: Fields | int | Unreadable) -> Iterator[tuple[int, int]]:
    """Where the stack of a process lies, of a small heap all."""
    if isinstance(found, tuple):
        heap, stop, end = found[_HEAP : _HEAP + 3]
        if heap is not None and stop is not None and end is not None and heap <= stop < end:
            yield (heap if end - heap <= SMALL_HEAP else stop), min(end, stop + MAX_SCAN)


def _if_sound(node: Node, found: Fields | int | Unreadable) -> _Found:
    """What can be shown of it."""
    if isinstance(found, Unreadable):
        return DamageRow(None, str(found))
    if isinstance(found, tuple):
        pid, (heap, stop, end) = found[1], found[_HEAP : _HEAP + 3]
        is_inside = (1 if heap is None else heap) <= (stop or 0) <= (end or 0)
        if is_inside and pid is not None and pid & IMMED1_MASK == PID:
            return found  # (as `has_sound_stack` says, of very many)
    table = node.processes
    process = table.of_row(_PATHS, found) if isinstance(found, tuple) else table.at(found)
    if table.is_process(process):
        return process
    try:
        return DamageRow(process.address, f"it is damaged, its pid is {process.id:#x}")
    except Unreadable as error:
        return DamageRow(process.address, str(error))


def rows(node: Node, process: Process, threads: Threads, terms: Terms, limit: int = FRAMES) -> Iterator[StackRow]:
    """A process and up to `limit` frames of its stack, as far as they can be read, innermost first."""
    return Stacks(node, threads, terms, limit).of(process)


_Stack = tuple[int, Optional[int], tuple[Optional[int], ...]]
"""What tells the text of a stack, but for the terms that pointers lead to: where the process goes on, the function that
the VM has noted, and the words of its stack, None in the place of pointers."""


class _Text(NamedTuple):
    """The text of a stack: a `template` of `size` characters, in which the terms of the first `pointers` are put."""

    template: str
    size: int
    pointers: int


class Stacks:
    """Stacks of many processes, as long as the target stands still: what is equal in them is made once."""

    def __init__(self, node: Node, threads: Threads, terms: Terms, limit: int = FRAMES) -> None:
        self._node, self._threads, self._terms, self._limit = node, threads, terms, limit
        self._room = max(limit, FRAMES) * ROOM_PER_FRAME
        self._tells_arguments = all(node.layout.has("Process", name) for name in ("arity", "arg_reg"))
        self._tells_current = node.layout.has("Process", "current")
        self._texts: dict[_Stack, _Text | None] = {}
        self._spawned: dict[tuple[int, ...], str] = {}
        self._places: dict[tuple[int, bool], _Place] = {}
        self._immediates: dict[tuple[int, int], VariableRow] = {}

    def of(self, process: Process) -> Iterator[StackRow]:
        """As `rows`."""
        row = self._heading(process)
        yield row
        if not row.moves:
            yield from self._frames(process)

    def everything(self, styler: Styler) -> Iterator[str | DamageRow]:
        """The text of each process that can be found, and what cannot be shown."""
        for piece in _found(self._node, self._threads):
            pids = iter(self._pids.texts([one[1] or 0 for one in piece if isinstance(one, tuple)]))
            for one in piece:
                if isinstance(one, DamageRow):
                    yield one
                elif isinstance(one, Process):
                    yield self.text(one, styler)
                else:
                    alike = self._alike(one, next(pids), styler)
                    yield alike if alike is not None else self.text(self._node.processes.of_row(_PATHS, one), styler)

    def text(self, process: Process, styler: Styler) -> str:
        """The text of the rows of a process."""
        row = self._heading(process)
        found = list(lines(row, styler))
        stack = self._waiting(process) if row.status == "waiting" and row.thread is None else None
        if stack is not None:
            words, pointers = stack
            if words not in self._texts:
                if len(self._texts) >= MAX_KEPT:
                    self._texts.clear()
                self._texts[words] = _text(list(self._frames(process)), pointers, styler)
            written = self._written(stack)
            if written is not None:
                return "\n".join([*found, written])
        for frame in self._frames(process) if not row.moves else ():
            found += lines(frame, styler)
        return "\n".join(found)

    def _alike(self, row: Fields, pid: str, styler: Styler) -> str | None:
        """The same of a process that waits and has no name, which nothing tells from another one but its pid and the
        terms on its stack; None of others, and of the first one."""
        address, _, state, name, _, stop, end, place, current, arity, saved, module, function, number = row
        spawned = self._spawned.get((module or 0, function or 0, number or 0))
        # (What is not known is not 0.)
        if spawned is None or name != 0 or arity != 0 or saved is None or address in self._scheduled:
            return None
        if state is None or place is None or stop is None or end is None or self._status_of(state) != "waiting":
            return None
        try:
            stack = self._stack(place, current, stop, end)
        except Unreadable:
            return None
        written = self._written(stack) if stack is not None else None
        if written is None:
            return None
        heading = styler.heading(f"Process {pid}, spawned as {spawned}: waiting")
        return f"{heading}\n{written}"

    @cached_property
    def _reader(self) -> StackReader:
        return self._node.stack()

    @cached_property
    def _pids(self) -> Pids:
        return Pids(self._node)

    @cached_property
    def _status_of(self) -> Callable[[int], str]:
        return self._node.processes.at(0).status_of

    @cached_property
    def _scheduled(self) -> set[int]:
        """Processes that have a thread, if any does."""
        return {process.address for process in self._threads.by_schedulers()}

    def _waiting(self, process: Process) -> tuple[_Stack, list[int]] | None:
        """As `_stack`, of a process that waits without arguments; None of another one."""
        record = process.record
        try:
            if not self._tells_arguments or record["arity"]:
                return None
            current = record["current"] if self._tells_current else None
            return self._stack(record["i"], current, record["stop"], record["hend"])
        except Unreadable:
            return None

    def _stack(self, place: int, current: int | None, stop: int, end: int) -> tuple[_Stack, list[int]] | None:
        """What tells the text of a stack, and the pointers in it; None of a large one. Raises `Unreadable`."""
        words = self._reader.small(self._reader.y0(stop), end)
        pointers = [word for word in words if word & PRIMARY_MASK in _POINTERS]
        shape = tuple([None if word & PRIMARY_MASK in _POINTERS else word for word in words]) if pointers else words
        # (Where no code is known, it is `current` that names the function.)
        return ((place, current, shape), pointers) if words else None

    def _written(self, stack: tuple[_Stack, list[int]]) -> str | None:
        """The text of a stack like which there was one; None without one, or where it is too long."""
        words, pointers = stack
        text = self._texts.get(words)
        if text is None:
            return None
        terms = tuple(map(self._terms.text, pointers[: text.pointers]))
        return text.template % terms if text.size + sum(map(len, terms)) <= self._room else None

    def _heading(self, process: Process) -> ProcessRow:
        threads = self._threads
        syntax = self._terms.syntax
        description = calls.spawned_as(self._node, process, syntax.function, self._spawned, registered_as=syntax.module)
        thread, status = threads.thread(process), process.status()
        if status == "free":
            status = "ended, but its native code still runs"
        pid = self._node.term(process.id)
        return ProcessRow(process.address, description, status, thread, threads.moves(process), pid)

    def _frames(self, process: Process) -> Iterator[StackRow]:
        """All but the heading."""
        limit, room = self._limit, self._room
        levels = iter(self._threads.levels(process))
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
        kind, function, offset, file, line = self._place(level, place) if place is not None else _UNKNOWN
        if kind is not None:
            slots = trace_frames.terms(kind, level.y_registers)
            variables += (VariableRow(name, word, terms.text(word)) for name, word in slots)
            note = calls.trace_note(node, kind, level.y_registers, terms.syntax.function)
            return FrameRow(number, pc, None, None, note, None, None, tuple(variables), 0)
        variables += map(self._y_register, count(), level.y_registers)
        if place is None:
            name = backtrace.function(node, process, level)
            function = terms.syntax.function(name) if name else None
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
            kind, offset = trace_frames.kind(place), level.pc - place.code.start
            found = self._places[key] = kind, function, offset, file, line
        return found

    def _y_register(self, at: int, word: int) -> VariableRow:
        if word & PRIMARY_MASK in _POINTERS:
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


def _text(rows: list[StackRow], pointers: list[int], styler: Styler) -> _Text | None:
    """The text of a stack that any other has, with the terms of its own pointers, whose words tell the same; None where
    more tells it."""
    frames, shown, size = list[StackRow](), list[int](), 0
    for row in rows:
        if isinstance(row, FrameRow) and (row.function is not None or row.note):
            leads = [one.word is not None and one.word & PRIMARY_MASK in _POINTERS for one in row.variables]
            shown += (one.word or 0 for one in compress(row.variables, leads))
            size += _size(row) - sum(len(one.text) for one in compress(row.variables, leads))
            marked = (replace(one, text=_MARK) if lead else one for one, lead in zip(row.variables, leads))
            frames.append(replace(row, variables=tuple(marked)))
        elif isinstance(row, LeftOutRow) and row.limit is not None:
            frames.append(row)
        else:
            return None
    if not frames or shown != pointers[: len(shown)]:
        return None
    text = "\n".join(line for row in frames for line in lines(row, styler))
    return _Text(text.replace("%", "%%").replace(_MARK, "%s"), size, len(shown))


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


def lines(row: StackRow, styler: Styler, more: str | None = None) -> Iterator[str]:
    """The text of a row; *more* is what shows all frames, unless the command's own limit does."""
    if isinstance(row, ProcessRow):
        heading = f"P{row.description.removeprefix('p')}: {row.status}{_on_thread(row.thread)}"
        yield Sentence(styler.heading(heading))
        if row.moves:
            yield Sentence("(its thread is not stopped: where it is changes all the time)")
    elif isinstance(row, FrameRow):
        yield from _frame_lines(row, styler)
    elif isinstance(row, DamageRow):
        yield Sentence(f"(the stack is damaged here or missing: {row.why})")
    elif row.limit is not None:
        yield f"({row.more}: {more or f'-limit {row.limit}'})"
    else:
        left = f"{row.lines} lines of this frame and {row.more} are left out"
        yield Sentence(f"({left}: this is too much text; -limit N makes room for more)")


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
