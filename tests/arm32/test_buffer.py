"""Labels, literal pools, relocations and mapping symbols, looked at in words and text."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest

from jit.arm32.assembler import Assembler
from jit.arm32.buffer import FinishedCode
from jit.arm32.conditions import EQ
from jit.arm32.registers import D0, LR, PC, R0, R1, R2
from jit.arm32.relocations import R_ARM, External, Relocation
from jit.arm32.text import listing
from jit.codegen.processor import Label


def _lines(code: FinishedCode) -> list[str]:
    return [line for _, _, line in listing(code)]


def _fill(a: Assembler, count: int) -> None:
    for _ in range(count):
        a.nop()


def test_labels_before_and_after() -> None:
    a = Assembler()
    done = Label("done")
    again = a.label("again")
    a.subs(R0, R0, 1)
    a.b(done, EQ)
    a.adr(R1, again)
    a.adr(R2, done)
    a.bl(again)
    a.bind(done)
    a.bx(LR)
    code = a.finish()
    assert _lines(code) == ["subs r0, r0, #1", "beq done", "sub r1, pc, #16", "add r2, pc, #0", "bl again", "bx lr"]
    assert code.symbols == {"again": 0, "done": 20}
    assert code.relocations == []
    assert code.mapping == [(0, "$a")]


def test_labels_are_bound_once_and_names_are_unique() -> None:
    a = Assembler()
    place = a.label("place")
    with pytest.raises(ValueError, match="^place is bound already$"):
        a.bind(place)
    with pytest.raises(ValueError, match="^two labels have the name place$"):
        a.label("place")


def test_labels_that_are_used_must_be_bound() -> None:
    a = Assembler()
    a.b(Label("nowhere"))
    a.word(Label("elsewhere"))
    a.mov_address(R0, Label())
    with pytest.raises(ValueError, match="^labels used but not bound: elsewhere, nowhere$"):
        a.finish()


def test_literals_follow_the_jump_out_and_equal_ones_are_shared() -> None:
    a = Assembler()
    a.ldr_literal(R0, 0x12345678)
    a.ldr_literal(R1, External("there", 4))
    a.ldr_literal(R2, 0x12345678)
    a.vldr_literal(D0, 0.1)
    a.bx(LR)
    code = a.finish()
    low, high = struct.unpack("<II", struct.pack("<d", 0.1))
    assert _lines(code) == [
        "ldr r0, [pc, #20]", "ldr r1, [pc, #20]", "ldr r2, [pc, #12]", "vldr d0, [pc]", "bx lr",
        f".word {low:#010x}", f".word {high:#010x}", ".word 0x12345678", ".word 0x00000004",
    ]  # fmt: skip
    assert code.relocations == [Relocation(32, R_ARM.ABS32, "there", 4)]
    assert code.mapping == [(0, "$a"), (20, "$d")]


def test_zeros_of_either_sign_are_different_literals() -> None:
    a = Assembler()
    a.vldr_literal(D0, 0.0)
    a.vldr_literal(D0, -0.0)
    assert struct.unpack("<4I", a.finish().data[8:]) == (0, 0, 0, 1 << 31)


def test_a_pool_is_jumped_over_before_its_first_load_cannot_reach_it() -> None:
    a = Assembler()
    a.ldr_literal(R0, 0xABCDEF01)
    _fill(a, 1500)
    lines = _lines(a.finish())
    [pool] = [index for index, line in enumerate(lines) if line == ".word 0xabcdef01"]
    assert lines[pool - 1] == f"b {4 * pool + 4:#x}"
    assert lines[0] == f"ldr r0, [pc, #{4 * pool - 8}]"
    assert 900 < pool < 1026
    assert lines.count("nop") == len(lines) - 3


def test_a_pool_waits_for_a_jump_out_only_until_one_comes() -> None:
    a = Assembler()
    a.ldr_literal(R0, 0xABCDEF01)
    _fill(a, 300)
    a.pop(R1, PC)
    a.nop()
    lines = _lines(a.finish())
    assert lines[301:] == ["pop {r1, pc}", ".word 0xabcdef01", "nop"]


def test_a_literal_placed_before_is_used_again_while_near() -> None:
    a = Assembler()
    a.ldr_literal(R0, 0xABCDEF01)
    a.bx(LR)
    a.place_pool()
    a.ldr_literal(R1, 0xABCDEF01)
    _fill(a, 1100)
    a.ldr_literal(R2, 0xABCDEF01)
    lines = _lines(a.finish())
    assert lines[:4] == ["ldr r0, [pc]", "bx lr", ".word 0xabcdef01", "ldr r1, [pc, #-12]"]
    assert lines[-2:] == ["ldr r2, [pc, #-4]", ".word 0xabcdef01"]


@pytest.mark.parametrize("seed", range(20))
def test_every_literal_load_finds_its_value(seed: int) -> None:
    """Loads of words and doubles, jumps out, plain instructions and blocks kept together, in any order."""
    chance = random.Random(seed)
    # From mostly loads to mostly others, with and without the seldom ones.
    weights = [chance.choice((1, 10)), *(chance.choice((0, 1)) for _ in range(3)), chance.choice((1, 10, 100))]
    a = Assembler()
    expected: dict[int, tuple[int, ...]] = {}
    together: list[tuple[int, int]] = []
    for step in chance.choices(["word", "double", "jump", "together", "other"], weights, k=6000):
        value = 0x1000_0000 + chance.randrange(3000)
        if step == "word":
            a.ldr_literal(R0, value)
            expected[_last_load(a)] = (value,)
        elif step == "double":
            a.vldr_literal(D0, value + 0.5)
            expected[_last_load(a)] = struct.unpack("<2I", struct.pack("<d", value + 0.5))
        elif step == "jump":
            a.bx(LR)
        elif step == "together":
            a.together(20)
            together.append((a.offset, a.offset + 80))
            _fill(a, 20)
        else:
            a.add(R1, R1, 1)
    code = a.finish()
    words = [word for (word,) in struct.iter_unpack("<I", code.data)]
    for place, values in expected.items():
        offset = words[place] & 0xFFF if len(values) == 1 else (words[place] & 0xFF) * 4
        target = place + 2 + (offset if words[place] >> 23 & 1 else -offset) // 4
        assert tuple(words[target : target + len(values)]) == values
    data = [offset for offset, kind in code.mapping if kind == "$d"]
    assert len(data) > 1
    assert not [place for place in data for start, end in together if start < place < end]


def _last_load(a: Assembler) -> int:
    """The index of the load just appended, after which a pool may have been placed."""
    words = a._words
    return next(index for index in reversed(range(len(words))) if _is_literal_load(words[index]))


def _is_literal_load(word: int) -> bool:
    return word & 0xFF7F_0000 == 0xE51F_0000 or word & 0xFF3F_0F00 == 0xED1F_0B00


@pytest.mark.parametrize("load", [lambda a: a.ldr_literal(R0, 1), lambda a: a.vldr_literal(D0, 0.1)])
@pytest.mark.parametrize("burst", [0, 1, 10])
def test_literals_stay_in_reach_when_more_come_late(load: Callable[[Assembler], None], burst: int) -> None:
    """A pool that is placed too late raises OperandError."""
    for waiting in (*range(220, 260), *range(960, 1030)):
        a = Assembler()
        load(a)
        _fill(a, waiting)
        for number in range(burst):
            a.vldr_literal(D0, number + 0.3)
        _fill(a, 100)
        assert len([line for line in _lines(a.finish()) if line.startswith(".word")]) >= 1 + 2 * burst


@pytest.mark.parametrize("load", [lambda a: a.ldr_literal(R0, 1), lambda a: a.vldr_literal(D0, 0.1)])
def test_words_kept_together_may_all_load_literals(load: Callable[[Assembler], None]) -> None:
    """Each of them brings the place nearer where the pool must be: if need be, that is before them."""
    for waiting in (*range(150, 260), *range(900, 1030)):
        a = Assembler()
        load(a)
        _fill(a, waiting)
        a.together(20)
        start = a.offset
        for number in range(20):
            a.vldr_literal(D0, number + 0.3)
        assert a.offset == start + 4 * 20
        a.finish()


@pytest.mark.parametrize("load", [lambda a: a.ldr_literal(R0, 1), lambda a: a.vldr_literal(D0, 0.1)])
def test_a_literal_just_out_of_reach_behind_is_placed_again(load: Callable[[Assembler], None]) -> None:
    copies = set()
    for distance in (*range(250, 260), *range(1015, 1030)):
        a = Assembler()
        load(a)
        a.place_pool()
        _fill(a, distance)
        load(a)
        copies.add([kind for _, kind in a.finish().mapping].count("$d"))
    assert copies == {1, 2}


def test_a_table_of_jumps_is_not_taken_for_places_for_a_pool() -> None:
    a = Assembler()
    case = a.label("case")
    a.ldr_literal(R0, 0x12345678)
    _fill(a, 300)
    a.together(3)
    for _ in range(3):
        a.b(case)
    a.b(case)
    assert _lines(a.finish())[301:] == [*["b case"] * 3, ".word 0x12345678", "b case"]


def test_words_kept_together_are_refused_when_no_pool_can_wait_for_them() -> None:
    a = Assembler()
    a.together(2000)
    a.ldr_literal(R0, 0x12345678)
    with pytest.raises(ValueError, match="a literal pool would interrupt words kept together"):
        _fill(a, 2000)


def test_data_that_would_put_literals_out_of_reach_is_refused_unless_announced() -> None:
    a = Assembler()
    a.ldr_literal(R0, 0x12345678)
    with pytest.raises(ValueError, match="1250 words of data put literals out of reach"):
        a.data(bytes(5000))
    a.together(1250)
    table = a.label()
    a.data(bytes(5000))
    assert table.offset == 12  # after the load, a jump and the literal


def test_tables_of_distances_and_addresses() -> None:
    a = Assembler()
    here, there = a.label("here"), Label()
    a.nop()
    a.distance(there, here)
    a.distance(here, here)
    a.word(there)
    a.word(-1)
    a.data(b"abcde")
    a.bind(there)
    a.nop()
    code = a.finish()
    assert _lines(code)[1:-1] == [
        ".word 0x0000001c", ".word 0x00000000", ".word 0x0000001c", ".word 0xffffffff", ".word 0x64636261",
        ".word 0x00000065",
    ]  # fmt: skip
    assert code.relocations == [Relocation(12, R_ARM.ABS32, None, 28)]
    assert code.mapping == [(0, "$a"), (4, "$d"), (28, "$a")]


def test_alignment() -> None:
    a = Assembler()
    a.bx(LR)
    a.align(16)
    a.align(16)
    assert a.offset == 16
    with pytest.raises(ValueError, match="align: 24 is not a power of two"):
        a.align(24)


def test_relocations_as_rel_and_as_rela() -> None:
    """The addend is in the field, and said: that of a branch counts from pc."""
    a = Assembler()
    a.bl(External("f"))
    a.bl(External("f", 8), EQ)
    a.b(External("g"))
    a.blx(External("h"))
    a.mov_address(R0, External("data", -3))
    a.word(External("data", 0x12345))
    code = a.finish()
    assert code.relocations == [
        Relocation(0, R_ARM.CALL, "f", -8),
        Relocation(4, R_ARM.JUMP24, "f", 0),
        Relocation(8, R_ARM.JUMP24, "g", -8),
        Relocation(12, R_ARM.CALL, "h", -8),
        Relocation(16, R_ARM.MOVW_ABS_NC, "data", -3),
        Relocation(20, R_ARM.MOVT_ABS, "data", -3),
        Relocation(24, R_ARM.ABS32, "data", 0x12345),
    ]
    assert _lines(code) == [
        "bl 0x0", "bleq 0xc", "b 0x8", "blx 0xc", "movw r0, #65533", "movt r0, #65533", ".word 0x00012345",
    ]  # fmt: skip


def test_addresses_of_labels_are_relocated_by_name_or_from_the_start() -> None:
    a = Assembler()
    a.nop()
    named, unnamed = Label("named"), Label()
    a.mov_address(R0, named)
    a.mov_address(R1, unnamed)
    a.bind(named)
    a.bind(unnamed)
    a.nop()
    code = a.finish()
    assert [(relocation.symbol, relocation.addend) for relocation in code.relocations] == [
        ("named", 0), ("named", 0), (None, 20), (None, 20),
    ]  # fmt: skip
    assert _lines(code)[3:5] == ["movw r1, #20", "movt r1, #20"]
