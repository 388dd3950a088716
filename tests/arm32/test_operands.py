"""Operands that an instruction cannot have: the message names the instruction and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import AL, CONDITIONS, CS, EQ, NE
from jit.arm32.operands import asr, at, lsl, minus, post, pre, ror
from jit.arm32.registers import D0, D1, D2, D15, LR, PC, R0, R1, R2, R3, R4, S0, S1, S3, SP
from jit.arm32.relocations import External
from jit.codegen.processor import Label, OperandError

REFUSED: list[tuple[Callable[[Assembler], Any], str]] = [
    (lambda a: a.add(R0, R1, 257), "add: 257 (0x101) is no modified constant"),
    (lambda a: a.cmp(R0, -257), "cmp: -257 (0xfffffeff) is no modified constant"),
    (lambda a: a.add(R0, R1, lsl(R2, PC)), "add: Rs cannot be pc"),
    (lambda a: a.add(PC, R1, lsl(R2, R3)), "add: Rd cannot be pc"),
    (lambda a: a.subs(PC, LR, 4), "sub: returns from an exception with pc and the S bit"),
    (lambda a: a.movw(R0, 0x10000), "movw: 65536 is not in 0..65535"),
    (lambda a: a.movt(PC, 1), "movt: Rd cannot be pc"),
    (lambda a: a.lsl(R0, R1, 32), "lsl: 32 bits are not 0 to 31"),
    (lambda a: a.asr(R0, R1, 0), "asr: 0 bits are not 1 to 32"),
    (lambda a: a.ror(R0, R1, 32), "ror: 32 bits are not 1 to 31"),
    (lambda a: a.mul(R0, PC, R1), "mul: Rn cannot be pc"),
    (lambda a: a.umull(R0, R0, R1, R2), "umull: the two halves of the result need two registers"),
    (lambda a: a.sdiv(R0, R1, R2), "sdiv: needs a processor with idiv"),
    (lambda a: a.insert(R0, R1, 30, 3), "insert: 3 bits of r1 from bit 30 of r0 on"),
    (lambda a: a.extract(R0, R1, 1, 32), "extract: 32 bits of r1 from bit 1 on"),
    (lambda a: a.ubfx(R0, R1, 30, 3), "ubfx: the field ends beyond bit 31"),
    (lambda a: a.ubfx(R0, R1, 32, 1), "ubfx: lsb is 32, not in 0..31"),
    (lambda a: a.bfi(R0, R1, 30, 3), "bfi: msb is 32, not in 0..31"),
    (lambda a: a.bfc(R0, 3, 0), "bfc: the field ends before it begins"),
    (lambda a: a.uxtb(R0, R1, 4), "uxtb: the rotation 4 is not 0, 8, 16 or 24"),
    (lambda a: a.uxtb(R0, R1, 32), "uxtb: rotate is 4, not in 0..3"),
    (lambda a: a.ssat(R0, 33, R1), "ssat: sat_imm is 32, not in 0..31"),
    (lambda a: a.usat(R0, 8, ror(R1, 1)), "usat: the operand can be shifted by lsl and asr only"),
    (lambda a: a.ldr(R0, at(R1, 4096)), "ldr: the offset 4096 is not in -4095..4095"),
    (lambda a: a.strh(R0, at(R1, -256)), "strh: the offset -256 is not in -255..255"),
    (lambda a: a.ldrsb(R0, at(R1, lsl(R2, 1))), "ldrsb: the offset register cannot be shifted"),
    (lambda a: a.ldr(R0, pre(R0, 4)), "ldr: cannot write back to the register that is transferred"),
    (lambda a: a.str(R0, post(PC, 4)), "str: Rn cannot be pc"),
    (lambda a: a.ldr(R0, post(PC, 4)), "ldr: cannot write back to pc"),
    (lambda a: a.ldr(R0, at(R1, minus(PC))), "ldr: Rm cannot be pc"),
    (lambda a: a.ldrb(PC, at(R1)), "ldrb: Rt cannot be pc"),
    (lambda a: a.ldrd(R0, R2, at(R3)), "ldrd: r2 is not the register after r0"),
    (lambda a: a.ldrd(R1, R2, at(R3)), "ldrd: the first of the two registers must be even, and not lr"),
    (lambda a: a.ldrd(R0, R1, pre(R1, 8)), "ldrd: cannot write back to a register that is transferred"),
    (lambda a: a.ldrd(R0, R1, at(R4, R1)), "ldrd: the offset cannot be in a register that is loaded"),
    (lambda a: a.ldr_literal(R0, 1 << 32), "ldr: the literal 4294967296 does not fit 32 bits"),
    (lambda a: a.ldm(R0, []), "ldm: the list of registers is empty"),
    (lambda a: a.stmdb(R0, [R0, R1], writeback=True), "stmdb: cannot write back to a register of the list"),
    (lambda a: a.push(R0, SP), "push: cannot push sp"),
    (lambda a: a.pop(SP), "pop: cannot pop sp"),
    (lambda a: a.push(), "push: the list of registers is empty"),
    (lambda a: a.bx(PC), "bx: Rm cannot be pc"),
    (lambda a: a.blx(External("f"), EQ), "blx: a call of the symbol f cannot be conditional"),
    (lambda a: a.udf(1 << 16), "udf: imm12 is 4096, not in 0..4095"),
    (lambda a: a.svc(1 << 24), "svc: imm24 is 16777216, not in 0..16777215"),
    (lambda a: a.dmb("all"), "dmb: the option 'all' is none of oshst, osh, nshst, nsh, ishst, ish, st, sy"),
    (lambda a: a.strex(R0, R0, R1), "strex: the register of the result must differ from the others"),
    (lambda a: a.strexd(R1, R0, R1, R2), "strexd: the register of the result must differ from the others"),
    (lambda a: a.vldr(D0, at(R0, 1024)), "vldr: the offset 1024 is no multiple of 4 in -1020..1020"),
    (lambda a: a.vstr(D0, at(R0, 2)), "vstr: the offset 2 is no multiple of 4 in -1020..1020"),
    (lambda a: a.vldr(D0, post(R0, 4)), "vldr: the address must be a register and a constant offset"),
    (lambda a: a.vmov(D0, 0.0), "vmov: 0.0 cannot be a constant for d0"),
    (lambda a: a.vmov_from_double(R0, R0, D0), "vmov: the two halves need two registers"),
    (lambda a: a.vmov_to_half(D0, 2, R0), "vmov: the half 2 is not 0 or 1"),
    (lambda a: a.vpush([D0, D2]), "vpush: d0, d2 are not consecutive registers"),
    (lambda a: a.vpop([]), "vpop: the list of registers is empty"),
    (lambda a: a.bl(External("f", 2)), "b: the addend -6 is no multiple of 4"),
    (lambda a: a.movw(R0, External("f", 0x8000)),
     "movw, movt: the addend 32768 does not fit 16 bits (a label with a name needs none)"),
    (lambda a: a.word(1 << 32), "word: 4294967296 does not fit 32 bits"),
    (lambda a: a.add_constant(R0, R1, 1 << 32), "add: the constant 4294967296 does not fit 32 bits"),
    (lambda a: a.add_constant(R0, R1, 0x12345678, scratch=R1),
     "the constant 305419896 needs a scratch register, which cannot be the operand r1"),
]  # fmt: skip


@pytest.mark.parametrize(("attempt", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_bad_operands_are_refused_and_nothing_is_appended(attempt: Callable[[Assembler], Any], message: str) -> None:
    assembler = Assembler()
    with pytest.raises(OperandError) as refusal:
        attempt(assembler)
    assert str(refusal.value) == message
    code = assembler.finish()
    assert (code.data, code.relocations, code.mapping) == (b"", [], [])


def test_registers_of_different_kinds_are_refused_where_types_were_not_checked() -> None:
    assembler: Any = Assembler()
    with pytest.raises(OperandError, match="^vadd: the operands are not all singles or all doubles$"):
        assembler.vadd(D0, D1, S0)
    with pytest.raises(OperandError, match="^vmov: s1 and d2 are of different kinds$"):
        assembler.vmov(S1, D2)
    with pytest.raises(OperandError, match="^vpush: d15, s3 are not consecutive registers$"):
        assembler.vpush([D15, S3])


def test_every_condition_but_al_has_an_inverse() -> None:
    assert all(condition.inverse.inverse is condition for condition in CONDITIONS if condition is not AL)
    assert EQ.inverse is NE
    assert str(CS.inverse) == "cc"
    with pytest.raises(ValueError, match="the condition al has no inverse"):
        _ = AL.inverse


def test_equal_operands_are_one_object() -> None:
    assert at(R1, 4) is at(R1, 4)
    assert asr(R1, 4) is asr(R1, 4)
    assert at(R1, R4) is not at(R1, 4)


def test_a_label_far_away_is_refused() -> None:
    assembler = Assembler()
    far = Label("far")
    assembler.ldr_label(R0, far)
    assembler.data(bytes(4200))
    with pytest.raises(OperandError, match="^ldr: the label is 4196 bytes from pc, not -4095..4095$"):
        assembler.bind(far)
