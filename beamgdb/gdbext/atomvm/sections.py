"""What is shown of the place where an AtomVM stands, section by section, as `gdbext/sections.py` does for
Erlang/OTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import gdb

from beamgdb.atomvm.frames import Position
from beamgdb.atomvm.modules import Broken, Place
from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import standing, term_printing
from beamgdb.gdbext.atomvm import registers as atomvm_registers
from beamgdb.gdbext.atomvm.running import Running
from beamgdb.gdbext.sections import AFTER, BEFORE, FRAMES, VARIABLES, Location, Sections, Shown, around_current, bounded
from beamgdb.memory import Unreadable
from beamgdb.views.atomvm.stack import Stacks
from beamgdb.views.disassembly.listing import ListingRow
from beamgdb.views.registers import RegisterRow
from beamgdb.views.stack import FrameRow
from beamgdb.vm.model import Unavailable
from jit.system.file_names import is_file


class Here(Sections):
    """The process that the selected thread runs, and the Erlang function in which that is: which frame of C is selected
    does not matter. Holds as long as the target stands still and no other thread is selected."""

    is_called = False

    def __init__(self, vm: AtomVm) -> None:
        standing.require_selected()
        self._vm = vm
        self._running = Running(vm)
        self._terms = term_printing.any_terms(vm)
        self._work = self._running.selected()

    @cached_property
    def _position(self) -> Position | None:
        """Where the process is, None where that is not known."""
        if self._work is None:
            return None
        try:
            frames = self._running.frames(self._work.context)
        except Unreadable:
            return self._work.position
        return frames[0].position if frames else None

    @cached_property
    def _place(self) -> Place | None:
        return self._position.place if self._position is not None else None

    @property
    def in_erlang(self) -> bool:
        return self._place is not None

    @property
    def function(self) -> str:
        return self._terms.syntax.function(self._place.function.text) if self._place is not None else ""

    def elsewhere(self) -> str:
        if self._work is not None:
            return f"where the process {self._work.context.pid} is in its code is not known"
        others = [f"Thread {one.thread.number} runs Erlang, {one.context.pid}" for one in self._running.all()]
        return f"{others[0]}: `thread {self._running.all()[0].thread.number}`" if others else "No thread runs Erlang."

    def location(self) -> Location | None:
        place, position = self._place, self._position
        if place is None or position is None or place.file is None or not place.line:
            return None
        try:
            compiled = position.module.file.source
        except (Broken, Unreadable):
            compiled = None
        found = _found(place.file, compiled)
        return Location(found, place.line) if found is not None else None

    def code_rows(self, before: int = BEFORE, after: int = AFTER) -> Iterator[ListingRow]:
        position, place = self._require()
        try:
            from beamgdb.views.atomvm import code  # it needs capstone, which takes long to load

            yield from around_current(code.rows(self._vm, position, place, self._terms.syntax), before, after)
        except Broken as error:
            raise Unavailable(str(error)) from None

    def stack(self, frames: int = FRAMES, variables: int = VARIABLES, *, but_x: bool = False) -> Iterator[Shown]:
        if self._work is None:
            return
        for row in Stacks(self._vm, self._running, self._terms, frames).of(self._work.context):
            is_selected = isinstance(row, FrameRow) and row.number == 0
            yield Shown(bounded(row, variables) if isinstance(row, FrameRow) else row, is_selected)

    def register_rows(self) -> list[RegisterRow]:
        """The arguments, where the function has just been called: later nobody knows which registers are in use."""
        position, place = self._require()
        if position.is_return or position.offset != place.function.entry:
            return []
        every = dict(atomvm_registers.registers(self._vm, "x", None))
        words = [(name, every[name]) for name in (f"x{at}" for at in range(place.function.arity)) if name in every]
        return [RegisterRow(name, word, self._terms.text(word)) for name, word in words]

    def _require(self) -> tuple[Position, Place]:
        if self._position is None or self._place is None:
            raise Unavailable(self.elsewhere())
        return self._position, self._place


def _found(file: str, compiled: str | None) -> Path | None:
    """A source file, by the name that code has of it and the path that it was compiled from."""
    names = [Path(file)]
    if compiled is not None:
        names.append(Path(compiled).parent / PurePosixPath(file).name)
    folders: Sequence[str] = str(gdb.parameter("directories")).split(":")
    names += (Path(folder) / PurePosixPath(file).name for folder in folders if not folder.startswith("$"))
    return next((one for one in names if is_file(one)), None)
