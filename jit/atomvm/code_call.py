"""Calls, returns, funs, and errors that operations raise."""

from __future__ import annotations

from typing import Final

from jit.atomvm import formats, terms
from jit.atomvm.code_common import fill, leave_frame
from jit.atomvm.emission import Emission
from jit.atomvm.emitters import emits
from jit.atomvm.macros import CONTEXT, STATE, Condition
from jit.beam.operands import BeamLabel, Import, Lambda, Operand, X
from jit.beam.operations import Operation
from jit.beam.types import TypeKind
from jit.codegen.processor import Label, Register

#: Functions of the module ``erlang`` that never return.
_RAISING: Final = frozenset("error exit throw nif_error raise halt".split())


def never_returns(operation: Operation) -> bool:
    """Whether control never comes back from a call."""
    if operation.name != "call_ext":
        return False
    callee = operation.operands[1]
    return isinstance(callee, Import) and callee.module == "erlang" and callee.function in _RAISING


# In the module


@emits("call")
def call(e: Emission, _arity: int, callee: BeamLabel) -> None:
    back = Label()
    e.m.set_return(back)
    _go(e, callee)
    e.a.bind(back)
    e.m.entry()


@emits("call_only")
def call_only(e: Emission, _arity: int, callee: BeamLabel) -> None:
    _go(e, callee)


@emits("call_last")
def call_last(e: Emission, _arity: int, callee: BeamLabel, words: int) -> None:
    leave_frame(e, words)
    _go(e, callee)


def _go(e: Emission, callee: BeamLabel) -> None:
    """Go to a function of this module."""
    e.a.jump(e.shared.place(callee.number))


@emits("jump")
def jump(e: Emission, target: BeamLabel) -> None:
    e.a.jump(e.label(target.number))


@emits("return")
def return_(e: Emission) -> None:
    e.m.return_()


# Out of the module


@emits("call_ext")
def call_ext(e: Emission, arity: int, callee: Import) -> None:
    e.m.call_ext(e.shared.imports[callee], arity, formats.CALL)


@emits("call_ext_only")
def call_ext_only(e: Emission, arity: int, callee: Import) -> None:
    e.m.call_ext(e.shared.imports[callee], arity, formats.TAIL_CALL)


@emits("call_ext_last")
def call_ext_last(e: Emission, arity: int, callee: Import, words: int) -> None:
    e.m.call_ext(e.shared.imports[callee], arity, words)


@emits("apply")
def apply(e: Emission, arity: int) -> None:
    module, function = _applied(e, arity)
    e.m.go_out("apply", module, function, arity)


@emits("apply_last")
def apply_last(e: Emission, arity: int, words: int) -> None:
    module, function = _applied(e, arity)
    leave_frame(e, words)
    e.m.fail("apply", module, function, arity)


def _applied(e: Emission, arity: int) -> tuple[Register, Register]:
    """Module and function, which are atoms."""
    module, function, *_ = e.m.saved
    e.loads((X(arity), module), (X(arity + 1), function))
    for one in (module, function):
        e.m.branch_if_bits(Condition.DIFFERENT, one, terms.SECOND_TAG, terms.ATOM, e.raises("badarg"))
    return module, function


# Funs


@emits("call_fun")
def call_fun(e: Emission, arity: int) -> None:
    _call_fun(e, arity, X(arity))


@emits("call_fun2")
def call_fun2(e: Emission, _tag: Operand, arity: int, fun: Operand) -> None:
    _call_fun(e, arity, fun)


def _call_fun(e: Emission, arity: int, operand: Operand) -> None:
    fun, header = e.m.saved[0], e.m.args[0]
    e.load(operand, fun)
    if not e.is_sure(operand, TypeKind.FUN):
        e.check_header(fun, header, terms.FUN, e.raises_tuple("badfun", fun))
    e.m.go_out("call_fun", fun, arity)


@emits("make_fun3")
def make_fun3(e: Emission, entry: Lambda, destination: Operand, free: tuple[Operand, ...]) -> None:
    fun = e.m.saved[0]
    e.m.call("term_alloc_fun", CONTEXT, STATE, e.shared.lambdas[entry], len(free))
    e.pointer(fun, e.m.args[0])
    fill(e, fun, terms.FUN_FREE, free)
    e.store(fun, destination)


# Errors


@emits("func_info")
def func_info(e: Emission, _module: Operand, _function: Operand, arity: int) -> None:
    e.m.raise_function_clause(e.shared.atoms[e.function.name], arity)


@emits("if_end")
def if_end(e: Emission) -> None:
    e.m.fail("raise_error", reason=terms.ATOMS["if_clause"])


def _raises_with(reason: str, *names: str) -> None:
    @emits(*names)
    def emit(e: Emission, value: Operand) -> None:
        e.load(value, e.m.args[0])
        e.m.fail("raise_error_tuple", e.m.args[0], reason=terms.ATOMS[reason])


_raises_with("badmatch", "badmatch")
_raises_with("case_clause", "case_end")
_raises_with("try_clause", "try_case_end")
_raises_with("badrecord", "badrecord")


@emits("raise")
def raise_(e: Emission, trace: Operand, value: Operand) -> None:
    one, other = e.m.saved[0], e.m.saved[1]
    e.loads((trace, one), (value, other))
    e.m.tail("raise", one, other)


@emits("raw_raise")
def raw_raise(e: Emission) -> None:
    kind, good = e.m.args[0], Label()
    e.load(X(0), kind)
    for name in ("error", "exit"):
        e.m.branch_if(Condition.EQUAL, kind, terms.ATOMS[name], good)
    other = Label()
    e.m.branch_if(Condition.DIFFERENT, kind, terms.ATOMS["throw"], other)
    e.a.bind(good)
    e.m.tail("raw_raise")
    e.a.bind(other)
    e.m.constant(kind, terms.ATOMS["badarg"])
    e.store(kind, X(0))


@emits("try", "catch")
def handle(e: Emission, destination: Operand, handler: BeamLabel) -> None:
    e.label(handler.number)
    e.m.catch_term(e.m.args[0], handler.number)
    e.store(e.m.args[0], destination)


@emits("try_end", "try_case")
def try_end(e: Emission, register: Operand) -> None:
    e.m.constant(e.m.args[0], terms.NIL)
    e.store(e.m.args[0], register)


@emits("catch_end")
def catch_end(e: Emission, register: Operand) -> None:
    try_end(e, register)
    e.m.call("catch_end", CONTEXT, STATE)
    e.m.branch_if_false(e.m.args[0], e.error())


@emits("build_stacktrace")
def build_stacktrace(e: Emission) -> None:
    e.m.call("stacktrace_build", CONTEXT)
    e.store(e.m.args[0], X(0))
