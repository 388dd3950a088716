"""Run by GDB on a node with one busy scheduler: single-step Erlang code and compare what the analysis says of the
frame and the arguments with what a shadow stack, kept by watching entries and the stack pointer, knows.

Environment: STEP_PATHS (for sys.path), STEP_COUNT, STEP_RESULT (file for the outcome, JSON), STEP_LAYOUT (a table of
the VM's layouts), STEP_START (function to begin in).
"""

import collections
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import gdb

sys.path[:0] = os.environ["STEP_PATHS"].split(":")

from beamgdb.beamasm import registrations  # noqa: E402
from beamgdb.frames import flow, x86_64  # noqa: E402
from beamgdb.memory import Unreadable  # noqa: E402

PROCESS = json.loads(Path(os.environ["STEP_LAYOUT"]).read_text())["structs"]["Process"]["fields"]
STOP, HEND, HEAP = (PROCESS[name][0] for name in ("stop", "hend", "heap"))
X_KEPT = 24


class Target:
    word_size = 8
    byteorder: Literal["little"] = "little"

    def read(self, address: int, size: int) -> bytes:
        try:
            return bytes(gdb.selected_inferior().read_memory(address, size))
        except gdb.MemoryError:
            raise Unreadable(address, size) from None

    def words(self, address: int, count: int) -> list[int]:
        raw = self.read(address, 8 * count)
        return [int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8)]


class Activation:
    """One entry of a function: where its frame is (distance of the CFA from the end of the heap block, since garbage
    collection moves the stack), and what x registers held."""

    def __init__(self, of: registrations.Range, cfa: int, hend: int, heap: int, x: list[int]) -> None:
        self.of, self.depth, self.heap, self.x = of, hend - cfa, heap, x


def registered(memory: Target) -> Iterator[registrations.Emulator | registrations.Module]:
    at = int(gdb.parse_and_eval("(unsigned long)&__jit_debug_descriptor"))
    for entry in registrations.entries(memory, at):
        yield registrations.parse(memory.read(entry.symfile, entry.size), 8)


