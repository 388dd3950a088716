"""One VM in memory: which of its registered code is loaded, what terms say of catches, and stacks of its processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from beamgdb.code import registrations
from beamgdb.code.beamasm_modules import NO_ROOM
from beamgdb.code.module import Module, Range
from beamgdb.code.registrations import Emulator, FrameLayout
from beamgdb.node import Node
from beamgdb.vm import backtrace
from beamgdb.vm.backtrace import Level, StackEnds
from beamgdb.vm.model import Unavailable
from beamgdb.vm.processes import Process
from jit.object.target import ByteOrder
from jit.otp.tags import ATOM, CATCH, IMMED1_BITS, IMMED2_BITS, NIL, PID
from tests.code.registration_writer import descriptor_segments, emulator_bytes, module_bytes
from tests.records.static_tables import Tables
from tests.vm.image import Image

DESCRIPTOR, ENTRIES, FILES = 0x8000_0000, 0x8100_0000, 0x8200_0000


def module(name: str, base: int, size: int = 0x1000) -> Module:
    """A module with a header and one function."""
    ranges = (Range(base, base + 64, f"{name}::codeHeader", ()), Range(base + 64, base + size, f"{name}:f/0", ()))
    return Module(name, base, size, ranges)


GLOBAL = Module("global", 0x10_0000, 0x100, (Range(0x10_0000, 0x10_0100, "global::call_nif_shared", ()),))
ENTRY = replace(module("erts_beamasm", 0x11_0000), of_vm=True)
EMULATOR = Emulator(FrameLayout.RETURN_ADDRESS, ENTRY.base + 64)
A, B, C = module("a", 0x40_0000), module("b", 0x41_0000), module("c", 0x42_0000)


class Vm:
    """A VM whose registrations, newest first, can be set."""

    def __init__(self, layout: bool = True) -> None:
        self.image = Image()
        self.image.symbols["__jit_debug_descriptor"] = DESCRIPTOR
        self.tables = Tables(self.image)
        self.tables.functions()
        self.node: Node = self.image.node(layout)

    def register(self, *modules: Module, raw: Sequence[bytes] = ()) -> None:
        """Set the list of registrations; those of BeamAsm itself are always there."""
        listed = [*raw, *map(module_bytes, (*modules, ENTRY, GLOBAL)), emulator_bytes(EMULATOR)]
        for start, segment in descriptor_segments(listed, DESCRIPTOR, ENTRIES, FILES, 8, "little").items():
            self.image.block(len(segment), start)
            self.image.write(start, segment)
        self.node.memory.forget()

    def load(self, *modules: Module) -> None:
        """Set what the VM has in its table of ranges."""
        for one in modules:
            self.tables.module(one.base, one.stop, count=1)
        self.tables.ranges(0, [(one.base, one.stop) for one in modules])
        self.node.memory.forget()

    def names(self) -> list[str]:
        """The modules that the node knows, without BeamAsm's own."""
        return [one.name for one in self.node.code if one not in (GLOBAL, ENTRY)]


def test_without_a_jit_there_is_no_code() -> None:
    node = Image().node()
    assert not node.update_code()
    assert len(node.code) == 0
    assert node.is_code_current()


def test_code_that_is_loaded() -> None:
    vm = Vm()
    vm.load(A, B)
    vm.register(B, A)
    assert vm.node.update_code()
    assert vm.names() == ["a", "b"]
    assert (vm.node.frame_layout, vm.node.normal_exit) == (EMULATOR.frame_layout, EMULATOR.normal_exit)
    assert vm.node.describe(A.base + 100) == "a:f/0+36"
    assert not vm.node.update_code()


def test_purged_code_goes_although_it_stays_registered() -> None:
    vm = Vm()
    vm.load(A, B)
    vm.register(B, A)
    vm.node.update_code()
    assert vm.node.is_code_current()
    vm.load(B)
    assert not vm.node.is_code_current()
    assert vm.node.update_code()
    assert vm.names() == ["b"]
    assert vm.node.describe(A.base + 100) is None
    assert vm.node.is_code_current()
    assert not vm.node.update_code()


