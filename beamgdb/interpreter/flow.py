"""The flow of control through an interpreted function, and where the arguments that it was entered with still are.

What is known is carried from the entry along every path; where paths meet, that is kept on which all agree. An
exception continues in a handler of the function, with the y registers as they are wherever a catch may be in force.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import NamedTuple, Optional

from beamgdb.interpreter import effects
from beamgdb.interpreter.bytecode import Decoded, Operand, OperandKind, decode
from beamgdb.interpreter.effects import Effects, FrameChange, Outcome
from beamgdb.interpreter.instructions import LoadedInstruction
from beamgdb.interpreter.operations import Unsupported
from beamgdb.late import dataclass

BUDGET = 100_000
"""Instructions of a function at most; the largest of OTP has 30,000."""

VISITS = 8
"""Times that the whole function may be walked over, on average, until nothing changes any more."""

HandlerOf = Callable[[int], Optional[int]]
"""From the index of a catch to the address of its handler, None where it is not known."""


class TermPlace(NamedTuple):
    """Where a term is: in an x register; or in a y register, by its distance from the end of the frame in words, which
    stays the same when the frame is trimmed."""

    kind: OperandKind
    number: int


Places = Mapping[TermPlace, int]
"""For each place the number of the argument that is there, as it was at the entry."""

UNDECIDED = -1
"""Instead of a number of y registers: paths with different frames meet, as they do where an exception is raised."""


class CatchInForce(NamedTuple):
    """A catch that may be in force: where it is, by its distance from the end of the frame, the address of its handler,
    and the number of y registers there."""

    distance: int
    handler: int
    frame: int


@dataclass(frozen=True)
class KnownState:
    """What is known before an instruction. `frame`: number of y registers, None without a frame."""

    frame: int | None
    places: Places
    catches: frozenset[CatchInForce] = frozenset()

    def place(self, operand: Operand) -> TermPlace | None:
        """Where an operand is, None for one that is no register."""
        if operand.kind is OperandKind.X:
            return TermPlace(OperandKind.X, operand.value)
        if operand.kind is not OperandKind.Y:
            return None
        if self.frame is None or not 0 <= operand.value < self.frame:
            raise _Unknown  # So it is where the frame is undecided.
        return TermPlace(OperandKind.Y, self.frame - operand.value)


class _Unknown(Exception):
    """Nothing is known of this function."""


@dataclass
class Flow:
    """What is known in a function. Nothing, where it is not understood to its end."""

    start: int
    effects: dict[int, tuple[Decoded, Effects]] = field(default_factory=dict)
    """Instructions that control may come to, and what they do."""
    states: dict[int, KnownState] = field(default_factory=dict)
    calls: dict[int, KnownState] = field(default_factory=dict)
    """By return address."""

    def before(self, address: int) -> KnownState | None:
        """What is known before the instruction is executed."""
        return self.states.get(address)

    def during_call(self, return_address: int) -> KnownState | None:
        """What is known while the call that returns there is in progress."""
        return self.calls.get(return_address)

    def during(self, address: int, settled: bool) -> KnownState | None:
        """What is known while the instruction is being executed, whatever it has done so far.

        `settled`: all that earlier instructions do has been done. If not, what the one before does may still be under
        way.
        """
        before = self.states.get(address)
        if before is None or address not in self.effects:
            return None
        _, now = self.effects[address]
        state = _without_x(_remaining(before, now), now.live if settled and now.quiet else 0)
        for other in () if settled else self._before(address):
            state = _common(state, other)
        return state

    def _before(self, address: int) -> Iterator[KnownState]:
        """What is known before instructions from which control comes to this one."""
        for at, (instruction, done) in self.effects.items():
            goes_on = done.control is not Outcome.LEAVE and instruction.end == address
            if goes_on or address in done.branches:
                yield self.states[at]


def analyse(code: Iterable[LoadedInstruction], start: int, arity: int, handler_of: HandlerOf) -> Flow:
    """The flow through a function's instructions, of which the first lies at `start`."""
    flow = Flow(start)
    by_address = {instruction.address: instruction for instruction in code}
    entry = KnownState(None, {TermPlace(OperandKind.X, number): number for number in range(arity)})
    try:
        _follow(flow, by_address, entry, handler_of)
    except (_Unknown, Unsupported):
        return Flow(start)
    return flow


def _follow(flow: Flow, code: dict[int, LoadedInstruction], entry: KnownState, handler_of: HandlerOf) -> None:
    if len(code) > BUDGET:
        raise _Unknown
    flow.states[flow.start] = entry
    queue, queued = [flow.start], {flow.start}
    for _ in range(VISITS * len(code)):
        if not queue:
            return
        address = heapq.heappop(queue)
        queued.remove(address)
        instruction, now = _understood(flow, code, address)
        for target, state in _successors(flow, instruction, now, flow.states[address], handler_of):
            # A label in front of the function is that of `i_func_info`, which raises function_clause.
            if target >= flow.start and _merge(flow.states, target, state) and target not in queued:
                heapq.heappush(queue, target)
                queued.add(target)
    if queue:
        raise _Unknown


def _understood(flow: Flow, code: dict[int, LoadedInstruction], address: int) -> tuple[Decoded, Effects]:
    if address not in flow.effects:
        if address not in code:
            raise _Unknown
        instruction = decode(code[address])
        found = effects.of(instruction)
        if found is None:
            raise _Unknown
        flow.effects[address] = (instruction, found)
    return flow.effects[address]