class Stepper:
    def __init__(self) -> None:
        self.memory = Target()
        self.called = True
        """The last instruction was a call."""
        all_registered = list(registered(self.memory))
        modules = [each for each in all_registered if isinstance(each, registrations.Module)]
        self.ranges = sorted((r for module in modules for r in module.ranges), key=lambda r: r.start)
        emulator = next(each for each in all_registered if isinstance(each, registrations.Emulator))
        framed = emulator.frame_layout is registrations.FrameLayout.FRAME_POINTER
        self.jumped = flow.Entry.FRAMED if framed else flow.Entry.CALLED
        self.starts = {r.start: r for r in self.ranges if not r.name.endswith(("-CodeInfoPrologue", "::codeHeader"))}
        self.raising = {
            r.start for r in self.ranges if r.name.startswith("global::") and r.name[8:] in x86_64.RAISING_FRAGMENTS
        }
        self.raising |= {int(gdb.parse_and_eval(f"(unsigned long)&{name}")) for name in x86_64.RAISING_BIFS}
        self.flows: dict[int, flow.FunctionFlow] = {}
        self.stacks: dict[int, list[Activation]] = collections.defaultdict(list)
        self.count: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.silent: collections.Counter[str] = collections.Counter()
        self.functions: set[str] = set()

    def find(self, pc: int) -> registrations.Range | None:
        low, high = 0, len(self.ranges)
        while low < high:
            middle = (low + high) // 2
            if self.ranges[middle].start <= pc:
                low = middle + 1
            else:
                high = middle
        if low and pc < self.ranges[low - 1].stop:
            return self.ranges[low - 1]
        return None

    def flow_of(self, r: registrations.Range) -> flow.FunctionFlow:
        if r.start not in self.flows:
            arity = r.name.rpartition("/")[2]
            fragment = r.name.removeprefix("global::")
            self.flows[r.start] = x86_64.analyse(
                self.memory.read(r.start, r.stop - r.start),
                r.start,
                arity=int(arity) if arity.isdigit() else 0,
                entry=self.jumped if fragment in x86_64.FRAMED_FRAGMENTS else flow.Entry.CALLED,
                stop_offset=STOP,
                read=self.read,
                raising=self.raising,
            )
        return self.flows[r.start]

    def read(self, address: int, size: int) -> bytes | None:
        try:
            return self.memory.read(address, size)
        except Unreadable:
            return None

    def step(self) -> None:
        """One instruction; what is not JIT code is run through to the return into it."""
        gdb.execute("stepi", to_string=True)
        pc = self.register("rip")
        if self.find(pc) is None:
            back = self.memory.words(self.register("rsp"), 1)[0]
            gdb.execute(f"thbreak *{back}", to_string=True)
            gdb.execute("continue", to_string=True)
            if self.register("rip") != back:
                raise RuntimeError(f"left JIT code from {pc:#x}, expected at {back:#x}")
            self.count["calls of C"] += 1

    def register(self, name: str) -> int:
        return int(gdb.newest_frame().read_register(name)) & (2**64 - 1)

    def look(self) -> None:
        pc = self.register("rip")
        r = self.find(pc)
        sp, fp, c_p, x_array = (self.register(name) for name in ("rsp", "rbp", "r13", "rbx"))
        heap_words = self.read(c_p, max(HEND, HEAP) + 8)
        if r is None or heap_words is None:
            return
        hend, heap = (int.from_bytes(heap_words[at : at + 8], "little") for at in (HEND, HEAP))
        stack = self.stacks[c_p]
        on_erlang_stack = heap <= sp <= hend
        if on_erlang_stack:
            while stack and hend - stack[-1].depth <= sp:
                stack.pop()
            if pc in self.starts and not (r.name.startswith("global::") and not self.called):
                cfa = sp + 8
                while stack and hend - stack[-1].depth <= cfa:
                    stack.pop()
                self.check_caller(stack, cfa, hend, heap, sp)
                stack.append(Activation(r, cfa, hend, heap, self.memory.words(x_array, X_KEPT)))
        self.count["steps"] += 1
        function = "/" in r.name and "::" not in r.name and not r.name.endswith("-CodeInfoPrologue")
        if not function:
            self.count["steps outside of functions"] += 1
        shares_frame = r.name.removeprefix("global::") in x86_64.FRAMED_FRAGMENTS
        self.count["steps in fragments that share a frame"] += shares_frame
        if not stack or (stack[-1].of is not r and not shares_frame):
            self.count["steps of unknown activation" if function else "steps outside, of unknown activation"] += 1
            return
        self.functions.add(r.name)
        state = self.flow_of(r).before(pc - r.start)
        where = f"{r.name}+{pc - r.start}"
        values = {"rsp": sp, "rbp": fp, "r13": c_p, "rbx": x_array}
        self.check(state, stack[-1], where, values, hend, heap, function)

    def check_caller(self, stack: list[Activation], cfa: int, hend: int, heap: int, sp: int) -> None:
        if not self.called or not stack:
            return
        back = self.memory.words(sp, 1)[0]
        r = stack[-1].of
        if not r.start < back <= r.stop:
            return
        state = self.flow_of(r).during_call(back - r.start)
        values = {"rsp": cfa, "rbp": 0, "r13": 0, "rbx": 0}
        self.count["callers"] += 1
        self.check(state, stack[-1], f"during call to return to {r.name}+{back - r.start}", values, hend, heap, False)

    def check(
        self, state: flow.FlowState | None, activation: Activation, where: str, values: dict[str, int], hend: int,
        heap: int, function: bool,
    ) -> None:  # fmt: skip
        self.count["compared"] += 1
        self.count["compared in functions"] += function
        if state is None or state.stack is None:
            self.count["silent"] += 1
            self.count["silent in functions"] += function
            self.silent[where] += 1
            return
        cfa = self.base(state.stack.base, values) + state.stack.to_cfa
        if cfa != hend - activation.depth:
            self.wrong.append(f"{where}: {state.stack} gives {cfa:#x}, is {hend - activation.depth:#x}")
            return
        for i, places in enumerate(state.arguments):
            if i < X_KEPT:
                self.count["places"] += len(places)
                self.count["arguments"] += 1
                self.count["arguments found"] += bool(places)
            for place in places if i < X_KEPT else ():
                value = self.value(place, cfa, values)
                if value == activation.x[i]:
                    self.count["places right"] += 1
                elif activation.x[i] & 3 == 3 or heap == activation.heap:
                    self.wrong.append(f"{where}: argument {i} in {place} is {value:#x}, was {activation.x[i]:#x}")
                else:
                    self.count["places moved by garbage collection"] += 1

    def base(self, base: flow.Base, values: dict[str, int]) -> int:
        if base is flow.Base.PROCESS:
            return self.memory.words(values["r13"] + STOP, 1)[0]
        return values["rsp" if base is flow.Base.SP else "rbp"]

    def value(self, place: flow.Place, cfa: int, values: dict[str, int]) -> int:
        if isinstance(place, flow.HostReg):
            return self.register(place.name)
        at = cfa + place.offset if isinstance(place, flow.Slot) else values["rbx"] + 8 * place.index
        return self.memory.words(at, 1)[0]

    def run(self, steps: int) -> dict[str, Any]:
        started = time.time()
        for _ in range(steps):
            self.called = self.is_call(self.register("rip"))
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

    def is_call(self, pc: int) -> bool:
        raw = self.memory.read(pc, 3)
        prefixed = raw[1:] if 0x40 <= raw[0] <= 0x4F else raw
        return prefixed[0] == 0xE8 or (prefixed[0] == 0xFF and prefixed[1] >> 3 & 7 == 2)


def main() -> dict[str, Any]:
    for line in ("pagination off", "confirm off"):
        gdb.execute(f"set {line}", to_string=True)
    gdb.execute("handle all nostop noprint pass", to_string=True)
    gdb.execute("handle SIGTRAP SIGINT stop", to_string=True)
    stepper = Stepper()
    start = next(r.start for r in stepper.ranges if r.name == os.environ["STEP_START"])
    # Only hardware breakpoints: the code is a shared mapping, into which a debugger cannot write.
    gdb.execute(f"thbreak *{start}", to_string=True)
    gdb.execute("continue", to_string=True)
    gdb.execute("set scheduler-locking on", to_string=True)
    stepper.look()
    return stepper.run(int(os.environ["STEP_COUNT"]))


try:
    outcome = main()
except Exception:
    outcome = {"failed": traceback.format_exc()}
Path(os.environ["STEP_RESULT"]).write_text(json.dumps(outcome))
gdb.execute("detach", to_string=True)
