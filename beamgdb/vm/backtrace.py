"""The Erlang stack of one process, from where it is to its first function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from beamgdb.code.loaded import Place
from beamgdb.memory import Unreadable
from beamgdb.vm import calls, trace_frames
from beamgdb.vm.frame import ErlangFrame
from beamgdb.vm.model import Vm
from beamgdb.vm.processes import Process
from beamgdb.vm.stack import MAX_SCAN, StackFrame, StackReader, stack_end
from jit.otp.code import MAX_ARG
from jit.otp.tags import HEADER, PRIMARY_MASK

MAX_LEVELS: Final = 1 << 20
"""Functions on a stack that are looked at, by who looks at all: a bound on damage."""

MAX_STACK: Final = 16 << 20
"""Bytes of a stack that are looked through, likewise."""


class Level(NamedTuple):
    """One function on the stack.

    `pc` is where it goes on; `calling` whether that is the return address of a call. `place` is None for code that is
    unknown. `y_registers` lists the words of its frame, y0 first; of a damaged one it is empty, and `damaged` the
    number of words up to the next return address. `arguments` are those of a NIF: it has no code of its own.
    """

    pc: int
    calling: bool
    place: Place | None
    y_registers: tuple[int, ...]
    damaged: int = 0
    arguments: tuple[int, ...] = ()

    @property
    def lookup(self) -> int:
        """Address that belongs to the instruction in progress: for a return address one inside of the call."""
        return self.pc - 1 if self.calling else self.pc


class StackEnds(Exception):
    """A stack is not shown to its base; the text, a part of a line, says why."""


class _Function(NamedTuple):
    """A function on the stack with its frame, None where it has none; its y registers have not been read."""

    pc: int
    calling: bool
    place: Place | None
    frame: StackFrame | None


def levels(node: Vm, process: Process, pc: int, top: int, calling: bool = False) -> Iterator[Level]:
    """The functions of a process that continues at `pc` with its stack pointer at `top`.

    Ends at the first function of the process, or where the VM has nothing more. Raises `StackEnds`.
    """
    reader, end = node.stack(), stack_end(process, top)
    words = reader.small(top, end)
    if not words:
        yield from (_level(reader, one) for one in _functions(node, pc, top, end, calling))
        return
    # Which frames there are is told by the words that may be return addresses: as by those of very many processes.
    shape = pc, calling, tuple([word if word & PRIMARY_MASK == HEADER else None for word in words])
    parts = reader.shapes.get(shape)
    if parts is None:
        try:
            found = list(_functions(node, pc, top, end, calling))
        except StackEnds:
            yield from (_level(reader, one) for one in _functions(node, pc, top, end, calling))
            return
        parts = [reader.part(one.pc, one.calling, one.place, one.frame, top) for one in found]
        reader.keep(shape, parts)
    for pc, calling, place, part, damaged in parts:
        yield Level(pc, calling, place, words[part], damaged)


def _functions(node: Vm, pc: int, top: int, end: int, calling: bool) -> Iterator[_Function]:
    """Those of a stack from `top` up to `end`. Raises `StackEnds`."""
    reader = node.stack()
    while True:
        place = node.code.of_frame(pc, calling)
        slot, why = _return_slot(reader, top, end, place)
        if slot is None:
            if pc:
                yield _Function(pc, calling, place, None)
            if why:
                raise StackEnds(why)
            return
        frame = reader.frame(top, slot)
        yield _Function(pc, calling, place, frame)
        pc, calling, top = node.code.goes_on(frame.return_address), True, frame.cfa
        if _is_base(node, pc):
            return


def _return_slot(reader: StackReader, top: int, end: int, place: Place | None) -> tuple[int | None, str]:
    """Where the return address of a frame lies; without one why not, empty at the base of the stack."""
    try:
        slot = reader.return_slot(top, end, place)
    except Unreadable as error:
        return None, str(error)
    if slot is not None or top >= end:
        return slot, ""
    return None, f"no return address from {top:#x} to {min(end, top + MAX_SCAN):#x}"


def _level(reader: StackReader, found: _Function) -> Level:
    pc, calling, place, frame = found
    if frame is None:
        return Level(pc, calling, place, ())
    if frame.is_sound:
        return Level(pc, calling, place, reader.words(frame))
    return Level(pc, calling, place, (), frame.slots)


def _is_base(node: Vm, return_address: int) -> bool:
    """Whether this is what the first function of a process returns to."""
    place = node.code.find(return_address)
    return place is not None and place.is_internal and trace_frames.kind(place) is None


def past_tracing(node: Vm, slot: int, return_address: int, end: int) -> int:
    """Where a function goes on in its caller, whose return address lies at `slot`: it may return to entry points of the
    VM first, which tell a tracer. `end` is the base of the stack."""
    reader, word = node.stack(), node.memory.word_size
    place = node.code.find(return_address)
    while trace_frames.kind(place) is not None:
        outer = reader.next_return_address(slot + word, end, place)
        if outer is None:
            break
        slot, return_address = outer, node.memory.word(outer)
        place = node.code.find(return_address)
    return return_address


def of_frame(node: Vm, process: Process, frame: ErlangFrame, calling: bool) -> Iterator[Level]:
    """The stack of a process that runs, from a frame of it on; `calling`: the frame's pc is a return address."""
    slot, return_address = frame.return_slot, frame.return_address
    if slot is None or return_address is None:
        yield from levels(node, process, frame.pc, frame.top, calling)
        return
    reader = node.stack()
    yield _level(reader, _Function(frame.pc, calling, frame.place, reader.frame(frame.top, slot)))
    if not _is_base(node, return_address):
        goes_on = node.code.goes_on(return_address)
        yield from levels(node, process, goes_on, slot + node.memory.word_size, True)


def of_waiting(node: Vm, process: Process) -> Iterator[Level]:
    """The stack of a process that no scheduler runs now: the VM has saved where it goes on."""
    return levels(node, process, process.record["i"], node.stack().y0(process.record["stop"]))


def function(node: Vm, process: Process, level: Level) -> str | None:
    """The function of a level, as its symbol has it; None where that is not known. Of a NIF or BIF that is called, or
    goes on in a few words made for it, the VM has noted which it is. May raise `Unreadable`."""
    if level.place is not None:
        return level.place.code.name
    call = process.current_call() if not level.calling else None
    return calls.mfa(node, *call) if call is not None else None


def saved_arguments(process: Process) -> list[int] | None:
    """x registers that the VM saved when the process was scheduled out; None where it is not known which those are."""
    try:
        count, where = min(process.record["arity"], MAX_ARG), process.record["arg_reg"]
    except KeyError:
        return None
    try:
        return list(process.record.memory.words(where, count)) if count and where else []
    except Unreadable:
        return []
