"""Guard BIFs of the module erlang that are done here, as far as they are usual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from jit.arm32.conditions import GE, HS, LO, LT, Condition
from jit.arm32.operands import at, lsl, lsr
from jit.arm32.registers import R0, R1, R2, Register
from jit.beam.operands import Import, Integer, Operand
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions
from jit.erts.arm32.common import element_offset, fetch, reaches_element
from jit.erts.arm32.comparisons import compare, compare_equal, compare_exactly
from jit.erts.arm32.conventions import WORD
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.small_integers import check_smalls, make_small
from jit.erts.arm32.type_tests import check_boolean, check_cons, check_map, check_tuple
from jit.otp import tags

#: Takes the place where failure goes, the operands, and the destination.
Inline = Callable[[Emission, Label, Sequence[Operand], Operand], None]
#: Takes the operands, and gives the condition under which it holds.
Comparison = Callable[[Emission, Operand, Operand], Condition]


def inline(bif: Import, operands: Sequence[Operand]) -> Inline | None:
    """What emits a guard BIF that may fail, or None for one that is left to the VM."""
    index = operands[0] if bif.function == "element" else None
    if isinstance(index, Integer) and (index.value < 1 or not reaches_element(index.value - 1)):
        return None
    return _INLINE.get((bif.function, bif.arity)) if bif.module == "erlang" else None


def comparison(bif: Import) -> Comparison | None:
    """What emits a comparison, or None for another BIF."""
    return _COMPARISONS.get(bif.function) if bif.module == "erlang" and bif.arity == 2 else None


# Comparisons


def _less(e: Emission, one: Operand, other: Operand) -> Condition:
    compare(e, one, other)
    return LT


def _not_less(e: Emission, one: Operand, other: Operand) -> Condition:
    compare(e, one, other)
    return GE


_COMPARISONS: Final[dict[str, Comparison]] = {
    "=:=": compare_exactly,
    "=/=": lambda e, one, other: compare_exactly(e, one, other).inverse,
    "==": compare_equal,
    "/=": lambda e, one, other: compare_equal(e, one, other).inverse,
    "<": _less,
    ">=": _not_less,
    ">": lambda e, one, other: _less(e, other, one),
    "=<": lambda e, one, other: _not_less(e, other, one),
}


# What can fail


def _hd(e: Emission, failure: Label, operands: Sequence[Operand], to: Operand) -> None:
    register = e.value(operands[0], R0)
    check_cons(e, operands[0], register, failure)
    fetch(e, register, -tags.CONS, to)


def _tl(e: Emission, failure: Label, operands: Sequence[Operand], to: Operand) -> None:
    register = e.value(operands[0], R0)
    check_cons(e, operands[0], register, failure)
    fetch(e, register, WORD - tags.CONS, to)


def _element(e: Emission, failure: Label, operands: Sequence[Operand], to: Operand) -> None:
    index, source = operands
    register = e.value(source, R0)
    if isinstance(index, Integer):
        check_tuple(e, source, register, failure)
        e.a.ldr(R1, at(register, -tags.BOXED))
        e.a.cmp_constant(R1, conventions.tuple_header(index.value))
        e.a.b(failure, LO)
        fetch(e, register, element_offset(index.value - 1), to)
        return
    number = e.value(index, R2)
    check_smalls(e, (index, number), (index, None), R1, failure)
    check_tuple(e, source, register, failure)
    e.a.ldr(R1, at(register, -tags.BOXED))
    # From 0 on; what is negative, or was 0, is beyond any tuple.
    e.a.asr(R2, number, tags.IMMED1_BITS)
    e.a.sub(R2, R2, 1)
    e.a.cmp(R2, lsr(R1, tags.ARITY_SHIFT))
    e.a.b(failure, HS)
    e.a.add(R1, register, lsl(R2, 2))
    fetch(e, R1, element_offset(0), to)


def _tuple_size(e: Emission, failure: Label, operands: Sequence[Operand], to: Operand) -> None:
    register = e.value(operands[0], R0)
    check_tuple(e, operands[0], register, failure)
    target = e.target(to, R1, last=register)
    e.a.ldr(target, at(register, -tags.BOXED))
    e.a.lsr(target, target, tags.ARITY_SHIFT - tags.IMMED1_BITS)
    e.a.orr(target, target, tags.SMALL)
    e.store(target, to)


def map_size(e: Emission, failure: Label, operands: Sequence[Operand], to: Operand) -> None:
    """The second word of all maps, large and small (erl_map.h)."""
    register = e.value(operands[0], R0)
    check_map(e, operands[0], register, failure)
    target = e.target(to, R1, last=register)
    e.a.ldr(target, at(register, WORD - tags.BOXED))
    make_small(e.a, target, target)
    e.store(target, to)


def _not(e: Emission, failure: Label, operands: Sequence[Operand], to: Operand) -> None:
    register = e.value(operands[0], R0)
    check_boolean(e, register, failure)
    target = e.target(to, R1)
    e.a.eor(target, register, tags.TRUE ^ tags.FALSE)
    e.store(target, to)


def _and(e: Emission, failure: Label, operands: Sequence[Operand], to: Operand) -> None:
    one, other, target = _booleans(e, failure, operands, to)
    e.a.and_(target, one, other)
    e.store(target, to)


def _or(e: Emission, failure: Label, operands: Sequence[Operand], to: Operand) -> None:
    one, other, target = _booleans(e, failure, operands, to)
    e.a.orr(target, one, other)
    e.store(target, to)


def _booleans(
    e: Emission, failure: Label, operands: Sequence[Operand], to: Operand
) -> tuple[Register, Register, Register]:
    one, other = e.value(operands[0], R0), e.value(operands[1], R1)
    check_boolean(e, one, failure)
    check_boolean(e, other, failure)
    return one, other, e.target(to, R2)


_INLINE: Final[dict[tuple[str, int], Inline]] = {
    ("hd", 1): _hd,
    ("tl", 1): _tl,
    ("element", 2): _element,
    ("tuple_size", 1): _tuple_size,
    ("not", 1): _not,
    ("and", 2): _and,
    ("or", 2): _or,
}
