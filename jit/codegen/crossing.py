"""Ways between native code and the interpreter: in, and out at the beginning or in the midst of a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, GE, GT, HI, LT, MI, NE
from jit.arm32.labels import Label
from jit.arm32.operands import Address, asr, at, lsr, pre
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, SP, Register
from jit.codegen import machine, symbols
from jit.codegen.emission import Emission
from jit.codegen.fragments import Fragments, fragment, swap_out
from jit.codegen.machine import (
    CALL_NIF,
    ENVIRONMENT,
    FCALLS,
    HTOP,
    MOST_LIVE,
    PROCESS,
    REGISTERS,
    ROOM,
    SAVED,
    WORD,
    X_ARRAY,
    E,
)
from jit.erts.layout import Layout

#: Reductions that are left when a collection is put off.
_ENOUGH: Final = 3
#: CONTEXT_REDS (erl_vm.h), and ERTS_PSD_SAVED_CALLS_BUF (erl_process.h), an index into what Process.psd points to.
_TURN: Final = 4000
_SAVED_CALLS: Final = 1
#: Minus ERTS_INVALID_HFRAG_PTR (erl_message.h), which stands for no fragment.
_INVALID_FRAGMENT: Final = 8

#: An instruction that loads or stores.
_Access = Callable[[Register, Address], None]


def visit(e: Emission) -> tuple[Label, Label]:
    """Two places: one that lets the interpreter do the operation in work, and where native code goes on after it.

    The second is to be bound behind the operation's own code. Registers are in memory there. As ``to_interpreter``, the
    first is to be branched to before the operation has changed anything.
    """
    return e.to_interpreter(), come_back(e)


def come_back(e: Emission) -> Label:
    """Where native code goes on when the interpreter has done the operation in work. To be bound behind it."""
    label, back = e.continuation()
    e.handlers[e.index] = label
    return back


@fragment("enter")
def enter(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """From the interpreter: r0 is the ErlNifEnv, r2 the x registers, r12 where to go."""
    a.push(*SAVED)
    a.sub(SP, SP, ROOM)
    a.str(R0, at(SP, ENVIRONMENT))
    a.ldr(PROCESS, at(R0, layout["ErlNifEnv.proc"]))
    a.sub(REGISTERS, R2, X_ARRAY)
    a.ldr(E, at(PROCESS, layout["Process.stop"]))
    a.ldr(HTOP, at(PROCESS, layout["Process.htop"]))
    a.ldr(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    a.ldr_literal(CALL_NIF, symbols.CALL_NIF)
    a.bx(R12)


@fragment("return")
def return_(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """To the interpreter, which returns x0 to the address on the stack."""
    a.mov(R1, 1)
    a.bl(fragments["settle"])
    a.ldr(R0, at(REGISTERS, X_ARRAY))
    a.b(fragments["leave"])


@fragment("interpret")
def interpret(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """To the interpreter, which goes on at r0, a function with r1 arguments, as for a trap."""
    _prepare_trap(a, layout)
    a.bl(fragments["settle"])
    a.b(fragments["dispatch"])


def _prepare_trap(a: Assembler, layout: Layout) -> None:
    """Let the interpreter go on at r0 with r1 x registers in use when it gets THE_NON_VALUE, which is 0."""
    a.str(R0, at(PROCESS, layout["Process.i"]))
    a.mov_constant(R0, machine.TRAP)
    a.str(R0, at(PROCESS, layout["Process.freason"]))
    store_arity(a, layout)


def store_arity(a: Assembler, layout: Layout) -> None:
    """Process.arity = r1."""
    _of_arity(layout, a.strb, a.str)


def _of_arity(layout: Layout, byte: _Access, word: _Access) -> None:
    """Access Process.arity by r1. Its size differs from one release to the other."""
    field = layout.fields["Process.arity"]
    (byte if field.size == 1 else word)(R1, at(PROCESS, field.offset))


@fragment("trap")
def trap(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """To the interpreter, which goes on where a C function wants it to: all is in the process and x registers."""
    _of_arity(layout, a.ldrb, a.ldr)
    # If the C function has put off collections until it is done, the interpreter would keep which fragments there were
    # when native code was entered (live_hf_end). They may be gone: say that there were none.
    settled = Label()
    a.ldr(R2, at(PROCESS, layout["Process.flags"]))
    a.tst(R2, machine.DISABLE_GC)
    a.b(settled, EQ)
    a.ldr(R2, at(PROCESS, layout["Process.live_hf_end"]))
    a.cmn(R2, _INVALID_FRAGMENT)
    a.mov(R2, 0, EQ)
    a.str(R2, at(PROCESS, layout["Process.live_hf_end"]))
    a.bind(settled)
    a.bl(fragments["settle"])
    a.b(fragments["dispatch"])


@fragment("to_interpreter")
def to_interpreter(a: Assembler, layout: Layout, fragments: Fragments) -> None:
    """To the interpreter, in the midst of a function. Behind the call: where, and a bit for each x register in use.

    Others may hold anything, and the collector must not see that: those below the last in use become NIL.
    """
    loop, none = Label(), Label()
    a.ldm(LR, (R0, R1))
    a.add(R2, REGISTERS, X_ARRAY)
    a.mov_constant(R3, machine.NIL_WORD)
    a.mov(R12, 0)
    a.cmp(R1, 0)
    a.b(none, EQ)
    a.bind(loop)
    a.tst(R1, 1)
    a.str(R3, at(R2), EQ)
    a.add(R2, R2, WORD)
    a.add(R12, R12, 1)
    a.movs(R1, lsr(R1, 1))
    a.b(loop, NE)
    a.bind(none)
    a.mov(R1, R12)
    if fragments.stress:
        a.ldr(R2, at(PROCESS, layout["Process.flags"]))
        a.tst(R2, machine.DELAY_GC)
        a.b(fragments["suspend"], EQ)
    a.b(fragments["go_on_at"])


@fragment("go_on_at")
def go_on_at(a: Assembler, layout: Layout, fragments: Fragments) -> None:
    """To the interpreter at r0, in the midst of a function, with r1 x registers in use.

    The interpreter collects garbage first if it finds that due, and then may have no reductions left: it would take the
    place for the beginning of a function, and suspend the process with any number of registers. So garbage is collected
    here, and if that is still due then, as it is left to a dirty scheduler, the process is suspended at a stub.
    """
    delayed, go_on = Label(), Label()
    a.str(R0, at(SP, machine.ARGUMENTS))
    a.str(R1, at(SP, machine.ARGUMENTS + WORD))
    a.ldr(R2, at(PROCESS, layout["Process.flags"]))
    a.tst(R2, machine.DELAY_GC | machine.DISABLE_GC)
    a.b(delayed, NE)
    a.bl(fragments["settle"])
    a.bind(go_on)
    a.ldr(R0, at(SP, machine.ARGUMENTS))
    a.ldr(R1, at(SP, machine.ARGUMENTS + WORD))
    if_collection_is_due(a, layout, fragments["suspend"])
    _prepare_trap(a, layout)
    _have_reductions(a, layout, 1)
    a.b(fragments["dispatch"])
    # A message is looked at that is no part of the heap, or a BIF has work to finish: a collection is put off, and it
    # costs at most one reduction, unless it is already left to a dirty scheduler.
    a.bind(delayed)
    a.tst(R2, machine.DIRTY_GC)
    a.b(go_on, NE)
    _prepare_trap(a, layout)
    _have_reductions(a, layout, _ENOUGH)
    a.b(fragments["dispatch"])


def _have_reductions(a: Assembler, layout: Layout, least: int) -> None:
    """Have so many reductions left at least."""
    enough = Label()
    a.cmp(FCALLS, least)
    a.b(enough, GE)
    _check_saved_calls(a, layout)
    a.mov(FCALLS, least, EQ)
    a.b(enough, EQ)
    a.sub(R0, FCALLS, least)
    a.cmn(R0, _TURN)
    a.mov_constant(FCALLS, least - _TURN, LT)
    a.bind(enough)


def _check_saved_calls(a: Assembler, layout: Layout) -> None:
    """The flag Z is clear if the process's last calls are saved: then FCALLS counts from 0 to minus a turn."""
    a.ldr(R0, at(PROCESS, layout["Process.psd"]))
    a.cmp(R0, 0)
    a.ldr(R0, at(R0, WORD * _SAVED_CALLS), NE)
    a.cmp(R0, 0, NE)


