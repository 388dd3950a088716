"""Funs: how they are made and called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, NE
from jit.arm32.operands import at
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, SP
from jit.beam.operands import Integer, Lambda, Operand, X, register_of
from jit.codegen.cache import Keeps
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions, symbols
from jit.erts.arm32.call import push_continuation
from jit.erts.arm32.common import deallocate
from jit.erts.arm32.conventions import HTOP, PROCESS, WORD
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.fragments import call_vm, fragment, swap_in, swap_out
from jit.erts.arm32.type_tests import by_bif, compare_header
from jit.erts.layout import NativeLayout
from jit.otp import tags
from jit.otp.features import FUN_HEADERS, FUN_REFERENCES
from jit.otp.things import ErlFunThing25, ErlFunThing27

# Operands of loaded instructions (emu/ops.tab, as beam_makeops packs them on 32 bits).
_ENTRY = WORD  # i_make_fun3 F d t t *: the fun entry
_ENVIRONMENT = 4 * WORD  # what the fun holds; behind it a reference to the fun entry (FUN_REFERENCES)
_CONSTANT = WORD  # move c xy

#: The byte that holds the arity in a fun of OTP 25.
_ARITY_25: Final = ErlFunThing25.COUNTS * WORD + ErlFunThing25.ARITY_BYTE

#: Where variables are in a fun of OTP 25, and since then.
_VARIABLES_25: Final = ErlFunThing25.ENV * WORD
_VARIABLES: Final = ErlFunThing27.ENV * WORD


@emits("make_fun3", keeps=Keeps.ALL)
def make_fun3(e: Emission, fun: Lambda, to: Operand, variables: tuple[Operand, ...]) -> None:
    """The fun entry is made when the module is loaded, and written into the bytecode beside native code.

    The instruction that stands for the operation begins at a label: the loader joins it with nothing that comes before.
    """
    if len(variables) != fun.free:
        raise Unsupported(f"make_fun3 with {len(variables)} variables instead of {fun.free}")
    e.a.ldr_literal(R1, symbols.label(e.resume_label(e.index)))
    if not FUN_HEADERS.of(e.shared.layout.otp):
        _make_25(e, fun, variables)
    elif variables:
        _make(e, fun, variables)
    else:
        e.resume_label(e.index + 1)  # nothing that comes behind is joined either
        e.a.ldr(R0, at(R1, _CONSTANT))  # the loader has made it, and a move
    e.store(R0, to)


def _make_25(e: Emission, fun: Lambda, variables: tuple[Operand, ...]) -> None:
    """r0 = a fun that counts as a reference to its entry."""
    e.a.mov_constant(R2, fun.arity - fun.free)
    e.a.mov_constant(R3, fun.free)
    e.call("make_fun")
    for number, variable in enumerate(variables):
        e.a.str(e.value(variable, R1), at(R0, _VARIABLES_25 + WORD * number))
    e.a.add(R0, R0, tags.BOXED)


def _make(e: Emission, fun: Lambda, variables: tuple[Operand, ...]) -> None:
    """r0 = a fun; in OTP 27 it holds a reference to its entry behind its variables."""
    arity, count = fun.arity - fun.free, len(variables)
    size = count + 1 if FUN_REFERENCES.of(e.shared.layout.otp) else count
    e.a.mov_constant(R2, tags.FUN_HEADER | arity << tags.FUN_ARITY_SHIFT | size << tags.FUN_ENV_SHIFT)
    e.a.ldr(R3, at(R1, _ENTRY))
    if size > count:
        e.a.ldr(R1, at(R1, _ENVIRONMENT + WORD * count))
        e.a.str(R1, at(HTOP, _VARIABLES + WORD * count))
    e.a.stm(HTOP, (R2, R3))
    for number, variable in enumerate(variables):
        e.a.str(e.value(variable, R1), at(HTOP, _VARIABLES + WORD * number))
    e.a.add(R0, HTOP, tags.BOXED)
    e.a.add_constant(HTOP, HTOP, _VARIABLES + WORD * size)


@fragment("make_fun", apart=True)
def make_fun(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """OTP 25: r0 = the address of a new fun without variables, of the entry in the instruction r1, arity r2, r3 free.

    There is room for it on the heap.
    """
    a.str(LR, at(SP, conventions.RETURN))
    swap_out(a, layout, (HTOP,))
    a.ldr(R1, at(R1, _ENTRY))
    a.mov(R0, PROCESS)
    call_vm(a, "erts_new_local_fun_thing")
    swap_in(a, layout, (HTOP,))
    a.ldr(PC, at(SP, conventions.RETURN))


@emits("is_function", keeps=Keeps.ALL)
def is_function(e: Emission, fail: Operand, source: Operand) -> None:
    compare_header(e, e.value(source, R0), tags.FUN_HEADER, tags.HEADER_MASK)
    e.a.b(e.failure(fail), NE)


@emits("is_function2", keeps=Keeps.ALL)
def is_function2(e: Emission, fail: Operand, source: Operand, arity: Operand) -> None:
    if not isinstance(arity, Integer) or not 0 <= arity.value <= tags.MAX_FUN_ARITY:
        by_bif("is_function")(e, fail, source, arity)
        return
    failure = e.failure(fail)
    register = e.value(source, R0)
    if not FUN_HEADERS.of(e.shared.layout.otp):
        compare_header(e, register, tags.FUN_HEADER, tags.HEADER_MASK)
        e.a.ldrb(R1, at(register, _ARITY_25 - tags.BOXED), EQ)
        e.a.cmp(R1, arity.value, EQ)
    else:
        e.a.tst(register, tags.NOT_BOXED)
        e.a.ldr(R1, at(register, -tags.BOXED), EQ)
        e.a.uxth(R1, R1, cond=EQ)
        e.a.cmp_constant(R1, tags.FUN_HEADER | arity.value << tags.FUN_ARITY_SHIFT, EQ)
    e.a.b(failure, NE)


@emits("call_fun")
def call_fun(e: Emission, arity: int) -> None:
    """Before ``deallocate`` and ``return`` it is a tail call, as it is for the loader if there is no label between."""
    e.a.mov_constant(R1, arity)
    e.call("call_fun")
    e.a.cmp(R0, 0)
    e.a.b(e.to_interpreter(), EQ)
    frame = _frame_left(e)
    if frame is not None:
        deallocate(e, frame)
        e.go("call_code")
        e.done |= {e.index + 1, e.index + 2}
        return
    back = push_continuation(e, R1)
    e.go("call_code")
    e.a.bind(back)


def _frame_left(e: Emission) -> int | None:
    """The y registers that are given up behind the operation in work if control returns from there."""
    behind = e.operations[e.index + 1 : e.index + 3]
    if [operation.name for operation in behind] != ["deallocate", "return"]:
        return None
    frame = behind[0].operands[0]
    assert isinstance(frame, int)
    return frame


@emits("call_fun2")
def call_fun2(e: Emission, _tag: Operand, arity: int, fun: Operand) -> None:
    """The interpreter moves the fun behind its arguments too, before anything can fail."""
    if register_of(fun) != X(arity):
        e.store_behind(e.load(fun, R0), arity)
    call_fun(e, arity)
