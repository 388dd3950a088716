"""Selections by value or by the size of a tuple."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from jit.arm32.conditions import EQ, LO, LT, NE
from jit.arm32.labels import Label
from jit.arm32.operands import at, lsl, ror
from jit.arm32.registers import PC, R0, R1, Register
from jit.beam.operands import Integer, Operand
from jit.beam.operands import Label as BeamLabel
from jit.beam.terms import Atom
from jit.beam.types import Kind
from jit.codegen import machine, symbols
from jit.codegen.cache import Keeps
from jit.codegen.emission import Emission, immediate
from jit.codegen.emitters import emits

#: So many integers are compared one after the other; more are halved first.
_FEW: Final = 3
#: From so many integers on there may be a table of jumps, if at least half of it is in use.
_MANY: Final = 5
#: From so many atoms on, which have no order before the code is loaded, they are looked up in a table.
_MANY_ATOMS: Final = 4

_Case = tuple[int, Label]


@emits("select_val", keeps=Keeps.ALL)
def select_val(e: Emission, source: Operand, fail: BeamLabel, cases: tuple[Any, ...]) -> None:
    values, targets = cases[::2], [e.label(target.number) for target in cases[1::2]]
    failure = e.failure(fail)
    if all(isinstance(value, Integer) and machine.is_small(value.value) for value in values):
        rows = sorted((value.value, target) for value, target in _pairs(values, targets))
        register = e.value(source, R0)
        if not _jump_by_table(e, register, rows, failure):
            _halve(e, register, rows, failure)
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
        e.a.bl(e.shared.fragments["differ"])


def _halve(e: Emission, register: Register, rows: Sequence[_Case], failure: Label) -> None:
    """Compare with values in the middle: as words of small integers are in their order, it tells of others too."""
    if len(rows) <= _FEW:
        for value, target in rows:
            e.a.cmp_constant(register, machine.small(value))
            e.a.b(target, EQ)
        e.a.b(failure)
        return
    middle, below = len(rows) // 2, Label()
    e.a.cmp_constant(register, machine.small(rows[middle][0]))
    e.a.b(below, LT)
    e.a.b(rows[middle][1], EQ)
    _halve(e, register, rows[middle + 1 :], failure)
    e.a.bind(below)
    _halve(e, register, rows[:middle], failure)


def _jump_by_table(e: Emission, register: Register, rows: Sequence[_Case], failure: Label) -> bool:
    """Jump into a table of jumps, if that is not too large; whether it is not."""
    least, size = rows[0][0], rows[-1][0] - rows[0][0] + 1
    if len(rows) < _MANY or size > 2 * len(rows):
        return False
    e.a.add_constant(R0, register, -machine.small(least) & 0xFFFF_FFFF)
    # Tag and number change places: what has another tag is beyond the table.
    e.a.mov(R0, ror(R0, machine.SMALL_BITS))
    e.a.cmp_constant(R0, size)
    e.a.together(size + 2)
    e.a.add(PC, PC, lsl(R0, 2), LO)
    e.a.b(failure)
    targets = dict(rows)
    for value in range(least, least + size):
        e.a.b(targets.get(value, failure))
    return True


def _look_up(e: Emission, register: Register, rows: Sequence[tuple[Atom, Label]], failure: Label) -> None:
    """By a fragment; behind its call comes the table: atoms and, counted from its beginning, places."""
    e.move(R0, register)
    e.a.together(2 * len(rows) + 3)
    e.a.bl(e.shared.fragments["select_atom"])
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
    if not e.type(source).is_only(Kind.TUPLE):
        e.a.tst(register, 1)
        e.a.b(failure, NE)
    e.a.ldr(R1, at(register, -machine.BOXED_TAG))
    for arity, target in zip(cases[::2], cases[1::2]):
        e.a.cmp_constant(R1, machine.tuple_header(arity))
        e.a.b(e.label(target.number), EQ)
    e.a.b(failure)
