"""Arithmetic: small integers here, everything else by the VM's own functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jit.arm32.conditions import EQ, LT, NE, VS
from jit.arm32.immediates import modified
from jit.arm32.operands import Operand2, asr, lsr
from jit.arm32.registers import R0, R1, R2, R3, R12, Register
from jit.beam.operands import Import, Integer, Operand
from jit.beam.terms import NIL
from jit.beam.types import TypeKind
from jit.codegen.cache import Keeps
from jit.codegen.processor import Label
from jit.erts.arm32 import bif as bifs
from jit.erts.arm32 import conventions
from jit.erts.arm32.conventions import SMALLS
from jit.erts.arm32.emission import Emission, immediate
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.small_integers import check_smalls
from jit.otp import tags

_TAG: Final = tags.SMALL
_BITS: Final = tags.IMMED1_BITS


@dataclass(frozen=True)
class Work:
    """An operation on two integers: where they are, and whither the result goes.

    ``constant`` is the other one if it is a constant; there is no register ``b`` then. Both are immediate integers.
    ``fits``: the result is sure to be one too. ``slow``: where else to go; the registers still have the operands then.
    """

    e: Emission
    a: Register
    b: Register | None
    constant: int
    to: Register
    fits: bool
    slow: Label

    def untagged(self) -> Operand2:
        """The other integer without its tag, in place: a constant operand, or r3."""
        if self.b is not None:
            self.e.a.sub(R3, self.b, _TAG)
            return R3
        value = self.constant << _BITS & 0xFFFF_FFFF
        if modified(value) is not None:
            return value
        self.e.a.mov_constant(R3, value)
        return R3

    def tagged(self) -> Operand2:
        """The other integer as a term: a constant operand, or a register."""
        if self.b is not None:
            return self.b
        value = conventions.small(self.constant)
        if modified(value) is not None:
            return value
        self.e.a.mov_constant(R3, value)
        return R3

    def check_overflow(self) -> None:
        """Go the slow way if the flags say so."""
        if not self.fits:
            self.e.a.b(self.slow, VS)


@emits("gc_bif2", keeps=Keeps.ALL)
def gc_bif2(e: Emission, fail: Operand, _live: int, bif: Import, one: Operand, other: Operand, to: Operand) -> None:
    name = bif.function if bif.module == "erlang" else ""
    if name in ("div", "rem"):
        _divide(e, fail, name, one, other, to)
        return
    if name not in _FUNCTIONS:
        bifs.call_bif(e, fail, bif, [one, other], to)
        return
    operation = _OPERATIONS.get(name)
    is_shift = name in ("bsl", "bsr")
    if operation is None or not _are_integers(e, one, other) or is_shift and not _is_shift(other):
        _by_fragment(e, fail, _FUNCTIONS[name], one, other, to)
        return
    if name in _COMMUTATIVE and immediate(one) is not None:
        one, other = other, one
    if other == NIL:
        e.leave()  # the interpreter raises it
        return
    constant = other.value if isinstance(other, Integer) and other.value in SMALLS else None
    a = e.value(one, R0)
    b = e.value(other, R1) if constant is None else None
    work = Work(e, a, b, constant or 0, e.target(to, R2), _fits(e, name, one, other), Label())
    checked = check_smalls(e, (one, a), (other, b), R2 if work.to is R2 else R12, work.slow)
    operation(work)
    _finish(e, fail, name, work, to, may_fail=checked or not work.fits and name in _OVERFLOW)


def _finish(e: Emission, fail: Operand, name: str, work: Work, to: Operand, *, may_fail: bool) -> None:
    """Store the result; elsewhere, let the VM's function make it."""
    done = Label()
    e.a.bind(done)
    if may_fail:
        fails = e.fails(fail)

        def cold() -> None:
            e.a.bind(work.slow)
            e.a.move(R0, work.a)
            if work.b is not None:
                e.a.move(R1, work.b)
            elif name not in _UNARY:
                e.a.mov_constant(R1, conventions.small(work.constant))
            e.call(_FUNCTIONS[name])
            # Not a number, or no result: the interpreter does it again and raises the exception.
            e.a.move(work.to, R0)
            e.a.b(done, NE)
            fails()

        e.cold(cold)
    e.store(work.to, to)


def _are_integers(e: Emission, one: Operand, other: Operand) -> bool:
    """Whether both may be integers."""
    return e.type(one).may_be(TypeKind.INTEGER) and e.type(other).may_be(TypeKind.INTEGER)


def _is_shift(by: Operand) -> bool:
    """Whether it is a constant by which a small integer may be shifted here."""
    return isinstance(by, Integer) and 0 <= by.value < 32 - _BITS


def _fits(e: Emission, name: str, one: Operand, other: Operand) -> bool:
    """Whether the result is sure to be an immediate integer if the operands are."""
    (low, high), (least, most) = SMALLS.bounds(e.type(one)), SMALLS.bounds(e.type(other))
    if name == "+":
        return low + least in SMALLS and high + most in SMALLS
    if name == "-":
        return low - most in SMALLS and high - least in SMALLS
    if name == "*":
        return all(x * y in SMALLS for x in (low, high) for y in (least, most))
    return name == "bsl" and low << least in SMALLS and high << least in SMALLS


def _add(work: Work) -> None:
    work.e.a.adds(work.to, work.a, work.untagged())
    work.check_overflow()


def _subtract(work: Work) -> None:
    work.e.a.subs(work.to, work.a, work.untagged())
    work.check_overflow()


