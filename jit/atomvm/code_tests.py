"""Type tests, comparisons, and selections."""

from __future__ import annotations

from typing import Final

from jit.atomvm import formats, terms
from jit.atomvm.emission import Emission, plain
from jit.atomvm.emitters import emits
from jit.atomvm.macros import Condition
from jit.beam.operands import BeamLabel, Operand
from jit.beam.terms import Atom
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label, Register

_SMALL: Final = (terms.TAG, terms.INTEGER)

# Type tests


def _value(e: Emission, operand: Operand) -> Register:
    into: Register = e.m.args[0]
    e.load(operand, into)
    return into


def _is_immediate(name: str, mask: int, tag: int) -> None:
    @emits(name)
    def emit(e: Emission, fail: Operand, operand: Operand) -> None:
        e.m.branch_if_bits(Condition.DIFFERENT, _value(e, operand), mask, tag, e.fail(fail))


_is_immediate("is_atom", terms.SECOND_TAG, terms.ATOM)


@emits("is_nonempty_list")
def is_nonempty_list(e: Emission, fail: Operand, operand: Operand) -> None:
    e.m.branch_if_any(_value(e, operand), terms.NOT_LIST, e.fail(fail))


def _is_boxed(name: str, *tags: int, immediate: int | None = None, mask: int = terms.HEADER) -> None:
    """A boxed term of one of some tags, or an immediate one of another."""

    @emits(name)
    def emit(e: Emission, fail: Operand, operand: Operand) -> None:
        m, value = e.m, _value(e, operand)

        def test() -> None:
            good, bad, end = Label(), Label(), Label()
            if immediate is not None:
                m.branch_if_bits(Condition.EQUAL, value, terms.TAG, immediate, good)
            e.check_boxed(value, value, bad)
            m.and_(value, value, mask)
            for tag in tags:
                m.branch_if(Condition.EQUAL, value, tag, good)
            e.a.bind(bad)
            m.constant(value, 0)
            e.a.jump(end)
            e.a.bind(good)
            m.constant(value, 1)
            e.a.bind(end)

        m.shared(name, test)
        m.branch_if_false(value, e.fail(fail))


_is_boxed("is_integer", terms.POSITIVE, immediate=terms.INTEGER, mask=terms.ANY_SIGN)
_is_boxed("is_number", terms.POSITIVE, immediate=terms.INTEGER, mask=terms.NUMBER)
_is_boxed("is_float", terms.FLOAT)
_is_boxed("is_pid", terms.EXTERNAL_PID, immediate=terms.PID)
_is_boxed("is_port", terms.EXTERNAL_PORT, immediate=terms.PORT)
_is_boxed("is_reference", terms.REFERENCE, terms.EXTERNAL_REFERENCE)
_is_boxed("is_tuple", terms.TUPLE)
_is_boxed("is_map", terms.MAP)
_is_boxed("is_function", terms.FUN)
_is_boxed("is_binary", *terms.BINARIES)
_is_boxed("is_bitstr", *terms.BINARIES)


@emits("is_nil")
def is_nil(e: Emission, fail: Operand, operand: Operand) -> None:
    e.m.branch_if(Condition.DIFFERENT, _value(e, operand), terms.NIL, e.fail(fail))


@emits("is_list")
def is_list(e: Emission, fail: Operand, operand: Operand) -> None:
    value, good = _value(e, operand), Label()
    e.m.branch_if(Condition.EQUAL, value, terms.NIL, good)
    e.m.branch_if_any(value, terms.NOT_LIST, e.fail(fail))
    e.a.bind(good)


@emits("is_boolean")
def is_boolean(e: Emission, fail: Operand, operand: Operand) -> None:
    value, good = _value(e, operand), Label()
    e.m.branch_if(Condition.EQUAL, value, terms.TRUE, good)
    e.m.branch_if(Condition.DIFFERENT, value, terms.FALSE, e.fail(fail))
    e.a.bind(good)


