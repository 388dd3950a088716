"""What instructions of 64-bit ARM do, as formulas, and what real handlers tell of where `process_main` keeps its
state."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from beamgdb.interpreter.operations import Unsupported
from beamgdb.interpreter.points import Finder, frame_size
from beamgdb.interpreter.roles import Roles, recover
from beamgdb.interpreter.symbolic import aarch64
from beamgdb.interpreter.symbolic.paths import Follower
from beamgdb.interpreter.symbolic.paths import Path as Way
from beamgdb.interpreter.symbolic.values import Constant, Initial, Loaded, Mixed, Sum, leaves
from beamgdb.machine_code.aarch64 import to_number
from tests.code.module_image import layout_of
from tests.interpreter.handlers import START, Handlers, image, listed

X19, X22, X23, X24, X25 = (Initial(f"x{number}") for number in (19, 22, 23, 24, 25))

OTP_25: Handlers = {
    "move_nx": (0x3FB0, "e0ce40a9610780d2f7420091016b20f860021fd6"),
    "move_cx": (0x61F4, "e18240a9f7620091f30240f9016b20f860021fd6"),
    "move_cy": (0x608C, "e18240a9f7620091f30240f9216b20f860021fd6"),
    "self_x": (0x1E0C, "e0ce40a9f7420091c10240f9016b20f860021fd6"),
    "self_y": (0x2C84, "e0ce40a9f7420091c10240f9216b20f860021fd6"),
    "put_list_rxx": (
        0x26A4,
        "e00640f981070091a32240f9023c4092f30e41f8830300f900fc50d39c430091026b62f882831ff8016b20f860021fd6",
    ),
    "put_list_xxr": (
        0x25E8,
        "e00640f981070091f30e41f8023c409200fc50d39c430091026b62f882031ff8006b60f880831ff8a12200f960021fd6",
    ),
    "i_call_f": (0x6BC0, "e0420091200300f9e00640f9f70e008bf30240f99f0200f14d830054940600d160021fd6"),
    "i_call_only_f": (0x49F8, "e00640f9f70e008bf30240f99f0200f1cd930154940600d160021fd6"),
    "move_call_xf": (
        0x5BD4, "e00640f9e142009102fc6093004b60f8f70e028b210300f9a02200f9f30240f99f0200f1cd010154940600d160021fd6",
    ),
    "return": (0x1E20, "370340f9600780d2200300f99f0200f18def0254f30240f9940600d160021fd6"),
    "move_return_x": (
        0x3ED8, "e10640f9600780d2016b61f8a12200f9370340f9200300f99f0200f1cde10154f30240f9940600d160021fd6",
    ),
    "put_tuple2_xI": (
        0x2404,
        "e30640f9e4031caae6420091010080d2607c409263fc60d362e47ad3828400f809000014bf1c00f16100005442fc44d3227b62f8"
        "827821f8210400913f0003eb60010054c27861f8450c4092bf0c00f1a1feff5442fc44d3027b62f8827821f8210400913f0003eb"
        "e1feff549c0b00911c6b20f83cf07dd3",
    ),
}  # fmt: skip
"""Handlers of a stripped build of OTP 25.2.3 by GCC 12, with -O3: by the operation's name, the distance from the start
of `process_main` and the code. Their jumps out of the handler lead to undefined instructions here."""

ROLES = Roles(instruction="x23", stack="x25", heap_top="x28", reductions="x20", x_registers="x24", process="x22")
"""The debug information of that build tells the same."""

UNDEFINED = bytes(4)
"""`udf #0`."""


def following(code: bytes) -> Follower[Any]:
    """Follows this code, with undefined instructions behind it."""
    whole = code + UNDEFINED * 0x2000
    return Follower(lambda address, size: whole[address - START : address - START + size], aarch64)


def follower(handlers: Handlers) -> Follower[Any]:
    return following(image(handlers, UNDEFINED, 0x2000))


def assembled(tmp_path: Path, text: str) -> Follower[Any]:
    """Follows code of an assembler program."""
    source, binary, raw = tmp_path / "a.s", tmp_path / "a.o", tmp_path / "a.bin"
    source.write_text(f"{text}\n")
    subprocess.run(["aarch64-linux-gnu-as", "-march=armv8.1-a", "-o", binary, source], check=True)
    subprocess.run(["aarch64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", binary, raw], check=True)
    return following(raw.read_bytes())


def ways(tmp_path: Path, text: str) -> list[Way]:
    """All ways through the code to a computed jump."""
    return list(assembled(tmp_path, text).paths(START))


def test_loads_stores_and_sums(tmp_path: Path) -> None:
    code = "ldr x0, [x23, #8]; add x1, x0, #16; sub x1, x1, #24; str x1, [x25]; ldr x19, [x23, #16]!; br x19"
    (way,) = ways(tmp_path, code)
    assert way.state["x0"] == Loaded(Sum(X23, 8))
    assert way.state["x1"] == Sum(Loaded(Sum(X23, 8)), -8)
    assert way.state.stores == [(X25, Sum(Loaded(Sum(X23, 8)), -8))]
    assert way.state["x23"] == Sum(X23, 16)
    assert way.target == Loaded(Sum(X23, 16))


def test_pairs_and_what_moves_the_base_afterwards(tmp_path: Path) -> None:
    (way,) = ways(tmp_path, "ldp x0, x1, [x23, #8]; stp x1, xzr, [x28], #16; ldr x2, [x25], #-8; br x0")
    h = Initial("x28")
    assert (way.state["x1"], way.state["x2"]) == (Loaded(Sum(X23, 16)), Loaded(X25))
    assert way.state.stores == [(h, Loaded(Sum(X23, 16))), (Sum(h, 8), Constant(0))]
    assert (way.state["x28"], way.state["x25"]) == (Sum(h, 16), Sum(X25, -8))


def test_an_index_is_kept_with_its_base(tmp_path: Path) -> None:
    code = "ldr x0, [x23, #8]; mov x1, #59; str x1, [x24, x0]; str x1, [x24, x0, lsl #3]; add x2, x24, w0, uxth #3"
    (way,) = ways(tmp_path, f"{code}; br x23")
    loaded = Loaded(Sum(X23, 8))
    assert way.state.stores == [(Mixed((X24, loaded)), Constant(59)), (Mixed((X24, Mixed((loaded,)))), Constant(59))]
    assert {X24, loaded} <= set(leaves(way.state["x2"]))


def test_slots_of_the_stack_frame_are_places(tmp_path: Path) -> None:
    code = "ldr x0, [sp, #8]; str x23, [sp, #24]; ldr x1, [sp, #16]; sub x1, x1, #1; str x1, [sp, #16]"
    (way,) = ways(tmp_path, f"{code}; ldr x2, [sp, #24]; br x2")
    assert way.state["x0"] == Initial("sp+8")
    assert way.state["sp+16"] == Sum(Initial("sp+16"), -1)
    assert (way.state.stores, way.target) == ([], X23)


def test_less_than_a_word_is_not_the_word(tmp_path: Path) -> None:
    code = "mov w0, w23; and x1, x23, #0xffff; ldrsw x2, [x25]; ldrh w3, [x25]; str w23, [sp, #8]; ldr w4, [x25]"
    (way,) = ways(tmp_path, f"{code}; mov w5, wzr; br x19")
    for name in ("x0", "x1"):
        assert way.state[name] != X23
        assert X23 in leaves(way.state[name])
    for name in ("x2", "x3", "x4"):
        assert way.state[name] != Loaded(X25)
        assert Loaded(X25) in leaves(way.state[name])
    assert way.state["sp+8"] != X23
    assert way.state["x5"] == Constant(0)


def test_what_is_not_known_comes_from_all_that_was_read(tmp_path: Path) -> None:
    code = "csel x23, x23, x25, eq; mul x1, x24, x22; ldadd x24, x2, [x25]; stxr w3, x24, [x25]; movk x19, #1, lsl #16"
    (way,) = ways(tmp_path, f"{code}; br x0")
    assert {X23, X25} <= set(leaves(way.state["x23"]))
    assert {X24, X22} <= set(leaves(way.state["x1"]))
    assert way.state["x2"] != Initial("x2")
    assert way.state["x3"] != Initial("x3")
    assert way.state["x19"] != X19
    assert way.state["x25"] == X25


def test_a_store_of_two_words_is_two_stores(tmp_path: Path) -> None:
    (way,) = ways(tmp_path, "fmov d0, x22; ins v0.d[1], x25; str q0, [x22, #80]; br x0")
    assert [address for address, _ in way.state.stores] == [Sum(X22, 80), Sum(X22, 88)]
    assert all(isinstance(value, Mixed) for _, value in way.state.stores)


def test_branches_calls_and_returns(tmp_path: Path) -> None:
    code = "cbz x0, 1f; add x23, x23, #8; br x23; 1: add x23, x23, #16; b 2f; nop; 2: tbnz x1, #3, 3f; br x23; 3: ret"
    assert {way.target for way in ways(tmp_path, code)} == {Sum(X23, 8), Sum(X23, 16)}
    assert ways(tmp_path, "cmp x0, #1; b.eq 1f; bl 1f; br x23; 1: brk #1") == []
    assert ways(tmp_path, "blr x0; br x23") == []


def test_addresses_near_the_code(tmp_path: Path) -> None:
    """The second word is `adrp x1` of the page after next, which the assembler would leave to the linker."""
    (way,) = ways(tmp_path, "adr x0, .+16; .inst 0xd0000001; add x1, x1, #8; br x0")
    assert way.target == Constant(START + 16)
    assert way.state["x1"] == Constant((START & ~0xFFF) + 0x2000 + 8)


def test_numbers_below_zero() -> None:
    assert (to_number("-0x180"), to_number("0xfffffffffffffff8"), to_number("0x10")) == (-0x180, -8, 16)


def test_the_roles_of_a_build() -> None:
    assert recover(listed(OTP_25), follower(OTP_25), 8, 0) == ROLES


def test_what_handlers_do_not_tell_is_not_made_up() -> None:
    fewer = {name: code for name, code in OTP_25.items() if not name.startswith("self")}
    with pytest.raises(Unsupported, match="process was not found"):
        recover(listed(fewer), follower(fewer), 8, 0)


def test_in_a_loop_the_place_that_stays_is_taken() -> None:
    """`put_tuple2` goes on from operand to operand in x6, and keeps I in x23."""
    points = Finder(ROLES, layout_of(25, "aarch64"), aarch64.ARGUMENTS).find(listed(OTP_25), follower(OTP_25), START)
    start = OTP_25["put_tuple2_xI"][0]
    assert points[start, False].instructions == (("x23", 0),)
    assert points[start + 0x40, False].instructions == (("x23", 0),)


def test_the_frame_address_is_told_by_the_prologue(tmp_path: Path) -> None:
    """The return address is in a register: it is stored in the frame that is counted."""
    code = "cbz w2, 1f; stp x19, x20, [sp, #-384]!; stp x21, x22, [sp, #16]; str x30, [sp, #80]; bl 1f; 1: udf #0"
    assert frame_size(assembled(tmp_path, code), START, 0) == 384
    assert frame_size(assembled(tmp_path, "sub sp, sp, #32; bl .+16"), START, 0) == 32
    assert frame_size(assembled(tmp_path, "mov x9, sp; and sp, x9, #-32; bl .+16"), START, 0) is None
    assert frame_size(assembled(tmp_path, "stp x29, x30, [sp, #-16]!; ret"), START, 0) is None
