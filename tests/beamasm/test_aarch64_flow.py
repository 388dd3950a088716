"""Short pieces of ARM64 code, assembled by hand: what the analysis must say of frame and arguments, and what not."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest

from beamgdb.beamasm.aarch64 import KEEPING_FRAGMENTS, MACHINE, call_target, entry_of
from beamgdb.beamasm.flow import (
    Base,
    Entry,
    FlowState,
    FunctionFlow,
    HostReg,
    NativeSlot,
    Slot,
    StackState,
    XReg,
    analyse,
)

STOP = 88
ADDRESS = 0x7F0000001000
FAR = ADDRESS + 0x100000
"""Where `CALL_FAR` leads to, from offset 0."""

PUSH_LR = 0xF81F8E9E  # str x30, [x20, #-8]!
OVER = 0x14000002  # b .+8
BREAKPOINT = 0x94000400  # bl .+0x1000
POP_LR = 0xF840869E  # ldr x30, [x20], #8
SUB_E_16 = 0xD1004294  # sub x20, x20, #16
ADD_E_16 = 0x91004294  # add x20, x20, #16
STORE_Y01 = 0xA9006A99  # stp x25, x26, [x20]
STORE_Y0 = 0xF9000299  # str x25, [x20]
RET = 0xD65F03C0
NOP = 0xD503201F
CALL_X8 = 0xD63F0100  # blr x8
CALL_X7 = 0xD63F00E0  # blr x7
CALL_FAR = 0x94040000  # bl .+0x100000
JUMP_FAR = 0x14040000  # b .+0x100000
MOVE_X1_X0 = 0xAA1A03F9  # mov x25, x26
MOVE_X0_TMP = 0xAA1903E8  # mov x8, x25
X_ARRAY = 0x91010261  # add x1, x19, #64
FLUSH_X45 = 0xA906426F  # stp x15, x16, [x19, #96]
LOAD_X45 = 0xA946426F  # ldp x15, x16, [x19, #96]
FLUSH_X01 = 0xA9046A79  # stp x25, x26, [x19, #64]
LOAD_X01 = 0xA9446A79  # ldp x25, x26, [x19, #64]
SAVE_STOP = 0xA90552B7  # stp x23, x20, [x21, #80]
LOAD_STOP = 0xA94552B7  # ldp x23, x20, [x21, #80]
ENTER = (0xA9BF7BFD, 0x910003FD)  # stp x29, x30, [sp, #-16]!; mov x29, sp
LEAVE = (0x910003BF, 0xA8C17BFD)  # mov sp, x29; ldp x29, x30, [sp], #16
PROLOGUE = (PUSH_LR, OVER, BREAKPOINT)
FRAME = (*PROLOGUE, SUB_E_16)
END = (ADD_E_16, POP_LR, RET)
CATCHES = 0xF9407EA8, 0xF9007EA8  # ldr x8, [x21, #248]; str x8, [x21, #248]
TRY = (CATCHES[0], 0x91000508, CATCHES[1])  # ... add x8, x8, #1 ...
LANDING = (CATCHES[0], 0xD1000508, CATCHES[1])  # ... sub x8, x8, #1 ...


class Assembled:
    """The flow through `words`, asked by number of the instruction."""

    def __init__(self, *words: int, memory: Mapping[int, int] | None = None, **options: object) -> None:
        self.code = struct.pack(f"<{len(words)}I", *words)
        self.memory = memory or {}
        arguments = {"arity": 2, "stop_offset": STOP, "x_bias": 64, "read": self.read, **options}
        self.flow: FunctionFlow = analyse(MACHINE, self.code, ADDRESS, **arguments)  # type: ignore[arg-type]

    def read(self, address: int, size: int) -> bytes | None:
        """Words of code that lie elsewhere."""
        words = [self.memory.get(at) for at in range(address, address + size, 4)]
        return None if words[0] is None else struct.pack(f"<{len(words)}I", *(word or 0 for word in words))

    def __getitem__(self, number: int) -> FlowState:
        state = self.flow.before(4 * number)
        assert state is not None
        return state

    def stack(self, number: int) -> StackState | None:
        return self[number].stack

    def places(self, number: int, argument: int = 0) -> set[object]:
        return set(self[number].arguments[argument])

    def during(self, number: int) -> FlowState:
        """The state during the call that is the instruction `number`."""
        state = self.flow.during_call(4 * number + 4)
        assert state is not None
        return state


def native(_: int) -> bool:
    """All that is called is C code."""
    return True


def test_entry() -> None:
    code = Assembled(*PROLOGUE, POP_LR, RET)
    assert code[0] == FlowState(StackState(Base.SP, 0, None, HostReg("x30")), ((HostReg("x25"),), (HostReg("x26"),)))
    assert code.stack(1) == StackState(Base.SP, 8, None, Slot(-8))
    assert code.flow.before(8) is None, "the prologue jumps over the call of the breakpoint fragment"
    assert code.stack(3) == StackState(Base.SP, 8, None, Slot(-8))
    assert code.stack(4) == StackState(Base.SP, 0, None, HostReg("x30"))


def test_the_prologue_of_otp_25() -> None:
    """It sets a register before it calls the breakpoint fragment (`emit_i_breakpoint_trampoline`)."""
    # str x30, [x20, #-8]!; b .+12; mov x0, #0; bl ...; adr x2, .-16; subs w22, w22, #1; b.le .+0x10000
    prologue = (PUSH_LR, 0x14000003, 0xD2800000, BREAKPOINT)
    code = Assembled(*prologue, 0x10FFFF82, 0x710006D6, 0x5408000D, SUB_E_16, STORE_Y01, CALL_X8, *END)
    assert code.flow.before(8) is None
    assert code[7] == FlowState(StackState(Base.SP, 8, None, Slot(-8)), ((HostReg("x25"),), (HostReg("x26"),)))
    assert code.during(9) == FlowState(StackState(Base.SP, 24, None, Slot(-8)), ((Slot(-24),), (Slot(-16),)))


def test_arguments_beyond_the_sixth_are_in_memory() -> None:
    code = Assembled(*PROLOGUE, RET, arity=8)
    assert [code.places(0, n) for n in range(8)] == [
        *({HostReg(name)} for name in ("x25", "x26", "x27", "x28", "x15", "x16")), {XReg(6)}, {XReg(7)}
    ]  # fmt: skip


def test_y_registers() -> None:
    code = Assembled(*FRAME, STORE_Y01, MOVE_X0_TMP, CALL_X8, *END)
    assert code.stack(4) == StackState(Base.SP, 24, None, Slot(-8))
    assert code.places(5) == {HostReg("x25"), Slot(-24)}
    assert code.places(6) == {HostReg("x25"), HostReg("x8"), Slot(-24)}
    assert (code.places(7), code.places(7, 1)) == ({Slot(-24)}, {Slot(-16)})
    assert code.during(6) == FlowState(StackState(Base.SP, 24, None, Slot(-8)), ((Slot(-24),), (Slot(-16),)))
    assert code.stack(8) == StackState(Base.SP, 8, None, Slot(-8))
    assert code.places(9) == set(), "what is below the stack pointer is gone"


@pytest.mark.parametrize(
    "store",
    [
        0x3D800280,  # str q0, [x20]
        0xAD000280,  # stp q0, q0, [x20]
        0xB9000688,  # str w8, [x20, #4]
        0xF8297A88,  # str x8, [x20, x9, lsl #3]
        0xF9000288,  # str x8, [x20]
    ],
)
def test_stores_that_overwrite_y0(store: int) -> None:
    assert Slot(-24) not in Assembled(*FRAME, STORE_Y0, store, NOP).places(6)


@pytest.mark.parametrize(
    "other",
    [
        0xFD000680,  # str d0, [x20, #8]
        0xF90002E8,  # str x8, [x23]: the heap
        0xF100133F,  # cmp x25, #4
        0xF9400288,  # ldr x8, [x20]
    ],
)
def test_instructions_that_leave_y0_and_x0(other: int) -> None:
    assert {HostReg("x25"), Slot(-24)} <= Assembled(*FRAME, STORE_Y0, other, NOP).places(6)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (0x8B080339, False),  # add x25, x25, x8
        (0x52800039, False),  # mov w25, #1
        (0xF9400019, False),  # ldr x25, [x0]
        (0x38401419, False),  # ldrb w25, [x0], #1
        (0xA9406019, False),  # ldp x25, x24, [x0]
        (0x9A890119, False),  # csel x25, x8, x9, eq
        (0x9E660119, False),  # fmov x25, d8
        (0xC85FFD19, False),  # ldaxr x25, [x8]
        (0x9E670328, True),  # fmov d8, x25
        (0xCB080320, True),  # sub x0, x25, x8
    ],
)
def test_what_changes_x0(change: int, kept: bool) -> None:
    assert (HostReg("x25") in Assembled(change, NOP).places(1)) is kept


def test_values_that_move() -> None:
    code = Assembled(MOVE_X0_TMP, MOVE_X1_X0, NOP)
    assert code.places(2, 0) == {HostReg("x8")}
    assert code.places(2, 1) == {HostReg("x25"), HostReg("x26")}
    both = Assembled(MOVE_X1_X0, 0x9A9A0339, NOP)  # csel x25, x25, x26, eq
    assert both.places(2, 1) == {HostReg("x25"), HostReg("x26")}


def test_deallocation_with_the_return_address() -> None:
    # str x25, [x20, #-8]!; ldp x25, x30, [x20], #16
    code = Assembled(PUSH_LR, 0xF81F8E99, 0xA8C17A99, RET)
    assert code.stack(2) == StackState(Base.SP, 16, None, Slot(-8))
    assert code[3] == FlowState(StackState(Base.SP, 0, None, HostReg("x30")), ((HostReg("x25"),), (HostReg("x26"),)))


def test_a_call_of_c_code_leaves_its_registers() -> None:
    code = Assembled(*FRAME, CALL_FAR, NOP, arity=6, is_native=native)
    assert [code.places(5, n) for n in range(6)] == [
        *({HostReg(name)} for name in ("x25", "x26", "x27", "x28")), set(), set()
    ]  # fmt: skip
    assert code.stack(5) == StackState(Base.SP, 24, None, Slot(-8))
    assert Assembled(*FRAME, CALL_FAR, NOP).places(5) == set(), "an Erlang function leaves no x registers"


def test_what_is_written_to_memory_outlives_c_code() -> None:
    code = Assembled(FLUSH_X45, CALL_FAR, LOAD_X45, NOP, arity=6, is_native=native)
    assert code.places(1, 4) == {HostReg("x15"), XReg(4)}
    assert code.places(2, 4) == {XReg(4)}
    assert code.places(3, 4) == {HostReg("x15"), XReg(4)}


def test_c_code_with_the_address_of_the_x_registers_may_change_them() -> None:
    code = Assembled(FLUSH_X01, X_ARRAY, CALL_FAR, LOAD_X01, NOP, is_native=native)
    assert code.places(2) == {HostReg("x25"), XReg(0)}
    assert code.places(3) == code.places(4) == set()
    without = Assembled(FLUSH_X01, CALL_FAR, LOAD_X01, NOP, is_native=native)
    assert without.places(3) == {HostReg("x25"), XReg(0)}


def test_c_code_may_move_the_stack_if_it_is_told_where_it_is() -> None:
    code = Assembled(*FRAME, STORE_Y0, SAVE_STOP, CALL_FAR, LOAD_STOP, CALL_X8, *END, is_native=lambda a: a > ADDRESS)
    during = code.during(6)
    assert during.stack == code.stack(7) == StackState(Base.PROCESS, 24, None, Slot(-8))
    assert during.arguments[0] == (Slot(-24), HostReg("x25"))
    assert code.stack(8) == StackState(Base.SP, 24, None, Slot(-8))
    assert code.during(8).stack == StackState(Base.SP, 24, None, Slot(-8)), "the saved one is old by then"


def test_a_fragment_pushes_the_return_address_on_the_stack_of_the_thread() -> None:
    code = Assembled(*ENTER, CALL_X7, *LEAVE, RET)
    assert code.stack(0) == StackState(Base.SP, 0, None, HostReg("x30"))
    assert code.stack(1) == StackState(Base.SP, 0, None, NativeSlot(8), 16)
    assert code.during(2).stack == StackState(Base.SP, 0, None, NativeSlot(8), 16)
    assert code.stack(5) == StackState(Base.SP, 0, None, HostReg("x30"))


def test_a_fragment_keeps_the_return_address_in_a_register() -> None:
    # mov x26, x30; ...; ret x26
    code = Assembled(0xAA1E03FA, CALL_FAR, 0xD65F0340, is_native=native)
    assert code.stack(2) == StackState(Base.SP, 0, None, HostReg("x26"))


def test_code_that_loses_the_return_address() -> None:
    assert Assembled(CALL_FAR, NOP, is_native=native).stack(1) == StackState(Base.SP, 0, None, None)


def test_fragments_that_are_entered_in_a_frame() -> None:
    assert entry_of("call_nif_shared", False) is Entry.FRAMED
    assert entry_of("i_bif_body_shared", False) is Entry.CALLED
    assert entry_of("raise_exception_shared", False) is Entry.RAISED
    assert entry_of("process_main", False) is None
    framed = Assembled(POP_LR, RET, entry=Entry.FRAMED)
    assert framed.stack(0) == StackState(Base.SP, 8, None, Slot(-8))
    assert framed.stack(1) == StackState(Base.SP, 0, None, HostReg("x30"))
    assert Assembled(NOP, entry=Entry.RAISED).stack(0) == StackState(Base.SP, 0, None, HostReg("x1"))


THUNK = {FAR: 0xD28ACF0E, FAR + 4: 0xF2A2468E, FAR + 8: 0xF2C00AAE, FAR + 12: 0xD61F01C0}
"""movz x14, #0x5678; movk x14, #0x1234, lsl #16; movk x14, #0x55, lsl #32; br x14"""
FRAGMENT = 0x55_1234_5678


