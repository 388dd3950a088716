"""Short pieces of x86-64 code, assembled by hand: what the analysis must say of frame and arguments, and what not."""

import itertools

import pytest

from beamgdb.beamasm.facts import ARGUMENT, STACK, Facts, X, join
from beamgdb.beamasm.flow import Base, Entry, FlowState, FunctionFlow, HostReg, Slot, StackState, XReg, analyse
from beamgdb.beamasm.x86_64 import MACHINE

STOP = 88
ADDRESS = 0x7F0000001000

SUB_RSP_16 = "48 83 ec 10"  # sub rsp, 16
ADD_RSP_16 = "48 83 c4 10"  # add rsp, 16
LOAD_X0 = "48 8b 3b"  # mov rdi, [rbx]
LOAD_X1 = "48 8b 7b 08"  # mov rdi, [rbx + 8]
STORE_X0 = "48 89 3b"  # mov [rbx], rdi
STORE_Y0 = "48 89 3c 24"  # mov [rsp], rdi
STORE_Y1 = "48 89 7c 24 08"  # mov [rsp + 8], rdi
CALL_RAX = "ff d0"  # call rax
CALL_FAR = "e8 00 00 10 00"  # call, 1 MiB ahead
RET = "c3"
NOP = "90"
PUSH_RBP = "55"
MOV_RBP_RSP = "48 89 e5"
MOV_RSP_RBP = "48 89 ec"
LEAVE = "c9"
LEA_RSP_C = "48 8d 63 80"  # lea rsp, [rbx - 128]
SAVE_STOP = "49 89 65 58"  # mov [r13 + 88], rsp
LOAD_STOP = "49 8b 65 58"  # mov rsp, [r13 + 88]
TRY = "49 ff 85 08 01 00 00"  # inc qword [r13 + 264]
LANDING = "49 ff 8d 08 01 00 00"  # dec qword [r13 + 264]


class Assembled:
    """The flow through `instructions`, asked by number of the instruction."""

    def __init__(self, *instructions: str, **options: object) -> None:
        parts = [bytes.fromhex(each) for each in instructions]
        self.offsets = [0, *itertools.accumulate(len(part) for part in parts)]
        arguments = {"arity": 2, "stop_offset": STOP, **options}
        self.flow: FunctionFlow = analyse(MACHINE, b"".join(parts), ADDRESS, **arguments)  # type: ignore[arg-type]

    def __getitem__(self, number: int) -> FlowState:
        state = self.flow.before(self.offsets[number])
        assert state is not None
        return state

    def stack(self, number: int) -> tuple[Base, int] | None:
        stack = self[number].stack
        return None if stack is None else (stack.base, stack.to_cfa)

    def places(self, number: int, argument: int = 0) -> set[object]:
        return set(self[number].arguments[argument])


def test_entry() -> None:
    code = Assembled(NOP, RET)
    assert code[0] == FlowState(StackState(Base.SP, 8, None), ((XReg(0),), (XReg(1),)))
    assert code[1] == code[0]


def test_offsets_between_instructions_have_no_state() -> None:
    code = Assembled(SUB_RSP_16, RET, NOP)
    assert code.flow.before(2) is None
    assert code.flow.before(5) is None, "nothing leads beyond the return"
    assert code.flow.before(-1) is None
    assert code.flow.before(1000) is None


def test_frame_and_y_registers() -> None:
    code = Assembled(SUB_RSP_16, LOAD_X0, STORE_Y1, CALL_FAR, ADD_RSP_16, RET)
    assert code.stack(1) == (Base.SP, 24)
    assert code.places(2) == {XReg(0), HostReg("rdi")}
    assert code.places(3) == {XReg(0), HostReg("rdi"), Slot(-16)}
    assert code.places(4) == {Slot(-16)}
    assert code.places(4, 1) == set()
    assert code.stack(5) == (Base.SP, 8)
    assert code.places(5) == set(), "what is below the stack pointer is gone"


def test_state_during_a_call() -> None:
    code = Assembled(SUB_RSP_16, LOAD_X0, STORE_Y0, CALL_RAX, ADD_RSP_16, RET)
    during = code.flow.during_call(code.offsets[4])
    assert during == FlowState(StackState(Base.SP, 24, None), ((Slot(-24),), ()))
    assert code.flow.during_call(code.offsets[3]) is None


def test_a_call_may_return_to_any_address() -> None:
    code = Assembled(NOP, CALL_FAR, RET)
    assert code.offsets[2] % 4
    assert code.flow.during_call(code.offsets[2]) is not None
    assert code.stack(2) == (Base.SP, 8)


