"""What is shown of the place where the program stands, section by section: the source around it, the code, the Erlang
stack, x registers. For the display after stops (`context.py`) and the windows of GDB's TUI."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import gdb

from beamgdb.gdbext import code_listing, current_frame, gdb_text, older_gdb, session, standing, term_printing
from beamgdb.gdbext.current_frame import Selected
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.running import Running
from beamgdb.gdbext.session import Session
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.views import registers, source_lines, stack, where
from beamgdb.views.disassembly import listing
from beamgdb.views.disassembly.listing import FunctionListing, InstructionRow
from beamgdb.views.registers import RegisterRow
from beamgdb.views.source_lines import SourceLineRow
from beamgdb.views.stack import FrameRow, LeftOutRow, StackRow, VariableRow
from beamgdb.views.styler import Styler
from beamgdb.vm.model import Unavailable
from jit.system.file_names import is_file

FRAMES = 5
"""Frames of a stack, where it is one section among others."""

VARIABLES = 8
"""Variables of a frame, and x registers, likewise."""

BEFORE, AFTER = 4, 5
"""Lines of the source, or of code, on either side of the current one, likewise."""

LONGEST_CODE = 32 << 10
"""Bytes of a function whose code is taken apart at each stop."""


@dataclass(frozen=True)
class Location:
    """A line of a source file that there is."""

    path: Path
    line: int


@dataclass(frozen=True)
class Shown:
    """A row of the stack; `is_selected`: that of the selected frame; `level`: GDB's number of a frame, if it has it."""

    row: StackRow
    is_selected: bool
    level: int | None = None

    def lines(self, styler: Styler) -> Iterator[str]:
        """Its text."""
        if isinstance(self.row, LeftOutRow):
            return iter((f"({self.row.more}: `beam-bt`)",))
        first, *others = stack.lines(self.row, styler)
        if isinstance(self.row, FrameRow):
            first = f"{'=>' if self.is_selected else '  '} {first}"
        return iter((first, *others))


class Sections(ABC):
    """What is shown of the place where a program stands, whichever VM it is."""

    @property
    @abstractmethod
    def in_erlang(self) -> bool:
        """Whether there is an Erlang function here."""

    @abstractmethod
    def elsewhere(self) -> str:
        """Where Erlang runs, as there is none here: a line."""

    @property
    @abstractmethod
    def is_called(self) -> bool:
        """Whether the selected frame is none of Erlang itself, but one that was called from there."""

    @property
    @abstractmethod
    def function(self) -> str:
        """The name of the Erlang function, empty without one."""

    @abstractmethod
    def location(self) -> Location | None:
        """The line of the Erlang function, None where its file is not found."""

    def source(self, before: int = BEFORE, after: int = AFTER) -> list[SourceLineRow]:
        """Lines of the source around it; empty where the file is not found, or has no such line."""
        location = self.location()
        try:
            return source_lines.around(location.path, location.line, before, after) if location else []
        except OSError:
            return []

    def code(self, styler: Styler, before: int = BEFORE, after: int = AFTER) -> Iterator[str]:
        """The text of `code_rows`."""
        return (listing.line(row, styler) for row in self.code_rows(before, after))

    @abstractmethod
    def code_rows(self, before: int = BEFORE, after: int = AFTER) -> Iterator[listing.ListingRow]:
        """Operations and machine code, or loaded instructions, around the current one. Raises `Unavailable`."""

    @abstractmethod
    def stack(self, frames: int = FRAMES, variables: int = VARIABLES, *, but_x: bool = False) -> Iterator[Shown]:
        """The process and its first frames, with their arguments and y registers; `but_x`: without those of the first
        one that x registers have. Empty where no process is known. Raises `Unavailable`."""

    def registers(self) -> Iterator[str]:
        """The x registers that are known to be in use. Raises `Unavailable`."""
        live = self.register_rows()
        yield from map(registers.line, live[:VARIABLES])
        if len(live) > VARIABLES:
            yield f"({len(live) - VARIABLES} more: `xreg`)"
        if not live:
            yield "(none is known to be in use here; `xreg` shows what was left in them)"

    @abstractmethod
    def register_rows(self) -> list[RegisterRow]:
        """The same as rows, all of them. Raises `Unavailable`."""


