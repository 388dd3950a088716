"""Run by GDB on a node with one busy scheduler: single-step Erlang code, and compare what the unwinder says of the
frame, its caller and the arguments with what a shadow stack, kept by watching entries and the stack pointer, knows.

Environment: STEP_PATHS (for sys.path), STEP_GO (GDB's command that lets the VM run from its start), STEP_BREAK (GDB's
command for a breakpoint in Erlang code that is hit once), STEP_UNTIL (a C function that is called when all is loaded),
STEP_COUNT, STEP_START (function to begin in, as `module:function/arity`), STEP_RESULT (file for the outcome, JSON).
"""

import collections
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import gdb

sys.path[:0] = os.environ["STEP_PATHS"].split(":")

from beamgdb.beamasm import flow  # noqa: E402
from beamgdb.code.loaded import Place  # noqa: E402
from beamgdb.code.module import CODE_INFO, Range  # noqa: E402
from beamgdb.gdbext import session, unwinder  # noqa: E402
from beamgdb.unwinding.beamasm import CompiledFrame  # noqa: E402

X_KEPT = 24
WORD = 8
SHARING = frozenset(
    f"global::{name}"
    for name in "call_bif_shared call_nif_shared call_nif_yield_helper i_load_nif_shared i_test_yield_shared".split()
)
"""Shared fragments that run in the frame of the function that jumps to them."""
EXPORT = "global::export_trampoline"
"""The shared fragment that is called or tail-called in place of functions that have no code."""


class X86:
    """How calls and returns look. `depth`: bytes between the stack pointer and the CFA at entry."""

    depth = WORD
    code_size = 3

    def is_call(self, raw: bytes) -> bool:
        prefixed = raw[1:] if 0x40 <= raw[0] <= 0x4F else raw
        return prefixed[0] == 0xE8 or (prefixed[0] == 0xFF and prefixed[1] >> 3 & 7 == 2)

    def is_return(self, raw: bytes) -> bool:
        return raw[0] == 0xC3


class Arm64:
    depth = 0
    code_size = 4

    def is_call(self, raw: bytes) -> bool:
        word = int.from_bytes(raw, "little")
        return word >> 26 == 0b100101 or word & 0xFFFFFC1F == 0xD63F0000

    def is_return(self, raw: bytes) -> bool:
        return int.from_bytes(raw, "little") & 0xFFFFFC1F == 0xD65F0000


class Activation:
    """One entry of a function: where its frame is (distance of the CFA from the end of the heap block, since garbage
    collection moves the stack), where it returns to, and what x registers held."""

    def __init__(self, of: Range, cfa: int, hend: int, heap: int, back: int, x: list[int]) -> None:
        self.of, self.depth, self.heap, self.back, self.x = of, hend - cfa, heap, back, x


