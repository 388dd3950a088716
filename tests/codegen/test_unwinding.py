"""Frames, worked out from machine code, of fragments that are written here by hand."""

from __future__ import annotations

import struct

import pytest

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ
from jit.arm32.labels import Label
from jit.arm32.operands import at
from jit.arm32.registers import LR, PC, R0, R4, R5, R12, SP, Register
from jit.codegen import unwinding
from jit.codegen.machine import RETURN
from jit.codegen.unwinding import CALLED, INSIDE, Frame, follow


def words(a: Assembler) -> list[int]:
    return [word for (word,) in struct.iter_unpack("<I", a.finish().data)]


def test_return_address_is_saved_in_the_frame_outside() -> None:
    a = Assembler()
    a.mov(R0, 0)
    a.str(LR, at(SP, RETURN))
    a.blx(R12)
    a.ldr(PC, at(SP, RETURN))
    saved = Frame(0, {unwinding.LR: RETURN})
    assert follow(words(a), CALLED) == [CALLED, CALLED, saved, saved]


def test_pushes_and_room() -> None:
    a = Assembler()
    a.push(R4, R5, LR)
    a.sub(SP, SP, 20)
    a.blx(R12)
    a.add(SP, SP, 20)
    a.pop(R4, R5, PC)
    saved = {4: -12, 5: -8, unwinding.LR: -4}
    pushed, inner = Frame(12, saved), Frame(32, saved)
    assert follow(words(a), CALLED) == [CALLED, pushed, inner, inner, pushed]


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
    saved = Frame(0, {unwinding.LR: RETURN})
    assert follow(words(a), CALLED) == [CALLED, CALLED, CALLED, saved, saved, CALLED]


def test_inside_nothing_changes() -> None:
    a = Assembler()
    a.blx(R12)
    a.ldr(PC, at(SP, RETURN))
    assert follow(words(a), INSIDE) == [INSIDE, INSIDE]


@pytest.mark.parametrize("register", [R4, LR])
def test_one_register(register: Register) -> None:
    a = Assembler()
    a.push(register)
    a.pop(register)
    a.bx(LR)
    number = 4 if register is R4 else unwinding.LR
    assert follow(words(a), CALLED) == [CALLED, Frame(4, {number: -4}), CALLED]
