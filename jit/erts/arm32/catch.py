"""Exceptions that are caught. A handler is, for the VM, a place in the bytecode: see ``Emission.handler``."""

from __future__ import annotations

from jit.arm32.conditions import EQ
from jit.arm32.operands import at
from jit.arm32.registers import R0, R1
from jit.beam.operands import BeamLabel, X, Y
from jit.erts.arm32 import symbols
from jit.erts.arm32.conventions import PROCESS, WORD
from jit.erts.arm32.crossing import come_back
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.otp import tags

#: In the loaded instruction catch_yf: the operation, the y register, then the tag that finds the handler.
_TAG = 2 * WORD

#: Where x0 says that there was an exception, x1 to x3 tell of it.
_EXCEPTION = 0b1111


@emits("try", "catch")
def try_(e: Emission, tag: Y, handler: BeamLabel) -> None:
    e.handler(handler.number)
    e.a.ldr_literal(R0, symbols.label(e.resume_label(e.index)))
    e.a.ldr(R0, at(R0, _TAG))
    e.store(R0, tag)
    _count(e, 1)


@emits("try_end")
def try_end(e: Emission, tag: Y) -> None:
    _count(e, -1)
    e.a.mov_constant(R0, tags.NIL)
    e.store(R0, tag)


@emits("try_case")
def try_case(e: Emission, tag: Y) -> None:
    try_end(e, tag)
    e.store(e.load(X(3), R0), X(0))


@emits("catch_end")
def catch_end(e: Emission, tag: Y) -> None:
    """Without an exception as ``try_end``; what to make of one, the interpreter knows, which then comes back."""
    caught, back = e.to_interpreter(_EXCEPTION), come_back(e)
    e.a.cmp(e.load(X(0), R0), 0)
    e.a.b(caught, EQ)
    try_end(e, tag)
    e.a.bind(back)


@emits("build_stacktrace")
def build_stacktrace(e: Emission) -> None:
    e.load(X(0), R0)
    e.call("build_stacktrace")
    e.store(R0, X(0))


def _count(e: Emission, change: int) -> None:
    place = at(PROCESS, e.shared.layout["Process.catches"])
    e.a.ldr(R1, place)
    e.a.add_constant(R1, R1, change)
    e.a.str(R1, place)