def _multiply(work: Work) -> None:
    a = work.e.a
    if work.b is not None:
        a.asr(R12, work.b, _BITS)
    else:
        a.mov_constant(R12, work.constant)
    a.sub(R3, work.a, _TAG)
    if work.fits:
        a.mul(R3, R3, R12)
    else:
        a.smull(R3, R12, R3, R12)
        a.cmp(R12, asr(R3, 31))
        a.b(work.slow, NE)
    a.orr(work.to, R3, _TAG)


def _and(work: Work) -> None:
    work.e.a.and_(work.to, work.a, work.tagged())


def _or(work: Work) -> None:
    work.e.a.orr(work.to, work.a, work.tagged())


def _xor(work: Work) -> None:
    work.e.a.eor(work.to, work.a, work.untagged())


def _shift_left(work: Work) -> None:
    a = work.e.a
    a.sub(R3, work.a, _TAG)
    a.lsl(R12, R3, work.constant)
    if not work.fits and work.constant:
        a.cmp(R3, asr(R12, work.constant))
        a.b(work.slow, NE)
    a.orr(work.to, R12, _TAG)


def _shift_right(work: Work) -> None:
    source = asr(work.a, work.constant) if work.constant else work.a
    work.e.a.mov(work.to, source)
    work.e.a.orr(work.to, work.to, _TAG)


def _negate(work: Work) -> None:
    work.e.a.rsbs(work.to, work.a, 2 * _TAG)
    work.check_overflow()


def _not(work: Work) -> None:
    work.e.a.mvn(work.to, work.a)
    work.e.a.orr(work.to, work.to, _TAG)


def _absolute(work: Work) -> None:
    work.e.a.mov(work.to, work.a)
    work.e.a.cmp(work.a, 0)
    work.e.a.rsbs(work.to, work.a, 2 * _TAG, LT)
    work.check_overflow()


_OPERATIONS: Final[dict[str, Callable[[Work], None]]] = {
    "+": _add, "-": _subtract, "*": _multiply, "band": _and, "bor": _or, "bxor": _xor,
    "bsl": _shift_left, "bsr": _shift_right,
}  # fmt: skip
_COMMUTATIVE: Final = ("+", "*", "band", "bor", "bxor")

#: Operations on one integer, by other names than their own where these are those of others.
_UNARY: Final[dict[str, Callable[[Work], None]]] = {"negate": _negate, "bnot": _not, "abs": _absolute}

#: Operations that may have a result which is no immediate integer.
_OVERFLOW: Final = ("+", "-", "*", "bsl", "negate", "abs")

#: The VM's functions for all numbers (erl_arith.c), each behind a shared fragment of this name (numbers.py).
_FUNCTIONS: Final = {
    "/": "erts_mixed_div", "+": "erts_mixed_plus", "-": "erts_mixed_minus", "*": "erts_mixed_times",
    "band": "erts_band", "bor": "erts_bor", "bxor": "erts_bxor", "bsl": "erts_bsl", "bsr": "erts_bsr",
    "negate": "erts_unary_minus", "bnot": "erts_bnot", "abs": "abs_1",
}  # fmt: skip

#: Names of the fragments, which call the function of the same name: of two numbers, and of one.
FRAGMENTS: Final = tuple(function for name, function in _FUNCTIONS.items() if name not in _UNARY)
UNARY_FRAGMENTS: Final = ("erts_unary_minus", "erts_bnot")


@emits("gc_bif1", keeps=Keeps.ALL)
def gc_bif1(e: Emission, fail: Operand, _live: int, bif: Import, source: Operand, to: Operand) -> None:
    name = "negate" if bif.function == "-" else bif.function
    if name not in _UNARY or bif.module != "erlang":
        bifs.gc_bif1(e, fail, bif, source, to)
        return
    a = e.value(source, R0)
    low, high = SMALLS.bounds(e.type(source))
    fits = name == "bnot" or SMALLS.have_all(e.type(source)) and -low in SMALLS and -high in SMALLS
    work = Work(e, a, None, 0, e.target(to, R2), fits, Label())
    checked = check_smalls(e, (source, a), (source, None), R12, work.slow)
    _UNARY[name](work)
    _finish(e, fail, name, work, to, may_fail=checked or not fits)


def _divide(e: Emission, fail: Operand, name: str, one: Operand, other: Operand, to: Operand) -> None:
    """By a fragment, but for powers of two that divide what is not negative."""
    low, _ = SMALLS.bounds(e.type(one))
    if SMALLS.have_all(e.type(one)) and low >= 0 and isinstance(other, Integer) and _is_power_of_two(other.value):
        a, target = e.value(one, R0), e.target(to, R2)
        if name == "div":
            shift = other.value.bit_length() - 1
            e.a.mov(target, lsr(a, shift) if shift else a)
            e.a.orr(target, target, _TAG)
        else:
            e.a.mov_constant(R3, conventions.small(other.value - 1))
            e.a.and_(target, a, R3)
        e.store(target, to)
        return
    _by_fragment(e, fail, name, one, other, to)


def _by_fragment(e: Emission, fail: Operand, name: str, one: Operand, other: Operand, to: Operand) -> None:
    failure = e.failure(fail)
    e.load(one, R0)
    e.load(other, R1)
    e.call(name)
    e.a.b(failure, EQ)
    e.store(R0, to)


def _is_power_of_two(value: int) -> bool:
    return 0 < value <= SMALLS.greatest and not value & (value - 1)
