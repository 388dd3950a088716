"""Frames, worked out from what the assembler records, of fragments that are written here by hand."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter

import pytest

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ
from jit.arm32.operands import at
from jit.arm32.registers import LR, PC, R0, R4, R5, R12, SP, Register
from jit.codegen.processor import Label
from jit.codegen.unwinding import Frame, Stretch, follow, keeps_return_address
from jit.erts.arm32.conventions import RETURN
from jit.erts.arm32.frames import CALLED, INSIDE


def frames(a: Assembler, begins: Frame) -> list[Frame]:
    """The frame before each instruction."""
    code = a.finish()
    rows = follow(Stretch(0, len(code.data), begins), code.events)
    assert all(one != other for (_, one), (_, other) in zip(rows, rows[1:]))
    return [rows[bisect_right(rows, at, key=itemgetter(0)) - 1][1] for at in range(0, len(code.data), 4)]


def test_return_address_is_saved_in_the_frame_outside() -> None:
    a = Assembler()
    a.mov(R0, 0)
    a.str(LR, at(SP, RETURN))
    a.blx(R12)
    a.ldr(PC, at(SP, RETURN))
    saved = Frame(0, {LR.number: RETURN})
    assert frames(a, CALLED) == [CALLED, CALLED, saved, saved]


def test_pushes_and_room() -> None:
    a = Assembler()
    a.push(R4, R5, LR)
    a.sub(SP, SP, 20)
    a.blx(R12)
    a.add(SP, SP, 20)
    a.pop(R4, R5, PC)
    saved = {4: -12, 5: -8, LR.number: -4}
    pushed, inner = Frame(12, saved), Frame(32, saved)
    assert frames(a, CALLED) == [CALLED, pushed, inner, inner, pushed]


def test_each_way_has_its_own_frame() -> None:
    """What is behind a return is reached from before the return address was saved."""
    a, other = Assembler(), Label()
    a.cmp(R0, 0)
    a.b(other, EQ)
    a.str(LR, at(SP, RETURN))
    a.blx(R12)
    a.ldr(PC, at(SP, RETURN))
    a.bind(other)
    a.bx(LR)
    saved = Frame(0, {LR.number: RETURN})
    assert frames(a, CALLED) == [CALLED, CALLED, CALLED, saved, saved, CALLED]


def test_inside_nothing_changes() -> None:
    a = Assembler()
    a.blx(R12)
    a.ldr(PC, at(SP, RETURN))
    assert frames(a, INSIDE) == [INSIDE, INSIDE]


@pytest.mark.parametrize("register", [R4, LR])
def test_one_register(register: Register) -> None:
    a = Assembler()
    a.push(register)
    a.pop(register)
    a.bx(LR)
    number = 4 if register is R4 else LR.number
    assert frames(a, CALLED) == [CALLED, Frame(4, {number: -4}), CALLED]


def test_a_register_is_restored_only_from_where_it_was_saved() -> None:
    """Something else is popped into r4, which is still saved then."""
    a = Assembler()
    a.push(R4, LR)
    a.sub(SP, SP, 4)
    a.pop(R4)
    a.blx(R12)
    a.pop(R4, PC)
    saved = {4: -8, LR.number: -4}
    pushed, inner = Frame(8, saved), Frame(12, saved)
    assert frames(a, CALLED) == [CALLED, pushed, inner, pushed, pushed]


def test_what_is_never_reached_is_as_before_it() -> None:
    """Data, and code that nothing in the fragment goes to."""
    a = Assembler()
    a.push(R4, LR)
    a.pop(R4, PC)
    a.word(0xE92D_4010)  # as an instruction, it would push again
    a.push(R4, LR)
    pushed = Frame(8, {4: -8, LR.number: -4})
    assert frames(a, CALLED) == [CALLED, pushed, pushed, pushed]


def test_a_pool_that_is_jumped_over() -> None:
    """Literals amidst code: control goes on behind them as it was."""
    a = Assembler()
    a.push(R4, LR)
    for number in range(1200):
        a.ldr_literal(R0, 0x1234_0000 + number)
    a.pop(R4, PC)
    pushed = Frame(8, {4: -8, LR.number: -4})
    found = frames(a, CALLED)
    assert found == [CALLED] + [pushed] * (len(found) - 1)


def test_a_call_while_the_return_address_is_in_lr_loses_it() -> None:
    def kept(*, saves: bool) -> bool:
        a, other = Assembler(), Label()
        if saves:
            a.str(LR, at(SP, RETURN))
        a.bl(other)
        a.bind(other)
        a.bx(R0)
        return keeps_return_address(Stretch(0, a.offset, CALLED), a.finish().events, LR.number)

    assert kept(saves=True)
    assert not kept(saves=False)
