"""Erlang stacks of AtomVM's processes, as `beam-bt` shows them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from beamgdb.atomvm.contexts import Context
from beamgdb.atomvm.frames import Frame
from beamgdb.atomvm.vm import AtomVm
from beamgdb.memory import Unreadable
from beamgdb.views.atomvm.threads import Threads
from beamgdb.views.stack import DamageRow, FrameRow, LeftOutRow, ProcessRow, StackRow, VariableRow
from beamgdb.views.terms import AnyTerms

MAX_VARIABLES = 1000
"""Y registers of a frame that are shown."""


class Stacks:
    """Stacks of processes, as long as the target stands still."""

    def __init__(self, vm: AtomVm, threads: Threads, terms: AnyTerms, limit: int) -> None:
        self._vm, self._threads, self._terms, self._limit = vm, threads, terms, limit

    def all(self) -> Iterator[StackRow]:
        """Those of all processes, the oldest first."""
        try:
            for context in self._vm.contexts:
                yield from self.of(context)
        except Unreadable as error:
            yield DamageRow(None, str(error))

    def of(self, context: Context) -> Iterator[StackRow]:
        """A process, then up to `limit` frames of its stack."""
        try:
            yield self._heading(context)
            if context.is_port:
                return
            frames = self._threads.frames(context)
            for number, found in enumerate(frames[: self._limit]):
                yield frame_row(self._vm, self._terms, number, found)
            if len(frames) > self._limit:
                yield LeftOutRow(len(frames) - self._limit, False, 0, self._limit)
        except Unreadable as error:
            yield DamageRow(context.address, str(error))

    @cached_property
    def _names(self) -> dict[int, int]:
        try:
            return self._vm.contexts.names()
        except Unreadable:
            return {}

    def _heading(self, context: Context) -> ProcessRow:
        work = self._threads.of(context)
        name = self._vm.name(context, self._names)
        kind = "port" if context.is_port else "process"
        description = f"{kind} {context.pid}{f' {name}' if name else ''}"
        thread = work.thread if work else None
        return ProcessRow(context.address, description, context.status, thread, False, str(context.pid))


def frame_row(vm: AtomVm, terms: AnyTerms, number: int, frame: Frame) -> FrameRow:
    """A frame with its y registers. Raises `Unreadable`."""
    shown = min(frame.count, MAX_VARIABLES)
    words = vm.memory.words(frame.address, shown)
    variables = tuple(VariableRow(f"y{at}", word, terms.text(word)) for at, word in enumerate(words))
    position = frame.position
    if position is None:
        return FrameRow(number, 0, None, None, "", None, None, variables, 0)
    place = position.place
    if place is None:
        return FrameRow(number, position.address, position.text, None, "", None, None, variables, 0)
    function = terms.syntax.function(place.function.text)
    offset = position.offset - place.function.start
    return FrameRow(number, position.address, function, offset, "", place.file, place.line, variables, 0)
