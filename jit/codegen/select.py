"""Selections by value or by the size of a tuple."""

from __future__ import annotations

from typing import Any

from jit.arm32.conditions import EQ, NE
from jit.arm32.operands import at
from jit.arm32.registers import R0, R1
from jit.beam.operands import Label as BeamLabel
from jit.beam.operands import Operand
from jit.beam.terms import Atom
from jit.codegen import machine
from jit.codegen.emission import Emission, Unsupported, immediate
from jit.codegen.emitters import emits


@emits("select_val")
def select_val(e: Emission, source: Operand, fail: BeamLabel, cases: tuple[Any, ...]) -> None:
    e.load(source, R0)
    for value, target in zip(cases[::2], cases[1::2]):
        word = immediate(value)
        if word is not None:
            e.a.cmp_constant(R0, word)
        elif isinstance(value, Atom):
            e.a.cmp(R0, e.load(value, R1))
        else:
            raise Unsupported(f"selection of {value}")
        e.a.b(e.label(target.number), EQ)
    e.a.b(e.failure(fail))


@emits("select_tuple_arity")
def select_tuple_arity(e: Emission, source: Operand, fail: BeamLabel, cases: tuple[Any, ...]) -> None:
    e.load(source, R0)
    e.a.and_(R1, R0, machine.PRIMARY_MASK)
    e.a.cmp(R1, machine.BOXED_TAG)
    e.a.b(e.failure(fail), NE)
    e.a.ldr(R0, at(R0, -machine.BOXED_TAG))
    for arity, target in zip(cases[::2], cases[1::2]):
        e.a.cmp_constant(R0, arity << machine.HEADER_BITS | machine.TUPLE_HEADER)
        e.a.b(e.label(target.number), EQ)
    e.a.b(e.failure(fail))
