"""Selections by value or by the size of a tuple."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from jit.arm32.conditions import EQ, LO, LT, NE
from jit.arm32.operands import at, lsl, ror
from jit.arm32.registers import PC, R0, R1, Register
from jit.beam.operands import BeamLabel, Integer, Operand
from jit.beam.terms import Atom
from jit.beam.types import TypeKind
from jit.codegen.cache import Keeps
from jit.codegen.processor import Label
from jit.codegen.select import Halved, OneByOne, Plan, Table, plan
from jit.erts.arm32 import conventions, symbols
from jit.erts.arm32.emission import Emission, immediate
from jit.erts.arm32.emitters import emits
from jit.otp import tags

#: From so many atoms on, which have no order before the code is loaded, they are looked up in a table.
_MANY_ATOMS: Final = 4


@emits("select_val", keeps=Keeps.ALL)
def select_val(e: Emission, source: Operand, fail: BeamLabel, cases: tuple[Any, ...]) -> None:
    values, targets = cases[::2], [e.label(target.number) for target in cases[1::2]]
    failure = e.failure(fail)
    if all(isinstance(value, Integer) and value.value in conventions.SMALLS for value in values):
        integers = [(value.value, target) for value, target in _pairs(values, targets)]
        _find(e, e.value(source, R0), plan(integers), failure)
    elif len(values) >= _MANY_ATOMS and all(isinstance(value, Atom) for value in values):
        _look_up(e, e.value(source, R0), list(_pairs(values, targets)), failure)
    else:
        for value, target in _pairs(values, targets):
            _compare(e, source, value)
            e.a.b(target, EQ)
        e.a.b(failure)


def _pairs(values: Sequence[Any], targets: Sequence[Label]) -> list[tuple[Any, Label]]:
    return list(zip(values, targets))


def _compare(e: Emission, source: Operand, value: Operand) -> None:
    """The flag Z: whether the source is the value."""
    word = immediate(value)
    if word is not None:
        e.a.cmp_constant(e.value(source, R0), word)
    elif isinstance(value, Atom):
        e.a.cmp(e.value(source, R0), e.value(value, R1))
    else:  # a large integer or a float
        e.load(source, R0)
        e.load(value, R1)
        e.call("differ")


def _find(e: Emission, register: Register, plan: Plan, failure: Label) -> None:
    """Go where an integer goes, or to *failure*. As words of small integers are in their order, others are told too."""
    match plan:
        case OneByOne(cases):
            for value, target in cases:
                e.a.cmp_constant(register, conventions.small(value))
                e.a.b(target, EQ)
            e.a.b(failure)
        case Halved((value, target), less, more):
            below = Label()
            e.a.cmp_constant(register, conventions.small(value))
            e.a.b(below, LT)
            e.a.b(target, EQ)
            _find(e, register, more, failure)
            e.a.bind(below)
            _find(e, register, less, failure)
        case Table():
            _jump_by_table(e, register, plan, failure)


def _jump_by_table(e: Emission, register: Register, table: Table, failure: Label) -> None:
    size = len(table.targets)
    e.a.add_constant(R0, register, -conventions.small(table.least) & 0xFFFF_FFFF)
    # Tag and number change places: what has another tag is beyond the table.
    e.a.mov(R0, ror(R0, tags.IMMED1_BITS))
    e.a.cmp_constant(R0, size)
    e.a.together(size + 2)
    e.a.add(PC, PC, lsl(R0, 2), LO)
    e.a.b(failure)
    for target in table.targets:
        e.a.b(target or failure)


def _look_up(e: Emission, register: Register, rows: Sequence[tuple[Atom, Label]], failure: Label) -> None:
    """By a fragment; behind its call comes the table: atoms and, counted from its beginning, places."""
    e.a.move(R0, register)
    e.a.together(2 * len(rows) + 3)
    e.call("select_atom")
    table = e.a.label()
    for atom, target in rows:
        e.a.word(symbols.atom(e.shared.atoms[atom.name]))
        e.a.distance(target, table)
    e.a.word(0)
    e.a.distance(failure, table)
    e.a.unreachable()


@emits("select_tuple_arity", keeps=Keeps.ALL)
def select_tuple_arity(e: Emission, source: Operand, fail: BeamLabel, cases: tuple[Any, ...]) -> None:
    failure = e.failure(fail)
    register = e.value(source, R0)
    if not e.type(source).is_only(TypeKind.TUPLE):
        e.a.tst(register, 1)
        e.a.b(failure, NE)
    e.a.ldr(R1, at(register, -tags.BOXED))
    for arity, target in zip(cases[::2], cases[1::2]):
        e.a.cmp_constant(R1, conventions.tuple_header(arity))
        e.a.b(e.label(target.number), EQ)
    e.a.b(failure)