def test_push_and_pop() -> None:
    # mov rdi, [rbx]; push rdi; pop rsi
    code = Assembled(LOAD_X0, "57", "5e", RET)
    assert code.stack(2) == (Base.SP, 16)
    assert Slot(-16) in code.places(2)
    assert code.stack(3) == (Base.SP, 8)
    assert code.places(3) == {XReg(0), HostReg("rdi"), HostReg("rsi")}


def test_overwriting_an_x_register() -> None:
    code = Assembled(LOAD_X1, STORE_X0, RET)
    assert code.places(2, 0) == set()
    assert code.places(2, 1) == {XReg(0), XReg(1), HostReg("rdi")}


@pytest.mark.parametrize(
    "store",
    [
        "c7 03 05 00 00 00",  # mov dword [rbx], 5
        "48 c7 03 3b 00 00 00",  # mov qword [rbx], 59
        "c6 43 07 00",  # mov byte [rbx + 7], 0
        "48 89 43 04",  # mov [rbx + 4], rax
        "48 89 04 d3",  # mov [rbx + rdx * 8], rax
        "0f 11 03",  # movups [rbx], xmm0
        "48 01 03",  # add [rbx], rax
        "f0 48 0f c1 03",  # lock xadd [rbx], rax
        "48 87 03",  # xchg [rbx], rax
    ],
)
def test_stores_that_overwrite_x0(store: str) -> None:
    assert Assembled(store, RET).places(1) == set()


@pytest.mark.parametrize(
    "other",
    [
        "48 83 3b 3b",  # cmp qword [rbx], 59
        "49 89 07",  # mov [r15], rax: the heap
        "48 89 43 10",  # mov [rbx + 16], rax: x2
        "48 89 43 88",  # mov [rbx - 120], rax: TMP_MEM
    ],
)
def test_instructions_that_leave_x0(other: str) -> None:
    assert XReg(0) in Assembled(other, RET).places(1)


@pytest.mark.parametrize(
    "change",
    [
        "31 ff",  # xor edi, edi
        "40 b7 01",  # mov dil, 1
        "48 83 e7 fc",  # and rdi, -4
        "8b 3b",  # mov edi, [rbx]
        "48 ff c7",  # inc rdi
        "48 8d 7f 02",  # lea rdi, [rdi + 2]
        "40 0f b6 ff",  # movzx edi, dil
        "48 0f 44 f8",  # cmove rdi, rax
    ],
)
def test_changed_host_register_is_no_place(change: str) -> None:
    assert Assembled(LOAD_X0, change, RET).places(2) == {XReg(0)}


def test_division_changes_registers_it_does_not_name() -> None:
    # mov rax, [rbx]; cqo; idiv rcx
    code = Assembled("48 8b 03", "48 99", "48 f7 f9", RET)
    assert HostReg("rax") in code.places(2)
    assert HostReg("rax") not in code.places(3)


def test_two_words_through_a_vector_register() -> None:
    # movups xmm0, [rbx]; movups [rsp], xmm0
    code = Assembled(SUB_RSP_16, "0f 10 03", "0f 11 04 24", RET)
    assert code.places(3, 0) == {XReg(0), Slot(-24)}
    assert code.places(3, 1) == {XReg(1), Slot(-16)}


def test_two_words_swapped() -> None:
    # vpermilpd xmm0, [rbx], 1; vmovups [rbx], xmm0
    code = Assembled("c4 e3 79 05 03 01", "c5 f8 11 03", RET)
    assert code.places(2, 0) == {XReg(1)}
    assert code.places(2, 1) == {XReg(0)}


def test_four_words_through_a_wide_vector_register() -> None:
    # sub rsp, 32; vmovups ymm0, [rbx]; vmovups [rsp], ymm0
    code = Assembled("48 83 ec 20", "c5 fc 10 03", "c5 fc 11 04 24", RET, arity=4)
    assert [code.places(3, i) for i in range(4)] == [{XReg(i), Slot(-40 + 8 * i)} for i in range(4)]


def test_stores_through_a_copy_of_the_stack_pointer() -> None:
    # mov rdi, [rbx]; mov [rsp], rdi; mov rdi, rsp; stosq
    code = Assembled(SUB_RSP_16, LOAD_X0, STORE_Y0, STORE_Y1, "48 89 e7", "48 ab", RET)
    assert code.places(6) == {XReg(0), Slot(-16)}


