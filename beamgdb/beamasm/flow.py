"""The data flow through one function or shared fragment of JIT-compiled code, whatever the instruction set.

The answer at each instruction: where the frame is (distance of the stack pointer, or of what stands in for it while
C code runs, from the CFA), where its return address is, and where the arguments that the function was entered with
still are. It is found by carrying what is known from the entry along every path, and keeping at merge points what all
paths agree on.

Paths that are not plain in the code, all from BeamAsm (erts/emulator/beam/jit, OTP 25 to 27):

- *Resumption*: a process that yields or waits continues at an address that the code took with a position-relative
  instruction (`i_test_yield`, `call_light_bif`, `wait_timeout` ...), in the frame it had there. The x registers are
  then those saved by the scheduler: all arguments at the entry of a function, the live ones at a `length/1` that is
  interrupted, an unknown number elsewhere.
- *Landing*: an exception continues in a handler, which begins by decrementing `Process.catches` (`try_case`,
  `catch_end`), in the frame that made the throwing call.
- *Jump tables* (`i_jump_on_val`) lie outside of the function's code and are read through `read`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import field
from enum import Enum, IntEnum
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple, Protocol, Union

from beamgdb.beamasm import facts as known
from beamgdb.beamasm.facts import (
    ARGUMENT,
    CALLER_FRAME_POINTER,
    CONSTANT,
    NATIVE,
    PROCESS,
    RETURN_ADDRESS,
    STACK,
    WORD,
    Change,
    Facts,
    X,
)
from beamgdb.late import dataclass
from beamgdb.machine_code.reading import ReadMemory
from jit.otp.code import MAX_REG

INSTRUCTION_BUDGET = 300_000
"""Instructions decoded for one function. The largest function of OTP 27 has 50,000."""

ALL_X = "all"
"""Instead of a register with the number of x registers: all of them."""


TABLE_LIMIT = 4096
"""Entries read of a jump table."""

TABLE_CHUNK = 64
"""Entries asked for at a time."""

VISIT_BUDGET = 8
"""Times that the whole code may be walked over, on average, until nothing changes any more."""


class Base(Enum):
    """What a frame is found from."""

    SP = "the stack pointer"
    SAVED = "the register that keeps the Erlang stack pointer while C code runs"
    PROCESS = "the field `stop` of the Process"


@dataclass(frozen=True)
class XReg:
    """In the array of x registers in memory, at `index`."""

    index: int


@dataclass(frozen=True)
class Slot:
    """On the stack at CFA + `offset` (negative): a y register, whatever its number at this point."""

    offset: int


@dataclass(frozen=True)
class HostReg:
    """In the CPU's register `name`."""

    name: str


@dataclass(frozen=True)
class NativeSlot:
    """On the thread's stack, at its stack pointer + `offset`, where that is another stack than Erlang's."""

    offset: int


Holder = Union[XReg, Slot, HostReg]

BELOW_CFA = Slot(-WORD)
"""Where the return address of a function with a frame is."""


@dataclass(frozen=True)
class StackState:
    """CFA = value of `base` + `to_cfa`, in bytes. The CFA is where the frame of the caller begins on the Erlang stack.

    `saved_fp`: where the frame pointer of the caller was pushed, relative to the CFA; None if it was not.
    `returns`: where the return address is; None if it is nowhere any more, as in code that never returns.
    `native_depth`: bytes that were pushed on the thread's stack, where that is another one than Erlang's.
    """

    base: Base
    to_cfa: int
    saved_fp: int | None
    returns: Slot | NativeSlot | HostReg | None = BELOW_CFA
    native_depth: int = 0


@dataclass(frozen=True)
class FlowState:
    """What is known before an instruction.

    `stack`: None where it is unknown. `arguments`: for each argument all places where its entry value still is.
    """

    stack: StackState | None
    arguments: tuple[tuple[Holder, ...], ...]


