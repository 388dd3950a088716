"""From one frame of BeamAsm's code to the one that called it.

The frames of a scheduler thread lie on two stacks. Erlang functions and shared fragments run on the stack of the Erlang
process, in its heap. C code that they call runs on the thread's own stack, where `process_main` left off; so below (in
GDB's sense: outside) a C function there is Erlang code, and outside the process's first function `process_main`.

Frame ids must stay the same while a frame lives, although a garbage collection may move the whole Erlang stack. And
their stack addresses must not go inwards from callee to caller, although the two stacks may lie in any order. So the
stack address of an id is that of the scheduler's x registers, which are in the frame of `process_main`; and what tells
the frames of processes apart is the process's number and the distance of the frame from the base of the stack.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import cached_property

from beamgdb.beamasm.flow import (
    ArchitectureModule,
    Base,
    Entry,
    FlowState,
    FunctionFlow,
    Holder,
    HostReg,
    NativeSlot,
    Slot,
    XReg,
    analyse,
)
from beamgdb.beamasm.registers import BeamAsmRegisters
from beamgdb.code.loaded import Place
from beamgdb.code.module import GLOBAL, Range
from beamgdb.code.ranges import is_permanent
from beamgdb.code.registrations import FrameLayout
from beamgdb.late import dataclass
from beamgdb.machine_code.reading import ReadRegister
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.unwinding.unwinder import Unwound, within_process
from beamgdb.vm import trace_frames
from beamgdb.vm.frame import ErlangFrame, HeldWord
from beamgdb.vm.model import Unavailable
from beamgdb.vm.processes import Process
from beamgdb.vm.stack import MAX_SCAN, is_base, stack_end
from jit.otp.code import RAISING

FRAGMENT = "global::"
"""How names of shared fragments begin."""

PROCESS_MAIN = FRAGMENT + "process_main"

CACHE_LINE = 64
"""`process_main` aligns its `ErtsSchedulerRegisters` to this (process_main.cpp)."""

THREAD_STACK = 64 << 10
"""Bytes of a thread's stack around the scheduler's x registers, at least."""

NO_FIELD = -1
"""Offset of `Process.stop` where it is not known: one that no code uses."""

MAX_CODE = 1 << 20
"""Bytes of a function that is analysed; frames of a larger one are found by scanning the stack."""

SIZE_OF_MAIN = 256
"""Bytes of the C function `process_main` at most: it looks for the fragment and jumps there (beam_jit_main.cpp)."""

RAISING_BIFS = (*(f"{name}_{arity}" for name, arity in RAISING), "halt_2")
"""C functions of BIFs after which control never goes on."""

FRAGMENT_ARGUMENTS = 16
"""x registers whose fate in a shared fragment is followed."""


@dataclass(frozen=True)
class CompiledFrame(ErlangFrame):
    """A frame of BeamAsm's code. `state` is what the code tells about this point, None where that is not known."""

    state: FlowState | None = None
    caller_frame_pointer: int | None = None


