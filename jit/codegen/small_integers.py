"""Which values are immediate integers: what is known of them, and code that looks."""

from __future__ import annotations

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, NE
from jit.arm32.labels import Label
from jit.arm32.registers import Register
from jit.beam.operands import Operand
from jit.beam.types import Kind, Type
from jit.codegen import machine
from jit.codegen.emission import Emission


def is_small(type: Type) -> bool:
    """Whether a value is sure to be an immediate integer."""
    return (
        type.is_only(Kind.INTEGER)
        and type.lowest is not None
        and type.highest is not None
        and machine.is_small(type.lowest)
        and machine.is_small(type.highest)
    )


def bounds(type: Type) -> tuple[int, int]:
    """The least and the greatest value of what is an immediate integer."""
    least, most = machine.SMALLEST, machine.GREATEST
    lowest, highest = type.lowest, type.highest
    return least if lowest is None else max(lowest, least), most if highest is None else min(highest, most)


def make_small(a: Assembler, target: Register, source: Register) -> None:
    """target = the term of the integer in source, which fits."""
    a.lsl(target, source, machine.SMALL_BITS)
    a.orr(target, target, machine.SMALL_TAG)


def check_small(a: Assembler, register: Register, scratch: Register, otherwise: Label) -> None:
    """Go to *otherwise* unless a register holds an immediate integer."""
    a.and_(scratch, register, machine.SMALL_TAG)
    a.cmp(scratch, machine.SMALL_TAG)
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
        if register is not None and not is_small(e.type(operand))
    ]
    if not unknown:
        return False
    integers = all(type.is_only(Kind.INTEGER) for type, _ in unknown)
    register = unknown[0][1]
    if len(unknown) == 2:
        e.a.and_(scratch, register, unknown[1][1])
        register = scratch
    if integers:
        e.a.tst(register, machine.NOT_BOXED)
        e.a.b(otherwise, EQ)
    else:
        check_small(e.a, register, scratch, otherwise)
    return True