@fragment("suspend")
def suspend(a: Assembler, layout: Layout, fragments: Fragments) -> None:
    """Let the interpreter suspend the process. What r0 and r1 say for ``go_on_at`` comes when it is resumed.

    The stub is a function with an argument for each x register that can be in use, and one for the place.
    """
    loop, filled = Label(), Label()
    a.add(R2, REGISTERS, X_ARRAY + WORD * MOST_LIVE)
    a.mov_constant(R3, machine.NIL_WORD)
    a.rsb(R1, R1, MOST_LIVE)
    a.bind(loop)
    a.subs(R1, R1, 1)
    a.b(filled, MI)
    a.str(R3, pre(R2, -WORD))
    a.b(loop)
    a.bind(filled)
    a.ldr_literal(R3, symbols.label(fragments.suspended))
    a.sub(R0, R0, R3)  # in the same block of memory, and in whole words
    a.lsl(R0, R0, machine.SMALL_BITS - 2)
    a.orr(R0, R0, machine.SMALL_TAG)
    a.str(R0, at(REGISTERS, X_ARRAY + WORD * MOST_LIVE))
    a.mov(R0, R3)
    a.mov(R1, MOST_LIVE + 1)
    _prepare_trap(a, layout)
    _check_saved_calls(a, layout)
    a.mov(FCALLS, 0)
    a.mov_constant(FCALLS, -_TURN, NE)
    a.b(fragments["dispatch"])


