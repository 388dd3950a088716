"""Tests of what a term is: control goes to the fail label unless it is what is asked.

What the compiler knows of a value leaves out parts of a test, or all of it.
"""

from __future__ import annotations

from jit.arm32.conditions import EQ, NE
from jit.arm32.labels import Label
from jit.arm32.operands import at
from jit.arm32.registers import R0, R1, R2, R12, SP, Register
from jit.arm32.relocations import External
from jit.beam.operands import Operand
from jit.beam.types import Kind
from jit.codegen import machine
from jit.codegen.cache import Keeps
from jit.codegen.common import element_offset
from jit.codegen.emission import Emission
from jit.codegen.emitters import Emitter, emits
from jit.codegen.machine import WORD
from jit.codegen.small_integers import check_small


@emits("is_nil", keeps=Keeps.ALL)
def is_nil(e: Emission, fail: Operand, source: Operand) -> None:
    e.a.cmp_constant(e.value(source, R0), machine.NIL_WORD)
    e.a.b(e.failure(fail), NE)


@emits("is_atom", keeps=Keeps.ALL)
def is_atom(e: Emission, fail: Operand, source: Operand) -> None:
    if e.type(source).is_only(Kind.ATOM):
        return
    e.a.and_(R1, e.value(source, R0), machine.IMMEDIATE2_MASK)
    e.a.cmp(R1, machine.ATOM_TAG)
    e.a.b(e.failure(fail), NE)


@emits("is_boolean", keeps=Keeps.ALL)
def is_boolean(e: Emission, fail: Operand, source: Operand) -> None:
    check_boolean(e, e.value(source, R0), e.failure(fail))


@emits("is_nonempty_list", keeps=Keeps.ALL)
def is_nonempty_list(e: Emission, fail: Operand, source: Operand) -> None:
    check_cons(e, source, e.value(source, R0), e.failure(fail))


@emits("is_list", keeps=Keeps.ALL)
def is_list(e: Emission, fail: Operand, source: Operand) -> None:
    if e.type(source).is_only(Kind.LIST):
        return
    register = e.value(source, R0)
    e.a.cmp(register, machine.NIL_WORD)
    e.a.tst(register, machine.NOT_LIST, NE)
    e.a.b(e.failure(fail), NE)


@emits("is_integer", keeps=Keeps.ALL)
def is_integer(e: Emission, fail: Operand, source: Operand) -> None:
    if e.type(source).is_only(Kind.INTEGER):
        return
    register = e.value(source, R0)
    no_small, yes = Label(), Label()
    check_small(e.a, register, R1, no_small)
    e.a.bind(yes)
    failure = e.failure(fail)

    def cold() -> None:
        e.a.bind(no_small)
        compare_header(e, register, machine.BIGNUM_HEADER, machine.HEADER_MASK & ~machine.BIGNUM_SIGN)
        e.a.b(yes, EQ)
        e.a.b(failure)

    e.cold(cold)


@emits("is_tuple", keeps=Keeps.ALL)
def is_tuple(e: Emission, fail: Operand, source: Operand) -> None:
    check_tuple(e, source, e.value(source, R0), e.failure(fail))


@emits("is_float", keeps=Keeps.ALL)
def is_float(e: Emission, fail: Operand, source: Operand) -> None:
    if not e.type(source).is_only(Kind.FLOAT):
        compare_header(e, e.value(source, R0), machine.FLOAT_HEADER, machine.HEADER_MASK)
        e.a.b(e.failure(fail), NE)


@emits("is_map", keeps=Keeps.ALL)
def is_map(e: Emission, fail: Operand, source: Operand) -> None:
    check_map(e, source, e.value(source, R0), e.failure(fail))


@emits("test_arity", keeps=Keeps.ALL)
def test_arity(e: Emission, fail: Operand, source: Operand, arity: int) -> None:
    e.a.ldr(R1, at(e.value(source, R0), -machine.BOXED_TAG))
    e.a.cmp_constant(R1, machine.tuple_header(arity))
    e.a.b(e.failure(fail), NE)


@emits("is_tagged_tuple", keeps=Keeps.ALL)
def is_tagged_tuple(e: Emission, fail: Operand, source: Operand, arity: int, tag: Operand) -> None:
    register = e.value(source, R0)
    if e.type(source).is_only(Kind.TUPLE):
        e.a.ldr(R1, at(register, -machine.BOXED_TAG))
        e.a.cmp_constant(R1, machine.tuple_header(arity))
    else:
        e.a.tst(register, machine.NOT_BOXED)
        e.a.ldr(R1, at(register, -machine.BOXED_TAG), EQ)
        e.a.cmp_constant(R1, machine.tuple_header(arity), EQ)
    failure = e.failure(fail)
    e.a.b(failure, NE)
    tag_register = e.value(tag, R2)
    e.a.ldr(R1, at(register, element_offset(0)))
    e.a.cmp(R1, tag_register)
    e.a.b(failure, NE)


def check_boolean(e: Emission, register: Register, otherwise: Label) -> None:
    """Go to *otherwise* unless the register has true or false."""
    e.a.bic(R2, register, machine.TRUE ^ machine.FALSE)
    e.a.cmp(R2, machine.FALSE)
    e.a.b(otherwise, NE)


def check_cons(e: Emission, operand: Operand, register: Register, otherwise: Label) -> None:
    """Go to *otherwise* unless the register has a list that is not empty."""
    if not e.type(operand).is_only(Kind.CONS):
        e.a.tst(register, machine.NOT_LIST)
        e.a.b(otherwise, NE)


def check_map(e: Emission, operand: Operand, register: Register, otherwise: Label) -> None:
    """Go to *otherwise* unless the register has a map."""
    if not e.type(operand).is_only(Kind.MAP):
        compare_header(e, register, e.shared.layout.map_header, machine.HEADER_MASK)
        e.a.b(otherwise, NE)


def check_tuple(e: Emission, operand: Operand, register: Register, otherwise: Label) -> None:
    """Go to *otherwise* unless the register has a tuple."""
    if not e.type(operand).is_only(Kind.TUPLE):
        compare_header(e, register, machine.TUPLE_HEADER, machine.HEADER_MASK)
        e.a.b(otherwise, NE)


def compare_header(e: Emission, register: Register, header: int, mask: int) -> None:
    """The flags of: is it a boxed term with such a header?"""
    e.a.tst(register, machine.NOT_BOXED)
    e.a.ldr(R1, at(register, -machine.BOXED_TAG), EQ)
    if header:
        e.a.and_(R1, R1, mask, EQ)
        e.a.cmp(R1, header, EQ)
    else:
        e.a.tst(R1, mask, EQ)


def by_bif(name: str) -> Emitter:
    """A test that a BIF of the VM makes, such as is_binary_1."""

    def test(e: Emission, fail: Operand, *arguments: Operand) -> None:
        for number, argument in enumerate(arguments):
            e.a.str(e.value(argument, R0), at(SP, machine.ARGUMENTS + WORD * number))
        e.a.ldr_literal(R12, External(f"{name}_{len(arguments)}"))
        e.a.bl(e.shared.fragments["guard_bif"])
        e.a.cmp(R0, machine.TRUE)
        e.a.b(e.failure(fail), NE)

    return test


for _test, _bif in {
    "is_binary": "is_binary",
    "is_bitstr": "is_bitstring",
    "is_number": "is_number",
    "is_pid": "is_pid",
    "is_port": "is_port",
    "is_reference": "is_reference",
}.items():
    emits(_test, keeps=Keeps.ALL)(by_bif(_bif))