class Entry(Enum):
    """How control comes to the first instruction."""

    CALLED = "by a call or a tail call"
    FRAMED = "by a jump, in the frame that the function jumping has entered"
    RAISED = "by a jump or a call, with the return address as the argument that says where an exception was raised"


class Control(IntEnum):
    """Where control goes after an instruction."""

    NEXT = 0
    BRANCH = 1
    """To `targets` or on."""
    JUMP = 2
    """To `targets`; those outside of the code leave it (tail calls, returns)."""
    CALL = 3
    """Elsewhere, and then on."""
    RETURN = 4
    """To the return address."""
    RAISE = 5
    """A call that never comes back."""


class Step(NamedTuple):
    """One instruction: `offset` up to `end`, in the code given."""

    offset: int
    end: int
    operations: tuple[Change, ...]
    control: Control
    targets: tuple[int, ...]
    """Offsets in the code where a branch, jump or jump table may lead."""
    resumption: int | None
    """Offset in the code whose address this instruction takes."""
    kept: str = ""
    """For a call or a resumption: the register with the number of x registers that hold the same terms after it, or
    `ALL_X`."""
    native: bool = False
    """A call that is known to be one of C code."""


class Stretch(NamedTuple):
    """The instructions of a stretch of code, and what is remarkable among them."""

    steps: list[Step]
    landings: list[int]
    """Offsets of instructions at which an exception may continue."""
    tries: list[int]
    """Offsets of instructions that begin the reach of an exception handler."""
    opaque: bool
    """There is a jump table that could not be read."""


ENDS = (Control.JUMP, Control.RETURN, Control.RAISE)
"""After these, nothing goes on to the following instruction."""


