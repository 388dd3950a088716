"""Through the frames of native code and of the interpreter in which it runs, which share the Erlang stack.

Native functions have no frames of their own on the C stack: there is one from where `process_main` enters native code
to where it leaves, whoever runs meanwhile. So outside of the native function that runs are those that called it, native
or interpreted, as the Erlang stack has them, and then a second frame of `process_main`, as outside of interpreted code
(see `interpreter`). C functions that native code calls are unwound as any other, and shared fragments that are
called as functions of the machine; fragments that are only jumped to have no caller but the next on the Erlang stack.

A caller with native code is shown where that goes on, not where the interpreter would. Of its registers those are known
that lead to y registers and the process. In the others is what its own callers need; see `_Chain`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from beamgdb.code.loaded import Place
from beamgdb.interpreter.frame_registers import THUMB, FrameRegisters
from beamgdb.interpreter.process_main import ProcessMain
from beamgdb.late import dataclass
from beamgdb.machine_code.reading import ReadRegister
from beamgdb.native import registers as native
from beamgdb.node import Node
from beamgdb.unwinding.interpreter import InterpreterUnwinder
from beamgdb.unwinding.unwinder import Unwound
from beamgdb.vm.frame import ErlangFrame, HeldWord
from beamgdb.vm.processes import Process
from jit.otp import native_abi
from jit.otp.native_abi import WORD

NEAR = 16
"""Instructions before a place that are looked at."""


@dataclass(frozen=True)
class _Chain:
    """What must be known of `process_main` to get to its second frame: where it goes on, its sp, CPSR and registers."""

    pc: int
    sp: int
    cpsr: int
    registers: dict[str, int]


@dataclass(frozen=True)
class _Native:
    """A frame in native code. `running`: it runs, or has called C code or a fragment; else another Erlang function."""

    place: Place
    pc: int
    process: Process
    stack: int
    running: bool


class NativeUnwinder(InterpreterUnwinder):
    """Unwinds frames of Erlang code of a VM in which some of it is native."""

    def __init__(self, node: Node, machine: FrameRegisters, main: ProcessMain) -> None:
        super().__init__(node, machine, main)
        self._stop = node.layout.offset("Process", "stop")
        self._x_array = node.layout.offset("ErtsSchedulerRegisters", "x_reg_array.d")

    def frame(self, read: ReadRegister, innermost: bool) -> ErlangFrame | None:
        """The frame with these registers, None where it is not one of Erlang code."""
        place = self._place(read, innermost)
        if place is None:
            return super().frame(read, innermost)
        found = self._native(place, read, innermost)
        return self._erlang(found, read, innermost) if found is not None else None

    def unwind(self, read: ReadRegister, innermost: bool) -> Unwound | None:
        """One step outwards: from and to native code, too."""
        place = self._place(read, innermost)
        if place is None:
            found = super().unwind(read, innermost)
            return self._to_native(found) if found is not None else None
        here = self._native(place, read, innermost)
        if here is None:
            return None
        return_address = self._fragment_returns_to(here, read, innermost)
        if return_address is not None:
            return self._out_of_fragment(here, read, return_address)
        frame = self._erlang(here, read, innermost)
        chain = self._chain_below(here, read) if here.running else self._carried(read)
        if chain is None:
            return None
        found = self._to_caller(frame, self._as_interpreted(here, chain))
        if frame.return_slot is not None and frame.return_address is not None:
            found.registers[self._machine.pc] = frame.return_address
        return self._to_native(found)

    def arguments(self, frame: ErlangFrame, read: ReadRegister, innermost: bool) -> list[HeldWord | None]:
        """Arguments of the function in this frame, None for those that are nowhere any more. Of native functions its
        debugging information tells them."""
        if self._node.code.native_at(frame.place.code.start) is None:
            return super().arguments(frame, read, innermost)
        return [None] * (frame.place.code.arity or 0)

    # -- native frames -------------------------------------------------------------------------------------------------

    def _place(self, read: ReadRegister, innermost: bool) -> Place | None:
        """The native code of a frame, None where there is other code."""
        pc = read(self._machine.pc)
        place = self._node.code.native_at(pc if innermost else pc - 1) if pc is not None else None
        return place if place is not None and place.code.name != native_abi.ENTER else None

    def _native(self, place: Place, read: ReadRegister, innermost: bool) -> _Native | None:
        pc, registers = read(self._machine.pc), read(native.REGISTERS)
        process, stack = self._process(read(native.PROCESS)), read(native.STACK)
        if pc is None or process is None:
            return None
        if registers is None:
            return _Native(place, pc, process, stack, running=False) if stack is not None else None
        if not self._is_run_with(process, registers + self._x_array):
            return None
        stored = not innermost and self._has_stored_stack(place, pc)
        found = self._stack(process, None if stored else stack)
        return _Native(place, pc, process, found, running=True) if found is not None else None

    def _erlang(self, here: _Native, read: ReadRegister, innermost: bool) -> ErlangFrame:
        registers = read(native.REGISTERS)
        x_registers = registers + self._x_array if here.running and registers is not None else None
        if innermost and (returned := self._returned(here, read)) is not None:
            return ErlangFrame(here.place, here.pc, here.process, here.stack + WORD, here.stack, x_registers, returned)
        is_free = not here.running or self._is_about_to_call(here, innermost) or not self._is_return_address(here.stack)
        found = self._return_slot(here.stack + WORD if is_free else here.stack, here.process)
        returns_to = self._node.memory.word(found) if found is not None else None
        return ErlangFrame(
            here.place, here.pc, here.process, here.stack + WORD if found != here.stack else here.stack, found,
            x_registers, returns_to,
        )  # fmt: skip

    def _returned(self, here: _Native, read: ReadRegister) -> int | None:
        """The return address if the next instruction goes there, None otherwise: it is no longer on the stack then."""
        return read(native.CALLEE) if native_abi.RETURNS.has(self._node.memory.word(here.pc)) else None

    def _is_return_address(self, slot: int) -> bool:
        return self._node.stack().is_return_address(self._node.memory.word(slot))

    def _is_about_to_call(self, here: _Native, innermost: bool) -> bool:
        """Whether the function has just written where its own callee is to return to."""
        if here.place.is_fragment or not innermost:
            return False
        return self._before(here.place, here.pc, native_abi.PUSHES.has)

    def _has_stored_stack(self, place: Place, return_address: int) -> bool:
        """Whether it let the VM see the stack pointer before it called the C function, which may have moved the stack
        since."""
        return self._before(place, return_address - WORD, lambda word: native.stores_stack(word, self._stop))

    def _before(self, place: Place, pc: int, wanted: Callable[[int], bool]) -> bool:
        """Whether there is a wanted instruction before `pc`, in code without branches."""
        start = max(place.code.start, pc - NEAR * WORD)
        for word in reversed(self._node.memory.words(start, max(0, pc - start) // WORD)):
            if wanted(word):
                return True
            if native.leads_away(word):
                return False
        return False

    # -- outwards ------------------------------------------------------------------------------------------------------

    def _fragment_returns_to(self, here: _Native, read: ReadRegister, innermost: bool) -> int | None:
        """The return address of a fragment that was called, None for one that was jumped to, and functions."""
        code = here.place.code
        if not here.running or not code.name.startswith(native_abi.FRAGMENT):
            return None
        words = self._node.memory.words(code.start, (code.stop - code.start) // WORD)
        if not any(map(native.returns, words)):
            return None
        done = words[: (here.pc - code.start) // WORD]
        offset = next(filter(None, map(native.saves_return_address, reversed(done))), None)
        sp = read(self._machine.sp)
        if offset is None or sp is None:
            return read("lr") if innermost else None
        return self._node.memory.word(sp + offset)

    def _out_of_fragment(self, here: _Native, read: ReadRegister, return_address: int) -> Unwound | None:
        """To the code that has called a fragment, which has all registers but those that any callee may change."""
        sp = read(self._machine.sp)
        if sp is None or self._node.code.native_at(return_address - 1) is None:
            return None
        names = ("sp", "cpsr", *native.SAVED)
        registers = {name: value for name in names if (value := read(name)) is not None}
        registers |= {native.STACK: here.stack, self._machine.pc: return_address, "lr": return_address}
        return Unwound(sp, here.place.code.start, 0, registers)

    def _chain_below(self, here: _Native, read: ReadRegister) -> _Chain | None:
        """From the frame on the C stack that the way in has made: it is found by what must be there, where
        `process_main` goes on and, below that, its registers, with the process among them."""
        sp = read(self._machine.sp)
        if sp is None:
            return None
        words = self._node.memory.words(sp, native.ROOM)
        holder = self._main.roles.process
        for at in range(len(native.SAVED), len(words)):
            saved = dict(zip(native.SAVED, words[at - len(native.SAVED) : at]))
            if words[at] & ~1 in self._main and saved.get(holder, here.process.address) == here.process.address:
                cpsr = (read("cpsr") or 0) & ~THUMB | (THUMB if words[at] & 1 else 0)
                return _Chain(words[at] & ~1, sp + WORD * (at + 1), cpsr, saved)
        return None

    def _carried(self, read: ReadRegister) -> _Chain | None:
        """What the registers of a native caller have of `process_main`."""
        pc, sp, cpsr = read(native.CARRIED_PC), read(self._machine.sp), read("cpsr")
        if pc is None or sp is None:
            return None
        registers = {name: value for here, name in native.CARRIED.items() if (value := read(here)) is not None}
        return _Chain(pc & ~1, sp, (cpsr or 0) & ~THUMB | (THUMB if pc & 1 else 0), registers)

    def _as_interpreted(self, here: _Native, chain: _Chain) -> ReadRegister:
        """The registers that the frame would have if it were one of interpreted code."""
        machine = self._machine
        registers = chain.registers | {
            "cpsr": chain.cpsr,
            machine.pc: here.pc,
            machine.sp: chain.sp,
            machine.top: here.stack + WORD,
            machine.process: here.process.address,
            machine.main: chain.pc,
        }
        return registers.get

    def _to_native(self, found: Unwound) -> Unwound:
        """The same step; to a caller that has native code, to where that goes on."""
        machine, registers = self._machine, found.registers
        pc, top = registers.get(machine.pc), registers.get(machine.top)
        place = self._node.code.goes_on(pc) if pc is not None else pc
        if pc is None or place is None or place == pc or top is None:
            return found
        cpsr, main = registers.get("cpsr", 0), registers.get(machine.main, 0)
        carried = {here: registers[name] for here, name in native.CARRIED.items() if name in registers}
        return replace(
            found,
            registers=carried
            | {
                machine.pc: place,
                machine.sp: registers[machine.sp],
                "cpsr": cpsr & ~THUMB,
                native.CARRIED_PC: main | (1 if cpsr & THUMB else 0),
                native.PROCESS: registers.get(machine.process, 0),
                native.STACK: top - WORD,
            },
        )
