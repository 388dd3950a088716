"""Call frame information of native code, from what the assembler has recorded of its instructions.

A stretch of code begins with a frame that the runtime knows. What its instructions do to the stack pointer, and to
registers that they save, changes the frame for those that control comes to behind them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from operator import attrgetter, itemgetter

from jit.codegen.processor import Called, Event, Jumped, Processor, RegisterLoaded, RegisterSaved, StackMoved
from jit.object.dwarf_frame import CfaProgram, Cie, FrameSection


@dataclass(frozen=True)
class Frame:
    """How to leave a frame, in bytes: the CFA is the stack pointer plus ``depth``, ``saved`` are places from the CFA.

    Registers are told by their numbers in DWARF.
    """

    depth: int
    saved: Mapping[int, int]

    def after(self, event: Event) -> Frame:
        """The frame behind an instruction that does this. A register counts as saved where it was saved first."""
        match event:
            case StackMoved(size=size):
                return Frame(self.depth + size, self.saved)
            case RegisterSaved(register=register, place=place) if register not in self.saved:
                return Frame(self.depth, {**self.saved, register: place - self.depth})
            case RegisterLoaded(register=register, place=place) if self.saved.get(register) == place - self.depth:
                return Frame(self.depth, {one: where for one, where in self.saved.items() if one != register})
        return self


@dataclass(frozen=True)
class Stretch:
    """Code that control enters at its beginning, in the given frame; offsets in bytes."""

    begin: int
    end: int
    frame: Frame


#: From an offset on, up to the next: the frame before an instruction.
Rows = list[tuple[int, Frame]]


def follow(stretch: Stretch, events: Sequence[Event]) -> Rows:
    """The frames of a stretch. What is never reached, such as literals, has the frame of what stands before it."""
    rows: Rows = [(stretch.begin, stretch.frame)]
    own = within(stretch, events)
    if not any(isinstance(event, StackMoved | RegisterSaved | RegisterLoaded) for event in own):
        return rows
    ahead: list[tuple[int, int, Frame]] = []  # a heap of places behind, with the frame of who jumps there first
    frame, reached = stretch.frame, True

    def arrive(place: int) -> None:
        """Control comes up to a place, from before it or by a jump."""
        nonlocal frame, reached
        while ahead and ahead[0][0] <= place:
            target, _, there = heappop(ahead)
            if not reached:
                frame, reached = there, True
                _add_row(rows, target, frame)

    for instruction in _instructions(own):
        arrive(instruction[0].begin)
        if not reached:
            continue
        before = frame
        for event in instruction:
            frame = frame.after(event)
            if isinstance(event, Jumped):
                reached = not event.always
                target = event.target.offset if event.target else None
                if target is not None and event.end <= target < stretch.end:
                    heappush(ahead, (target, event.begin, before))
        if reached:
            _add_row(rows, instruction[0].end, frame)
    arrive(stretch.end - 1)
    return [row for row in rows if row[0] < stretch.end]


def _add_row(rows: Rows, offset: int, frame: Frame) -> None:
    if frame != rows[-1][1]:
        rows.append((offset, frame))


def _instructions(events: Iterable[Event]) -> Iterator[list[Event]]:
    """The events of each instruction."""
    of_one: list[Event] = []
    for event in events:
        if of_one and of_one[0].begin != event.begin:
            yield of_one
            of_one = []
        of_one.append(event)
    if of_one:
        yield of_one


def within(stretch: Stretch, events: Sequence[Event]) -> Sequence[Event]:
    """Those of the events that are of a stretch of code."""
    begin = attrgetter("begin")
    return events[bisect_left(events, stretch.begin, key=begin) : bisect_left(events, stretch.end, key=begin)]


def keeps_return_address(stretch: Stretch, events: Sequence[Event], register: int) -> bool:
    """Whether it calls nothing while its return address is in a register, which the call overwrites."""
    rows = follow(stretch, events)
    calls = (event for event in within(stretch, events) if isinstance(event, Called))
    return all(register in _frame_at(rows, call.begin).saved for call in calls)


def _frame_at(rows: Rows, offset: int) -> Frame:
    return rows[bisect_right(rows, offset, key=itemgetter(0)) - 1][1]


def add_frames(
    section: FrameSection,
    processor: Processor,
    initial: Iterable[Frame],
    stretches: Iterable[Stretch],
    events: Sequence[Event],
) -> None:
    """Describe code, all of whose stretches begin with one of the *initial* frames."""
    writer = _Writer(section, processor)
    cies = [(frame, writer.cie(frame)) for frame in initial]
    for stretch in stretches:
        if stretch.begin < stretch.end:
            cie = next(cie for frame, cie in cies if frame == stretch.frame)
            program = writer.program(cie, stretch, follow(stretch, events))
            section.add_fdes(cie, [(stretch.begin, stretch.end - stretch.begin)], program)


class _Writer:
    def __init__(self, section: FrameSection, processor: Processor) -> None:
        self.section, self.processor = section, processor
        self.alignment = -section.target.address_size

    def cie(self, initial: Frame) -> Cie:
        processor = self.processor
        program = CfaProgram(self.section.target, processor.instruction, self.alignment)
        program.def_cfa(processor.stack_pointer, initial.depth)
        for register, place in initial.saved.items():
            program.offset(register, place)
        return self.section.add_cie(
            processor.return_address,
            code_alignment=processor.instruction,
            data_alignment=self.alignment,
            initial=program,
        )

    def program(self, cie: Cie, stretch: Stretch, rows: Rows) -> CfaProgram:
        program = cie.program()
        (at, current), *rest = rows
        for offset, frame in rest:
            program.advance(offset - at)
            at = offset
            if frame.depth != current.depth:
                program.def_cfa_offset(frame.depth)
            for register in sorted(frame.saved.keys() | current.saved.keys()):
                self._change(program, register, current.saved.get(register), frame.saved.get(register))
            current = frame
        return program

    def _change(self, program: CfaProgram, register: int, old: int | None, new: int | None) -> None:
        if new == old:
            return
        if new is not None:
            program.offset(register, new)
        elif register == self.processor.return_address:  # not "the same value": that is for GDB, the pc's
            program.register(register, register)
        else:
            program.same_value(register)
