"""BIFs in expressions and guards, integers, and floats."""

from __future__ import annotations

from collections.abc import Sequence

from jit.atomvm import terms
from jit.atomvm.emission import Emission
from jit.atomvm.emitters import emits
from jit.atomvm.formats import X_REGISTERS
from jit.atomvm.macros import CONTEXT, STATE
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
    if bif.module == "erlang" and bif.function in ("+", "-"):
        _sum(e, fail, live, bif, one, two, destination)
    else:
        _bif(e, fail, live, bif, (one, two), destination)


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
    """A C function, which is told of the label to fail to: with one it raises no error, but gives no term."""
    registers = e.m.saved[: len(operands)]
    e.loads(*zip(operands, registers))
    _call(e, fail, live, bif, registers, e.fail_or_error(fail))
    e.store(e.m.args[0], destination)


def _call(
    e: Emission, fail: BeamLabel, live: int | None, bif: Import, registers: Sequence[Register], failed: Label
) -> None:
    m = e.m
    if live is not None:
        e.trim(live)
    m.call("get_imported_bif", STATE, e.shared.imports[bif])
    count = () if live is None else (min(live, X_REGISTERS),)
    m.call_pointer(m.args[0], CONTEXT, fail.number, *count, *registers)
    m.branch_if_false(m.args[0], failed)


def _sum(
    e: Emission, fail: BeamLabel, live: int, bif: Import, one: Operand, two: Operand, destination: Operand
) -> None:
    """Small integers are added here, all else by the VM."""
    m, slow, done = e.m, Label(), Label()
    result, (first, second, _) = m.args[0], m.saved
    known = terms.immediate(two, e.word)
    constant = None if known is None or known & terms.TAG != terms.INTEGER else known
    e.loads((one, first), (two, second)) if constant is None else e.load(one, first)
    operate = m.add_smalls if bif.function == "+" else m.subtract_smalls
    other = second if constant is None else constant
    operate(result, first, other, slow, checked=(e.is_small(one), e.is_small(two)))
    e.a.bind(done)
    failed = e.fail_or_error(fail)

    def cold() -> None:
        e.a.bind(slow)
        if constant is not None:
            m.constant(second, constant)
        _call(e, fail, live, bif, (first, second), failed)
        e.a.jump(done)

    e.cold(cold)
    e.store(result, destination)


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
    e.pointer(value, value)
    m.load_context(floats, e.shared.target.layout.fr)
    size = terms.float_words(e.word) - 1
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
