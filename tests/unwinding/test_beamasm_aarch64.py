"""From frame to frame with machine code as BeamAsm makes it for ARM64, where the return address and x registers are in
CPU registers part of the time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

import pytest

from beamgdb.beamasm.registers import BEAMASM_REGISTERS
from beamgdb.code.module import CODE_INFO, GLOBAL, Module, Range
from beamgdb.node import Node
from beamgdb.unwinding.beamasm import BeamAsmUnwinder
from beamgdb.vm.frame import ErlangFrame
from beamgdb.vm.processes import Process
from jit.otp.tags import NIL
from tests.vm.image import IDENTITY, LAYOUT
from tests.vm.running import HEADER, RunningVm
from tests.vm.test_node import ENTRY

MACHINE = BEAMASM_REGISTERS["aarch64", "jit"]
BASE = 0x7F00_0000_1000
PROLOGUE = 12
NATIVE_SP = 0x7E00_0000_0000

FUNCTION = (
    0xF81F8E9E,  # str x30, [x20, #-8]!
    0x14000002,  # b .+8
    0xD503201F,  # where tracing calls
    0xD1004294,  # sub x20, x20, #16
    0xA9006A99,  # stp x25, x26, [x20]      y0 = x0, y1 = x1
    0xA906426F,  # stp x15, x16, [x19, #96]
    0x94040000,  # bl .+0x100000            C code
    0xA946426F,  # ldp x15, x16, [x19, #96]
    0x94000000 | -8 & 0x3FFFFFF,  # bl m:f/6
    0x91004294,  # add x20, x20, #16
    0xF840869E,  # ldr x30, [x20], #8
    0xD65F03C0,  # ret
)
PUSHED, IN_FRAME, AFTER_C, RELOADED, AFTER_CALL, POPPED = (4 * number for number in (1, 5, 7, 8, 9, 11))
"""Offsets of instructions: behind the first one, the flush, behind the calls, ..., the return."""


class Scene(RunningVm):
    """A process that runs `m:f/6`, called by itself, called by the scheduler."""

    def __init__(self, *fragments: Module) -> None:
        """`fragments`: BeamAsm's own, besides."""
        super().__init__()
        identity = replace(IDENTITY, arch="aarch64")
        self.node = Node(self.image.memory, self.image.symbols.get, identity, LAYOUT)
        self.start = BASE + HEADER + 40
        stop = self.start + 4 * len(FUNCTION)
        info = Range(BASE + HEADER, self.start + PROLOGUE, "m:f/6" + CODE_INFO, ())
        code = Range(self.start + PROLOGUE, stop, "m:f/6", ())
        module = Module("m", BASE, 0x200, (Range(BASE, BASE + HEADER, "m::codeHeader", ()), info, code))
        self.load(module)
        self.image.write(self.image.block(0x200, BASE + HEADER) + 40, struct.pack(f"<{len(FUNCTION)}I", *FUNCTION))
        self.register(module, *fragments)
        self.node.update_code()
        self.unwinder = BeamAsmUnwinder(self.node, MACHINE)

    def process(self, *stack: int) -> Process:
        """A process with this stack, run by a scheduler, with 1000 and so on in the array of x registers."""
        process = super().process(*stack)
        for number in range(8):
            self.image.poke(self.x_array + 8 * number, 1000 + number)
        self.node.memory.forget()
        return process

    def registers(self, process: Process, offset: int) -> dict[str, int]:
        """The CPU's registers in the function: x0 to x5 hold 100 to 105, in memory 1000 and so on."""
        held = {one.name: 100 + number for number, one in enumerate(MACHINE.x_registers)}
        return held | {
            "pc": self.start + offset, "sp": NATIVE_SP, "x19": self.x_array - MACHINE.registers_bias,
            "x20": process.record["stop"], "x21": process.address,
        }  # fmt: skip

    def frame(self, registers: dict[str, int], innermost: bool = True) -> ErlangFrame:
        found = self.unwinder.frame(registers.get, innermost)
        assert found is not None
        return found

    def x(self, registers: dict[str, int], innermost: bool) -> Sequence[int | None]:
        frame = self.frame(registers, innermost)
        return [self.unwinder.x_register(frame, number, registers.get, innermost) for number in (0, 4, 5, 7)]


