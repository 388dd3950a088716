"""BIFs in expressions and guards, integers, and floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jit.atomvm import terms
from jit.atomvm.emission import Emission
from jit.atomvm.emitters import emits
from jit.atomvm.formats import X_REGISTERS
from jit.atomvm.macros import CONTEXT, STATE, Condition
from jit.beam.operands import BeamLabel, FloatRegister, Import, Operand
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label, Register


@emits("bif0")
def bif0(e: Emission, bif: Import, destination: Operand) -> None:
    e.m.call("get_imported_bif", STATE, e.shared.imports[bif])
    e.m.call_pointer(e.m.args[0], CONTEXT)
    e.store(e.m.args[0], destination)


@emits("bif1")
def bif1(e: Emission, fail: BeamLabel, bif: Import, one: Operand, destination: Operand) -> None:
    _bif(e, fail, None, bif, (one,), destination)


@emits("bif2")
def bif2(e: Emission, fail: BeamLabel, bif: Import, one: Operand, two: Operand, destination: Operand) -> None:
    _bif(e, fail, None, bif, (one, two), destination)


@emits("bif3")
def bif3(
    e: Emission, fail: BeamLabel, bif: Import, one: Operand, two: Operand, three: Operand, destination: Operand
) -> None:
    _bif(e, fail, None, bif, (one, two, three), destination)


@emits("gc_bif1")
def gc_bif1(e: Emission, fail: BeamLabel, live: int, bif: Import, one: Operand, destination: Operand) -> None:
    _bif(e, fail, live, bif, (one,), destination)


@emits("gc_bif2")
def gc_bif2(
    e: Emission, fail: BeamLabel, live: int, bif: Import, one: Operand, two: Operand, destination: Operand
) -> None:
    operate = _OF_SMALLS.get(bif.function) if bif.module == "erlang" else None
    if operate is None or (bif.function == "bsr" and _constant(e, two) not in _SHIFTS):
        _bif(e, fail, live, bif, (one, two), destination)
    else:
        _of_smalls(e, fail, live, bif, one, two, destination, operate)


@emits("gc_bif3")
def gc_bif3(
    e: Emission,
    fail: BeamLabel,
    live: int,
    bif: Import,
    one: Operand,
    two: Operand,
    three: Operand,
    destination: Operand,
) -> None:
    _bif(e, fail, live, bif, (one, two, three), destination)


def _bif(
    e: Emission, fail: BeamLabel, live: int | None, bif: Import, operands: tuple[Operand, ...], destination: Operand
) -> None:
    """A C function, which is told whether there is a label to fail to: then it raises no error, but gives no term."""
    registers = e.m.saved[: len(operands)]
    e.loads(*zip(operands, registers))
    _call(e, fail, live, bif, len(operands))
    e.store(e.m.args[0], destination)


def _call(e: Emission, fail: BeamLabel, live: int | None, bif: Import, count: int) -> None:
    if live is not None:
        e.trim(live)
        live = min(live, X_REGISTERS)
    e.m.call_bif(e.shared.imports[bif], live, count, may_fail=bool(fail.number))
    if fail.number:
        e.m.branch_if_false(e.m.args[0], e.label(fail.number))


def _constant(e: Emission, operand: Operand) -> int | None:
    """The term of a small integer that an operand is."""
    word = terms.immediate(operand, e.word)
    return None if word is None or word & terms.TAG != terms.INTEGER else word


def _of_smalls(
    e: Emission,
    fail: BeamLabel,
    live: int,
    bif: Import,
    one: Operand,
    two: Operand,
    destination: Operand,
    operate: Operate,
) -> None:
    """An operation on small integers is done here, all else by the VM."""
    m, slow, done = e.m, Label(), Label()
    result, (first, second, _) = m.args[0], m.saved
    constant = _constant(e, two)
    if constant is None:
        e.loads((one, first), (two, second))
    else:
        e.load(one, first)
    operate(e, result, first, second if constant is None else constant, slow, (e.is_small(one), e.is_small(two)))
    e.a.bind(done)
    if fail.number:
        e.label(fail.number)

    def cold() -> None:
        e.a.bind(slow)
        if constant is not None:
            m.constant(second, constant)
        _call(e, fail, live, bif, 2)
        e.a.jump(done)

    e.cold(cold)
    e.store(result, destination)


def _check(e: Emission, one: Register, other: Register | int, slow: Label, known: tuple[bool, bool]) -> None:
    """To *slow* if one of two terms is no small integer."""
    for term, is_known in zip((one, other), known):
        if not isinstance(term, int) and not is_known:
            e.m.branch_if_bits(Condition.DIFFERENT, term, terms.TAG, terms.INTEGER, slow)


#: Makes the term of a result from two terms, the second of which may be a number, or goes to a label; of each term it
#: is told whether it is known to be a small integer.
Operate = Callable[[Emission, Register, Register, "Register | int", Label, tuple[bool, bool]], None]


def _add(
    e: Emission, into: Register, one: Register, other: Register | int, slow: Label, known: tuple[bool, bool]
) -> None:
    e.m.add_smalls(into, one, other, slow, checked=known)


def _subtract(
    e: Emission, into: Register, one: Register, other: Register | int, slow: Label, known: tuple[bool, bool]
) -> None:
    e.m.subtract_smalls(into, one, other, slow, checked=known)


def _multiply(
    e: Emission, into: Register, one: Register, other: Register | int, slow: Label, known: tuple[bool, bool]
) -> None:
    _check(e, one, other, slow, known)
    if isinstance(other, int):
        e.m.subtract(into, one, terms.INTEGER)
        e.m.multiply(into, into, other >> terms.TAG_BITS, slow)
    else:
        by: Register = e.m.args[1]
        e.untag(by, other)
        e.m.subtract(into, one, terms.INTEGER)
        e.m.multiply(into, into, by, slow)
    e.m.or_(into, into, terms.INTEGER)


def _and(
    e: Emission, into: Register, one: Register, other: Register | int, slow: Label, known: tuple[bool, bool]
) -> None:
    _check(e, one, other, slow, known)
    e.m.and_(into, one, other)


def _or(
    e: Emission, into: Register, one: Register, other: Register | int, slow: Label, known: tuple[bool, bool]
) -> None:
    _check(e, one, other, slow, known)
    e.m.or_(into, one, other)


def _xor(
    e: Emission, into: Register, one: Register, other: Register | int, slow: Label, known: tuple[bool, bool]
) -> None:
    _check(e, one, other, slow, known)
    e.m.xor(into, one, other)
    e.m.or_(into, into, terms.INTEGER)


def _shift_right(
    e: Emission, into: Register, one: Register, other: Register | int, slow: Label, known: tuple[bool, bool]
) -> None:
    """By a number: the bits of the tag are set again."""
    assert isinstance(other, int)
    _check(e, one, other, slow, known)
    e.m.shift_right(into, one, other >> terms.TAG_BITS, sign=True)
    e.m.or_(into, into, terms.INTEGER)


_OF_SMALLS: Final[dict[str, Operate]] = {
    "+": _add, "-": _subtract, "*": _multiply, "band": _and, "bor": _or, "bxor": _xor, "bsr": _shift_right,
}  # fmt: skip
#: By how much small integers are shifted here, as terms.
_SHIFTS: Final = frozenset(map(terms.small, range(1, 28)))


# Floats


@emits("fmove")
def fmove(e: Emission, source: Operand, destination: Operand) -> None:
    m = e.m
    if isinstance(source, FloatRegister):
        m.call("term_from_float", CONTEXT, source.number)
        e.store(m.args[0], destination)
        return
    if not isinstance(destination, FloatRegister):
        raise Unsupported(f"destination {destination}")
    value, floats, word = m.saved[0], m.args[1], m.args[2]
    e.load(source, value)
    m.call("context_ensure_fpregs", CONTEXT)
    target = e.shared.target
    if target.float_bytes < e.word:
        m.call("term_conv_to_float", CONTEXT, value, destination.number)
        return
    e.pointer(value, value)
    m.load_context(floats, target.layout.fr)
    size = target.float_bytes // e.word
    for at in range(size):
        m.load(word, value, 1 + at)
        m.store(word, floats, size * destination.number + at)


@emits("fconv")
def fconv(e: Emission, source: Operand, destination: FloatRegister) -> None:
    value = e.m.saved[0]
    e.load(source, value)
    e.m.call("term_is_number", value)
    e.m.branch_if_false(e.m.args[0], e.raises("badarith"))
    e.m.call("context_ensure_fpregs", CONTEXT)
    e.m.call("term_conv_to_float", CONTEXT, value, destination.number)


def _float(name: str) -> None:
    @emits(name)
    def emit(e: Emission, fail: Operand, one: FloatRegister, two: FloatRegister, into: FloatRegister) -> None:
        e.m.call(name, CONTEXT, one.number, two.number, into.number)
        e.m.branch_if_false(e.m.args[0], e.fail(fail, "badarith"))


for _name in ("fadd", "fsub", "fmul", "fdiv"):
    _float(_name)


@emits("fnegate")
def fnegate(e: Emission, _fail: Operand, one: FloatRegister, into: FloatRegister) -> None:
    e.m.call("fnegate", CONTEXT, one.number, into.number)