def test_filling_of_y_registers() -> None:
    """`init_yregs`: lea rdi, [rsp + 8]; mov ecx, n; rep stosq."""
    fill = ("48 8d 7c 24 08", "b9 02 00 00 00", "f3 48 ab")
    code = Assembled("48 83 ec 20", LOAD_X0, STORE_Y0, STORE_Y1, "48 89 7c 24 18", *fill, RET)
    assert code.places(8) == {XReg(0), Slot(-40), Slot(-16)}
    unknown = (fill[0], "48 89 c1", fill[2])  # mov rcx, rax
    assert Assembled("48 83 ec 20", LOAD_X0, STORE_Y0, *unknown, RET).places(6) == {XReg(0)}


def test_pointer_into_the_stack_that_differs_between_paths() -> None:
    # mov rsi, rsp; test eax, eax; je +4; lea rsi, [rsi + 8]; mov [rsi], rax
    moved = ("48 89 e6", "85 c0", "74 04", "48 8d 76 08")
    code = Assembled(SUB_RSP_16, LOAD_X0, STORE_Y0, STORE_Y1, *moved, "48 89 06", RET)
    assert code.places(8) == {XReg(0), HostReg("rdi"), Slot(-24), Slot(-16)}
    assert code.places(9) == {XReg(0), HostReg("rdi")}


def test_runtime_call_with_the_stack_pointer_in_rbp() -> None:
    code = Assembled(SUB_RSP_16, LOAD_X0, STORE_Y0, MOV_RBP_RSP, LEA_RSP_C, CALL_RAX, MOV_RSP_RBP, RET)
    assert code.stack(5) == (Base.SAVED, 24)
    assert code.places(5) == {XReg(0), HostReg("rdi"), Slot(-24)}
    assert code.stack(6) == (Base.SAVED, 24)
    assert code.places(6) == {Slot(-24)}
    assert code.stack(7) == (Base.SP, 24)
    assert code.places(7) == {Slot(-24)}
    during = code.flow.during_call(code.offsets[6])
    assert during is not None
    assert during.stack == StackState(Base.SAVED, 24, None)


def test_runtime_call_with_the_stack_pointer_in_the_process() -> None:
    code = Assembled(SAVE_STOP, LEA_RSP_C, CALL_RAX, LOAD_STOP, RET)
    assert code.stack(2) == code.stack(3) == (Base.PROCESS, 8)
    assert code.stack(4) == (Base.SP, 8)


@pytest.mark.parametrize(
    "save",
    [
        # movq xmm0, r15; movq xmm1, rsp; punpcklqdq xmm0, xmm1; movups [r13 + 80], xmm0
        ("66 49 0f 6e c7", "66 48 0f 6e cc", "66 0f 6c c1", "41 0f 11 45 50"),
        # vmovq xmm1, r15; nop; vpinsrq xmm0, xmm1, rsp, 1; vmovdqu [r13 + 80], xmm0
        ("c4 c1 f9 6e cf", NOP, "c4 e3 f1 22 c4 01", "c4 c1 7a 7f 45 50"),
    ],
)
def test_heap_top_and_stack_pointer_saved_together(save: tuple[str, ...]) -> None:
    code = Assembled(*save, LEA_RSP_C, CALL_RAX, LOAD_STOP, RET)
    assert code.stack(5) == (Base.PROCESS, 8)
    assert code.stack(7) == (Base.SP, 8)


def test_a_stale_copy_of_the_stack_pointer_is_not_used() -> None:
    """After an Erlang call, which may move the stack, neither rbp nor `Process.stop` says where the frame was."""
    code = Assembled(MOV_RBP_RSP, SAVE_STOP, CALL_FAR, LEA_RSP_C, NOP, RET)
    assert code.stack(3) == (Base.SP, 8)
    assert code.stack(4) is None


def test_frame_pointers() -> None:
    code = Assembled(PUSH_RBP, MOV_RBP_RSP, SUB_RSP_16, CALL_RAX, LEAVE, RET)
    assert code[0].stack == StackState(Base.SP, 8, None)
    assert code[1].stack == StackState(Base.SP, 16, -16)
    assert code[3].stack == StackState(Base.SP, 32, -16)
    assert code[4].stack == StackState(Base.SP, 32, -16)
    assert code[5].stack == StackState(Base.SP, 8, None)


def test_frame_pointer_outlives_a_runtime_call() -> None:
    code = Assembled(PUSH_RBP, MOV_RBP_RSP, SUB_RSP_16, SAVE_STOP, LEA_RSP_C, CALL_RAX, LOAD_STOP, LEAVE, RET)
    assert code[6].stack == StackState(Base.PROCESS, 32, -16)
    assert code[8].stack == StackState(Base.SP, 8, None)