@pytest.mark.parametrize(("offset", "y_registers"), [(PUSHED, 0), (IN_FRAME, 2), (RELOADED, 2)])
def test_the_return_address_is_on_the_stack(offset: int, y_registers: int) -> None:
    scene = Scene()
    back = scene.start + AFTER_CALL
    process = scene.process(*[back] * y_registers, back, NIL, NIL, ENTRY.base + 64)
    registers = scene.registers(process, offset) | {"x30": scene.start + AFTER_C}
    found = scene.unwinder.unwind(registers.get, True)
    assert found is not None
    cfa = process.record["stop"] + 8 * y_registers + 8
    assert (found.registers["pc"], found.registers["x20"], found.registers["sp"]) == (back, cfa, NATIVE_SP)
    frame = scene.frame(registers)
    assert (frame.return_slot, frame.return_address) == (cfa - 8, back)


@pytest.mark.parametrize("offset", [0, POPPED], ids=["entry", "return"])
def test_the_return_address_is_in_a_register(offset: int) -> None:
    scene = Scene()
    back = scene.start + AFTER_CALL
    process = scene.process(NIL, NIL, ENTRY.base + 64)
    registers = scene.registers(process, offset) | {"x30": back}
    found = scene.unwinder.unwind(registers.get, True)
    assert found is not None
    assert (found.registers["pc"], found.registers["x20"]) == (back, process.record["stop"])


def test_the_first_function_of_a_process_returns_to_an_empty_stack() -> None:
    """At its entry: the return address is in a register, and the stack pointer already at the base."""
    scene = Scene()
    process = scene.process()
    registers = scene.registers(process, 0) | {"x30": ENTRY.base + 64}
    found = scene.unwinder.unwind(registers.get, True)
    assert found is not None
    assert found.registers["pc"] == ENTRY.base + 64


def test_x_registers_are_read_where_they_are() -> None:
    scene = Scene()
    process = scene.process(NIL, NIL, scene.start + AFTER_CALL, NIL, NIL, ENTRY.base + 64)
    assert scene.x(scene.registers(process, IN_FRAME), innermost=True) == [100, 104, 105, 1007]
    # C code changes x15 and x16, and a debugger does not know.
    assert scene.x(scene.registers(process, AFTER_C), innermost=False) == [100, 1004, 1005, 1007]
    assert scene.x(scene.registers(process, AFTER_C), innermost=True) == [100, 1004, 1005, 1007]
    assert scene.x(scene.registers(process, RELOADED), innermost=True) == [100, 104, 105, 1007]
    called = scene.registers(process, AFTER_CALL)
    del called["x19"]
    assert scene.x(called, innermost=False) == [None] * 4


def test_arguments_come_from_where_the_code_has_put_them() -> None:
    scene = Scene()
    process = scene.process(7, 8, scene.start + AFTER_CALL, NIL, NIL, ENTRY.base + 64)

    def arguments(registers: dict[str, int], innermost: bool) -> Sequence[int | None]:
        return scene.unwinder.arguments(scene.frame(registers, innermost), registers.get, innermost)

    assert arguments(scene.registers(process, IN_FRAME), True) == [100, 101, 102, 103, 104, 105]
    assert arguments(scene.registers(process, AFTER_C), False) == [100, 101, 102, 103, 1004, 1005]
    everything = scene.registers(process, AFTER_CALL)
    called = {name: everything[name] for name in ("pc", "x20", "sp")}
    assert arguments(called, False) == [7, 8, None, None, None, None]


ENTERS = (
    0xA9BF7BFD,  # stp x29, x30, [sp, #-16]!
    0x910003FD,  # mov x29, sp
    0xD63F00E0,  # blr x7
    0xA8C17BFD,  # ldp x29, x30, [sp], #16
    0xD65F03C0,  # ret
)
CALLS_C = 24
"""Offset in `FUNCTION` of the call that is one of C code, where no fragment is there."""

