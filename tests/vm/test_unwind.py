"""From frame to frame on a stack in memory, with machine code as BeamAsm makes it."""

from __future__ import annotations

import pytest

from beamgdb.beamasm.machines import MACHINES
from beamgdb.beamasm.registrations import CODE_INFO, Module, Range
from beamgdb.terms.tags import NIL
from beamgdb.vm.frame import ErlangFrame, Unwound
from beamgdb.vm.processes import Process
from beamgdb.vm.unwind import Unwinder
from tests.vm.running import HEADER, RunningVm
from tests.vm.test_node import ENTRY

MACHINE = MACHINES["x86_64", "jit"]
BASE = 0x7F00_0000_1000

FUNCTION = bytes.fromhex(
    "48 83 ec 10"  # sub rsp, 16          y0, y1
    "48 8b 33"  # mov rsi, [rbx]          x0
    "48 89 34 24"  # mov [rsp], rsi       y0 = x0
    "90 90 90"  # nop: the return address is a multiple of 4
    "ff 15 00 00 00 00"  # call [rip]
    "90 90"
    "48 83 c4 10"  # add rsp, 16
    "c3"  # ret
)
IN_FRAME, AFTER_CALL, AT_RETURN = 4, 20, 26
"""Offsets of: the first instruction with a frame; the one after the call; `ret`."""

INFO = HEADER + 40
"""Bytes of header and `ErtsCodeInfo` before the function, whose last 8 are its prologue (beam_asm.h)."""


class Scene(RunningVm):
    """A process that runs `m:f/1`, called by itself, called by the scheduler."""

    def __init__(self, readable: bool = True) -> None:
        """`readable`: whether the code can be read."""
        super().__init__()
        code = Range(BASE + INFO, BASE + INFO + len(FUNCTION), "m:f/1", ())
        header = Range(BASE, BASE + HEADER, "m::codeHeader", ())
        info = Range(BASE + HEADER, code.start, code.name + CODE_INFO, ())
        module = Module("m", BASE, 0x100, (header, info, code))
        self.start = code.start
        if readable:
            self.image.block(0x100, BASE + HEADER)
            self.image.write(BASE + INFO, FUNCTION)
        self.load(module)
        self.register(module)
        self.node.update_code()

    def registers(self, process: Process, pc: int, sp: int) -> dict[str, int]:
        """The CPU's registers in Erlang code of the process."""
        return {"rip": pc, "rsp": sp, "rbx": self.x_array, "r13": process.address}

    def frame(self, registers: dict[str, int], innermost: bool = True) -> ErlangFrame:
        """The frame with these registers."""
        found = Unwinder(self.node, MACHINE).frame(registers.get, innermost)
        assert found is not None
        return found

    def caller(self, registers: dict[str, int], innermost: bool = True) -> Unwound:
        """What is known of its caller."""
        found = Unwinder(self.node, MACHINE).unwind(registers.get, innermost)
        assert found is not None
        return found


def test_code_that_is_not_erlang_is_left_to_others() -> None:
    scene = Scene()
    registers = scene.registers(scene.process(NIL), 0x1234, 0x5678)
    unwinder = Unwinder(scene.node, MACHINE)
    assert unwinder.frame(registers.get, True) is None
    assert unwinder.unwind(registers.get, True) is None
    assert unwinder.frame(lambda _: None, True) is None


@pytest.mark.parametrize(
    ("offset", "y_registers"), [(0, 0), (IN_FRAME, 2), (AFTER_CALL, 2), (AT_RETURN, 0)],
    ids=["entry", "in the frame", "after the call", "at the return"],
)  # fmt: skip
def test_the_caller_is_found_at_every_instruction(offset: int, y_registers: int) -> None:
    """Words that look like return addresses are y registers where the code says so."""
    scene = Scene()
    back = scene.start + AFTER_CALL
    process = scene.process(*[back] * y_registers, back, NIL, NIL, ENTRY.base + 64)
    sp = process.record["stop"]
    found = scene.caller(scene.registers(process, scene.start + offset, sp))
    assert (found.registers["rip"], found.registers["rsp"]) == (back, sp + 8 * y_registers + 8)
    assert found.registers["r13"] == process.address