@emits("test_arity")
def test_arity(e: Emission, fail: Operand, operand: Operand, arity: int) -> None:
    value = e.m.args[0]
    _arity(e, operand, value)
    e.m.branch_if(Condition.DIFFERENT, value, arity, e.fail(fail))


def _arity(e: Emission, operand: Operand, into: Register) -> None:
    """How many elements a tuple has."""
    e.load(operand, into)
    e.m.load_of(into, into, terms.BOXED, 0)
    e.m.shift_right(into, into, terms.HEADER_BITS)


@emits("is_tagged_tuple")
def is_tagged_tuple(e: Emission, fail: Operand, operand: Operand, arity: int, tag: Operand) -> None:
    tuple_, header, wanted = e.m.saved[0], e.m.args[1], e.m.args[0]
    e.load(operand, tuple_)
    e.m.branch_if_any(tuple_, terms.NOT_BOXED, e.fail(fail))
    e.m.load_of(header, tuple_, terms.BOXED, 0)
    e.m.branch_if(Condition.DIFFERENT, header, arity << terms.HEADER_BITS | terms.TUPLE, e.fail(fail))
    e.m.load_of(tuple_, tuple_, terms.BOXED, 1)
    e.load(tag, wanted)
    e.m.branch_if(Condition.DIFFERENT, tuple_, wanted, e.fail(fail))


@emits("is_function2")
def is_function2(e: Emission, fail: Operand, operand: Operand, arity: Operand) -> None:
    m, no = e.m, e.fail(fail)
    fun, wanted, *_ = m.saved
    result, index, *_ = m.args
    external, done = Label(), Label()
    e.loads((operand, fun), (arity, wanted))
    e.check_header(fun, result, terms.FUN, no)
    e.check_small(wanted, arity, no)
    e.untag(wanted, wanted)
    e.pointer(fun, fun)
    m.load(index, fun, terms.FUN_INDEX)
    m.branch_if_bits(Condition.EQUAL, index, terms.SECOND_TAG, terms.ATOM, external)
    m.load(result, fun, terms.FUN_MODULE)
    e.untag(index, index)
    m.call("module_get_fun_arity", result, index)
    m.branch_if(Condition.DIFFERENT, result, wanted, no)
    e.a.jump(done)
    e.a.bind(external)
    m.load(result, fun, terms.FUN_ARITY)
    e.untag(result, result)
    m.branch_if(Condition.DIFFERENT, result, wanted, no)
    e.a.bind(done)


# Comparisons


def _slowly(e: Emission, one: Register, other: Register, constant: int | None) -> tuple[Label, Label]:
    """A place where two terms are compared by the VM, and another, where words are compared, to which it goes on with
    words that compare as these terms do. If the other one is a *constant*, it is loaded there only.
    """
    place, words = Label(), Label()

    def cold() -> None:
        e.a.bind(place)
        if constant is not None:
            e.m.constant(other, constant)
        e.m.compare(one, other, 0)
        if constant is not None:
            e.m.add(one, one, constant - formats.MIDDLE)
        e.a.jump(words)

    e.cold(cold)
    return place, words


def _both_small(e: Emission, one: Operand, other: Operand, registers: tuple[Register, Register], slow: Label) -> None:
    for operand, register in zip((one, other), registers):
        if terms.immediate(plain(operand), e.word) is None:
            e.check_small(register, operand, slow)


def _may_be_small(e: Emission, *operands: Operand) -> bool:
    known = (terms.immediate(plain(one), e.word) for one in operands)
    return all(word is None or word & terms.TAG == terms.INTEGER for word in known)


