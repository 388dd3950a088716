"""From frame to frame on a stack in memory, with machine code as BeamAsm makes it."""

from __future__ import annotations

import pytest

from beamgdb.beamasm.registers import BEAMASM_REGISTERS
from beamgdb.code.module import CODE_INFO, GLOBAL, Module, Range
from beamgdb.unwinding.beamasm import BeamAsmUnwinder
from beamgdb.unwinding.unwinder import Unwound
from beamgdb.vm.frame import ErlangFrame
from beamgdb.vm.processes import Process
from jit.otp.tags import NIL
from tests.vm.running import HEADER, RunningVm
from tests.vm.test_node import ENTRY

MACHINE = BEAMASM_REGISTERS["x86_64", "jit"]
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

INFO = HEADER + 48
"""Bytes of header, `ErtsCodeInfo` and prologue before the function; the prologue, the last 8, is its (beam_asm.h)."""


class Scene(RunningVm):
    """A process that runs `m:f/1`, called by itself, called by the scheduler."""

    def __init__(self, readable: bool = True, code: bytes = FUNCTION) -> None:
        """`readable`: whether the code can be read. `code` is as long as `FUNCTION`."""
        super().__init__()
        body = Range(BASE + INFO, BASE + INFO + len(FUNCTION), "m:f/1", ())
        header = Range(BASE, BASE + HEADER, "m::codeHeader", ())
        info = Range(BASE + HEADER, body.start, body.name + CODE_INFO, ())
        module = self.module = Module("m", BASE, 0x100, (header, info, body))
        self.start = body.start
        if readable:
            self.image.block(0x100, BASE + HEADER)
            self.image.write(BASE + INFO, code)
        self.load(module)
        self.register(module)
        self.node.update_code()

    def registers(self, process: Process, pc: int, sp: int) -> dict[str, int]:
        """The CPU's registers in Erlang code of the process."""
        return {"rip": pc, "rsp": sp, "rbx": self.x_array, "r13": process.address}

    def frame(self, registers: dict[str, int], innermost: bool = True) -> ErlangFrame:
        """The frame with these registers."""
        found = BeamAsmUnwinder(self.node, MACHINE).frame(registers.get, innermost)
        assert found is not None
        return found

    def caller(self, registers: dict[str, int], innermost: bool = True) -> Unwound:
        """What is known of its caller."""
        found = BeamAsmUnwinder(self.node, MACHINE).unwind(registers.get, innermost)
        assert found is not None
        return found


def test_code_that_is_not_erlang_is_left_to_others() -> None:
    scene = Scene()
    registers = scene.registers(scene.process(NIL), 0x1234, 0x5678)
    unwinder = BeamAsmUnwinder(scene.node, MACHINE)
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


@pytest.mark.parametrize(("offset", "innermost"), [(-8, True), (-4, True), (0, False), (0, True)])
def test_arguments_are_where_they_came_all_through_the_prologue(offset: int, innermost: bool) -> None:
    """Also behind its last instruction, which is a call where functions are traced."""
    scene = Scene()
    process = scene.process(scene.start + AFTER_CALL, NIL, NIL, ENTRY.base + 64)
    scene.image.poke(scene.x_array, 222)
    scene.node.memory.forget()
    registers = scene.registers(process, scene.start + offset, process.record["stop"])
    frame = scene.frame(registers, innermost)
    assert frame.return_slot == process.record["stop"]
    assert BeamAsmUnwinder(scene.node, MACHINE).arguments(frame, registers.get, innermost) == [222]


def test_c_code_has_the_x_registers_as_they_were_at_its_call() -> None:
    """A function that has saved none of them, in a call that is told by the prologue before the code."""
    scene = Scene(code=FUNCTION[:4] + 7 * b"\x90" + FUNCTION[11:])
    process = scene.process(111, NIL, scene.start + AFTER_CALL, NIL, NIL, ENTRY.base + 64)
    scene.image.poke(scene.x_array, 222)
    scene.node.memory.forget()
    registers = scene.registers(process, scene.start + AFTER_CALL, process.record["stop"])
    frame = scene.frame(registers, innermost=False)
    assert BeamAsmUnwinder(scene.node, MACHINE).arguments(frame, registers.get, False) == [222]
    del registers["rbx"]
    frame = scene.frame(registers, innermost=False)
    assert BeamAsmUnwinder(scene.node, MACHINE).arguments(frame, registers.get, False) == [None]


FRAGMENT_BASE = 0x7F00_0010_0000