def test_code_that_comes_back_at_the_same_place_is_the_new_one() -> None:
    vm = Vm()
    vm.load(A, B)
    vm.register(B, A)
    vm.node.update_code()
    new = module("new", A.base, 0x800)
    vm.load(new, B)
    vm.register(new, B, A)
    assert vm.node.update_code()
    assert vm.names() == ["new", "b"]


def test_beamasms_own_code_is_always_there() -> None:
    vm = Vm()
    vm.load(A)
    vm.register(A)
    vm.node.update_code()
    assert [one.name for one in vm.node.code] == ["global", "erts_beamasm", "a"]


def test_a_module_may_be_named_as_beamasms_own() -> None:
    vm = Vm()
    own, user = ENTRY, module("erts_beamasm", 0x44_0000)
    vm.load(A, user)
    vm.register(user, A)
    vm.node.update_code()
    assert [vm.node.code.find(one.base + 64).is_internal for one in (own, user)] == [True, False]  # type: ignore[union-attr]
    vm.load(A)
    vm.node.update_code()
    assert vm.node.code.find(user.base + 64) is None
    assert vm.node.code.find(own.base + 64) is not None


def test_the_module_global_of_kernel_can_be_purged() -> None:
    """It has the name under which the shared fragments are registered."""
    vm = Vm()
    kernel = module("global", 0x43_0000)
    vm.load(A, kernel)
    vm.register(kernel, A)
    vm.node.update_code()
    assert vm.names() == ["a", "global"]
    vm.load(A)
    vm.node.update_code()
    assert vm.names() == ["a"]


@pytest.mark.parametrize("layout", [True, False])
def test_where_the_table_of_ranges_is_not_known_all_registrations_count(layout: bool) -> None:
    vm = Vm(layout)
    if layout:
        del vm.image.symbols["erts_update_ranges"]
    vm.load(A)
    vm.register(C, B, A)
    vm.node.update_code()
    assert vm.names() == ["a", "b", "c"]
    assert vm.node.is_code_current()


def test_other_jits_registrations_are_skipped() -> None:
    vm = Vm()
    vm.load(A)
    vm.register(A, raw=[b"\x7fELF" + bytes(200), b"", b"\1"])
    vm.node.update_code()
    assert vm.names() == ["a"]


def test_a_registration_that_is_gone_takes_its_module_away() -> None:
    vm = Vm()
    vm.load(A, B)
    vm.register(B, A)
    vm.node.update_code()
    vm.register(B)
    vm.load(B)
    assert vm.node.update_code()
    assert vm.names() == ["b"]


def test_a_catch_shows_where_it_goes_on() -> None:
    vm = Vm()
    vm.image.atoms("true")
    vm.image.symbols["erts_proc"] = vm.image.symbols["erts_port"] = vm.image.struct("ErtsPTab", {}).address
    vm.load(A)
    vm.register(A)
    vm.node.update_code()
    vm.tables.catches(0, [A.base + 100, 0])
    vm.node.memory.forget()
    assert "a:f/0+36" in vm.node.term(0 << IMMED2_BITS | CATCH)
    assert "a:f" not in vm.node.term(1 << IMMED2_BITS | CATCH)
    assert (vm.node.catch_handler(0), vm.node.catch_handler(1)) == (A.base + 100, None)


def test_without_a_layout_terms_are_shown_that_need_none() -> None:
    node = Image().node(with_layout=False)
    assert node.catch_handler(0) is None
    assert (node.term(NIL), node.term(687), node.term(7 << IMMED2_BITS | ATOM)) == ("[]", "42", "<atom 7>")
    with pytest.raises(Unavailable, match="no table"):
        _ = node.layout


def waiting(vm: Vm, stack: Sequence[int], saved: Sequence[int] = ()) -> Process:
    """A process that waits in `c:f/0` with this stack, and these arguments saved."""
    words = vm.image.words(*stack)
    fields = {
        "common.id": 5 << IMMED1_BITS | PID, "i": C.base + 80, "heap": words, "stop": words,
        "hend": words + 8 * len(stack), "arity": len(saved), "arg_reg": vm.image.words(*saved) if saved else 0,
    }  # fmt: skip
    if "erts_proc" not in vm.image.symbols:
        vm.image.symbols["erts_proc"] = vm.image.struct("ErtsPTab", {}).address
    process = vm.node.processes.at(vm.image.struct("Process", fields).address)
    vm.node.memory.forget()
    return process


