"""Run by GDB on a node: single-step `process_main`, and compare what the unwinder says at each step with what is known
where a handler begins: there the state of Erlang code is in its places, whatever the handlers do with them in between.

Environment: STEP_COUNT, STEP_RESULT (file for the outcome, JSON). The selected thread runs Erlang code.
"""

import collections
import json
import os
import traceback
from pathlib import Path
from typing import NamedTuple

import gdb

from beamgdb.gdbext import session, unwinder
from beamgdb.unwinding.interpreter import InterpreterUnwinder
from jit.otp.tags import HEADER, PRIMARY_MASK

COUNT = int(os.environ["STEP_COUNT"])
MAX_FRAMES = 400


class Seen(NamedTuple):
    """What is or what is said: the pc of the current function, and all return addresses of the Erlang stack. `process`
    is the address of the process, where it is known."""

    pc: int
    returns: tuple[int, ...]
    process: int = 0

    def same(self, other: "Seen") -> bool:
        return self[:2] == other[:2]


class Stepper:
    def __init__(self) -> None:
        self.node = session.require().node
        self.main = self.node.process_main
        self.handlers = {operation.handler: operation.name for operation in self.main.operations}
        self.count: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.between: list[tuple[str, Seen | None]] = []
        self.last: Seen | None = None
        self.names: collections.Counter[str] = collections.Counter()

    def word(self, address: int) -> int:
        return int.from_bytes(bytes(gdb.selected_inferior().read_memory(address, 4)), "little")

    def truth(self, pc: int) -> Seen:
        """At the beginning of a handler, straight from the registers."""
        frame, roles = gdb.newest_frame(), self.main.roles
        places = (roles.instruction, roles.stack, roles.process)
        register = {name: int(frame.read_register(name)) & 0xFFFFFFFF for name in places}
        end = self.node.processes.at(register[roles.process]).record["hend"]
        words = [self.word(at) for at in range(register[roles.stack], min(end, register[roles.stack] + 40000), 4)]
        returns = [word for word in words if word & PRIMARY_MASK == HEADER and self.node.code.find(word) is not None]
        instruction = register[roles.instruction]
        place = self.node.code.find(instruction)
        if place is None:
            return Seen(returns[0], tuple(returns[1:]), register[roles.process])
        return Seen(instruction + (0 if place.is_internal else 4), tuple(returns), register[roles.process])

    def is_erlang(self, pc: int) -> bool:
        return self.node.code.of_frame(pc, calling=True) is not None

    def said(self) -> Seen | None:
        """By the frames of GDB. None where they do not lead to `process_main`."""
        frame: gdb.Frame | None = gdb.newest_frame()
        for _ in range(60):
            if frame is None or frame.pc() in self.main:
                break
            frame = frame.older()
        if frame is None:
            self.count["no process_main"] += 1
            return None
        found: list[int] = []
        frame = frame.older()
        while frame is not None and self.is_erlang(frame.pc()) and len(found) < MAX_FRAMES:
            found.append(frame.pc())
            frame = frame.older()
        if not found:
            self.count["no Erlang"] += 1
            return None
        return Seen(found[0], tuple(found[1:]))

    def step(self) -> None:
        gdb.execute("stepi", to_string=True)
        pc = gdb.newest_frame().pc()
        if pc not in self.main:
            self.pass_c_function()
            pc = gdb.newest_frame().pc()
        if pc in self.handlers:
            now = self.truth(pc)
            self.names[self.handlers[pc]] += 1
            if self.last is not None:
                self.check(self.last, now)
            self.last, self.between = now, []
        where = gdb.newest_frame().name() or hex(pc)
        self.between.append((f"{where}+{pc - self.main.start:#x}", self.said()))
        self.count["steps"] += 1

    def pass_c_function(self) -> None:
        """A look at the beginning of a C function that was called, then on to where it returns."""
        self.between.append((f"{gdb.newest_frame().name()}", self.said()))
        back = int(gdb.newest_frame().read_register("lr")) & 0xFFFFFFFE
        if back not in self.main:
            raise RuntimeError(f"{gdb.newest_frame().name()} returns to {back:#x}")
        run_to(back)
        self.count["C functions"] += 1

    def check(self, before: Seen, after: Seen) -> None:
        """Each step in between must show the state before or after the operation."""
        if before.process != after.process:
            self.count["other process"] += 1
            return
        for where, said in self.between:
            if said is None:
                continue
            self.count["checked"] += 1
            if said.same(before) or said.same(after):
                continue
            # The instruction may have moved on while the stack has not, and the other way round.
            mixed = said.pc in (before.pc, after.pc) and said.returns in (before.returns, after.returns)
            self.count["mixed" if mixed else "wrong"] += 1
            if not mixed:
                shown = (show(self, said), show(self, before), show(self, after))
                self.wrong.append(f"{where}: said {shown[0]}; before {shown[1]}; after {shown[2]}")


def run_to(address: int) -> None:
    breakpoint = gdb.Breakpoint(f"*{address:#x}", internal=True, temporary=True)
    breakpoint.silent = True
    gdb.execute("continue", to_string=True)


def show(stepper: Stepper, seen: Seen) -> str:
    describe = stepper.node.describe
    return f"{describe(seen.pc - 1)} <- {[describe(one - 1) for one in seen.returns[:3]]} ({len(seen.returns)})"


def main() -> None:
    stepper = Stepper()
    run_to(next(address for address, name in stepper.handlers.items() if name == "i_call_f"))
    gdb.execute("set scheduler-locking on")
    outcome: dict[str, object] = {}
    try:
        assert isinstance(unwinder.unwinder_of(session.require()), InterpreterUnwinder)
        for _ in range(COUNT):
            stepper.step()
    except Exception:
        outcome["error"] = traceback.format_exc()
    outcome |= {"count": stepper.count, "wrong": stepper.wrong, "operations": stepper.names}
    Path(os.environ["STEP_RESULT"]).write_text(json.dumps(outcome))


main()
