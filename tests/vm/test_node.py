"""One VM in memory: which of its registered code is loaded, what terms say of catches, and stacks of its processes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from beamgdb.beamasm.registrations import INTERNAL, Emulator, FrameLayout, Module, Range
from beamgdb.terms.tags import CATCH, IMMED1_BITS, IMMED2_BITS, NIL, PID
from beamgdb.vm import backtrace
from beamgdb.vm.backtrace import Level
from beamgdb.vm.node import Node, Unavailable
from beamgdb.vm.processes import Process
from tests.beamasm.registration_writer import descriptor_segments, emulator_bytes, module_bytes
from tests.vm.image import Image
from tests.vm.static_tables import Tables

DESCRIPTOR, ENTRIES, FILES = 0x8000_0000, 0x8100_0000, 0x8200_0000


def module(name: str, base: int, size: int = 0x1000) -> Module:
    """A module with a header and one function."""
    ranges = (Range(base, base + 64, f"{name}::codeHeader", ()), Range(base + 64, base + size, f"{name}:f/0", ()))
    return Module(name, base, size, ranges)


GLOBAL = Module("global", 0x10_0000, 0x100, (Range(0x10_0000, 0x10_0100, "global::call_nif_shared", ()),))
ENTRY = module(INTERNAL, 0x11_0000)
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
        listed = [*raw, *map(module_bytes, (*modules, ENTRY, GLOBAL)), emulator_bytes(Emulator(FrameLayout(0), 99))]
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
    assert vm.node.emulator == Emulator(FrameLayout.RETURN_ADDRESS, 99)
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
    assert [one.name for one in vm.node.code] == ["global", INTERNAL, "a"]


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


def test_without_a_layout_terms_are_unavailable_and_say_why() -> None:
    node = Image().node(with_layout=False)
    assert node.catch_handler(0) is None
    with pytest.raises(Unavailable, match="no table"):
        node.term(NIL)


def _waiting(vm: Vm, stack: Sequence[int], saved: Sequence[int] = ()) -> Process:
    """A process that waits in `c:f/0` with this stack, and these arguments saved."""
    words = vm.image.words(*stack)
    fields = {
        "common.id": 5 << IMMED1_BITS | PID, "i": C.base + 80, "heap": words, "stop": words,
        "hend": words + 8 * len(stack), "arity": len(saved), "arg_reg": vm.image.words(*saved) if saved else 0,
    }  # fmt: skip
    table = vm.image.struct("ErtsPTab", {}).address
    vm.image.symbols["erts_proc"] = table
    process = vm.node.processes.at(vm.image.struct("Process", fields).address)
    vm.node.memory.forget()
    return process


def _loaded() -> Vm:
    vm = Vm()
    vm.load(A, B, C)
    vm.register(C, B, A)
    vm.node.update_code()
    return vm


def test_the_stack_of_a_waiting_process() -> None:
    vm = _loaded()
    process = _waiting(vm, [NIL, 31, B.base + 80, A.base + 72, 47, ENTRY.base + 64])
    levels = list(backtrace.of_waiting(vm.node, process))
    assert [(level.pc, level.calling, level.y_registers) for level in levels] == [
        (C.base + 80, False, (NIL, 31)),
        (B.base + 80, True, ()),
        (A.base + 72, True, (47,)),
    ]
    assert [level.place.code.name for level in levels if level.place] == ["c:f/0", "b:f/0", "a:f/0"]
    assert [level.lookup for level in levels] == [C.base + 80, B.base + 79, A.base + 71]


def test_code_that_is_unknown_has_no_place() -> None:
    vm = _loaded()
    process = _waiting(vm, [NIL])
    assert list(backtrace.levels(vm.node, process, 0x1234, process.record["stop"])) == [Level(0x1234, False, None, ())]


def test_arguments_saved_when_the_process_was_scheduled_out() -> None:
    vm = _loaded()
    assert backtrace.saved_arguments(_waiting(vm, [NIL], [15, 31, 47])) == [15, 31, 47]
    assert backtrace.saved_arguments(_waiting(vm, [NIL])) == []
