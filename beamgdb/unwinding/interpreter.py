"""From the frame of `process_main` to those of the Erlang functions that it interprets, and back to its own caller.

To a debugger, the frame of `process_main` is followed by that of the current Erlang function, by those of its callers
up to the first function of the process, and then by a second frame of `process_main`, which is marked and unwound as
any C function. See `interpreter.frame_registers` for what the registers of Erlang frames mean.

The pc of the current function is a word behind the instruction in progress, as if that were a call: a debugger looks up
the byte before the pc of a frame that is not the innermost.

Ids of frames must stay the same while a frame lives, although the Erlang stack may move; and their stack addresses must
not go inwards. So they have the stack pointer of `process_main`, and are told apart by the process's number and the
distance from the base of the Erlang stack.
"""

from __future__ import annotations

from beamgdb.code.loaded import Place
from beamgdb.code.module import NO_CODE
from beamgdb.interpreter.frame_registers import FrameRegisters
from beamgdb.interpreter.operations import Unsupported
from beamgdb.interpreter.process_main import ProcessMain
from beamgdb.late import dataclass
from beamgdb.machine_code.reading import ReadRegister
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.unwinding.interpreter_arguments import Arguments
from beamgdb.unwinding.unwinder import Unwound, within_process
from beamgdb.vm.frame import ErlangFrame, HeldWord
from beamgdb.vm.processes import Process
from beamgdb.vm.stack import is_base, stack_end

PROCESS_MAIN_ID = 1
"""Tells the first frame of `process_main` from the second: no distance from the base of a stack is odd."""


@dataclass(frozen=True)
class Current:
    """What `process_main` runs. `instruction` is the one in progress, `stack` the Erlang stack pointer (E), None where
    it is not known; `x_registers` the address of x0."""

    process: Process
    instruction: int | None
    stack: int | None
    x_registers: int