class Stepper:
    def __init__(self) -> None:
        self.node = session.require().node
        assert self.node.machine is not None
        self.machine = self.node.machine
        self.isa = Arm64() if self.node.identity.arch == "aarch64" else X86()
        self.before: str | None = None
        """Whether the last instruction was a call, a return, or neither."""
        self.stacks: dict[int, list[Activation]] = collections.defaultdict(list)
        self.count: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.silent: collections.Counter[str] = collections.Counter()
        self.functions: set[str] = set()

    @property
    def unwinder(self) -> Any:
        return unwinder.unwinder_of(session.require())

    def find(self, pc: int) -> Place | None:
        return self.node.code.find(pc)

    def word(self, address: int) -> int:
        return self.node.memory.word(address)

    def register(self, name: str) -> int:
        return int(gdb.newest_frame().read_register(name)) & (2**64 - 1)

    def step(self) -> None:
        """One instruction; what is not JIT code is run through to the return into it."""
        gdb.execute("stepi", to_string=True)
        session.require().forget()
        pc = self.register(self.machine.pc)
        if self.find(pc) is None:
            back = self.register("x30") if isinstance(self.isa, Arm64) else self.word(self.register("rsp"))
            gdb.execute(f"{os.environ['STEP_BREAK']} *{back}", to_string=True)
            gdb.execute("continue", to_string=True)
            session.require().forget()
            if self.register(self.machine.pc) != back:
                raise RuntimeError(f"left JIT code from {pc:#x}, expected at {back:#x}")
            self.count["calls of C"] += 1

    def look(self) -> None:
        pc, sp = self.register(self.machine.pc), self.register(self.machine.stack)
        place = self.find(pc)
        process = self.unwinder.process(self.register)
        if place is None or process is None:
            return
        code, hend, heap = place.code, process.record["hend"], process.record["heap"]
        stack = self.stacks[process.address]
        enters = pc == code.start and not code.name.endswith((CODE_INFO, "::codeHeader"))
        if heap <= sp <= hend:
            self.leave(stack, hend, sp, code)
            if enters and (self.before == "call" or not place.is_fragment or code.name == EXPORT):
                cfa = sp + self.isa.depth
                back = self.register("x30") if isinstance(self.isa, Arm64) else self.word(sp)
                while stack and hend - stack[-1].depth <= cfa:
                    stack.pop()
                if self.before == "call" and stack:
                    self.check_caller(stack[-1], hend, heap, cfa)
                stack.append(Activation(code, cfa, hend, heap, back, self.x_registers()))
        self.count["steps"] += 1
        function = not place.is_fragment and not place.is_internal and not code.name.endswith(CODE_INFO)
        shares_frame = code.name in SHARING
        self.count["steps in functions"] += function
        self.count["steps in fragments"] += place.is_fragment
        if not stack or (stack[-1].of != code and not shares_frame):
            self.count["steps of unknown activation" if function else "steps outside, of unknown activation"] += 1
            return
        self.functions.add(code.name)
        frame = self.unwinder.frame(self.register, True)
        self.check(frame, stack[-1], f"{code.name}+{pc - code.start}", hend, heap, function)
        if stack[-1].of == code and place.is_fragment and len(stack) > 1:
            self.check_caller(stack[-2], hend, heap, hend - stack[-1].depth, f" in {code.name}+{pc - code.start}")

    def leave(self, stack: list[Activation], hend: int, sp: int, code: Range) -> None:
        """Forget activations that have ended. Where the return address is not on the stack at entry and return, the
        stack pointer alone does not tell the innermost ones."""
        while stack:
            cfa = hend - stack[-1].depth
            same = cfa == sp and self.isa.depth == 0 and self.before != "return"
            same = same and (stack[-1].of == code or code.name in SHARING)
            if cfa > sp or same:
                return
            stack.pop()

    def x_registers(self) -> list[int]:
        address = self.register(self.machine.registers) + self.machine.registers_bias
        words = list(self.node.memory.words(address, X_KEPT))
        for number, held in enumerate(self.machine.x_registers):
            words[number] = self.register(held.name)
        return words

    def check_caller(self, caller: Activation, hend: int, heap: int, cfa: int, at: str = "") -> None:
        """In what the caller has called: one step of the unwinder must lead to it."""
        unwound = self.unwinder.unwind(self.register, True)
        back = unwound.registers[self.machine.pc]
        if not caller.of.start < back <= caller.of.stop:
            return
        self.count["callers"] += 1
        where = f"during the call that returns to {caller.of.name}+{back - caller.of.start}{at}"
        if unwound.registers[self.machine.stack] != cfa:
            self.wrong.append(f"{where}: stack pointer {unwound.registers[self.machine.stack]:#x}, is {cfa:#x}")
            return
        read = unwound.registers.get
        frame = self.unwinder.frame(read, False)
        self.check(frame, caller, where, hend, heap, False, read=read)
        callee = self.unwinder.frame(self.register, True)
        kept = callee.state.arguments if callee.place.is_fragment and callee.state is not None else None
        for number, value in enumerate(self.unwinder.arguments(frame, read, False)[:X_KEPT]):
            if kept is not None and number < len(kept) and not kept[number]:
                continue  # The fragment may have used the x register for something else.
            if value is not None and not self.same(value, caller, number, heap):
                self.wrong.append(f"{where}: argument {number} is {value:#x}, was {caller.x[number]:#x}")

    def check(
        self, frame: CompiledFrame, activation: Activation, where: str, hend: int, heap: int, function: bool,
        read: Any = None,
    ) -> None:  # fmt: skip
        self.count["compared"] += 1
        self.count["compared in functions"] += function
        if frame.state is None or frame.state.stack is None or frame.return_slot is None:
            self.count["silent"] += 1
            self.count["silent in functions"] += function
            self.silent[where] += 1
            return
        cfa = frame.return_slot + WORD
        # A fragment may change the return address of the function on whose behalf it runs (call_light_bif_shared).
        changed = frame.place.is_fragment and frame.return_address == self.word(frame.return_slot)
        if cfa != hend - activation.depth or (frame.return_address != activation.back and not changed):
            was = f"{hend - activation.depth:#x}, {activation.back:#x}"
            self.wrong.append(f"{where}: {frame.state.stack} gives {cfa:#x}, {frame.return_address}, is {was}")
            return
        if read is None and frame.place.code == activation.of:
            self.check_places(frame, activation, where, cfa, heap)

    def check_places(self, frame: CompiledFrame, activation: Activation, where: str, cfa: int, heap: int) -> None:
        assert frame.state is not None
        for number, places in enumerate(frame.state.arguments[: min(activation.of.arity or 0, X_KEPT)]):
            self.count["places"] += len(places)
            self.count["arguments"] += 1
            self.count["arguments found"] += bool(places)
            for place in places:
                value = self.value(place, cfa, frame)
                if self.same(value, activation, number, heap):
                    self.count["places right"] += 1
                else:
                    was = activation.x[number]
                    self.wrong.append(f"{where}: argument {number} in {place} is {value:#x}, was {was:#x}")

    def same(self, value: int, activation: Activation, number: int, heap: int) -> bool:
        """The value is that of the argument at entry; a term on the heap has another address once that has moved."""
        was = activation.x[number]
        return value == was or (was & 3 != 3 and heap != activation.heap)

    def value(self, place: flow.Holder, cfa: int, frame: CompiledFrame) -> int:
        if isinstance(place, flow.HostReg):
            return self.register(place.name)
        assert frame.x_registers is not None
        return self.word(cfa + place.offset if isinstance(place, flow.Slot) else frame.x_registers + WORD * place.index)

    def run(self, steps: int) -> dict[str, Any]:
        started = time.time()
        for _ in range(steps):
            pc = self.register(self.machine.pc)
            place = self.find(pc)
            raw = self.node.memory.read(pc, self.isa.code_size)
            if place is None or not place.code.name.endswith("::codeFooter"):
                # What is there only hands on a call or jump to a fragment.
                self.before = "call" if self.isa.is_call(raw) else "return" if self.isa.is_return(raw) else None
            self.step()
            self.look()
            if len(self.wrong) > 50:
                break
        return {
            "count": dict(self.count),
            "wrong": self.wrong[:50],
            "silent": self.silent.most_common(30),
            "functions": len(self.functions),
            "seconds": time.time() - started,
        }