def _order(name: str, otherwise: Condition) -> None:
    """Less, or not less: small integers compare as their words do."""

    @emits(name)
    def emit(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
        first, second, *_ = e.m.args
        target = e.fail(fail)
        if not _may_be_small(e, one, other):
            e.loads((one, first), (other, second))
            e.m.compare(first, second, 0)
            e.m.branch_if(otherwise, first, second, target)
            return
        constant = terms.immediate(plain(other), e.word)
        if constant is not None and not _has_neighbours(e, constant):
            constant = None
        if constant is None:
            e.loads((one, first), (other, second))
        else:
            e.load(one, first)
        slow, words = _slowly(e, first, second, constant)
        _both_small(e, one, other, (first, second), slow)
        e.a.bind(words)
        e.m.branch_if(otherwise, first, second if constant is None else constant, target)


def _has_neighbours(e: Emission, constant: int) -> bool:
    """Whether words of some numbers that are less and greater have the same sign as these."""
    return terms.is_small((constant >> terms.TAG_BITS) - 1, e.word) and terms.is_small(
        (constant >> terms.TAG_BITS) + 1, e.word
    )


_order("is_lt", Condition.GREATER_EQUAL)
_order("is_ge", Condition.LESS)


def _equality(name: str, options: int, *, equal: bool) -> None:
    """The same term; or, without *options*, also numbers that are equal."""

    @emits(name)
    def emit(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
        m, target = e.m, e.fail(fail)
        first, second, *_ = m.args
        if options and terms.immediate(plain(one), e.word) is not None:
            one, other = other, one
        constant = terms.immediate(plain(other), e.word)
        if options and constant is not None:
            e.load(one, first)
            m.branch_if(Condition.DIFFERENT if equal else Condition.EQUAL, first, constant, target)
            return
        if options and isinstance(other, Atom):
            e.loads((one, first), (other, second))
            m.branch_if(Condition.DIFFERENT if equal else Condition.EQUAL, first, second, target)
            return
        e.loads((one, first), (other, second))
        slow, back = Label(), Label()
        same, different = (back, target) if equal else (target, back)

        def cold() -> None:
            e.a.bind(slow)
            m.compare(first, second, options)
            m.branch_if(Condition.EQUAL, first, second, same)
            e.a.jump(different)

        e.cold(cold)
        m.branch_if(Condition.EQUAL, first, second, same)
        if options:  # an immediate term is the same as no other word
            m.branch_if_bits(Condition.EQUAL, first, terms.PRIMARY, terms.IMMEDIATE, different)
            m.branch_if_bits(Condition.DIFFERENT, second, terms.PRIMARY, terms.IMMEDIATE, slow)
        else:
            m.branch_if_bits(Condition.DIFFERENT, first, *_SMALL, slow)
            m.branch_if_bits(Condition.DIFFERENT, second, *_SMALL, slow)
        if different is not back:
            e.a.jump(different)
        e.a.bind(back)


_equality("is_eq_exact", formats.EXACT, equal=True)
_equality("is_ne_exact", formats.EXACT, equal=False)
_equality("is_eq", 0, equal=True)
_equality("is_ne", 0, equal=False)


# Selections


@emits("select_val")
def select_val(e: Emission, source: Operand, fail: BeamLabel, cases: tuple[Operand, ...]) -> None:
    value, wanted = e.m.saved[0], e.m.args[0]
    e.load(source, value)
    for case, target in zip(cases[::2], cases[1::2]):
        if not isinstance(target, BeamLabel):
            raise Unsupported(f"label {target}")
        place = e.label(target.number)
        constant = terms.immediate(case, e.word)
        if constant is not None:
            e.m.branch_if(Condition.EQUAL, value, constant, place)
            continue
        e.load(case, wanted)
        if isinstance(case, Atom):
            e.m.branch_if(Condition.EQUAL, value, wanted, place)
        else:
            e.m.compare(value, wanted, formats.EXACT)
            e.m.branch_if(Condition.EQUAL, e.m.args[0], e.m.args[1], place)
    e.a.jump(e.label(fail.number))


@emits("select_tuple_arity")
def select_tuple_arity(e: Emission, source: Operand, fail: BeamLabel, cases: tuple[Operand, ...]) -> None:
    value = e.m.args[0]
    _arity(e, source, value)
    for case, target in zip(cases[::2], cases[1::2]):
        if not isinstance(target, BeamLabel) or not isinstance(case, int):
            raise Unsupported(f"case {case}")
        e.m.branch_if(Condition.EQUAL, value, case, e.label(target.number))
    e.a.jump(e.label(fail.number))