@fragment("suspended")
def suspended(a: Assembler, layout: Layout, fragments: Fragments) -> None:
    """A process goes on that was suspended in the midst of a function."""
    a.ldr(R0, at(REGISTERS, X_ARRAY + WORD * MOST_LIVE))
    a.ldr_literal(R1, symbols.label(fragments.suspended))
    a.bic(R0, R0, machine.SMALL_TAG)
    a.add(R0, R1, asr(R0, machine.SMALL_BITS - 2))
    a.mov(R1, MOST_LIVE)
    a.b(fragments["go_on_at"])


@fragment("yield")
def yield_(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """No reductions are left at the entry of a function. Behind the call: where its bytecode is."""
    a.ldr(R0, at(LR))
    a.ldr(R1, at(R0, -WORD))  # ErtsCodeMFA.arity
    a.add(FCALLS, FCALLS, 1)  # the interpreter counts the call itself
    a.b(fragments["interpret"])


@fragment("settle")
def settle(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """Before leaving with r1 x registers in use: do what the interpreter would do next, in the epilogue of call_nif.

    If a collection is due there must be no heap fragments: the interpreter has noted which there were before
    (live_hf_end), though they may have been freed here meanwhile.
    """
    collect = Label()
    if_collection_is_due(a, layout, collect)
    a.bx(LR)
    a.bind(collect)
    a.mov(R3, R1)
    a.mov(R1, 0)
    a.b(fragments["collect_garbage"])


def if_collection_is_due(a: Assembler, layout: Layout, due: Label) -> None:
    """Go to *due* if the interpreter is going to collect garbage: ERTS_IS_GC_DESIRED of erl_gc.h. Keeps r0 and r1."""
    a.ldr(R2, at(PROCESS, layout["Process.mbuf_sz"]))
    a.sub(R3, E, HTOP)
    a.cmp(R2, asr(R3, 2))
    a.b(due, GT)
    a.ldr(R2, at(PROCESS, layout["Process.flags"]))
    a.tst(R2, machine.FORCE_GC)
    a.b(due, NE)
    a.ldr(R2, at(PROCESS, layout["Process.off_heap.overhead"]))
    a.ldr(R3, at(PROCESS, layout["Process.bin_vheap_sz"]))
    a.cmp(R2, R3)
    a.b(due, HI)


@fragment("dispatch")
def dispatch(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """To the interpreter, which goes on at Process.i.

    If the process has been killed meanwhile (a collection finds its heap too large, or a signal comes), it finds an
    exception that cannot be caught. It looks at the code that the stack's top is to return to: in a frame there is NIL.
    """
    a.ldr(R0, at(PROCESS, layout["Process.state"]))
    a.tst(R0, machine.EXITING)
    a.mov(R0, machine.KILLED, NE)
    a.str(R0, at(PROCESS, layout["Process.freason"]), NE)
    a.ldr(R0, at(PROCESS, layout["Process.i"]), NE)
    a.str(R0, at(E), NE)
    a.mov(R0, 0)
    a.b(fragments["leave"])


@fragment("leave")
def leave(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """Out of native code: r0 is what the interpreter gets."""
    a.ldr(R1, at(SP, ENVIRONMENT))
    swap_out(a, layout)
    a.str(HTOP, at(R1, layout["ErlNifEnv.hp"]))  # erts_post_nif makes it the top of the heap
    a.add(SP, SP, ROOM)
    a.pop(R4, R5, R6, R7, R8, R9, R10, R11, PC)
