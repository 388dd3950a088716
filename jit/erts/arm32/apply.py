"""Calls of functions that are known only when they are called: apply, and erlang:apply/2,3.

The VM's functions lay out the arguments as the interpreter has them do it. When they fail they have overwritten some,
so the first ones are kept, and put back before the interpreter does the operation again, to raise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, LE, NE
from jit.arm32.operands import at, lsl
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R12, SP, Register
from jit.arm32.relocations import External
from jit.beam.operands import Import
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions
from jit.erts.arm32.call import instead_of, push_continuation
from jit.erts.arm32.conventions import FCALLS, PROCESS, REGISTERS, WORD, X_ARRAY, E
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.fragments import FragmentEmitter, call_vm, fragment, save_call, swap_in, swap_out
from jit.erts.layout import NativeLayout

#: No more of the x registers that belong to an operation are overwritten: ``apply`` of apply/3 has three arguments, and
#: the module and the name of the function behind them.
_KEPT: Final = (R0, R3, R12), (R0, R3)
#: On the C stack: an argument of the VM's function, a word that keeps sp a multiple of 8, and what is kept.
_ROOM: Final = 32
_BELOW: Final = 8

#: Appends code that loads arguments.
Arguments = Callable[[Assembler], None]


@emits("apply")
def apply(e: Emission, arity: int) -> None:
    e.a.mov_constant(R2, arity)
    _call(e, "fixed_apply", None)


@emits("apply_last")
def apply_last(e: Emission, arity: int, stack: int) -> None:
    e.a.mov_constant(R2, arity)
    _call(e, "fixed_apply_last", stack + 1)


@instead_of(Import("erlang", "apply", 3))
def apply_3(e: Emission, frame: int | None) -> None:
    _call(e, "apply" if frame is None else "apply_last", frame)


@instead_of(Import("erlang", "apply", 2))
def apply_2(e: Emission, frame: int | None) -> None:
    _call(e, "apply_fun", frame)


def _call(e: Emission, find: str, frame: int | None) -> None:
    """Call what a fragment finds: in a tail call after giving up *frame* words of the stack."""
    e.call(find)
    e.a.cmp(R0, 0)
    e.a.b(e.to_interpreter(), EQ)
    if frame is None:
        back = push_continuation(e, R1)
        e.go("call_code")
        e.a.bind(back)
    else:
        e.a.add_constant(E, E, WORD * frame)
        e.go("call_code")


def _finder(function: str, arguments: Arguments, *, tail: bool = False, exported: bool = True) -> FragmentEmitter:
    """r0 = the code to call, with its arguments in x registers; 0 if the interpreter is to do it, with all as before.

    *arguments* loads those of the VM's function beside the process; r1 is the x registers. The function gives an export
    entry, or code that is not *exported*. A *tail* call of a BIF is left to the interpreter, as the caller is in its
    stack trace.
    """

    def find(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
        failed, done, saved, go = Label(), Label(), Label(), Label()
        a.str(LR, at(SP, conventions.RETURN))
        swap_out(a, layout)
        a.sub(SP, SP, _ROOM)
        _keep(a)
        a.add(R1, REGISTERS, X_ARRAY)
        a.mov(R0, PROCESS)
        arguments(a)
        call_vm(a, function)
        swap_in(a, layout)
        a.cmp(R0, 0)
        a.b(failed, EQ)
        if tail:
            a.ldr(R1, at(R0, layout["Export.bif_number"]))
            a.cmn(R1, 1)
            a.b(failed, NE)
        if exported:
            a.cmp(FCALLS, 0)
            a.b(saved, LE)
            a.bind(go)
            a.ldr_literal(R1, External("the_active_code_index"))
            a.ldr(R1, at(R1))
            a.ldr(R0, at(R0, lsl(R1, 2)))
        a.b(done)
        if exported:
            a.bind(saved)
            save_call(a)
            a.b(go)
        a.bind(failed)
        _put_back(a)
        a.mov(R0, 0)
        a.bind(done)
        a.add(SP, SP, _ROOM)
        a.ldr(PC, at(SP, conventions.RETURN))

    return find


def _keep(a: Assembler) -> None:
    a.add(R1, REGISTERS, X_ARRAY)
    a.add(LR, SP, _BELOW)
    _copy(a, R1, LR)


def _put_back(a: Assembler) -> None:
    a.add(LR, SP, _BELOW)
    a.add(R1, REGISTERS, X_ARRAY)
    _copy(a, LR, R1)


def _copy(a: Assembler, source: Register, to: Register) -> None:
    """Copy the words that are kept; both registers are changed, r2 is not."""
    for group in _KEPT:
        a.ldm(source, group, writeback=True)
        a.stm(to, group, writeback=True)


def _fixed_apply(a: Assembler) -> None:
    """X registers, arity (which is in r2), and two zeros: not as a tail call, which would make room on the stack."""
    a.mov(R3, 0)
    a.str(R3, at(SP))


def _apply(a: Assembler) -> None:
    """X registers; not as a tail call."""
    a.mov(R2, 0)
    a.mov(R3, 0)


def _apply_fun(a: Assembler) -> None:
    """Fun, list of arguments, x registers."""
    a.mov(R3, R1)
    a.ldm(R3, (R1, R2))


fragment("fixed_apply")(_finder("fixed_apply", _fixed_apply))
fragment("fixed_apply_last")(_finder("fixed_apply", _fixed_apply, tail=True))
fragment("apply")(_finder("apply", _apply))
fragment("apply_last")(_finder("apply", _apply, tail=True))
fragment("apply_fun")(_finder("apply_fun", _apply_fun, exported=False))