def test_calls_through_a_jump_that_extends_their_reach() -> None:
    memory = {ADDRESS + 0x1000: 0x94000000 | (0x100000 - 0x1000) // 4} | THUNK
    code = Assembled(memory=memory)
    assert call_target(ADDRESS + 0x1004, code.read) == FRAGMENT
    assert call_target(ADDRESS + 0x2004, code.read) is None, "no call is there"
    veneer = memory | {FAR: 0x14000002, FAR + 8: 0x5800004E, FAR + 12: 0xD61F01C0, FAR + 16: 7, FAR + 20: 0}
    # b .+8; ldr x14, .+8; br x14; 7
    assert call_target(ADDRESS + 0x1004, Assembled(memory=veneer).read) == 7


@pytest.mark.parametrize(
    ("live", "kept"),
    [(0xD2800003, [False, False]), (0xD2800023, [True, False]), (0x52800043, [True, True]), (NOP, [False, False])],
    ids=["mov x3, #0", "mov x3, #1", "mov w3, #2", "unknown"],
)
def test_a_garbage_collection_keeps_live_x_registers(live: int, kept: list[bool]) -> None:
    keeping = {FRAGMENT: KEEPING_FRAGMENTS["garbage_collect"]}
    memory = {at + 4: word for at, word in THUNK.items()}
    code = Assembled(live, CALL_FAR, NOP, memory=memory, keeping=keeping)
    assert [bool(code.places(2, n)) for n in range(2)] == kept


def test_fragments_that_keep_x_registers() -> None:
    for fragment, x4 in (("mul_body_shared", {HostReg("x15")}), ("plus_body_shared", set())):
        keeping = {FRAGMENT: KEEPING_FRAGMENTS[fragment]}
        code = Assembled(CALL_FAR, NOP, arity=7, memory=THUNK, keeping=keeping)
        assert (code.places(1, 0), code.places(1, 4), code.places(1, 6)) == ({HostReg("x25")}, x4, {XReg(6)})


@pytest.mark.parametrize("leaving", [CALL_FAR, JUMP_FAR])
def test_what_raises_does_not_come_back(leaving: int) -> None:
    assert Assembled(leaving, NOP, memory=THUNK, raising={FRAGMENT}).flow.before(4) is None


def test_a_process_that_yields_at_the_entry_comes_back_behind_the_test() -> None:
    # adr x2, .-12; subs w22, w22, #1; b.le .+0x10000
    code = Assembled(*PROLOGUE, 0x10FFFFA2, 0x710006D6, 0x5408000D, NOP)
    assert code[6] == FlowState(StackState(Base.SP, 8, None, Slot(-8)), ((HostReg("x25"),), (HostReg("x26"),)))
    assert code.stack(0) == StackState(Base.SP, 0, None, HostReg("x30"))


def test_x_registers_where_a_process_comes_back() -> None:
    # adr x2, .: what call_light_bif does, when the reductions are used up
    code = Assembled(*FRAME, STORE_Y0, 0x10000002, CALL_FAR, NOP)
    assert code.places(4) == {HostReg("x25")}
    assert code.places(5) == {Slot(-24)}, "the scheduler restores those that the BIF needs, however many"


def test_a_jump_to_the_entry_is_a_tail_call() -> None:
    # mov x25, x26; ldr x30, [x20], #8; b (to the entry)
    code = Assembled(*PROLOGUE, MOVE_X1_X0, POP_LR, 0x14000000 | -5 & 0x3FFFFFF)
    assert code.places(0) == {HostReg("x25")}


def test_addresses_that_are_data() -> None:
    # adr x4, .+8; b .+12; (8 bytes of data); nop
    code = Assembled(0x10000044, 0x14000003, 0xFFFFFFFF, 0x00000000, NOP)
    assert code.places(4) == {HostReg("x25")}
    assert code.flow.before(8) is None


def test_jump_table() -> None:
    # cmp x8, #2; b.hs -> end; adr x9, .+12; ldr x10, [x9, x8, lsl #3]; br x10; table of two; two nops
    start = 9
    table = [word for n in (start, start + 1) for word in ((ADDRESS + 4 * n) & 0xFFFFFFFF, ADDRESS >> 32)]
    code = Assembled(0xF100091F, 0x54000142, 0x10000069, 0xF868792A, 0xD61F0140, *table, RET, MOVE_X1_X0, NOP)
    assert code.places(start) == code.places(start + 1) == {HostReg("x25")}
    assert code.flow.before(20) is None
    unread = Assembled(0x10000069, 0xF868792A, 0xD61F0140, RET)
    assert unread.flow.opaque
    assert unread.places(0) == set()


def test_exceptions_land_in_the_frame_of_the_guarded_code() -> None:
    code = Assembled(*FRAME, STORE_Y0, *TRY, CALL_X8, *LANDING, *END, *LANDING, *END)
    handler = 4 + 1 + 3 + 1 + 3 + 3
    assert code[handler].stack == StackState(Base.SP, 24, None, Slot(-8))
    assert code.places(handler) == {Slot(-24)}
    assert code.stack(handler + 5) == StackState(Base.SP, 0, None, HostReg("x30"))