def test_entry_inside_a_frame() -> None:
    code = Assembled(NOP, LEAVE, RET, entry=Entry.FRAMED)
    assert code[0].stack == StackState(Base.SP, 16, -16)
    assert code[2].stack == StackState(Base.SP, 8, None)


def test_paths_with_different_frames_meet() -> None:
    # test eax, eax; je over; sub rsp, 16; over: nop
    code = Assembled("85 c0", "74 04", SUB_RSP_16, NOP, RET)
    assert code.stack(2) == (Base.SP, 8)
    assert code[3].stack is None
    assert code.places(3) == {XReg(0)}


def test_places_on_which_paths_agree() -> None:
    # mov rdi, [rbx]; test eax, eax; je over; mov [rbx + 8], rdi; over: nop
    code = Assembled(LOAD_X0, "85 c0", "74 04", "48 89 7b 08", NOP, RET)
    assert code.places(4, 0) == {XReg(0), HostReg("rdi")}
    assert code.places(4, 1) == set()


def test_loop() -> None:
    # again: mov [rbx], rdi; dec r14; jne again
    code = Assembled(LOAD_X1, STORE_X0, "49 ff ce", "75 f8", RET)
    assert code.places(1, 0) == set()
    assert code.places(4, 1) == {XReg(0), XReg(1), HostReg("rdi")}


def test_jump_out_ends_the_path() -> None:
    code = Assembled("e9 00 00 10 00", NOP)
    assert code.flow.before(5) is None


def test_complementary_conditions_leave_no_way_on() -> None:
    # je and jne out
    code = Assembled("0f 84 00 00 10 00", "0f 85 00 00 10 00", NOP, RET)
    assert code.flow.before(12) is None


def test_resumption_at_entry_keeps_arguments() -> None:
    """`i_test_yield`: lea rdx, [rip + 9]; dec r14; jle out; resumed here."""
    code = Assembled("48 8d 15 09 00 00 00", "49 ff ce", "0f 8e 00 00 10 00", NOP, RET)
    assert code.stack(3) == (Base.SP, 8)
    assert code.places(3) == {XReg(0)}


def test_resumption_in_a_frame_keeps_only_the_frame() -> None:
    # sub rsp, 16; mov rdi, [rbx]; mov [rsp], rdi; lea rdx, [rip + 5]; jmp out; resumed here: nop
    code = Assembled(SUB_RSP_16, LOAD_X0, STORE_Y0, "48 8d 15 05 00 00 00", "e9 00 00 10 00", NOP, RET)
    assert code.stack(5) == (Base.SP, 24)
    assert code.places(5) == {Slot(-24)}
    assert code.places(5, 1) == set()


def test_exception_handler_has_the_frame_of_the_guarded_calls() -> None:
    code = Assembled(
        SUB_RSP_16, LOAD_X0, STORE_Y0, TRY, CALL_FAR, LANDING, ADD_RSP_16, RET, LANDING, LOAD_X0, STORE_Y1, CALL_FAR,
        ADD_RSP_16, RET,
    )  # fmt: skip
    assert code.stack(8) == (Base.SP, 24)
    assert code.places(8) == {Slot(-24)}
    assert code.stack(13) == (Base.SP, 8)


def test_handler_keeps_only_what_all_calls_leave() -> None:
    code = Assembled(
        SUB_RSP_16, LOAD_X0, STORE_Y0, TRY, CALL_FAR, STORE_Y0, CALL_FAR, LANDING, ADD_RSP_16, RET, LANDING, NOP
    )
    assert code.places(5) == {Slot(-24)}
    assert code.stack(10) == (Base.SP, 24)
    assert code.places(10) == set()


def test_handler_among_frames_of_several_depths() -> None:
    def guarded(size: str) -> tuple[str, ...]:
        return f"48 83 ec {size}", TRY, CALL_FAR, LANDING, f"48 83 c4 {size}", RET, LANDING, f"48 83 c4 {size}", RET

    # test eax, eax; je to the second
    first = guarded("10")
    code = Assembled("85 c0", f"74 {len(bytes.fromhex(''.join(first))):02x}", *first, *guarded("20"))
    assert code.stack(2 + 6) == (Base.SP, 24)
    assert code.stack(2 + 9 + 6) == (Base.SP, 40)


