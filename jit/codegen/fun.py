"""Calls of funs."""

from __future__ import annotations

from jit.arm32.conditions import EQ
from jit.arm32.registers import R0, R1
from jit.beam.operands import Operand, X, register_of
from jit.codegen.call import push_continuation
from jit.codegen.emission import Emission, Unsupported
from jit.codegen.emitters import emits


@emits("call_fun")
def call_fun(e: Emission, arity: int) -> None:
    e.a.mov_constant(R1, arity)
    e.a.bl(e.shared.fragments["call_fun"])
    e.a.cmp(R0, 0)
    e.a.b(e.to_interpreter(), EQ)
    back = push_continuation(e, R1)
    e.a.b(e.shared.fragments["call_code"])
    e.a.bind(back)


@emits("call_fun2")
def call_fun2(e: Emission, _tag: Operand, arity: int, fun: Operand) -> None:
    if register_of(fun) != X(arity):
        raise Unsupported("call_fun2 with a fun that is not behind its arguments")
    call_fun(e, arity)
