"""Code that looks whether values are immediate integers, and makes such."""

from __future__ import annotations

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, NE
from jit.arm32.registers import Register
from jit.beam.operands import Operand
from jit.beam.types import TypeKind
from jit.codegen.processor import Label
from jit.erts.arm32.conventions import SMALLS
from jit.erts.arm32.emission import Emission
from jit.otp import tags


def make_small(a: Assembler, target: Register, source: Register) -> None:
    """target = the term of the integer in source, which fits."""
    a.lsl(target, source, tags.IMMED1_BITS)
    a.orr(target, target, tags.SMALL)


def check_small(a: Assembler, register: Register, scratch: Register, otherwise: Label) -> None:
    """Go to *otherwise* unless a register holds an immediate integer."""
    a.and_(scratch, register, tags.SMALL)
    a.cmp(scratch, tags.SMALL)
    a.b(otherwise, NE)


def check_smalls(
    e: Emission,
    one: tuple[Operand, Register],
    other: tuple[Operand, Register | None],
    scratch: Register,
    otherwise: Label,
) -> bool:
    """Go to *otherwise* unless two operands are immediate integers; whether there is anything to check.

    Each comes with the register that holds it, or None for a constant that is one.
    """
    unknown = [
        (e.type(operand), register)
        for operand, register in (one, other)
        if register is not None and not SMALLS.have_all(e.type(operand))
    ]
    if not unknown:
        return False
    integers = all(type.is_only(TypeKind.INTEGER) for type, _ in unknown)
    register = unknown[0][1]
    if len(unknown) == 2:
        e.a.and_(scratch, register, unknown[1][1])
        register = scratch
    if integers:
        e.a.tst(register, tags.NOT_BOXED)
        e.a.b(otherwise, EQ)
    else:
        check_small(e.a, register, scratch, otherwise)
    return True