class InterpreterUnwinder:
    """Unwinds frames of interpreted code of one VM. Kept as long as its code is loaded."""

    def __init__(self, node: Node, machine: FrameRegisters, main: ProcessMain) -> None:
        self._node = node
        self._machine = machine
        self._main = main
        self._arguments = Arguments(node, main)

    def frame(self, read: ReadRegister, innermost: bool) -> ErlangFrame | None:
        """The frame with these registers, None where it is not one of Erlang code. Those are never innermost."""
        pc = read(self._machine.pc)
        place = self._node.code.of_frame(pc, calling=True) if pc is not None and not innermost else None
        top = read(self._machine.top)
        if pc is None or place is None or top is None:
            return None
        process = self._process(read(self._machine.process))
        slot = self._return_slot(top, process, place)
        return ErlangFrame(place, pc, process, top, slot, read(self._machine.x_registers) or None)

    def unwind(self, read: ReadRegister, innermost: bool) -> Unwound | None:
        """One step outwards: from `process_main` to the current Erlang function, from an Erlang function to its caller
        or back to `process_main`. None for other frames."""
        pc = read(self._machine.pc)
        if pc is None:
            return None
        if pc in self._main:
            return None if self.is_second(read) else self._to_current(read, pc, innermost)
        frame = self.frame(read, innermost)
        return self._to_caller(frame, read) if frame is not None else None

    def arguments(self, frame: ErlangFrame, read: ReadRegister, innermost: bool) -> list[HeldWord | None]:
        """Arguments of the function in this frame, None for those that are nowhere any more."""
        return self._arguments.of(frame, read, read(self._machine.main))

    def x_register(self, frame: ErlangFrame, number: int, read: ReadRegister, innermost: bool) -> int | None:
        """The word in an x register, None in a frame whose x registers now belong to a callee."""
        if frame.x_registers is None:
            return None
        return self._node.memory.word(frame.x_registers + number * self._machine.target.address_size)

    def saved_registers(self, process: Process, pc: int, top: int, sp: int) -> dict[str, int]:
        """Those of a frame of which only the VM's own notes tell, as `Unwinder` says."""
        machine = self._machine
        known = {machine.sp: sp, machine.pc: pc, machine.top: top, machine.process: process.address}
        return known | {machine.main: 0, machine.x_registers: 0}

    def is_second(self, read: ReadRegister) -> bool:
        """Whether a frame is the second one of `process_main`."""
        return read(self._machine.top) == self._main.start

    def current(self, read: ReadRegister, pc: int, innermost: bool) -> Current | None:
        """What `process_main` runs in a frame that is at `pc`, None where it runs nothing. `innermost`: it has not
        called a C function."""
        process = self._process(self._main.process(read))
        x_registers = self._main.x_registers(read)
        if process is None or x_registers is None or not self._is_run_with(process, x_registers):
            return None
        instruction = self._main.instruction(read, pc, innermost)
        if instruction is not None:
            instruction = self._in_code(instruction)
        stack = self._stack(process, self._main.stack(read, pc, innermost))
        return Current(process, instruction, stack, x_registers)

    def _in_code(self, instruction: int) -> int | None:
        """The instruction if it lies in loaded code; a function's first, for that which raises `function_clause`: it
        stands before the function, in its `ErtsCodeInfo`. None for one in an export entry, or made for a NIF."""
        code = self._node.code
        place = code.find(instruction)
        if place is not None and not place.code.name.endswith(NO_CODE):
            return instruction
        entry = instruction + self._node.layout.size("ErtsCodeInfo")
        place = code.find(entry)
        return entry if place is not None and place.code.start == entry else None

    def _process(self, address: int | None) -> Process | None:
        return self._node.processes.found_at(address) if address else None

    def _is_run_with(self, process: Process, x_registers: int) -> bool:
        """Whether a scheduler runs the process, and its x registers are these."""
        scheduler = process.record["scheduler_data"]
        if not scheduler:
            return False
        data = self._node.record("ErtsSchedulerData", scheduler)
        registers = data["registers"]
        offset = self._node.layout.offset("ErtsSchedulerRegisters", "x_reg_array.d")
        return data["current_process"] == process.address and registers + offset == x_registers

    def _stack(self, process: Process, known: int | None) -> int | None:
        """The Erlang stack pointer: what is `known` of it, if that can be, else what was saved."""
        saved = process.record["stop"]
        low, high = process.record["heap"], process.record["hend"]
        word = self._machine.target.address_size
        return next((at for at in (known, saved) if at is not None and low <= at <= high and at % word == 0), None)

    def _to_current(self, read: ReadRegister, pc: int, innermost: bool) -> Unwound | None:
        try:
            current = self.current(read, pc, innermost)
        except Unsupported:
            return None
        sp = read(self._machine.sp)
        if current is None or sp is None or current.stack is None:
            return None
        found = self._position(current)
        if found is None:
            return None
        at, top, x_registers = found
        machine = self._machine
        registers = self._kept(read) | {
            machine.pc: at,
            machine.top: top,
            machine.process: current.process.address,
            machine.main: pc,
            machine.x_registers: x_registers or 0,
        }
        # GDB finds variables by the stack address of a frame's id, which should be the CFA. The second frame of
        # `process_main` has that too, so that another code address must tell them apart.
        cfa, start = self._main.cfa(read), self._main.start
        stack, code = (sp, start) if cfa is None else (cfa, start + 1)
        return Unwound(stack, code, PROCESS_MAIN_ID, registers)

    def _position(self, current: Current) -> tuple[int, int, int | None] | None:
        """The pc of the innermost Erlang frame, the address of y0 in it, and of x0 if x registers are its own."""
        assert current.stack is not None
        code, word = self._node.code, self._machine.target.address_size
        top = self._node.stack().y0(current.stack)
        if current.instruction is not None:
            place = code.find(current.instruction)
            at = current.instruction if place is not None and place.is_internal else current.instruction + word
            return at, top, current.x_registers
        # What is called through words made for it, such as a NIF that was rescheduled, has no frame and no name here.
        slot = self._return_slot(top, current.process)
        return (self._node.memory.word(slot), slot + word, None) if slot is not None else None

    def _to_caller(self, frame: ErlangFrame, read: ReadRegister) -> Unwound:
        machine, slot = self._machine, frame.return_slot
        word = machine.target.address_size
        at_end = frame.place.is_internal and frame.pc == self._node.normal_exit
        if at_end or (slot is None and frame.process is not None and is_base(frame.process, frame.top)):
            registers = self._kept(read) | {machine.pc: read(machine.main) or 0, machine.top: self._main.start}
            return self._unwound(frame, read, frame.top, registers)
        if slot is None:
            return self._unwound(frame, read, frame.top, {machine.pc: 0, machine.sp: read(machine.sp) or 0})
        registers = self._kept(read) | {
            machine.pc: self._node.memory.word(slot),
            machine.top: slot + word,
            machine.process: read(machine.process) or 0,
            machine.main: read(machine.main) or 0,
            machine.x_registers: 0,
        }
        return self._unwound(frame, read, slot + word, registers)

    def _unwound(self, frame: ErlangFrame, read: ReadRegister, end: int, registers: dict[str, int]) -> Unwound:
        """`end` is where the frame ends on the Erlang stack."""
        special = within_process(frame.process, end) if frame.process is not None else 0
        stack = self._main.cfa(read) or read(self._machine.sp) or 0
        return Unwound(stack, frame.place.code.start, special, registers)

    def _kept(self, read: ReadRegister) -> dict[str, int]:
        """Registers of `process_main` that its caller may need."""
        names = (self._machine.sp, *self._machine.kept)
        return {name: value for name in names if (value := read(name)) is not None}

    def _return_slot(self, top: int, process: Process | None, place: Place | None = None) -> int | None:
        if process is None:
            return None
        try:
            return self._node.stack().next_return_address(top, stack_end(process, top), place)
        except Unreadable:
            return None
