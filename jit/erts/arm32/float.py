"""Arithmetic of floats in float registers, which are in memory: ErtsSchedulerRegisters.f_reg_array.

What has no finite result is an error, which the interpreter raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import HS, LT, NE
from jit.arm32.operands import Address, at, lsl
from jit.arm32.registers import D0, D1, LR, PC, R0, R1, R2, R3, R12, S0, SP, Double
from jit.beam.operands import FloatRegister, Literal, Operand
from jit.codegen.cache import Keeps
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions
from jit.erts.arm32.conventions import HTOP, REGISTERS, WORD
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.fragments import call_vm, fragment, load_header
from jit.erts.arm32.small_integers import check_small
from jit.erts.layout import NativeLayout
from jit.otp import tags

_DOUBLE: Final = 8
#: Float registers that instructions reach from the first one.
_REACHED: Final = 32

Arithmetic = Callable[[Assembler, Double, Double, Double], None]


@emits("fclearerror", "fcheckerror", keeps=Keeps.ALL)
def nothing(_e: Emission, *_operands: Operand) -> None:
    """No code: each operation tells of its own errors."""


@emits("fmove", keeps=Keeps.ALL)
def fmove(e: Emission, source: Operand, destination: Operand) -> None:
    if isinstance(source, FloatRegister):
        _box(e, source, destination)
        return
    if isinstance(source, Literal):
        if not isinstance(source.value, float):
            raise Unsupported(f"fmove of {source.value}")
        e.a.vldr_literal(D0, source.value)
    else:
        e.a.add(R0, e.value(source, R0), WORD - tags.BOXED)
        e.a.vldr(D0, at(R0))
    _store(e, destination)


def _box(e: Emission, source: FloatRegister, destination: Operand) -> None:
    """A term on the heap, where there is room."""
    place = _place(e, source)
    e.a.mov_constant(R1, conventions.FLOAT)
    e.a.ldrd(R2, R3, place)
    term = e.target(destination, R0)
    e.a.add(term, HTOP, tags.BOXED)
    e.a.stm(HTOP, (R1, R2, R3), writeback=True)
    e.store(term, destination)


@emits("fconv", keeps=Keeps.ALL)
def fconv(e: Emission, source: Operand, destination: Operand) -> None:
    boxed, done = Label(), Label()
    failure = e.to_interpreter()
    e.load(source, R0)
    check_small(e.a, R0, R1, boxed)
    e.a.asr(R0, R0, tags.IMMED1_BITS)
    e.a.vmov(S0, R0)
    e.a.vcvt_f64_s32(D0, S0)
    e.a.bind(done)
    _store(e, destination)

    def cold() -> None:
        e.a.bind(boxed)
        e.call("to_double")
        e.a.cmp(R0, 0)
        e.a.b(done, NE)
        e.a.b(failure)

    e.cold(cold)


def _arithmetic(operate: Arithmetic) -> Callable[[Emission, Operand, Operand, Operand, Operand], None]:
    def emit(e: Emission, _fail: Operand, one: Operand, other: Operand, destination: Operand) -> None:
        failure = e.bad_arithmetic()
        e.a.vldr(D0, _place(e, one))
        e.a.vldr(D1, _place(e, other, again=True))
        operate(e.a, D0, D0, D1)
        # Infinities and what is no number have all the bits of the exponent.
        e.a.vmov_from_half(R0, D0, 1)
        e.a.mov(R1, 1 << 21)
        e.a.cmn(R1, lsl(R0, 1))
        e.a.b(failure, HS)
        e.a.vstr(D0, _place(e, destination, again=True))

    return emit


for _name, _operate in {
    "fadd": Assembler.vadd,
    "fsub": Assembler.vsub,
    "fmul": Assembler.vmul,
    "fdiv": Assembler.vdiv,
}.items():
    emits(_name, keeps=Keeps.ALL)(_arithmetic(_operate))


@emits("fnegate", keeps=Keeps.ALL)
def fnegate(e: Emission, _fail: Operand, source: Operand, destination: Operand) -> None:
    """What is finite is so with the other sign."""
    e.a.vldr(D0, _place(e, source))
    e.a.vneg(D0, D0)
    e.a.vstr(D0, _place(e, destination, again=True))


def _store(e: Emission, destination: Operand) -> None:
    e.a.vstr(D0, _place(e, destination))


def _place(e: Emission, register: Operand, again: bool = False) -> Address:
    """Where a float register is, from r12; *again* if r12 still holds what an earlier call has put there."""
    if not isinstance(register, FloatRegister) or register.number >= _REACHED:
        raise Unsupported(f"float register {register}")
    if not again:
        e.a.add_constant(R12, REGISTERS, e.shared.layout["ErtsSchedulerRegisters.f_reg_array"])
    return at(R12, _DOUBLE * register.number)


@fragment("to_double", apart=True)
def to_double(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """d0 = the float or big integer r0; r0 becomes 0 if it is neither, or greater than any float."""
    other, none = Label(), Label()
    load_header(a, R1, R0, none)
    a.cmp(R1, conventions.FLOAT)
    a.b(other, NE)
    a.add(R1, R0, WORD - tags.BOXED)
    a.vldr(D0, at(R1))
    a.bx(LR)
    a.bind(other)
    a.and_(R1, R1, tags.HEADER_MASK & ~tags.BIG_SIGN)
    a.cmp(R1, tags.BIG_HEADER)
    a.b(none, NE)
    a.str(LR, at(SP, conventions.RETURN))
    a.add(R1, SP, conventions.ARGUMENTS)
    call_vm(a, "big_to_double")
    a.vldr(D0, at(SP, conventions.ARGUMENTS))
    a.cmp(R0, 0)
    a.mov(R0, 1)
    a.mov(R0, 0, LT)
    a.ldr(PC, at(SP, conventions.RETURN))
    a.bind(none)
    a.mov(R0, 0)
    a.bx(LR)