FRAGMENT_BASE = BASE + HEADER + 40 + CALLS_C + 0x10_0000


def in_a_fragment(offset: int, name: str = "bif_element_body_shared") -> tuple[Scene, dict[str, int]]:
    """A process that runs `m:f/6`, which has called a shared fragment; the registers at an offset in that."""
    stop = FRAGMENT_BASE + 4 * len(ENTERS)
    fragment = Module(GLOBAL, FRAGMENT_BASE, 0x100, (Range(FRAGMENT_BASE, stop, f"global::{name}", ()),))
    scene = Scene(fragment)
    scene.image.write(scene.image.block(0x100, FRAGMENT_BASE), struct.pack(f"<{len(ENTERS)}I", *ENTERS))
    back, pushed = scene.start + AFTER_C, 16 if 4 <= offset <= 12 else 0
    process = scene.process(7, 8, scene.start + AFTER_CALL, NIL, NIL, ENTRY.base + 64)
    scene.image.write(scene.image.block(32, NATIVE_SP - 16), struct.pack("<4Q", 0x1D, back, 0, 0))
    scene.node.memory.forget()
    at = {"pc": FRAGMENT_BASE + offset, "sp": NATIVE_SP - pushed, "x29": NATIVE_SP - pushed, "x30": back}
    return scene, scene.registers(process, 0) | at


@pytest.mark.parametrize("offset", range(0, 20, 4))
def test_what_a_fragment_has_pushed_on_the_stack_of_the_thread_is_its_own(offset: int) -> None:
    scene, registers = in_a_fragment(offset)
    if offset == 8:
        registers["x30"] = 0x1234  # as C code has left it
    found = scene.unwinder.unwind(registers.get, True)
    assert found is not None
    assert found.registers["pc"] == scene.start + AFTER_C
    assert (found.registers["sp"], found.registers["x20"]) == (NATIVE_SP, registers["x20"])


def test_a_fragment_runs_with_the_x_registers_of_its_caller() -> None:
    """Also those that C code would change."""
    scene, registers = in_a_fragment(0)
    found = scene.unwinder.unwind(registers.get, True)
    assert found is not None
    caller = found.registers
    assert [caller.get(one.name) for one in MACHINE.x_registers] == [100, 101, 102, 103, 104, 105]
    frame = scene.frame(caller, innermost=False)
    assert scene.unwinder.arguments(frame, caller.get, False) == [100, 101, 102, 103, 104, 105]


@pytest.mark.parametrize("room", range(0, 64, 16))
def test_the_caller_of_process_main_is_told_from_calls_that_are_left_on_its_stack(room: int) -> None:
    """Where no symbol says which call is that of process_main."""
    fragment = Range(FRAGMENT_BASE, FRAGMENT_BASE + 8, "global::process_main", ())
    scene = Scene(Module(GLOBAL, FRAGMENT_BASE, 0x100, (fragment,)))
    image, size = scene.image, LAYOUT.size("ErtsSchedulerRegisters")
    calls = image.bytes(struct.pack("<2I", 0x94000100, 0x94000200))  # bl of two functions, one after the other
    other, main = calls + 4, calls + 8
    registers = image.block(size + 0x200)
    pushed = registers + size + 64 + room
    record = pushed + 0x40
    image.poke(pushed - 16, record, other, record, main)  # left from another call; pushed by the fragment
    image.poke(pushed + 16, 0x1234, other)  # a variable of the caller
    image.poke(record, record + 0x50, 0x5500_1234)
    scene.node.memory.forget()
    x19 = registers + LAYOUT.offset("ErtsSchedulerRegisters", "x_reg_array.d") - MACHINE.registers_bias
    found = scene.unwinder.unwind({"pc": FRAGMENT_BASE + 4, "sp": registers, "x19": x19}.get, False)
    assert found is not None
    assert found.registers == {"pc": main, "sp": pushed + 16, "x29": record}