class BeamAsmUnwinder:
    """Unwinds frames of one VM. Kept as long as its code is loaded: it remembers what it has analysed."""

    def __init__(self, node: Node, machine: BeamAsmRegisters) -> None:
        self._node = node
        self._machine = machine
        self._flows: dict[int, FunctionFlow | None] = {}

    @property
    def _word(self) -> int:
        return self._machine.target.address_size

    def frame(self, read: ReadRegister, innermost: bool) -> CompiledFrame | None:
        """The frame with these registers, None where its pc is in no Erlang code.

        `innermost`: its pc is the next instruction; else a return address.
        """
        pc = read(self._machine.pc)
        place = self._node.code.of_frame(pc, calling=not innermost) if pc is not None else None
        if pc is None or place is None:
            return None
        if place.code.name == PROCESS_MAIN:
            return CompiledFrame(place, pc, None, read(self._machine.sp) or 0, None, None)
        sp = read(self._machine.stack)
        if sp is None:
            return None
        process = self.process(read)
        state = self._state(place, pc, innermost)
        top = self._stack_pointer(read, state, process, sp)
        if top is None:
            return CompiledFrame(place, pc, process, sp, None, None, state=state)
        slot, return_address, frame_pointer = self._return(place, state, read, top, process)
        x_registers = read(self._machine.registers)
        if x_registers is not None:
            x_registers += self._machine.registers_bias
        return CompiledFrame(
            place, pc, process, top, slot, x_registers, return_address, state, caller_frame_pointer=frame_pointer
        )

    def unwind(self, read: ReadRegister, innermost: bool) -> Unwound | None:
        """One step outwards from the frame with these registers, None where it is not of Erlang code."""
        frame = self.frame(read, innermost)
        if frame is None:
            return None
        if frame.place.code.name == PROCESS_MAIN:
            return self._out_of_process_main(frame, read)
        if frame.return_address is None or self._is_base(frame):
            return self._end(frame)
        return self._to_caller(frame, frame.return_address, read, innermost)

    def process(self, read: ReadRegister) -> Process | None:
        """The process that code with these registers runs, None if the register holds none."""
        address = read(self._machine.process)
        if not address:
            return None
        try:
            table = self._node.processes
        except Unavailable:
            return None
        return table.found_at(address)

    def flow(self, code: Range) -> FunctionFlow | None:
        """The analysis of a function or fragment, None where there is none."""
        if code.start not in self._flows:
            try:
                self._flows[code.start] = self._analyse(code, self._entry(code))
            except ImportError:
                # No disassembler, as was said when beamgdb was loaded: frames are found by scanning the stack.
                self._flows[code.start] = None
        return self._flows[code.start]

    def _analyse(self, code: Range, entry: Entry | None) -> FunctionFlow | None:
        start = code.start + self.prologue(code)
        size = code.stop - start
        if entry is None or not 0 < size <= MAX_CODE:
            return None
        raw = self._node.memory.try_read(start, size)
        if raw is None:
            return None
        stop = self._node.layout.offset("Process", "stop") if self._node.has_layout else NO_FIELD
        # A fragment has no arguments, but may pass on or overwrite those of the function on whose behalf it runs.
        arity = code.arity if code.arity is not None else FRAGMENT_ARGUMENTS
        return analyse(
            self._analysis.MACHINE, raw, start, arity=arity, stop_offset=stop, entry=entry,
            read=self._node.memory.try_read, raising=self._raising, keeping=self._keeping, is_native=self._is_native,
            x_bias=self._machine.registers_bias if self._machine.registers_are_struct else 0,
        )  # fmt: skip

    @cached_property
    def _analysis(self) -> ArchitectureModule:
        """The analysis for this architecture."""
        assert self._machine.analysis is not None, "there is none, and so no unwinder"
        return self._machine.analysis()

    def _is_native(self, address: int) -> bool:
        return self._node.code.find(address) is None

    @cached_property
    def _fragments(self) -> dict[str, int]:
        """Address of each shared fragment by its name, without `global::`."""
        modules = (module for module in self._node.code if module.name == GLOBAL and is_permanent(module))
        return {code.name.removeprefix(FRAGMENT): code.start for module in modules for code in module.ranges}

    @cached_property
    def _raising(self) -> frozenset[int]:
        """Addresses of code that never returns."""
        bifs = (self._node.symbol(name) for name in RAISING_BIFS)
        fragments = (self._fragments.get(name) for name in self._analysis.RAISING_FRAGMENTS)
        return frozenset(address for address in (*bifs, *fragments) if address is not None)

    @cached_property
    def _keeping(self) -> dict[int, str]:
        """Addresses of shared fragments that keep x registers."""
        known = self._analysis.KEEPING_FRAGMENTS.items()
        return {self._fragments[name]: kept for name, kept in known if name in self._fragments}

    def arguments(self, frame: ErlangFrame, read: ReadRegister, innermost: bool) -> list[HeldWord | None]:
        """Arguments of the function in this frame, None for those that are nowhere any more.

        `frame.x_registers` says whether x registers count: they are the callee's once another function was called.
        """
        state = frame.state if isinstance(frame, CompiledFrame) else None
        if not innermost and frame.x_registers is not None:
            # C code and shared fragments run with the x registers as they were at the call.
            state = self._before_call(frame) or state
        if state is None:
            return [None] * (frame.place.code.arity or 0)
        known = self._registers_known(frame, innermost)
        return [self._argument(frame, places, read, known) for places in state.arguments]

    def _before_call(self, frame: ErlangFrame) -> FlowState | None:
        flow = self.flow(frame.place.code)
        offset = frame.pc - frame.place.code.start - self.prologue(frame.place.code)
        call = next((at for at, step in flow.steps.items() if step.end == offset), None) if flow else None
        return flow.before(call) if flow and call is not None else None

    def _argument(
        self, frame: ErlangFrame, places: tuple[Holder, ...], read: ReadRegister, registers_known: Container[str]
    ) -> HeldWord | None:
        """The value of an argument from the first of its places that can be read here."""
        memory, word = self._node.memory, self._word
        for place in places:
            try:
                address = None
                if isinstance(place, Slot) and frame.return_slot is not None:
                    address = frame.return_slot + word + place.offset
                if isinstance(place, XReg) and frame.x_registers is not None:
                    address = frame.x_registers + word * place.index
                if address is not None:
                    return HeldWord(memory.word(address), address)
                if isinstance(place, HostReg) and place.name in registers_known:
                    value = read(place.name)
                    if value is not None:
                        return HeldWord(value, None)
            except Unreadable:
                continue
        return None

    def _registers_known(self, frame: ErlangFrame, innermost: bool) -> Container[str]:
        """Registers that a frame has as they were when it called another. Of those that C code may change, a debugger
        claims otherwise."""
        machine = self._machine
        if innermost:
            return self._analysis.MACHINE.host_registers
        x_registers = {one.name for one in machine.x_registers if one.lasting or self._calls_fragment(frame.pc)}
        return x_registers | set(machine.preserved)

    def x_register(self, frame: ErlangFrame, number: int, read: ReadRegister, innermost: bool) -> int | None:
        """The word in an x register of this frame, None where it is not available. May raise `Unreadable`.

        x registers that live in CPU registers are in memory during a call of C code that may change those.
        """
        if frame.x_registers is None:
            return None
        held = self._machine.x_registers
        if number < len(held) and (held[number].lasting or not self._calls_native(frame, innermost)):
            return read(held[number].name)
        return self._node.memory.word(frame.x_registers + self._word * number)

    def _state(self, place: Place, pc: int, innermost: bool) -> FlowState | None:
        flow = self.flow(place.code)
        if flow is None:
            return None
        offset = pc - place.code.start - self.prologue(place.code)
        # Nothing has happened yet in the prologue, nor in what it calls when it is patched.
        if offset < 0 or (offset == 0 and not innermost):
            return flow.before(0)
        return flow.before(offset) if innermost else flow.during_call(offset)

    def prologue(self, code: Range) -> int:
        """Bytes at the start of a function that are no part of its flow. The VM's own code has none."""
        size = self._analysis.PROLOGUE
        place = self._node.code.find(code.start)
        return size if code.arity is not None and not (place is not None and place.is_internal) else 0

    def _entry(self, code: Range) -> Entry | None:
        """How control comes to the code: some fragments run in the frame of the function. None: that is not known."""
        if trace_frames.is_entered_by_return(self._node.code.find(code.start)):
            return None
        if not code.name.startswith(FRAGMENT):
            return Entry.CALLED
        return self._analysis.entry_of(code.name.removeprefix(FRAGMENT), self._has_fp)

    def _stack_pointer(
        self, read: ReadRegister, state: FlowState | None, process: Process | None, sp: int
    ) -> int | None:
        """The Erlang stack pointer of a frame, which may be running C on the thread's stack. None: not known."""
        if state is not None and state.stack is not None:
            found = self._base(state.stack.base, read, process, sp)
            if found is not None:
                return found
        if process is None:
            # Where nothing is known of processes: C code runs on the stack that the x registers are on.
            registers = read(self._machine.registers)
            return None if registers is not None and abs(sp - registers) < THREAD_STACK else sp
        low, high = process.record["heap"], process.record["hend"]
        saved = read(self._machine.saved_stack)
        return next((one for one in (sp, saved) if one is not None and low <= one <= high), process.record["stop"])

    def _base(self, base: Base, read: ReadRegister, process: Process | None, sp: int) -> int | None:
        if base is Base.SP:
            return sp
        if base is Base.SAVED:
            return read(self._machine.saved_stack)
        return process.record["stop"] if process is not None else None

    def _return(
        self, code: Place, state: FlowState | None, read: ReadRegister, top: int, process: Process | None
    ) -> tuple[int | None, int | None, int | None]:
        """Where the return address lies or would, that address, and the caller's frame pointer, each if known."""
        memory, word = self._node.memory, self._word
        try:
            if state is not None and state.stack is not None:
                slot = top + state.stack.to_cfa - word
                address = self._return_address(state.stack.returns, read, slot + word)
                if address is not None and self._node.code.find(address) is not None:
                    saved = state.stack.saved_fp
                    pointer = memory.word(slot + word + saved) if saved is not None else None
                    unchanged = read(self._machine.frame_pointer) if saved is None and self._has_fp else None
                    return slot, address, pointer if pointer is not None else unchanged
            end = stack_end(process, top) if process is not None else top + MAX_SCAN
            scanned = self._node.stack().next_return_address(top, end, code)
            if scanned is None:
                return None, None, None
            return scanned, memory.word(scanned), memory.word(scanned - word) if self._has_fp else None
        except Unreadable:
            return None, None, None

    def _return_address(self, place: Slot | NativeSlot | HostReg | None, read: ReadRegister, cfa: int) -> int | None:
        if isinstance(place, Slot):
            return self._node.memory.word(cfa + place.offset)
        if isinstance(place, HostReg):
            return read(place.name)
        sp = read(self._machine.sp) if place is not None else None
        return self._node.memory.word(sp + place.offset) if place is not None and sp is not None else None

    @property
    def _has_fp(self) -> bool:
        return self._node.frame_layout is FrameLayout.FRAME_POINTER

    def _to_caller(self, frame: CompiledFrame, return_address: int, read: ReadRegister, innermost: bool) -> Unwound:
        machine = self._machine
        assert frame.return_slot is not None
        cfa = frame.return_slot + self._word
        registers = {machine.pc: return_address, machine.stack: cfa}
        if machine.sp != machine.stack and (sp := read(machine.sp)) is not None:
            depth = frame.state.stack.native_depth if frame.state and frame.state.stack else 0
            registers[machine.sp] = sp + depth
        if frame.place.is_fragment and self._calls_fragment(return_address):
            registers |= {name: value for name in machine.preserved if (value := read(name)) is not None}
            registers |= self._x_registers_of_caller(frame, read, innermost)
        else:
            if frame.process is not None:
                registers[machine.process] = frame.process.address
            if machine.without_x is not None:
                registers[machine.without_x.name] = machine.without_x.value
        if frame.caller_frame_pointer is not None:
            registers[machine.frame_pointer] = frame.caller_frame_pointer
        return self._unwound(frame, cfa, registers)

    def saved_registers(self, process: Process, pc: int, top: int, sp: int) -> dict[str, int]:
        """Those of a frame of which only the VM's own notes tell, as `Unwinder` says."""
        machine = self._machine
        registers = {machine.sp: sp, machine.pc: pc, machine.stack: top, machine.process: process.address}
        mark = machine.without_x
        return registers | ({mark.name: mark.value} if mark is not None else {})

    def _x_registers_of_caller(self, frame: ErlangFrame, read: ReadRegister, innermost: bool) -> dict[str, int]:
        """x registers that live in CPU registers, in a function that has called the fragment of this frame."""
        held = self._machine.x_registers
        values = self.arguments(frame, read, innermost) if held else []
        return {one.name: value for one, value in zip(held, values) if value is not None}

    def _calls_native(self, frame: ErlangFrame, innermost: bool) -> bool:
        """Whether the frame calls C code itself, or did with the instruction before."""
        target = self._analysis.call_target(frame.pc, self._node.memory.try_read)
        return self._is_native(target) if target is not None else not innermost

    def _calls_fragment(self, return_address: int) -> bool:
        """Whether the call before a return address is one to a shared fragment, which runs as part of its caller."""
        target = self._analysis.call_target(return_address, self._node.memory.try_read)
        place = self._node.code.find(target) if target is not None else None
        return place is not None and place.is_fragment

    def _unwound(self, frame: ErlangFrame, cfa: int, registers: dict[str, int]) -> Unwound:
        if frame.process is None:
            # Without knowledge of the process, frames are told apart by where they are now, outside of all others.
            return Unwound(self._outside, frame.place.code.start, cfa, registers)
        stack = self._x_registers(frame.process) or (self._outside if _is_dirty(frame.process) else cfa)
        return Unwound(stack, frame.place.code.start, within_process(frame.process, cfa), registers)

    @property
    def _outside(self) -> int:
        """Where the stack of a frame can be said to be so that it is outside of all others."""
        return 1 << 8 * self._word - 2

    def _x_registers(self, process: Process) -> int | None:
        """Address of the x registers of the scheduler that runs the process."""
        if not self._node.layout.has("Process", "scheduler_data"):
            return None
        scheduler = process.record["scheduler_data"]
        if not scheduler:
            return None
        registers = self._node.record("ErtsSchedulerData", scheduler)["registers"]
        if not registers:
            return None
        return self._node.record("ErtsSchedulerRegisters", registers).field_address("x_reg_array.d")

    def _is_base(self, frame: ErlangFrame) -> bool:
        """Whether the frame is the empty one of the address that a process's first function returns to."""
        process = frame.process
        returned = frame.pc == self._node.normal_exit
        end = frame.top if frame.return_slot is None else frame.return_slot
        return returned or (process is not None and is_base(process, end))

    def _end(self, frame: ErlangFrame) -> Unwound:
        """The first function returns to `normal_exit`, whose own frame is empty: outside of it is `process_main`."""
        machine = self._machine
        known = frame.process is not None and self._is_base(frame)
        x_registers = self._x_registers(frame.process) if frame.process is not None and known else None
        main = self._process_main
        if x_registers is None or main is None:
            return self._unwound(frame, frame.top, {machine.pc: 0, machine.sp: frame.top})
        registers = x_registers - machine.registers_bias
        return self._unwound(frame, frame.top, {machine.pc: main, machine.sp: registers, machine.registers: registers})

    @cached_property
    def _process_main(self) -> int | None:
        """An address in `process_main`, where it waits for the Erlang code that it has jumped to."""
        for module in self._node.code:
            for code in module.ranges:
                if code.name == PROCESS_MAIN:
                    return code.start + 4
        return None

    def _out_of_process_main(self, frame: ErlangFrame, read: ReadRegister) -> Unwound:
        """`process_main` saves no registers but the frame pointer, if that: it never returns. It makes room for the
        scheduler's registers, aligned, right below what it saves, so that its return address is found by what must be
        there: a call of `process_main`."""
        machine, word = self._machine, self._word
        registers = read(machine.registers)
        nothing = Unwound(frame.top, frame.place.code.start, 0, {machine.pc: 0, machine.sp: frame.top})
        if registers is None or not self._node.has_layout:
            return nothing
        layout = self._node.layout
        bottom = registers + machine.registers_bias - layout.offset("ErtsSchedulerRegisters", "x_reg_array.d")
        start = bottom + layout.size("ErtsSchedulerRegisters") + CACHE_LINE + word * len(machine.main_saves)
        slot = self._call_of_process_main(range(start, start + CACHE_LINE, word))
        if slot is None:
            return nothing
        cfa = slot + word
        caller = {machine.pc: self._node.memory.word(slot), machine.sp: cfa}
        saved = range(slot - word * len(machine.main_saves), slot, word)
        caller |= {name: self._node.memory.word(at) for name, at in zip(machine.main_saves, saved)}
        return Unwound(cfa, frame.place.code.start, 0, caller)

    def _call_of_process_main(self, slots: Iterable[int]) -> int | None:
        """Which of these stack slots has the address where a call of `process_main` returns to. Where the fragment has
        pushed the caller's frame pointer: the outermost call below which one stands. Nothing is pushed above it before
        that caller returns, so that only what is below can be left from other calls. Else, where it is known what
        `process_main` is, the first one; where not, the outermost call, if the one below was left there by what it
        called itself, or is the same."""
        known, memory = self._node.symbol("process_main"), self._node.memory
        calls: list[tuple[int, int, int]] = []
        for slot in slots:
            return_address = int.from_bytes(memory.try_read(slot, self._word) or b"", "little")
            called = self._analysis.call_target(return_address, memory.try_read) if return_address else None
            if called is not None and known in (called, None):
                calls.append((slot, return_address, called))
        if self._machine.frame_pointer in self._machine.main_saves:
            found = [slot for slot, _, _ in calls if self._has_frame_pointer(slot)]
            if found or known is None:
                return found[-1] if found else None
        if known is not None:
            return calls[0][0] if calls else None
        own = (*range(calls[-1][2], calls[-1][2] + SIZE_OF_MAIN), calls[-1][1]) if calls else ()
        return calls[-1][0] if calls and (len(calls) == 1 or calls[-2][1] in own) else None

    def _has_frame_pointer(self, slot: int) -> bool:
        """Whether what is pushed below a return address, the last register of `main_saves` first, has the pointer to
        the caller's frame record: that has the next one, and a return address (AAPCS64, 6.4.6)."""
        word, saves = self._word, self._machine.main_saves
        try:
            record = self._node.memory.word(slot - word * (len(saves) - saves.index(self._machine.frame_pointer)))
            if not slot < record < slot + THREAD_STACK or record % (2 * word):
                return False
            outer, return_address = self._node.memory.words(record, 2)
        except Unreadable:
            return False
        return (outer == 0 or record < outer < record + THREAD_STACK) and return_address != 0


def _is_dirty(process: Process) -> bool:
    """Whether a dirty scheduler works for a process, which runs C code only."""
    return process.has("DIRTY_RUNNING") or process.has("DIRTY_RUNNING_SYS")