def test_at_the_entry_of_the_prologue_nothing_has_happened_yet() -> None:
    scene = Scene()
    process = scene.process(scene.start + AFTER_CALL, NIL, NIL, ENTRY.base + 64)
    sp = process.record["stop"]
    assert scene.caller(scene.registers(process, scene.start - 8, sp)).registers["rsp"] == sp + 8


def test_a_call_may_be_the_last_instruction_of_its_function() -> None:
    scene = Scene()
    process = scene.process(NIL, NIL, ENTRY.base + 64)
    registers = scene.registers(process, scene.start + len(FUNCTION), process.record["stop"])
    assert scene.frame(registers, innermost=False).place.code.name == "m:f/1"
    assert Unwinder(scene.node, MACHINE).frame(registers.get, True) is None


def test_frames_of_one_process_have_ids_that_differ_and_stay() -> None:
    scene = Scene()
    back = scene.start + AFTER_CALL
    process = scene.process(NIL, NIL, back, NIL, NIL, back, NIL, NIL, ENTRY.base + 64)
    unwinder = Unwinder(scene.node, MACHINE)
    registers = scene.registers(process, scene.start + IN_FRAME, process.record["stop"])
    ids: list[tuple[int, int, int]] = []
    innermost = True
    while (found := unwinder.unwind(registers.get, innermost)) and len(ids) < 3:
        ids.append((found.id_stack, found.id_code, found.id_special))
        registers, innermost = {"rbx": scene.x_array} | found.registers, False
    assert len(set(ids)) == 3
    assert {stack for stack, _, _ in ids} == {scene.x_array}

    # A garbage collection moves the stack: with the same words below, the ids are the same.
    moved = scene.process(NIL, NIL, back, NIL, NIL, back, NIL, NIL, ENTRY.base + 64)
    again = scene.caller(scene.registers(moved, scene.start + IN_FRAME, moved.record["stop"]))
    assert (again.id_code, again.id_special) == ids[0][1:]


def test_arguments_come_from_where_the_code_has_put_them() -> None:
    scene = Scene()
    process = scene.process(111, NIL, ENTRY.base + 64)
    scene.image.poke(scene.x_array, 222)
    scene.node.memory.forget()
    unwinder = Unwinder(scene.node, MACHINE)
    sp = process.record["stop"]
    for offset, pushed, value in ((0, 2, 222), (IN_FRAME, 0, 222), (AFTER_CALL, 0, 111)):
        registers = scene.registers(process, scene.start + offset, sp + 8 * pushed)
        assert unwinder.arguments(scene.frame(registers), registers.get, True) == [value]
    # A caller has only what it saved.
    caller = scene.registers(process, scene.start + AFTER_CALL, sp)
    del caller["rbx"]
    assert unwinder.arguments(scene.frame(caller, False), caller.get, False) == [111]


@pytest.mark.parametrize("sp_is_lost", [False, True])
def test_where_code_cannot_be_read_the_return_address_is_looked_for(sp_is_lost: bool) -> None:
    """From the stack pointer, or where it is none of Erlang's, from the one that the process has saved."""
    scene = Scene(readable=False)
    back = scene.start + AFTER_CALL
    process = scene.process(NIL, back, NIL, NIL, ENTRY.base + 64)
    sp = process.record["stop"]
    found = scene.caller(scene.registers(process, scene.start + IN_FRAME, 0xDEAD_0000 if sp_is_lost else sp))
    assert (found.registers["rip"], found.registers["rsp"]) == (back, sp + 16)


def test_corrupt_processes_raise_nothing() -> None:
    scene = Scene()
    process = scene.process(NIL, NIL, 0, 0)
    good = scene.registers(process, scene.start + IN_FRAME, process.record["stop"])
    for name in ("rsp", "rbx", "r13"):
        for value in (0, 1, 0xDEAD_0000, (1 << 64) - 8):
            registers = good | {name: value}
            assert scene.caller(registers).id_code == scene.start - 8