class Here(Sections):
    """The selected frame, and the Erlang function that it is of, or on whose behalf it runs. Holds as long as the
    target stands still and nothing else is selected."""

    def __init__(self) -> None:
        standing.require_selected()
        self._current: Session = session.require()
        self.node = self._current.node
        self.terms = term_printing.terms(self.node)
        self.running = Running(self.node)
        try:
            self._frame: gdb.Frame | None = gdb.selected_frame()
        except gdb.error:
            self._frame = None
        self._found = current_frame.first_erlang(self._frame)

    @property
    def in_erlang(self) -> bool:
        return self._found is not None

    def elsewhere(self) -> str:
        if not self.node.has_layout:
            return f"there is no Erlang function here, and where one runs is not known: {self.node.no_layout}"
        return where.text(where.row(self.node, self.running, extension().parameters.syntax))

    @property
    def is_called(self) -> bool:
        return self._found is not None and self._found.gdb_frame != self._frame

    @property
    def function(self) -> str:
        return term_printing.function(self._found.erlang.place.code.name) if self._found is not None else ""

    # -- source --------------------------------------------------------------------------------------------------------

    def location(self) -> Location | None:
        if self._found is None:
            return None
        place = self._found.gdb_frame.find_sal()
        if place.symtab is None or not place.line:
            return None
        path = Path(gdb_text.path(place.symtab.fullname))
        return Location(path, place.line) if is_file(path) else None

    # -- code ----------------------------------------------------------------------------------------------------------

    def code_rows(self, before: int = BEFORE, after: int = AFTER) -> Iterator[listing.ListingRow]:
        found = self._require()
        code = found.erlang.place.code
        if code.stop - code.start > LONGEST_CODE:
            name = term_printing.function(code.name)
            raise Unavailable(f"the code of {name} is too long to be taken apart at each stop: `beam-disas` shows it")
        rows = FunctionListing(code_listing.sources(self._current), found.erlang.place, found.erlang.pc, None).rows()
        return around_current(rows, before, after)

    # -- stack ---------------------------------------------------------------------------------------------------------

    def stack(self, frames: int = FRAMES, variables: int = VARIABLES, *, but_x: bool = False) -> Iterator[Shown]:
        process = self._found.erlang.process if self._found is not None else None
        process = process or self.running.selected()
        if process is None:
            return
        callers = self._erlang_frames(frames)
        following = next(callers, None)
        for row in stack.rows(self.node, process, self.running, self.terms, frames):
            is_selected, level = False, None
            if isinstance(row, FrameRow):
                if following is not None and following.erlang.pc == row.pc:
                    level = older_gdb.level(following.gdb_frame)
                    is_selected = self._found is not None and following.gdb_frame == self._found.gdb_frame
                    row = self._with_arguments(row, following, but_x and row.number == 0)
                    following = next(callers, None)
                row = bounded(row, variables)
            yield Shown(row, is_selected, level)

    def _erlang_frames(self, most: int) -> Iterator[Selected]:
        """Of the selected thread, innermost first."""
        frame: gdb.Frame | None = gdb.newest_frame()
        for _ in range(most):
            found = current_frame.first_erlang(frame)
            if found is None:
                return
            yield found
            frame = found.gdb_frame.older()

    def _with_arguments(self, row: FrameRow, found: Selected, but_x: bool) -> FrameRow:
        """A frame with the arguments of its function, of which one may be in a y register."""
        known = {one.name for one in row.variables}
        shown = dict(self._live(found)) if but_x else {}
        arguments: list[VariableRow] = []
        names: dict[int, str] = {}
        for number, word in enumerate(found.arguments()):
            name = f"x{number}"
            if word is None or name in known or name in shown:
                continue
            kept = next((one for one in row.variables if one.word == word and one.name[0] == "y"), None)
            if kept is None:
                arguments.append(VariableRow(name, word, self.terms.text(word)))
            else:
                names.setdefault(word, name)
        variables = (
            replace(one, name=f"{one.name} = {names.pop(one.word)}") if one.word in names else one
            for one in row.variables
        )
        return replace(row, variables=(*arguments, *variables))

    # -- registers -----------------------------------------------------------------------------------------------------

    def register_rows(self) -> list[RegisterRow]:
        found = self._require()
        if found.erlang.x_registers is None:
            found.x_register(0)  # which says why there are none
        return [RegisterRow(name, word, self.terms.text(word)) for name, word in self._live(found)]

    def saved(self) -> Iterator[str]:
        """The y registers of the Erlang function. Raises `Unavailable`."""
        words = self._require().words()
        rows = registers.rows("y", range(len(words)), words.__getitem__, self.terms)
        return map(registers.line, rows)

    def _live(self, found: Selected) -> Sequence[tuple[str, int]]:
        """x registers whose words the function is known to use still: its arguments, those that are in their places."""
        live = []
        for number, word in enumerate(found.arguments() if found.erlang.x_registers is not None else ()):
            try:
                if word is not None and found.x_register(number) == word:
                    live.append((f"x{number}", word))
            except (Unavailable, Unreadable):
                continue
        return live

    def _require(self) -> Selected:
        if self._found is None:
            raise Unavailable(current_frame.why_none("the selected frame belongs to no Erlang function"))
        return self._found


def around_current(rows: Iterable[listing.ListingRow], before: int, after: int) -> Iterator[listing.ListingRow]:
    """The current instruction of a listing, with so many rows before and behind it; where none is current, the first
    ones."""
    left = iter(rows)
    kept: deque[listing.ListingRow] = deque(maxlen=before + 1)
    first: list[listing.ListingRow] = []
    for row in left:
        kept.append(row)
        if len(first) <= before + after:
            first.append(row)
        if isinstance(row, InstructionRow) and row.is_current:
            yield from kept
            yield from islice(left, after)
            return
    yield from first


def bounded(row: FrameRow, most: int) -> FrameRow:
    """A frame with so many variables at most."""
    more = len(row.variables) - most
    if more <= 0:
        return row
    return replace(row, variables=(*row.variables[:most], VariableRow("...", None, f"{more} more: `beam-bt`")))