def test_jump_table() -> None:
    """lea rax, [rip + 4096]; jmp [rax + rdi * 8]; two targets; the entries after them are none of this code."""
    instructions = ("48 8d 05 00 10 00 00", "ff 24 f8", SUB_RSP_16, RET, NOP, RET)
    table = [ADDRESS + 10, ADDRESS + 15, ADDRESS - 1, ADDRESS]
    raw = b"".join(entry.to_bytes(8, "little") for entry in table)
    asked = []

    def read(address: int, size: int) -> bytes:
        asked.append(address)
        return raw[:size]

    code = Assembled(*instructions, read=read)
    assert asked == [ADDRESS + 7 + 4096]
    assert code.stack(3) == (Base.SP, 24)
    assert code.stack(4) == (Base.SP, 8)
    assert code.places(4) == {XReg(0)}


def test_jump_table_ends_where_the_index_was_compared() -> None:
    # cmp rdi, 1; jae out; lea rax, [rip + 4096]; jmp [rax + rdi * 8]
    code = Assembled(
        "48 83 ff 01", "0f 83 00 00 10 00", "48 8d 05 00 10 00 00", "ff 24 f8", RET, NOP,
        read=lambda address, size: ((ADDRESS + 20).to_bytes(8, "little") + (ADDRESS + 21).to_bytes(8, "little"))[:size],
    )  # fmt: skip
    assert code.stack(4) == (Base.SP, 8)
    assert code.flow.before(21) is None


def test_unreadable_jump_table_silences_the_arguments() -> None:
    code = Assembled("48 8d 05 00 10 00 00", "ff 24 f8", NOP, read=lambda address, size: None)
    assert code.stack(0) == (Base.SP, 8)
    assert code.places(0) == set()
    assert code.flow.before(10) is None


def test_call_through_an_export_is_no_jump_table() -> None:
    # mov rax, imm; jmp [rax + r12 * 8]
    code = Assembled("48 b8 00 10 00 00 00 7f 00 00", "42 ff 24 e0", NOP)
    assert not code.flow.opaque


def test_raising_fragments_do_not_return() -> None:
    fragment = ADDRESS + 5 + 0x100000
    code = Assembled(CALL_FAR, NOP, raising={fragment})
    assert code.flow.before(5) is None
    during = code.flow.during_call(5)
    assert during is not None
    assert during.stack == StackState(Base.SP, 8, None)
    assert Assembled(CALL_FAR, NOP, raising={fragment + 1}).stack(1) == (Base.SP, 8)


def test_raising_fragment_through_the_table_of_addresses() -> None:
    # call [rip + 16]
    code = Assembled("ff 15 10 00 00 00", NOP, raising={77}, read=lambda at, size: (77).to_bytes(8, "little"))
    assert code.flow.before(6) is None


def test_raising_fragment_through_a_jump_of_the_module() -> None:
    thunk, table, fragment = ADDRESS + 5 + 0x100000, ADDRESS + 0x200000, ADDRESS + 0x300000

    def near(address: int, size: int) -> bytes | None:
        return b"\xe9" + (fragment - thunk - 5).to_bytes(4, "little") + bytes(3) if address == thunk else None

    def through_table(address: int, size: int) -> bytes | None:
        jump = b"\xff\x25" + (table - thunk - 6).to_bytes(4, "little") + bytes(2)
        return {thunk: jump, table: fragment.to_bytes(8, "little")}.get(address)

    for read in (near, through_table):
        assert Assembled(CALL_FAR, NOP, raising={fragment}, read=read).flow.before(5) is None
        assert Assembled(CALL_FAR, NOP, raising={table}, read=read).stack(1) == (Base.SP, 8)


def test_raising_bif() -> None:
    """`call_light_bif`: movabs rax, BIF; lea rdx, [rip - 17]; call."""
    bif = 0x5500_1234_5678
    call = ("48 b8 " + bif.to_bytes(8, "little").hex(), "48 8d 15 ef ff ff ff", CALL_FAR, NOP)
    assert Assembled(*call, raising={bif}).flow.before(22) is None
    assert Assembled(*call).stack(3) == (Base.SP, 8)


def test_join_keeps_a_warning_of_pointers() -> None:
    one: Facts = {"rdi": (STACK, -16), "rsi": (X, 0), "rax": (ARGUMENT, 0), (X, 0): (ARGUMENT, 0)}
    other: Facts = {"rdi": (STACK, -8), "rax": (ARGUMENT, 1), "rdx": (STACK, 0), (X, 0): (ARGUMENT, 0)}
    expected = {"rdi": (STACK, None), "rsi": (X, None), "rdx": (STACK, None), (X, 0): (ARGUMENT, 0)}
    assert join(one, other) == expected
    assert join(other, one) == expected
