"""Tests of what a term is: control goes to the fail label unless it is what is asked.

What the compiler knows of a value leaves out parts of a test, or all of it.
"""

from __future__ import annotations

from jit.arm32.conditions import EQ, NE
from jit.arm32.operands import at
from jit.arm32.registers import R0, R1, R2, R12, SP, Register
from jit.arm32.relocations import External
from jit.beam.operands import Operand
from jit.beam.types import TypeKind
from jit.codegen.cache import Keeps
from jit.codegen.processor import Label
from jit.codegen.runtime import Emitter
from jit.erts.arm32 import conventions
from jit.erts.arm32.common import element_offset
from jit.erts.arm32.conventions import WORD
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.small_integers import check_small
from jit.otp import tags


@emits("is_nil", keeps=Keeps.ALL)
def is_nil(e: Emission, fail: Operand, source: Operand) -> None:
    e.a.cmp_constant(e.value(source, R0), tags.NIL)
    e.a.b(e.failure(fail), NE)


@emits("is_atom", keeps=Keeps.ALL)
def is_atom(e: Emission, fail: Operand, source: Operand) -> None:
    if e.type(source).is_only(TypeKind.ATOM):
        return
    e.a.and_(R1, e.value(source, R0), tags.IMMED2_MASK)
    e.a.cmp(R1, tags.ATOM)
    e.a.b(e.failure(fail), NE)


@emits("is_boolean", keeps=Keeps.ALL)
def is_boolean(e: Emission, fail: Operand, source: Operand) -> None:
    check_boolean(e, e.value(source, R0), e.failure(fail))


@emits("is_nonempty_list", keeps=Keeps.ALL)
def is_nonempty_list(e: Emission, fail: Operand, source: Operand) -> None:
    check_cons(e, source, e.value(source, R0), e.failure(fail))


@emits("is_list", keeps=Keeps.ALL)
def is_list(e: Emission, fail: Operand, source: Operand) -> None:
    if e.type(source).is_only(TypeKind.LIST):
        return
    register = e.value(source, R0)
    e.a.cmp(register, tags.NIL)
    e.a.tst(register, tags.NOT_CONS, NE)
    e.a.b(e.failure(fail), NE)


@emits("is_integer", keeps=Keeps.ALL)
def is_integer(e: Emission, fail: Operand, source: Operand) -> None:
    if e.type(source).is_only(TypeKind.INTEGER):
        return
    register = e.value(source, R0)
    no_small, yes = Label(), Label()
    check_small(e.a, register, R1, no_small)
    e.a.bind(yes)
    failure = e.failure(fail)

    def cold() -> None:
        e.a.bind(no_small)
        compare_header(e, register, tags.BIG_HEADER, tags.HEADER_MASK & ~tags.BIG_SIGN)
        e.a.b(yes, EQ)
        e.a.b(failure)

    e.cold(cold)


@emits("is_tuple", keeps=Keeps.ALL)
def is_tuple(e: Emission, fail: Operand, source: Operand) -> None:
    check_tuple(e, source, e.value(source, R0), e.failure(fail))


@emits("is_float", keeps=Keeps.ALL)
def is_float(e: Emission, fail: Operand, source: Operand) -> None:
    if not e.type(source).is_only(TypeKind.FLOAT):
        compare_header(e, e.value(source, R0), tags.FLOAT_HEADER, tags.HEADER_MASK)
        e.a.b(e.failure(fail), NE)


@emits("is_map", keeps=Keeps.ALL)
def is_map(e: Emission, fail: Operand, source: Operand) -> None:
    check_map(e, source, e.value(source, R0), e.failure(fail))


@emits("test_arity", keeps=Keeps.ALL)
def test_arity(e: Emission, fail: Operand, source: Operand, arity: int) -> None:
    e.a.ldr(R1, at(e.value(source, R0), -tags.BOXED))
    e.a.cmp_constant(R1, conventions.tuple_header(arity))
    e.a.b(e.failure(fail), NE)


@emits("is_tagged_tuple", keeps=Keeps.ALL)
def is_tagged_tuple(e: Emission, fail: Operand, source: Operand, arity: int, tag: Operand) -> None:
    register = e.value(source, R0)
    if e.type(source).is_only(TypeKind.TUPLE):
        e.a.ldr(R1, at(register, -tags.BOXED))
        e.a.cmp_constant(R1, conventions.tuple_header(arity))
    else:
        e.a.tst(register, tags.NOT_BOXED)
        e.a.ldr(R1, at(register, -tags.BOXED), EQ)
        e.a.cmp_constant(R1, conventions.tuple_header(arity), EQ)
    failure = e.failure(fail)
    e.a.b(failure, NE)
    tag_register = e.value(tag, R2)
    e.a.ldr(R1, at(register, element_offset(0)))
    e.a.cmp(R1, tag_register)
    e.a.b(failure, NE)


def check_boolean(e: Emission, register: Register, otherwise: Label) -> None:
    """Go to *otherwise* unless the register has true or false."""
    e.a.bic(R2, register, tags.TRUE ^ tags.FALSE)
    e.a.cmp(R2, tags.FALSE)
    e.a.b(otherwise, NE)


def check_cons(e: Emission, operand: Operand, register: Register, otherwise: Label) -> None:
    """Go to *otherwise* unless the register has a list that is not empty."""
    if not e.type(operand).is_only(TypeKind.CONS):
        e.a.tst(register, tags.NOT_CONS)
        e.a.b(otherwise, NE)


def check_map(e: Emission, operand: Operand, register: Register, otherwise: Label) -> None:
    """Go to *otherwise* unless the register has a map."""
    if not e.type(operand).is_only(TypeKind.MAP):
        compare_header(e, register, e.shared.layout.map_header, tags.HEADER_MASK)
        e.a.b(otherwise, NE)


def check_tuple(e: Emission, operand: Operand, register: Register, otherwise: Label) -> None:
    """Go to *otherwise* unless the register has a tuple."""
    if not e.type(operand).is_only(TypeKind.TUPLE):
        compare_header(e, register, tags.TUPLE_HEADER, tags.HEADER_MASK)
        e.a.b(otherwise, NE)


def compare_header(e: Emission, register: Register, header: int, mask: int) -> None:
    """The flags of: is it a boxed term with such a header?"""
    e.a.tst(register, tags.NOT_BOXED)
    e.a.ldr(R1, at(register, -tags.BOXED), EQ)
    if header:
        e.a.and_(R1, R1, mask, EQ)
        e.a.cmp(R1, header, EQ)
    else:
        e.a.tst(R1, mask, EQ)


def by_bif(name: str) -> Emitter:
    """A test that a BIF of the VM makes, such as is_binary_1."""

    def test(e: Emission, fail: Operand, *arguments: Operand) -> None:
        for number, argument in enumerate(arguments):
            e.a.str(e.value(argument, R0), at(SP, conventions.ARGUMENTS + WORD * number))
        e.a.ldr_literal(R12, External(f"{name}_{len(arguments)}"))
        e.call("guard_bif")
        e.a.cmp(R0, tags.TRUE)
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