def start_of(function: str) -> int | None:
    session.require().forget()
    node = session.require().node
    node.update_code()
    return next((r.start for module in node.code for r in module.ranges if r.name == function), None)


def main() -> dict[str, Any]:
    for line in ("pagination off", "confirm off"):
        gdb.execute(f"set {line}", to_string=True)
    gdb.execute("handle all nostop noprint pass", to_string=True)
    gdb.execute("handle SIGTRAP SIGINT stop", to_string=True)
    function = os.environ["STEP_START"]
    until = gdb.Breakpoint(os.environ["STEP_UNTIL"])
    gdb.execute(os.environ["STEP_GO"], to_string=True)
    while (start := start_of(function)) is None:
        gdb.execute("continue", to_string=True)
    until.delete()
    stepper = Stepper()
    gdb.execute(f"{os.environ['STEP_BREAK']} *{start}", to_string=True)
    gdb.execute("continue", to_string=True)
    gdb.execute("set scheduler-locking on", to_string=True)
    session.require().forget()
    stepper.look()
    return stepper.run(int(os.environ["STEP_COUNT"]))


try:
    outcome = main()
except Exception:
    outcome = {"failed": traceback.format_exc()}
Path(os.environ["STEP_RESULT"]).write_text(json.dumps(outcome))
