"""Calls and returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jit.arm32.conditions import LT, NE, PL
from jit.arm32.operands import at
from jit.arm32.registers import PC, R0, R1, Register
from jit.beam.operands import BeamLabel, Import
from jit.beam.operations import Operation
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions, symbols
from jit.erts.arm32.common import deallocate
from jit.erts.arm32.conventions import CALL_NIF, FCALLS, WORD, E
from jit.erts.arm32.crossing import visit
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.bif_names import is_bif
from jit.otp import tags
from jit.otp.code import RAISING

#: Emits the call of a function that the loader makes an instruction of its own. The number: words of stack that a tail
#: call gives up; None for a call that is none.
CallEmitter = Callable[[Emission, int | None], None]

_INSTEAD: Final[dict[Import, CallEmitter]] = {}

#: BIFs that are left to the interpreter, with what stands behind them: raise/3 may return.
_RAISING: Final = frozenset(Import("erlang", name, arity) for name, arity in (*RAISING, ("raise", 3)))

_YIELD: Final = Import("erlang", "yield", 0)


def never_returns(operation: Operation) -> bool:
    """Whether native code never goes on behind it, so that nothing need stand there."""
    return operation.name == "call_ext" and operation.operands[1] in _RAISING


def instead_of(callee: Import) -> Callable[[CallEmitter], CallEmitter]:
    """Declare what emits the calls of an imported function."""

    def declare(emitter: CallEmitter) -> CallEmitter:
        _INSTEAD[callee] = emitter
        return emitter

    return declare


@emits("call")
def call(e: Emission, arity: int, callee: BeamLabel) -> None:
    back = push_continuation(e)
    _go(e, arity, callee)
    e.a.bind(back)


@emits("call_only")
def call_only(e: Emission, arity: int, callee: BeamLabel) -> None:
    _go(e, arity, callee)


@emits("call_last")
def call_last(e: Emission, arity: int, callee: BeamLabel, stack: int) -> None:
    deallocate(e, stack)
    _go(e, arity, callee)


@emits("call_ext")
def call_ext(e: Emission, _arity: int, callee: Import) -> None:
    if callee in _INSTEAD:
        _INSTEAD[callee](e, None)
    elif callee in _RAISING:
        e.leave()
    elif _is_bif(e, callee):
        # The interpreter calls its function, even when its module is not loaded.
        visited, back = visit(e)
        e.a.b(visited)
        e.a.bind(back)
    else:
        call_export(e, callee, None)


@emits("call_ext_only")
def call_ext_only(e: Emission, _arity: int, callee: Import) -> None:
    _tail_call(e, callee, 0)


@emits("call_ext_last")
def call_ext_last(e: Emission, _arity: int, callee: Import, stack: int) -> None:
    _tail_call(e, callee, stack + 1)


def _tail_call(e: Emission, callee: Import, frame: int) -> None:
    if callee in _INSTEAD:
        _INSTEAD[callee](e, frame)
    elif _is_bif(e, callee):
        e.leave()
    else:
        call_export(e, callee, frame)


@emits("return")
def counted_return(e: Emission) -> None:
    """It takes a reduction. With none left, the interpreter returns: it lets the process wait where the caller goes on.

    Else processes would go back from a deep recursion without a break, and collections that are left to a dirty
    scheduler would never happen.
    """
    first, slow = e.returning is None, e.returning or Label()
    e.returning = slow
    e.a.ldr(R0, at(E))
    e.a.subs(FCALLS, FCALLS, 1)
    e.a.ldr(R1, at(R0))
    e.a.cmp(R1, CALL_NIF, PL)
    e.a.b(slow, NE)  # below zero is not equal either
    _go_back(e)
    if first:
        exhausted = e.to_interpreter()

        def cold() -> None:
            e.a.bind(slow)
            e.a.cmp(FCALLS, 0)
            e.a.b(exhausted, LT)
            e.go("return")

        e.cold(cold)


def return_(e: Emission) -> None:
    """Return behind an operation that has taken a reduction."""
    e.a.ldr(R0, at(E))
    e.a.ldr(R1, at(R0))
    e.a.cmp(R1, CALL_NIF)
    e.go("return", NE)
    _go_back(e)


def _go_back(e: Emission) -> None:
    """Go to the native continuation at r0."""
    e.a.mov_constant(R1, tags.NIL)
    e.a.str(R1, at(E))
    e.a.ldr(PC, at(R0, conventions.NATIVE_ENTRY))


def push_continuation(e: Emission, scratch: Register = R0) -> Label:
    """Store where the callee returns to; gives the native place, to be bound behind the call."""
    label, back = e.continuation()
    e.a.ldr_literal(scratch, symbols.label(label))
    e.a.str(scratch, at(E))
    return back


def _go(e: Emission, arity: int, callee: BeamLabel) -> None:
    """Go to a function of this module, in native code if it has some."""
    entry = e.shared.entries.get(callee.number)
    if entry is not None:
        e.a.b(entry)
        return
    e.a.ldr_literal(R0, symbols.label(callee.number))
    e.a.mov_constant(R1, arity)
    e.go("interpret")


def call_export(e: Emission, callee: Import, frame: int | None) -> None:
    """Call through the export entry; *frame* as in ``CallEmitter``."""
    back = push_continuation(e) if frame is None else None
    if frame:
        e.a.add_constant(E, E, WORD * frame)
    e.a.ldr_literal(R0, symbols.import_(e.shared.imports[callee]))
    e.go("call_export")
    if back is not None:
        e.a.bind(back)


def _is_bif(e: Emission, callee: Import) -> bool:
    """Whether the interpreter has an instruction for it, also in tail calls: the caller is in its stack trace."""
    if callee.module == "erlang" and callee.function in ("nif_error", "load_nif"):
        raise Unsupported(f"a call of erlang:{callee.function}")
    return callee == _YIELD or is_bif(callee, e.shared.layout.otp)