def shared(scene: Scene, name: str, code: bytes) -> Range:
    """Register a shared fragment of BeamAsm."""
    fragment = Range(FRAGMENT_BASE, FRAGMENT_BASE + len(code), f"global::{name}", ())
    scene.image.write(scene.image.block(0x100, FRAGMENT_BASE), code)
    scene.register(scene.module, Module(GLOBAL, FRAGMENT_BASE, 0x100, (fragment,)))
    scene.node.update_code()
    return fragment


@pytest.mark.parametrize(("offset", "pushed"), [(0, 0), (4, 2), (10, 2), (14, 0)])
def test_a_fragment_is_followed_from_its_first_instruction(offset: int, pushed: int) -> None:
    """It has no prologue, unlike functions."""
    scene = Scene()
    fragment = shared(scene, "plus_body_shared", FUNCTION[:4] + 6 * b"\x90" + FUNCTION[-5:])
    back = scene.start + AFTER_CALL
    process = scene.process(*[scene.start + IN_FRAME] * pushed, back, NIL, NIL, back, NIL, NIL, ENTRY.base + 64)
    sp = process.record["stop"]
    found = scene.caller(scene.registers(process, fragment.start + offset, sp))
    assert (found.registers["rip"], found.registers["rsp"]) == (back, sp + 8 * pushed + 8)


def test_functions_alone_have_a_prologue() -> None:
    """Entry points of the VM have none: where they are tells which they are, for a module may have the same name."""
    scene = Scene()
    unwinder = BeamAsmUnwinder(scene.node, MACHINE)
    entry = scene.node.code.find(ENTRY.base + 64)
    assert entry is not None
    assert unwinder.prologue(entry.code) == 0
    sizes = {name: unwinder.prologue(Range(BASE, BASE + 64, name, ())) for name in (
        "m:f/1", "erts_beamasm:normal_exit/0", "erts_beamasm_x:f/0", "global::plus_body_shared", "global:f/1",
    )}  # fmt: skip
    assert list(sizes.values()) == [8, 8, 8, 0, 8]


@pytest.mark.parametrize("beyond", [0, 8], ids=["at the end", "beyond"])
def test_at_the_end_of_the_stack_is_process_main(beyond: int) -> None:
    scene = Scene()
    main = shared(scene, "process_main", b"\xcc" * 16)
    process = scene.process()
    registers = scene.registers(process, scene.start + IN_FRAME, process.record["stop"] + beyond)
    found = scene.caller(registers)
    assert found.registers["rip"] == main.start + 4
    assert found.registers["rbx"] == found.registers["rsp"] == scene.x_array


def test_nothing_beyond_the_end_of_the_stack_is_a_frame() -> None:
    """What lies there is another process's, or old; the stack pointer of this one is what it has now."""
    scene = Scene(readable=False)
    main = shared(scene, "process_main", b"\xcc" * 16)
    back = scene.start + AFTER_CALL
    process = scene.process(back, NIL, back, ENTRY.base + 64)
    end = process.record["stop"] + 16
    scene.image.poke(process.record.field_address("hend"), end)
    scene.node.memory.forget()
    registers = scene.registers(process, scene.start + IN_FRAME, end)
    assert scene.frame(registers).top == end
    assert scene.caller(registers).registers["rip"] == main.start + 4


def test_before_the_end_of_the_stack_there_is_no_process_main() -> None:
    """Where no return address is found there, frames end."""
    scene = Scene()
    shared(scene, "process_main", b"\xcc" * 16)
    process = scene.process(NIL)
    found = scene.caller(scene.registers(process, scene.start + IN_FRAME, process.record["stop"]))
    assert found.registers["rip"] == 0


def test_a_call_may_be_the_last_instruction_of_its_function() -> None:
    scene = Scene()
    process = scene.process(NIL, NIL, ENTRY.base + 64)
    registers = scene.registers(process, scene.start + len(FUNCTION), process.record["stop"])
    assert scene.frame(registers, innermost=False).place.code.name == "m:f/1"
    assert BeamAsmUnwinder(scene.node, MACHINE).frame(registers.get, True) is None


def test_frames_of_one_process_have_ids_that_differ_and_stay() -> None:
    scene = Scene()
    back = scene.start + AFTER_CALL
    process = scene.process(NIL, NIL, back, NIL, NIL, back, NIL, NIL, ENTRY.base + 64)
    unwinder = BeamAsmUnwinder(scene.node, MACHINE)
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
    unwinder = BeamAsmUnwinder(scene.node, MACHINE)
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