@dataclass(frozen=True)
class CodeBytes:
    """Code to analyse, which lies at `address`, and what must be known of its surroundings.

    `raising`: addresses of shared fragments and of C functions of BIFs that never return. `keeping`: addresses of
    shared fragments that leave x registers as they are, and how many (`Step.kept`). `is_native`: whether an address is
    that of C code.
    """

    code: bytes
    address: int
    stop_offset: int
    read: ReadMemory | None
    raising: Container[int]
    keeping: Mapping[int, str]
    is_native: Callable[[int], bool]

    def inside(self, offset: int) -> bool:
        return 0 <= offset < len(self.code)

    def at(self, address: int, size: int) -> bytes:
        """The bytes there, of the code itself or of its surroundings; none if they cannot be read."""
        offset = address - self.address
        if self.inside(offset) and self.inside(offset + size - 1):
            return self.code[offset : offset + size]
        return (self.read(address, size) if self.read else None) or b""

    def word(self, address: int) -> int | None:
        """The word there; None if it cannot be read."""
        raw = self.at(address, WORD)
        return int.from_bytes(raw, "little") if len(raw) == WORD else None

    def table_targets(self, table: int, size: int) -> tuple[int, ...]:
        """Offsets to which the jump table of `size` entries leads that lies at the address `table`; at most up to the
        first that is out of the code: it may run on into the next one."""
        targets: list[int] = []
        for position in range(0, min(size, TABLE_LIMIT), TABLE_CHUNK):
            count = min(TABLE_CHUNK, size - position)
            raw = self.at(table + position * WORD, count * WORD)
            for i in range(0, len(raw) // WORD * WORD, WORD):
                target = int.from_bytes(raw[i : i + WORD], "little") - self.address
                if not self.inside(target):
                    return tuple(dict.fromkeys(targets))
                targets.append(target)
            if not raw:
                break
        return tuple(dict.fromkeys(targets))


class Architecture(Protocol):
    """What the analysis must know of an instruction set and of BeamAsm's use of it."""

    stack_pointer: str
    """In Erlang code that of the Erlang stack."""
    native_stack_pointer: str
    """That of the thread's stack, empty where it is the same register."""
    saved_stack_pointer: str
    x_array: str
    process: str
    x_registers: Mapping[str, int]
    """Registers that hold x registers while Erlang code runs, instead of memory, and their numbers, from 0 on."""
    callee_saved: frozenset[str]
    """Registers that C code leaves as they are, where `Step.native` tells that it is called."""
    parameters: tuple[str, ...]
    """Registers with the arguments of C functions, likewise."""
    host_registers: frozenset[str]
    """Registers that can be named as places; names of other locations (vector lanes) are not among them."""
    entry_depth: int
    """Bytes between the stack pointer and the CFA at entry and at return."""
    returns: Slot | None
    """Where the return address is in all functions and fragments, None where it has to be followed."""

    def entry(self, entry: Entry) -> Facts:
        """What is known of the stack and the return address at the first instruction."""

    def decode(self, code: CodeBytes, start: int) -> Stretch:
        """Instructions from offset `start` to the end of the code, or to the first that is none."""

    def at_entry(self, offset: int) -> bool:
        """Only the frame can have been entered before `offset`."""


class ArchitectureModule(Protocol):
    """A module that describes an architecture, and BeamAsm's shared fragments on it."""

    @property
    def MACHINE(self) -> Architecture: ...  # noqa: N802

    @property
    def PROLOGUE(self) -> int:  # noqa: N802
        """Bytes of a function's prologue that are no part of its flow."""

    @property
    def RAISING_FRAGMENTS(self) -> frozenset[str]:  # noqa: N802
        """Those that do not return, by their names without `global::`."""

    @property
    def KEEPING_FRAGMENTS(self) -> Mapping[str, str]:  # noqa: N802
        """Those that come back with x registers as they were, and how many: `Step.kept`."""

    def entry_of(self, fragment: str, has_frame_pointers: bool) -> Entry | None:
        """How control comes to a shared fragment, None where that is not known."""

    def call_target(self, return_address: int, read: ReadMemory) -> int | None:
        """What the call that returns to `return_address` calls, None where it varies or is no call."""


@dataclass
class FunctionFlow:
    """The flow through one piece of code. States are made when asked for, from those at the heads of blocks."""

    architecture: Architecture
    arity: int
    stop_offset: int
    steps: dict[int, Step] = field(default_factory=dict)
    heads: dict[int, Facts] = field(default_factory=dict)
    """Facts at the heads of blocks."""
    calls: dict[int, Facts] = field(default_factory=dict)
    """Facts during the call that returns to the offset, as far as no callee can change them."""
    x_bias: int = 0
    """Distance of x0 in memory from what the register for x registers points at."""
    opaque: bool = False
    finished: bool = False
    """The budget was enough. If not, nothing is known anywhere."""

    def before(self, offset: int) -> FlowState | None:
        """The state before executing the instruction at `offset`; None if no path leads there, or none begins there."""
        head = self._head_of.get(offset)
        if head is None:
            return None
        now = dict(self.heads[head])
        while head != offset:
            step = self.steps[head]
            _execute(self, now, step)
            head = step.end
        return self._state(now)

    def during_call(self, return_offset: int) -> FlowState | None:
        """The state while the call that returns to `return_offset` is in progress; None if there is no such call.

        `Base.SP` is the stack pointer before the call: the CFA of the callee.
        """
        now = self.calls.get(return_offset)
        return None if now is None or not self.finished else self._state(now)

    def reached(self) -> Iterator[tuple[int, FlowState]]:
        """All instructions that a path leads to, block by block."""
        for head in sorted(self.heads) if self.finished else ():
            now = dict(self.heads[head])
            for step in self._block(head):
                yield step.offset, self._state(now)
                _execute(self, now, step)

    @cached_property
    def _head_of(self) -> dict[int, int]:
        """Offset of an instruction -> that of the head of its block."""
        if not self.finished:
            return {}
        return {step.offset: head for head in self.heads for step in self._block(head)}

    def _block(self, head: int) -> Iterator[Step]:
        step = self.steps.get(head)
        while step is not None:
            yield step
            if step.control in ENDS or step.end in self.heads:
                return
            step = self.steps.get(step.end)

    def _state(self, now: Facts) -> FlowState:
        places: list[list[Holder]] = [[] for _ in range(self.arity)]
        if not self.opaque:
            for location, (kind, which) in now.items():
                if kind == ARGUMENT and which is not None and (place := self._place(location)) is not None:
                    places[which].append(place)
        return FlowState(self._stack(now), tuple(tuple(each) for each in places))

    def _place(self, location: known.Cell) -> Holder | None:
        if isinstance(location, str):
            return HostReg(location) if location in self.architecture.host_registers else None
        region, at = location
        if at is None:
            return None
        if region == X and at >= 0:
            return XReg(at // WORD)
        return Slot(at) if region == STACK and at < 0 else None

    def _stack(self, now: Facts) -> StackState | None:
        found = erlang_stack_pointer(self.architecture, self.stop_offset, now)
        if found is None:
            return None
        base, at = found
        saved = None
        for location, value in now.items():
            if value[0] == CALLER_FRAME_POINTER and not isinstance(location, str) and location[0] == STACK:
                saved = location[1]
        native = now.get(self.architecture.native_stack_pointer, (NATIVE, None))[1]
        returns = self.architecture.returns or _return_address(now, native)
        return StackState(base, -at, saved, returns, -(native or 0))


def _return_address(now: Facts, native: int | None) -> Slot | NativeSlot | HostReg | None:
    """Where the return address is. `native`: distance of the thread's stack pointer from what it was at entry."""
    places = [location for location, value in now.items() if value[0] == RETURN_ADDRESS]
    for place in places:
        if not isinstance(place, str) and place[0] == STACK and place[1] is not None:
            return Slot(place[1])
    for place in places:
        if not isinstance(place, str) and place[0] == NATIVE and place[1] is not None and native is not None:
            return NativeSlot(place[1] - native)
    return next((HostReg(place) for place in places if isinstance(place, str)), None)


def erlang_stack_pointer(architecture: Architecture, stop_offset: int, now: Facts) -> tuple[Base, int] | None:
    """What holds the Erlang stack pointer, and its distance from the CFA."""
    for base, location in (
        (Base.SP, architecture.stack_pointer),
        (Base.PROCESS, (PROCESS, stop_offset)),
        (Base.SAVED, architecture.saved_stack_pointer),
    ):
        value = now.get(location)
        if value is not None and value[0] == STACK and value[1] is not None:
            return base, value[1]
    return None


def analyse(
    architecture: Architecture,
    code: bytes,
    address: int,
    *,
    arity: int,
    stop_offset: int,
    entry: Entry = Entry.CALLED,
    read: ReadMemory | None = None,
    raising: Container[int] = (),
    keeping: Mapping[int, str] = MappingProxyType({}),
    is_native: Callable[[int], bool] = lambda address: False,
    x_bias: int = 0,
    budget: int = INSTRUCTION_BUDGET,
) -> FunctionFlow:
    """The flow through `code`, which lies at `address`, from its beginning on.

    `arity`: x registers that hold arguments at entry. `stop_offset`: of `stop` in `Process`, in bytes. `read` is asked
    for jump tables; without it, or where it answers None, no argument is claimed to be anywhere in such a function.
    `raising`: addresses of the shared fragments that raise exceptions, and of the C functions of BIFs that do; without
    it, much less is known, as what follows such calls seems reachable from them. `keeping`: addresses of shared
    fragments that keep x registers; any other call is taken to change them all. `is_native`: whether an address is that
    of C code. `x_bias`: distance of x0 in memory from what the register for x registers points at. `budget`:
    instructions; beyond it nothing is claimed at all.
    """
    flow = FunctionFlow(architecture, arity, stop_offset, x_bias=x_bias)
    surrounded = CodeBytes(code, address, stop_offset, read, raising, keeping, is_native)
    landings, tries, heads = _decode(flow, surrounded, budget)
    if len(flow.steps) > budget:
        return flow
    walk = _FactsWalk(flow, heads, VISIT_BUDGET * len(flow.steps))
    walk.arrive(0, _at_entry(flow, entry))
    walk.run()
    # Exceptions: what holds in a handler depends on the calls it guards, and its own calls come on top.
    while landings and walk.visits >= 0:
        before = {offset: flow.heads.get(offset) for offset in landings}
        for offset in landings:
            thrown = _thrown(flow, offset, tries)
            if thrown is not None:
                walk.arrive(offset, thrown)
        walk.run()
        if all(flow.heads.get(offset) is before[offset] for offset in landings):
            break
    flow.finished = walk.visits >= 0
    return flow


def _decode(flow: FunctionFlow, code: CodeBytes, budget: int) -> tuple[list[int], list[int], set[int]]:
    """Fill `flow.steps`; the answer is landings, tries, and all offsets where paths can come together."""
    landings: list[int] = []
    tries: list[int] = []
    heads = {0}
    todo = [0]
    while todo:
        start = todo.pop()
        if start in flow.steps or not code.inside(start):
            continue
        found = flow.architecture.decode(code, start)
        for step in found.steps:
            if step.offset in flow.steps:
                break
            flow.steps[step.offset] = step
            if step.targets:
                heads.update(step.targets)
                todo.extend(step.targets)
            if step.resumption is not None:
                heads.add(step.resumption)
                todo.append(step.resumption)
        landings += found.landings
        tries += found.tries
        flow.opaque |= found.opaque
        if len(flow.steps) > budget:
            break
    heads.update(landings)
    return sorted(set(landings)), tries, heads


def _at_entry(flow: FunctionFlow, entry: Entry) -> Facts:
    architecture = flow.architecture
    now = architecture.entry(entry) | _roots(flow)
    in_registers = list(architecture.x_registers)
    for i in range(flow.arity):
        now[in_registers[i] if i < len(in_registers) else (X, i * WORD)] = (ARGUMENT, i)
    return now


def _roots(flow: FunctionFlow) -> Facts:
    """What registers hold that BeamAsm gives one meaning everywhere."""
    return {flow.architecture.x_array: (X, -flow.x_bias), flow.architecture.process: (PROCESS, 0)}


class _FactsWalk:
    """Facts carried along the paths until nothing changes. `visits` is what is left of the budget."""

    def __init__(self, flow: FunctionFlow, heads: set[int], visits: int) -> None:
        self.flow = flow
        self.heads = heads
        self.visits = visits
        self.waiting: list[int] = []
        self.is_waiting: set[int] = set()

    def arrive(self, offset: int, now: Facts) -> None:
        """A path comes to the head of a block."""
        old = self.flow.heads.get(offset)
        new = dict(now) if old is None else known.join(old, now)
        if new != old:
            self.flow.heads[offset] = new
            if offset not in self.is_waiting:
                self.is_waiting.add(offset)
                heapq.heappush(self.waiting, offset)

    def run(self) -> None:
        while self.waiting and self.visits >= 0:
            offset = heapq.heappop(self.waiting)
            self.is_waiting.discard(offset)
            self._block(offset)

    def _block(self, offset: int) -> None:
        flow, steps, heads = self.flow, self.flow.steps, self.heads
        now = dict(flow.heads[offset])
        step = steps.get(offset)
        while step is not None:
            self.visits -= 1
            if step.resumption is not None:
                self._resume(step, now)
            _execute(flow, now, step)
            if step.control in (Control.CALL, Control.RAISE):
                flow.calls[step.end] = dict(now)
            for target in step.targets:
                self.arrive(target, now)
            if step.control in ENDS:
                return
            if step.end in heads:
                self.arrive(step.end, now)
                return
            step = steps.get(step.end)

    def _resume(self, step: Step, now: Facts) -> None:
        assert step.resumption is not None
        frame = only_frame(self.flow, now)
        if frame is None:
            return
        if self.flow.architecture.at_entry(step.offset):
            frame.update((at, value) for at, value in now.items() if _is_live(self.flow, at, MAX_REG))
        elif live := _live(now, step.kept):
            frame.update((at, value) for at, value in now.items() if _is_live(self.flow, at, live))
        self.arrive(step.resumption, frame)


def only_frame(flow: FunctionFlow, now: Facts) -> Facts | None:
    """What of `now` outlives anything that other code may do, as seen when back on the Erlang stack in the same frame.

    That is what the words of the frame hold. None if it is not known where the frame is.
    """
    found = erlang_stack_pointer(flow.architecture, flow.stop_offset, now)
    if found is None:
        return None
    frame = {at: value for at, value in now.items() if at[0] == STACK and at[1] >= found[1]}  # type: ignore[operator]
    frame[flow.architecture.stack_pointer] = (STACK, found[1])
    if flow.architecture.native_stack_pointer:
        # Functions push nothing there: what does is a call in progress.
        frame[flow.architecture.native_stack_pointer] = (NATIVE, 0)
    _keep_roots(flow, now, frame)
    return frame


def _keep_roots(flow: FunctionFlow, now: Facts, kept: Facts) -> None:
    """Registers that BeamAsm gives one meaning everywhere, and the frame pointer where frames have one."""
    architecture = flow.architecture
    for register in (architecture.x_array, architecture.process):
        if register in now:
            kept[register] = now[register]
    register = architecture.saved_stack_pointer
    if _is_frame_pointer(now, register):
        kept[register] = now[register]


def _is_frame_pointer(now: Facts, register: str) -> bool:
    """`register` points at the pushed frame pointer of the caller, or is that still."""
    value = now.get(register)
    if value is None:
        return False
    return value[0] == CALLER_FRAME_POINTER or now.get(value, (0, 0))[0] == CALLER_FRAME_POINTER


def _execute(flow: FunctionFlow, now: Facts, step: Step) -> None:
    for operation, arguments in step.operations:
        operation(now, *arguments)
    if step.control in (Control.CALL, Control.RAISE):
        _call(flow, now, step)


def _call(flow: FunctionFlow, now: Facts, step: Step) -> None:
    """A call, to Erlang code or a shared fragment on the Erlang stack, to C on the stack of the scheduler thread."""
    architecture = flow.architecture
    live = _live(now, step.kept)
    stack_pointer = now.get(architecture.stack_pointer, (STACK, None))
    kept = {at: value for at, value in now.items() if at[0] in (STACK, NATIVE) or (live and _is_live(flow, at, live))}
    kept[architecture.stack_pointer] = stack_pointer
    if architecture.native_stack_pointer:
        kept[architecture.native_stack_pointer] = now.get(architecture.native_stack_pointer, (NATIVE, None))
    _keep_roots(flow, now, kept)
    if stack_pointer[0] == X:
        _keep_saved_stack_pointer(flow, now, kept)
    if step.native:
        _keep_over_native_call(flow, now, kept)
    now.clear()
    now.update(kept)


def _live(now: Facts, kept: str) -> int:
    """Number of x registers that a call leaves as they are."""
    if kept == ALL_X:
        return MAX_REG
    count = now.get(kept)
    return count[1] if count is not None and count[0] == CONSTANT and count[1] is not None else 0


def _is_live(flow: FunctionFlow, location: known.Cell, live: int) -> bool:
    """The location is one of the first `live` x registers."""
    in_registers = flow.architecture.x_registers
    if isinstance(location, str):
        return in_registers.get(location, live) < live
    region, at = location
    return region == X and at is not None and len(in_registers) <= at // WORD < live


def _keep_over_native_call(flow: FunctionFlow, now: Facts, kept: Facts) -> None:
    """C code, on a stack pointer of its own, leaves registers as they are that it has to. But it moves the Erlang stack
    if `stop` was written, and then updates `stop`; and x registers if it is given the address of their array."""
    architecture, cell = flow.architecture, (PROCESS, flow.stop_offset)
    kept.update((register, now[register]) for register in architecture.callee_saved if register in now)
    if now.get(cell, (X, None))[0] == STACK:
        kept[cell] = now[cell]
        del kept[architecture.stack_pointer]
    if not any(now.get(register, (STACK, 0))[0] == X for register in architecture.parameters):
        kept.update((at, value) for at, value in now.items() if at[0] == X)
        return
    for register, number in architecture.x_registers.items():
        if register in kept and now.get((X, number * WORD)) == kept[register]:
            del kept[register]


def _keep_saved_stack_pointer(flow: FunctionFlow, now: Facts, kept: Facts) -> None:
    """C code may move the Erlang stack (garbage collection) only if `stop` was written; it then updates `stop`.

    A copy of the stack pointer in a register is right only if it could not. With frame pointers, `stop` is always
    written, and the field after it (`Process.frame_pointer`) only if the stack may move.
    """
    register, cell = flow.architecture.saved_stack_pointer, (PROCESS, flow.stop_offset)
    for at in (cell, (PROCESS, flow.stop_offset + WORD)):
        if at in now:
            kept[at] = now[at]
    saved = now.get(register)
    if cell not in now and saved is not None and saved[0] == STACK:
        kept[register] = saved


def _thrown(flow: FunctionFlow, landing: int, tries: list[int]) -> Facts | None:
    """What holds when an exception lands at `landing`: what all calls agree on that have the frame of the handler."""
    depth = _landing_depth(flow, landing, tries)
    if depth is None:
        return None
    thrown: Facts | None = None
    for now in flow.calls.values():
        frame = only_frame(flow, now) if _depth(flow, now) == depth else None
        if frame is not None:
            thrown = frame if thrown is None else known.join(thrown, frame)
    return thrown


def _landing_depth(flow: FunctionFlow, landing: int, tries: list[int]) -> int | None:
    """Depth of the frame in a handler: known if a path leads there, else that of the guarded code.

    Which handler belongs to which guarded code does not show. Where frames of several depths are guarded, it is the
    one depth with which all returns from the handler find the return address, and all paths meet others of that depth.
    """
    if landing in flow.heads:
        return _depth(flow, flow.heads[landing])
    depths = {_depth_at(flow, at) for at in tries} - {None}
    if len(depths) > 1:
        depths = {depth for depth in depths if depth is not None and _balances(flow, landing, depth)}
    return depths.pop() if len(depths) == 1 else None


def _balances(flow: FunctionFlow, start: int, depth: int) -> bool:
    """All paths from `start`, entered with a frame of `depth`, fit."""
    roots = _roots(flow)
    seen: set[int] = set()
    todo: list[tuple[int, Facts]] = [(start, {**roots, flow.architecture.stack_pointer: (STACK, depth)})]
    while todo:
        offset, now = todo.pop()
        step = flow.steps.get(offset)
        while step is not None and step.offset not in seen and step.offset not in flow.heads:
            seen.add(step.offset)
            _execute(flow, now, step)
            if step.control == Control.RETURN and _depth(flow, now) != -flow.architecture.entry_depth:
                return False
            todo += [(target, dict(now)) for target in step.targets]
            step = flow.steps.get(step.end) if step.control not in ENDS else None
        met = flow.heads.get(step.offset) if step is not None else None
        if met is not None and _depth(flow, met) != _depth(flow, now):
            return False
    return True


def _depth(flow: FunctionFlow, now: Facts) -> int | None:
    found = erlang_stack_pointer(flow.architecture, flow.stop_offset, now)
    return None if found is None else found[1]


def _depth_at(flow: FunctionFlow, offset: int) -> int | None:
    """Depth of the stack before the instruction at `offset`, if a path is known to lead there."""
    for head in sorted((head for head in flow.heads if head <= offset), reverse=True)[:1]:
        now = dict(flow.heads[head])
        for step in flow._block(head):
            if step.offset == offset:
                return _depth(flow, now)
            _execute(flow, now, step)
    return None
