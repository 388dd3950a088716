"""What instructions of 32-bit ARM do, as formulas; the code is assembled by GNU as."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from beamgdb.interpreter.symbolic import arm32
from beamgdb.interpreter.symbolic.paths import Follower
from beamgdb.interpreter.symbolic.paths import Path as Way
from beamgdb.interpreter.symbolic.values import Constant, Initial, Loaded, Mixed, Sum, Value, leaves

START = 0x1000
R4, R7, R8 = Initial("r4"), Initial("r7"), Initial("r8")


def ways(tmp_path: Path, text: str, thumb: bool) -> list[Way]:
    """All ways through the code to a computed jump."""
    source, assembled, raw = tmp_path / "a.s", tmp_path / "a.o", tmp_path / "a.bin"
    source.write_text(f".syntax unified\n.{'thumb' if thumb else 'arm'}\n{text}\n")
    subprocess.run(["arm-linux-gnueabihf-as", "-march=armv7-a", "-o", assembled, source], check=True)
    subprocess.run(["arm-linux-gnueabihf-objcopy", "-O", "binary", "-j", ".text", assembled, raw], check=True)
    code = raw.read_bytes() + bytes(256)
    follower = Follower(lambda address, size: code[address - START : address - START + size], arm32.Arm32(thumb))
    return list(follower.paths(START))


@pytest.fixture(params=[True, False], ids=["Thumb", "A32"])
def thumb(request: pytest.FixtureRequest) -> bool:
    assert isinstance(request.param, bool)
    return request.param


def test_loads_and_stores_move_the_base_register_when_they_say_so(tmp_path: Path, thumb: bool) -> None:
    code = "ldr r5, [r4, #8]!; str r5, [r7], #4; ldr r3, [r4, #-4]; ldrd r0, r1, [r7]; bx r3"
    (way,) = ways(tmp_path, code, thumb)
    assert way.state["r4"] == Sum(R4, 8)
    assert way.state["r5"] == Loaded(Sum(R4, 8))
    assert way.state["r7"] == Sum(R7, 4)
    assert way.state.stores == [(R7, Loaded(Sum(R4, 8)))]
    assert way.target == Loaded(Sum(R4, 4))
    assert (way.state["r0"], way.state["r1"]) == (Loaded(Sum(R7, 4)), Loaded(Sum(R7, 8)))


def test_sums_are_added_up(tmp_path: Path, thumb: bool) -> None:
    code = "mov r3, #12; add r5, r4, r3; subs r5, #8; adds r5, r5, #1; mov pc, r5"
    (way,) = ways(tmp_path, code, thumb)
    assert way.state["r5"] == Sum(R4, 5)
    assert way.state["r3"] == Constant(12)


def test_an_index_is_kept_with_its_base(tmp_path: Path, thumb: bool) -> None:
    (way,) = ways(tmp_path, "ldr r3, [r4, #4]; str r5, [r8, r3]; ldr pc, [r4, #8]", thumb)
    ((address, value),) = way.state.stores
    assert address == Mixed((R8, Loaded(Sum(R4, 4))))
    assert value == Initial("r5")
    assert way.target == Loaded(Sum(R4, 8))


def test_slots_of_the_stack_frame_are_places(tmp_path: Path, thumb: bool) -> None:
    (way,) = ways(tmp_path, "ldr r3, [sp, #20]; str r4, [sp, #24]; ldr r5, [sp, #24]; bx r5", thumb)
    assert way.state["r3"] == Initial("sp+20")
    assert way.state["sp+24"] == R4
    assert way.target == R4
    assert way.state.stores == []


def test_both_ways_of_a_branch_are_followed(tmp_path: Path, thumb: bool) -> None:
    code = "cmp r3, #0; beq 1f; add r4, #4; bx r4; 1: add r4, #8; b 2f; nop; 2: bx r4"
    assert {way.target for way in ways(tmp_path, code, thumb)} == {Sum(R4, 4), Sum(R4, 8)}


def test_what_happens_on_a_condition_only_is_not_known(tmp_path: Path) -> None:
    (way,) = ways(tmp_path, "cmp r3, #0; ite eq; moveq r4, #1; addne r7, #4; bx r5", thumb=True)
    for register in ("r4", "r7"):
        value: Value = way.state[register]
        assert isinstance(value, Mixed)
        assert Initial(register) in leaves(value)


def test_conditions_hold_where_code_is_decoded_piece_by_piece(tmp_path: Path) -> None:
    """However far the IT instruction is from the start, what follows it stays conditional."""
    for count in range(40, 70):
        code = "nop; " * count + "cmp r3, #0; itt eq; addeq r4, r4, r5; moveq r7, #1; bx r5"
        (way,) = ways(tmp_path, code, thumb=True)
        assert way.state["r7"] != Constant(1)


def test_a_way_that_calls_is_none(tmp_path: Path, thumb: bool) -> None:
    assert ways(tmp_path, "1: bl 1b; bx r4", thumb) == []
    assert ways(tmp_path, "blx r3; bx r4", thumb) == []


def test_a_return_is_no_way_to_a_handler(tmp_path: Path, thumb: bool) -> None:
    assert ways(tmp_path, "bx lr", thumb) == []
    assert ways(tmp_path, "pop {r4, pc}", thumb) == []


def test_an_endless_loop_ends(tmp_path: Path, thumb: bool) -> None:
    assert ways(tmp_path, "1: add r4, #4; cmp r4, r5; bne 1b; b 1b", thumb) == []


def test_registers_have_the_names_that_gdb_gives_them(tmp_path: Path, thumb: bool) -> None:
    (way,) = ways(tmp_path, "mov r9, #1; mov r10, #2; mov r11, #3; mov r12, #4; bx r4", thumb)
    assert [way.state[f"r{number}"] for number in (9, 10, 11, 12)] == [Constant(value) for value in (1, 2, 3, 4)]