def loaded() -> Vm:
    """A VM with three modules."""
    vm = Vm()
    vm.load(A, B, C)
    vm.register(C, B, A)
    vm.node.update_code()
    return vm


def test_the_stack_of_a_waiting_process() -> None:
    vm = loaded()
    process = waiting(vm, [NIL, 31, B.base + 80, A.base + 72, 47, ENTRY.base + 64])
    levels = list(backtrace.of_waiting(vm.node, process))
    assert [(level.pc, level.calling, level.y_registers) for level in levels] == [
        (C.base + 80, False, (NIL, 31)),
        (B.base + 80, True, ()),
        (A.base + 72, True, (47,)),
    ]
    assert [level.place.code.name for level in levels if level.place] == ["c:f/0", "b:f/0", "a:f/0"]
    assert [level.lookup for level in levels] == [C.base + 80, B.base + 79, A.base + 71]


def test_an_empty_stack_has_no_frames_although_old_ones_lie_behind_it() -> None:
    vm = loaded()
    process = waiting(vm, [NIL, B.base + 80, A.base + 72, ENTRY.base + 64])
    pcs = []
    for end in (1, 2, 3):
        vm.image.poke(process.record.field_address("hend"), process.record["stop"] + 8 * end)
        vm.node.memory.forget()
        top = process.record["stop"] + 8
        pcs.append([level.pc for level in backtrace.levels(vm.node, process, C.base + 80, top)])
    assert pcs == [[C.base + 80], [C.base + 80, B.base + 80], [C.base + 80, B.base + 80, A.base + 72]]


def test_code_that_is_unknown_has_no_place() -> None:
    vm = loaded()
    process = waiting(vm, [NIL])
    levels = backtrace.levels(vm.node, process, 0x1234, process.record["stop"])
    assert next(levels) == Level(0x1234, False, None, ())
    with pytest.raises(StackEnds, match="no return address from"):
        next(levels)


def test_arguments_saved_when_the_process_was_scheduled_out() -> None:
    vm = loaded()
    assert backtrace.saved_arguments(waiting(vm, [NIL], [15, 31, 47])) == [15, 31, 47]
    assert backtrace.saved_arguments(waiting(vm, [NIL])) == []


def test_damaged_registrations_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    parse = registrations.parse

    def counted(raw: bytes, word_size: int, byteorder: ByteOrder) -> Emulator | Module:
        parsed.append(len(raw))
        return parse(raw, word_size, byteorder)

    monkeypatch.setattr(registrations, "parse", counted)
    vm = Vm()
    vm.load(A)
    vm.register(A, raw=[b"damaged", bytes(100)])
    vm.node.update_code()
    told = dict(vm.node.left_out)
    assert len(told) == 2
    assert {7, 100} < set(parsed)
    parsed.clear()
    assert not vm.node.update_code()
    assert not parsed
    assert vm.node.left_out == told


KEPT = (C, ENTRY, GLOBAL)
KEPT_RECORDS = sum(len(one.ranges) for one in KEPT)
KEPT_BYTES = registrations.HEAD_SIZE + sum(len(module_bytes(one)) for one in KEPT)


@pytest.mark.parametrize(("limit", "most"), [("MAX_RECORDS", KEPT_RECORDS), ("MAX_REGISTERED", KEPT_BYTES)])
def test_what_is_beyond_the_limits_is_told_and_older_than_the_rest(
    limit: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The VM's own entries, oldest of all, are kept."""
    monkeypatch.setattr(registrations, limit, most)
    vm = Vm()
    vm.load(A, B, C)
    vm.register(C, B, A)
    vm.node.update_code()
    assert [one.name for one in vm.node.code] == ["global", "erts_beamasm", "c"]
    assert (vm.node.frame_layout, vm.node.normal_exit) == (EMULATOR.frame_layout, EMULATOR.normal_exit)
    assert len(vm.node.left_out) == 2
    assert all(why.endswith(f": {NO_ROOM}") for why in vm.node.left_out.values())
    monkeypatch.undo()
    vm.node.update_code()
    assert vm.names() == ["a", "b", "c"]
    assert not vm.node.left_out
