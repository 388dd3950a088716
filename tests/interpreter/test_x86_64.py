"""What instructions of x86-64 do, as formulas, and what real handlers tell of where `process_main` keeps its state."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from beamgdb.interpreter.operations import Unsupported
from beamgdb.interpreter.points import Finder, frame_size
from beamgdb.interpreter.roles import Roles, recover
from beamgdb.interpreter.symbolic import x86_64
from beamgdb.interpreter.symbolic.paths import Follower
from beamgdb.interpreter.symbolic.paths import Path as Way
from beamgdb.interpreter.symbolic.values import Constant, Initial, Loaded, Mixed, Sum, leaves
from tests.code.module_image import layout_of
from tests.interpreter.handlers import START, Handlers, image, listed

RBX, R13, R15 = Initial("rbx"), Initial("r13"), Initial("r15")

O3: Handlers = {
    "move_nx": (0x2B0E, "488b6b10488b43084883c31049c704073b000000ffe5"),
    "move_cx": (0x2901, "488b6b18488b53084883c318488b43f849891407ffe5"),
    "move_cy": (0x2917, "488b6b18488b53084883c318488b43f84989540500ffe5"),
    "self_x": (0x1213, "488b6b10488b43084883c310498b142449891407ffe5"),
    "self_y": (0x0E12, "488b6b10488b43084883c310498b14244989540500ffe5"),
    "put_list_rxx": (
        0x09D0,
        "488b7c2408488b43084883c310488b2b488b57404989120fb7d048c1e810498b141749895208498d52014983c21049891407ffe5",
    ),
    "put_list_xxr": (
        0x0A95,
        "488b4308488b6b104883c310488b7c24080fb7d048c1e810498b1417498912498b040749894208498d42014983c21048894740ffe5",
    ),
    "i_call_f": (0x4611, "488d431049894500488b43084c8d04c34c89f0498b284c89c34d85f60f8e8d4e00004c8d70ffffe5"),
    "i_call_only_f": (0x48BB, "488b43084c8d04c34c89f0498b284c89c34d85f60f8ed34b00004c8d70ffffe5"),
    "return": (0x11F2, "4d8b45004c89f049c745003b0000004c89c34d85f60f8e238100004c8d70ffff23"),
    "put_tuple2_xI": (
        0x0C4A,
        "488b43084d8d5a084989d84c89d94989c189c049c1e9204c01f84c89ca4c89ce48c1e206498912488d5318eb26660f1f84000000"
        "00004883fd07750948c1ef04498b7cfd00488979f84883c2084883ee01742d488b7af84889d34883c1084889fd83e50f4883fd03"
        "75cc48c1ef044883c208498b3cff488979f84883ee0175d3498d52024f8d14cb4889104b8b6cc810ffe5",
    ),
}
"""Handlers of a build of OTP 25.2.3 by GCC 12, with -O3: by the operation's name, the distance from the start of
`process_main` and the code. Their jumps out of the handler lead to undefined instructions here."""

ROLES = Roles(instruction="rbx", stack="r13", heap_top="r10", reductions="r14", x_registers="r15", process="r12")
"""What debug information and the machine code tell of that build."""

OG: Handlers = {
    "move_nx": (0x7038, "488b6b104c89e04803430848c7003b0000004883c310e99c180000"),
    "move_cx": (0x6D6E, "488b6b184c89e048034310488b53084889104883c318e9661b0000"),
    "move_cy": (0x6D89, "488b6b184c89e848034310488b53084889104883c318e94b1b0000"),
    "self_x": (0x7F8B, "488b6b104c89e048034308488b742408488b164889104883c310e945090000"),
    "self_y": (0x7FAA, "488b6b104c89e848034308488b742408488b164889104883c310e926090000"),
    "put_list_rxx": (
        0x77EC,
        "488b4308488b6b10488b4c2418488b5140488b7424104889160fb7d0498b14144889560848c1e810488d5601498914044883c610"
        "48897424104883c310e9c1100000",
    ),
    "put_list_xxr": (
        0x78E6,
        "488b4308488b6b100fb7d0498b1414488b4c241048891148c1e810498b040448894108488d4101488b742418488946404883c110"
        "48894c24104883c310e9c70f0000",
    ),
    "i_call_f": (0x32D3, "488d431049894500488b4308488d04c34889c3488b284c89f04d85f67e094c8d70ffe9f5550000"),
    "i_call_only_f": (0x347D, "488b4308488d04c34889c3488b284c89f04d85f67e094c8d70ffe953540000"),
    "return": (0x7F3E, "498b55004889d349c745003b0000004c89f04d85f67e0c4c8d70ff488b2ae98e090000"),
    "shared": (0x88EF, "ffe5"),
}
"""The same with -Og: handlers end with a jump to a jump that they share."""

OG_ROLES = Roles(instruction="rbx", stack="r13", heap_top="sp+16", reductions="r14", x_registers="r12", process="sp+8")


def ways(tmp_path: Path, text: str) -> list[Way]:
    """All ways through the code to a computed jump."""
    return list(assembled(tmp_path, text).paths(START))


def assembled(tmp_path: Path, text: str) -> Follower[Any]:
    """Follows code given in Intel's syntax."""
    source, binary, raw = tmp_path / "a.s", tmp_path / "a.o", tmp_path / "a.bin"
    source.write_text(f".intel_syntax noprefix\n{text}\n")
    subprocess.run(["as", "--64", "-o", binary, source], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", binary, raw], check=True)
    return following(raw.read_bytes())


UNDEFINED = b"\x0f\x0b"
"""`ud2`."""


def following(code: bytes) -> Follower[Any]:
    """Follows this code, with undefined instructions behind it."""
    whole = code + UNDEFINED * 0x8000
    return Follower(lambda address, size: whole[address - START : address - START + size], x86_64)


def follower(handlers: Handlers) -> Follower[Any]:
    return following(image(handlers, UNDEFINED, 0x8000))


def test_loads_stores_and_sums(tmp_path: Path) -> None:
    code = "mov rax, [rbx+8]; lea rcx, [rax+16]; sub rcx, 24; inc rcx; mov [r13], rcx; add rbx, 16; jmp [rbx]"
    (way,) = ways(tmp_path, code)
    assert way.state["rax"] == Loaded(Sum(RBX, 8))
    assert way.state["rcx"] == Sum(Loaded(Sum(RBX, 8)), -7)
    assert way.state.stores == [(R13, Sum(Loaded(Sum(RBX, 8)), -7))]
    assert way.target == Loaded(Sum(RBX, 16))


def test_an_index_is_kept_with_its_base(tmp_path: Path) -> None:
    (way,) = ways(tmp_path, "mov rax, [rbx+8]; mov qword ptr [r15+rax], 59; jmp rbx")
    assert way.state.stores == [(Mixed((R15, Loaded(Sum(RBX, 8)))), Constant(59))]


def test_slots_of_the_stack_frame_are_places(tmp_path: Path) -> None:
    (way,) = ways(tmp_path, "mov rax, [rsp+8]; mov [rsp+24], rbx; dec qword ptr [rsp+16]; jmp [rsp+24]")
    assert way.state["rax"] == Initial("sp+8")
    assert way.state["sp+16"] == Sum(Initial("sp+16"), -1)
    assert (way.state.stores, way.target) == ([], RBX)


def test_push_and_pop_move_the_stack_pointer(tmp_path: Path) -> None:
    (way,) = ways(tmp_path, "push rbx; push 5; pop rax; pop rcx; jmp rcx")
    assert (way.state["rax"], way.target, way.state["rsp"]) == (Constant(5), RBX, Initial("rsp"))


def test_less_than_a_word_is_not_the_word(tmp_path: Path) -> None:
    code = "mov eax, ebx; movzx ecx, bx; mov dl, bl; xor esi, esi; mov [rsp+8], ebx; movsxd rdi, dword ptr [r13]"
    (way,) = ways(tmp_path, f"{code}; jmp r13")
    for name in ("rax", "rcx", "rdx"):
        assert way.state[name] != RBX
        assert RBX in leaves(way.state[name])
    assert Initial("rdx") in leaves(way.state["rdx"])
    assert way.state["rsi"] == Constant(0)
    assert way.state["sp+8"] != RBX
    assert way.state["rdi"] == Mixed((Mixed((Loaded(R13),)),))


def test_what_is_not_known_comes_from_all_that_was_read(tmp_path: Path) -> None:
    (way,) = ways(tmp_path, "cmove rbx, r13; imul rcx, r15; and qword ptr [rsp+8], 7; jmp rax")
    assert {RBX, R13} <= set(leaves(way.state["rbx"]))
    assert R15 in leaves(way.state["rcx"])
    assert way.state["sp+8"] != Initial("sp+8")


def test_a_store_of_two_words_is_two_stores(tmp_path: Path) -> None:
    (way,) = ways(tmp_path, "movq xmm0, rbx; movq xmm1, r13; punpcklqdq xmm0, xmm1; movups [r12+80], xmm0; jmp rax")
    assert [address for address, _ in way.state.stores] == [Sum(Initial("r12"), 80), Sum(Initial("r12"), 88)]
    assert all(isinstance(value, Mixed) for _, value in way.state.stores)


def test_branches_calls_and_returns(tmp_path: Path) -> None:
    code = "test rax, rax; je 1f; add rbx, 8; jmp rbx; 1: add rbx, 16; jmp 2f; nop; 2: jmp rbx"
    assert {way.target for way in ways(tmp_path, code)} == {Sum(RBX, 8), Sum(RBX, 16)}
    assert ways(tmp_path, "call rax; jmp rbx") == []
    assert ways(tmp_path, "ret") == []
    assert ways(tmp_path, "ud2; jmp rbx") == []


def test_a_variable_of_the_program_is_at_its_address(tmp_path: Path) -> None:
    (way,) = ways(tmp_path, "mov rax, [rip+0x10]; jmp rax")
    assert way.target == Loaded(Constant(START + 7 + 0x10))


@pytest.mark.parametrize(("handlers", "roles"), [(O3, ROLES), (OG, OG_ROLES)], ids=["O3", "Og"])
def test_the_roles_of_a_build(handlers: Handlers, roles: Roles) -> None:
    assert recover(listed(handlers), follower(handlers), 8, 0) == roles


def test_what_handlers_do_not_tell_may_be_described() -> None:
    fewer = {name: code for name, code in O3.items() if not name.startswith("self")}
    with pytest.raises(Unsupported, match="process was not found"):
        recover(listed(fewer), follower(fewer), 8, 0)
    found = recover(listed(fewer), follower(fewer), 8, 0, {"process": "rbp-56", "stack": "rdi"})
    assert (found.process, found.stack) == ("rbp-56", ROLES.stack)


def test_a_copy_beside_the_right_place_is_not_taken() -> None:
    """`return` loads I into r8 and copies it to rbx; calls tell that it is rbx."""
    (way,) = (way for way in follower(O3).paths(START + O3["return"][0]))
    assert way.state["r8"] == way.state["rbx"] == Loaded(R13)


def test_in_a_loop_the_place_that_stays_is_taken() -> None:
    """`put_tuple2` moves rbx on from operand to operand, by a word each time, and keeps where it began in r8."""
    layout = layout_of(25, "x86_64")
    points = Finder(ROLES, layout, x86_64.ARGUMENTS).find(listed(O3), follower(O3), START)
    assert points[0xC9D, False].instructions == (("r8", 0),)
    assert points[O3["put_tuple2_xI"][0], False].instructions == (("rbx", 0),)


def test_the_frame_address_is_told_by_the_prologue(tmp_path: Path) -> None:
    pushes = "push r15; push r14; push r13; push r12; push rbp; push rbx; sub rsp, 0x158"
    code = f"test ecx, ecx; je 1f; {pushes}; call rax; jmp rbx; 1: ud2"
    assert frame_size(assembled(tmp_path, code), START, 8) == 0x158 + 7 * 8
    assert frame_size(assembled(tmp_path, "push rbp; mov rbp, rsp; and rsp, -32; call rax"), START, 8) is None
    assert frame_size(assembled(tmp_path, "push rbp; ret"), START, 8) is None


def test_where_many_handlers_meet_the_instruction_is_looked_for() -> None:
    """Three handlers that move I on by one, two and three words, and then jump to the same jump."""
    layout = layout_of(25, "x86_64")
    handlers: Handlers = {
        "one": (0x00, "4883c308eb20"),
        "two": (0x10, "4883c310eb10"),
        "three": (0x20, "4883c318eb00"),
    }
    code = handlers | {"shared": (0x26, "ffe5")}
    finder = Finder(ROLES, layout, x86_64.ARGUMENTS)
    points = finder.find(listed(handlers), follower(code), START)
    assert points[0x04, False].instructions == (("rbx", 8),)
    assert points[0x26, False].instructions == (("rbx", 0),)