def _successors(
    flow: Flow, instruction: Decoded, now: Effects, before: KnownState, handler_of: HandlerOf
) -> Iterator[tuple[int, KnownState]]:
    """Where control may go, and what is known there."""
    if before.catches:
        raised = _without_x(_remaining(before, now), 0)
        for catch in before.catches:
            size = catch.frame if raised.frame == UNDECIDED else raised.frame
            yield catch.handler, KnownState(size, raised.places, before.catches)
    moved = before
    for step in now.moves:
        moved = _moved(moved, step)
    moved = _without_x(_changed(moved, now), now.live)
    moved = _forgotten(moved, now.spoilt)
    yield from ((branch, moved) for branch in now.branches)
    if now.control is Outcome.NEXT:
        yield instruction.end, _framed(_caught(_forgotten(moved, now.written), now, handler_of), now)
    elif now.control is Outcome.CALL:
        _merge(flow.calls, instruction.end, moved)
        yield instruction.end, moved
    elif now.control is Outcome.RETURN_OR_CALL:
        if before.frame is not None:
            raise _Unknown
        empty = KnownState(0, {})
        _merge(flow.calls, instruction.end, empty)
        yield instruction.end, empty


def _merge(states: dict[int, KnownState], address: int, state: KnownState) -> bool:
    """Keep what two paths agree on; whether that has changed anything."""
    known = states.get(address)
    merged = _common(known, state) if known is not None else state
    if merged == known:
        return False
    states[address] = merged
    return True


def _common(state: KnownState, other: KnownState) -> KnownState:
    """What two states agree on, and the catches of both."""
    same = state.frame == other.frame
    places = {
        place: argument
        for place, argument in state.places.items()
        if other.places.get(place) == argument and (same or place.kind is OperandKind.X)
    }
    return KnownState(state.frame if same else UNDECIDED, places, state.catches | other.catches)


def _remaining(state: KnownState, now: Effects) -> KnownState:
    """What stays as it is, whatever of its effects an instruction has already had."""
    lost = {state.place(operand) for operand in (*now.written, *now.spoilt, *_targets(now))}
    places = {place: argument for place, argument in state.places.items() if place not in lost}
    return _changed(KnownState(state.frame, places, state.catches), now)


def _targets(now: Effects) -> Iterator[Operand]:
    yield from (to for step in now.moves for to, _ in step)


def _moved(state: KnownState, step: Iterable[tuple[Operand, Operand]]) -> KnownState:
    """After moves that are made at the same time."""
    places = dict(state.places)
    written: set[TermPlace] = set()
    for to, what in step:
        target, source = state.place(to), state.place(what)
        if target is None:
            raise _Unknown
        written.add(target)
        places.pop(target, None)
        if source is not None and source in state.places:
            places[target] = state.places[source]
    return KnownState(state.frame, places, _still_caught(state, written))


def _forgotten(state: KnownState, operands: Iterable[Operand]) -> KnownState:
    """Other terms were put into these registers."""
    gone = {state.place(operand) for operand in operands}
    if not gone:
        return state
    places = {place: argument for place, argument in state.places.items() if place not in gone}
    return KnownState(state.frame, places, _still_caught(state, gone))


def _still_caught(state: KnownState, written: Iterable[TermPlace | None]) -> frozenset[CatchInForce]:
    gone = {place.number for place in written if place is not None and place.kind is OperandKind.Y}
    return frozenset(one for one in state.catches if one.distance not in gone) if gone else state.catches


def _without_x(state: KnownState, live: int | None) -> KnownState:
    if live is None:
        return state
    places = state.places.items()
    kept = {place: number for place, number in places if place.kind is OperandKind.Y or place.number < live}
    return KnownState(state.frame, kept, state.catches)


def _changed(state: KnownState, now: Effects) -> KnownState:
    """Arguments that were changed in place are no longer what they were."""
    if now.changes_any:
        return KnownState(state.frame, {}, state.catches)
    gone = {state.places.get(place) for operand in now.changes if (place := state.place(operand)) is not None}
    kept = {place: argument for place, argument in state.places.items() if argument not in gone}
    return KnownState(state.frame, kept, state.catches)


def _caught(state: KnownState, now: Effects, handler_of: HandlerOf) -> KnownState:
    """After a catch was put into a y register, if that is what the instruction does."""
    if now.catches is None:
        return state
    number, index = now.catches
    place, handler = state.place(Operand(OperandKind.Y, number)), handler_of(index)
    if place is None or handler is None or state.frame is None:
        raise _Unknown
    return KnownState(state.frame, state.places, state.catches | {CatchInForce(place.number, handler, state.frame)})


def _framed(state: KnownState, now: Effects) -> KnownState:
    """After the frame was made, made smaller or removed."""
    if now.frame is FrameChange.KEPT:
        return state
    if now.frame is FrameChange.ALLOCATED:
        if state.frame is not None:
            raise _Unknown
        return KnownState(now.frame_size, state.places)
    if state.frame is None or now.frame_size > state.frame:
        raise _Unknown
    left = state.frame - now.frame_size if now.frame is FrameChange.TRIMMED else None
    end = left or 0
    places = state.places.items()
    kept = {place: number for place, number in places if place.kind is OperandKind.X or place.number <= end}
    return KnownState(left, kept, frozenset(one for one in state.catches if one.distance <= end))
