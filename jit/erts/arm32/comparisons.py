"""Comparisons of terms, as tests and as BIFs that give booleans."""

from __future__ import annotations

from dataclasses import dataclass

from jit.arm32.conditions import EQ, GE, LT, NE, Condition
from jit.arm32.registers import R0, R1, R2, Register
from jit.beam.operands import Operand
from jit.beam.terms import NIL
from jit.beam.types import TypeKind
from jit.codegen.cache import Keeps
from jit.codegen.processor import Label
from jit.erts.arm32.conventions import SMALLS
from jit.erts.arm32.emission import Emission, immediate
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.small_integers import check_smalls
from jit.otp import tags

#: Kinds of terms that are equal only to the very same word, whatever they are compared with.
_WORDS = TypeKind.ATOM | TypeKind.NIL


@emits("is_eq_exact", keeps=Keeps.ALL)
def is_eq_exact(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    e.a.b(e.failure(fail), compare_exactly(e, one, other).inverse)


@emits("is_ne_exact", keeps=Keeps.ALL)
def is_ne_exact(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    e.a.b(e.failure(fail), compare_exactly(e, one, other))


@emits("is_lt", keeps=Keeps.ALL)
def is_lt(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    compare(e, one, other)
    e.a.b(e.failure(fail), GE)


@emits("is_ge", keeps=Keeps.ALL)
def is_ge(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    compare(e, one, other)
    e.a.b(e.failure(fail), LT)


@emits("is_eq", keeps=Keeps.ALL)
def is_eq(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    e.a.b(e.failure(fail), compare_equal(e, one, other).inverse)


@emits("is_ne", keeps=Keeps.ALL)
def is_ne(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    e.a.b(e.failure(fail), compare_equal(e, one, other))


def compare_exactly(e: Emission, one: Operand, other: Operand) -> Condition:
    """The flags of a comparison, and the condition that holds if the terms are the same."""
    pair = _load(e, one, other)
    pair.compare(e)
    if not any(e.type(operand).is_only(_WORDS) or SMALLS.have_all(e.type(operand)) for operand in (one, other)):
        others = Label()
        e.a.b(others, NE)
        pair.compare_otherwise(e, others, "differ")
    return EQ


def compare_equal(e: Emission, one: Operand, other: Operand) -> Condition:
    """The flags of a comparison, and the condition that holds if the terms are equal, as 1 and 1.0 are."""
    if any(e.type(operand).is_only(_WORDS) for operand in (one, other)):
        return compare_exactly(e, one, other)
    compare(e, one, other)
    return EQ


def compare(e: Emission, one: Operand, other: Operand) -> None:
    """The flags of a signed comparison of two terms in Erlang's order, where 1 == 1.0."""
    # What stands in a pair as a word is taken for a small integer.
    pair = _Pair(e.value(one, R0), e.value(other, R1), 0) if other == NIL else _load(e, one, other)
    others = Label()
    checked = check_smalls(e, (one, pair.one), (other, pair.other), R2, others)
    pair.compare(e)
    if checked:
        pair.compare_otherwise(e, others, "compare")


@dataclass(frozen=True)
class _Pair:
    """Two words: each in a register, or the other an immediate."""

    one: Register
    other: Register | None
    word: int

    def compare(self, e: Emission) -> None:
        """The flags of the words."""
        if self.other is None:
            e.a.cmp_constant(self.one, self.word)
        else:
            e.a.cmp(self.one, self.other)

    def compare_otherwise(self, e: Emission, others: Label, fragment: str) -> None:
        """Where code is cold, the flags for *others*, by a shared fragment that wants the words in r0 and r1.

        Control comes back to here.
        """
        done = Label()
        e.a.bind(done)

        def cold() -> None:
            e.a.bind(others)
            e.a.move(R0, self.one)
            if self.other is None:
                e.a.mov_constant(R1, self.word)
            else:
                e.a.move(R1, self.other)
            e.call(fragment)
            e.a.b(done)

        e.cold(cold)


def _load(e: Emission, one: Operand, other: Operand) -> _Pair:
    word = immediate(other)
    if word is not None:
        return _Pair(e.value(one, R0), None, word)
    return _Pair(e.value(one, R0), e.value(other, R1), 0)


def store_boolean(e: Emission, condition: Condition, destination: Operand) -> None:
    """The atom true or false, as the condition says."""
    target = e.target(destination, R0)
    e.a.mov_constant(target, tags.FALSE)
    e.a.mov_constant(target, tags.TRUE, condition)
    e.store(target, destination)
