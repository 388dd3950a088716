"""Ways between native code and the interpreter: in, and out at the beginning or in the midst of a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, GE, GT, HI, LE, LT, MI, NE
from jit.arm32.operands import Address, asr, at, lsr, pre
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, SP, Register
from jit.beam.operands import Operand
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions, symbols
from jit.erts.arm32.conventions import (
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
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.fragments import Fragments, fragment, swap_out
from jit.erts.layout import NativeLayout
from jit.otp import tags, vm_flags

#: Reductions that are left when a collection is put off.
_ENOUGH: Final = 3

#: An instruction that loads or stores.
_Access = Callable[[Register, Address], None]


def visit(e: Emission) -> tuple[Label, Label]:
    """Two places: one that lets the interpreter do the operation in work, and where native code goes on after it.

    The second is to be bound behind the operation's own code. Registers are in memory there. As ``to_interpreter``, the
    first is to be branched to before the operation has changed anything.
    """
    return e.to_interpreter(), come_back(e)


def visit_for(e: Emission, result: Register, to: Operand) -> tuple[Label, Label]:
    """The same for an operation that keeps x registers in CPU registers, and makes one value.

    The second place is to be bound where the value is in the CPU register *result*, before it is stored.
    """
    back, made = come_back(e, reloads=True), Label()

    def cold() -> None:
        e.a.bind(back)
        e.reload()
        e.fetch(result, to)
        e.a.b(made)

    e.cold(cold, comes_back=True)
    return e.to_interpreter(), made


def come_back(e: Emission, *, reloads: bool = False) -> Label:
    """Where native code goes on when the interpreter has done the operation in work. To be bound behind it.

    *reloads* is for ``Emission.continuation``.
    """
    label, back = e.continuation(reloads=reloads)
    e.handlers[e.index] = label
    return back


@fragment("enter")
def enter(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
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
def return_(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """To the interpreter, which returns x0 to the address on the stack."""
    a.mov(R1, 1)
    a.bl(fragments["settle"])
    a.ldr(R0, at(REGISTERS, X_ARRAY))
    a.b(fragments["leave"])


@fragment("interpret")
def interpret(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """To the interpreter, which goes on at r0, a function with r1 arguments, as for a trap."""
    _prepare_trap(a, layout)
    a.bl(fragments["settle"])
    a.b(fragments["dispatch"])


def _prepare_trap(a: Assembler, layout: NativeLayout) -> None:
    """Let the interpreter go on at r0 with r1 x registers in use when it gets THE_NON_VALUE, which is 0."""
    a.str(R0, at(PROCESS, layout["Process.i"]))
    a.mov_constant(R0, vm_flags.TRAP)
    a.str(R0, at(PROCESS, layout["Process.freason"]))
    store_arity(a, layout)


def store_arity(a: Assembler, layout: NativeLayout) -> None:
    """Process.arity = r1."""
    _of_arity(layout, a.strb, a.str)


def _of_arity(layout: NativeLayout, byte: _Access, word: _Access) -> None:
    """Access Process.arity by r1. Its size differs from one release to the other."""
    field = layout.fields["Process.arity"]
    (byte if field.width == 1 else word)(R1, at(PROCESS, field.offset))


@fragment("trap")
def trap(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """To the interpreter, which goes on where a C function wants it to: all is in the process and x registers."""
    _of_arity(layout, a.ldrb, a.ldr)
    # If the C function has put off collections until it is done, the interpreter would keep which fragments there were
    # when native code was entered (live_hf_end). They may be gone: say that there were none.
    settled = Label()
    a.ldr(R2, at(PROCESS, layout["Process.flags"]))
    a.tst(R2, vm_flags.F_DISABLE_GC)
    a.b(settled, EQ)
    a.ldr(R2, at(PROCESS, layout["Process.live_hf_end"]))
    a.cmn(R2, -vm_flags.ERTS_INVALID_HFRAG_PTR)
    a.mov(R2, 0, EQ)
    a.str(R2, at(PROCESS, layout["Process.live_hf_end"]))
    a.bind(settled)
    a.bl(fragments["settle"])
    a.b(fragments["dispatch"])


@fragment("to_interpreter")
def to_interpreter(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
    """To the interpreter, in the midst of a function. Behind the call: where, and a bit for each x register in use.

    Others may hold anything, and the collector must not see that: those below the last in use become NIL.
    """
    loop, none = Label(), Label()
    a.ldm(LR, (R0, R1))
    a.add(R2, REGISTERS, X_ARRAY)
    a.mov_constant(R3, tags.NIL)
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
        a.tst(R2, vm_flags.F_DELAY_GC)
        a.b(fragments["suspend"], EQ)
    a.b(fragments["go_on_at"])


@fragment("go_on_at")
def go_on_at(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
    """To the interpreter at r0, in the midst of a function, with r1 x registers in use.

    The interpreter collects garbage first if it finds that due, and then may have no reductions left: it would take the
    place for the beginning of a function, and suspend the process with any number of registers. So garbage is collected
    here, and if that is still due then, as it is left to a dirty scheduler, the process is suspended at a stub.
    """
    delayed, go_on = Label(), Label()
    a.str(R0, at(SP, conventions.ARGUMENTS))
    a.str(R1, at(SP, conventions.ARGUMENTS + WORD))
    a.ldr(R2, at(PROCESS, layout["Process.flags"]))
    a.tst(R2, vm_flags.F_DELAY_GC | vm_flags.F_DISABLE_GC)
    a.b(delayed, NE)
    a.bl(fragments["settle"])
    a.bind(go_on)
    a.ldr(R0, at(SP, conventions.ARGUMENTS))
    a.ldr(R1, at(SP, conventions.ARGUMENTS + WORD))
    if_collection_is_due(a, layout, fragments["suspend"])
    _have_one_reduction(a, layout, fragments["suspend"])
    _prepare_trap(a, layout)
    a.b(fragments["dispatch"])
    # A message is looked at that is no part of the heap, or a BIF has work to finish: a collection is put off, and it
    # costs at most one reduction, unless it is already left to a dirty scheduler.
    a.bind(delayed)
    a.tst(R2, vm_flags.F_DIRTY_MAJOR_GC | vm_flags.F_DIRTY_MINOR_GC)
    a.b(go_on, NE)
    _prepare_trap(a, layout)
    _have_enough_reductions(a, layout)
    a.b(fragments["dispatch"])


def _have_one_reduction(a: Assembler, layout: NativeLayout, suspend: Label) -> None:
    """Have a reduction left at least, or go to *suspend*. Keeps r0 and r1.

    If last calls are saved, more reductions are no help: until the process is next suspended, the interpreter counts as
    it did before they were (neg_o_reds of process_main).
    """
    enough = Label()
    a.cmp(FCALLS, 1)
    a.b(enough, GE)
    _check_saved_calls(a, layout)
    a.mov(FCALLS, 1, EQ)
    a.b(enough, EQ)
    a.cmn(FCALLS, vm_flags.CONTEXT_REDS)
    a.b(suspend, LE)
    a.bind(enough)


def _have_enough_reductions(a: Assembler, layout: NativeLayout) -> None:
    """Have enough for a collection that is put off. What puts it off does not change whether last calls are saved."""
    enough = Label()
    a.cmp(FCALLS, _ENOUGH)
    a.b(enough, GE)
    _check_saved_calls(a, layout)
    a.mov(FCALLS, _ENOUGH, EQ)
    a.b(enough, EQ)
    a.sub(R2, FCALLS, _ENOUGH)
    a.cmn(R2, vm_flags.CONTEXT_REDS)
    a.mov_constant(FCALLS, _ENOUGH - vm_flags.CONTEXT_REDS, LT)
    a.bind(enough)


def _check_saved_calls(a: Assembler, layout: NativeLayout) -> None:
    """The flag Z is clear if the process's last calls are saved: then FCALLS counts from 0 to minus a turn.

    Changes r2.
    """
    a.ldr(R2, at(PROCESS, layout["Process.psd"]))
    a.cmp(R2, 0)
    a.ldr(R2, at(R2, WORD * vm_flags.ERTS_PSD_SAVED_CALLS_BUF), NE)
    a.cmp(R2, 0, NE)


@fragment("suspend")
def suspend(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
    """Let the interpreter suspend the process. What r0 and r1 say for ``go_on_at`` comes when it is resumed.

    The stub is a function with an argument for each x register that can be in use, and one for the place.
    """
    loop, filled = Label(), Label()
    a.add(R2, REGISTERS, X_ARRAY + WORD * MOST_LIVE)
    a.mov_constant(R3, tags.NIL)
    a.rsb(R1, R1, MOST_LIVE)
    a.bind(loop)
    a.subs(R1, R1, 1)
    a.b(filled, MI)
    a.str(R3, pre(R2, -WORD))
    a.b(loop)
    a.bind(filled)
    a.ldr_literal(R3, symbols.label(fragments.suspended))
    a.sub(R0, R0, R3)  # in the same block of memory, and in whole words
    a.lsl(R0, R0, tags.IMMED1_BITS - 2)
    a.orr(R0, R0, tags.SMALL)
    a.str(R0, at(REGISTERS, X_ARRAY + WORD * MOST_LIVE))
    a.mov(R0, R3)
    a.mov(R1, MOST_LIVE + 1)
    _prepare_trap(a, layout)
    _use_up_reductions(a, layout)
    a.b(fragments["dispatch"])


def _use_up_reductions(a: Assembler, layout: NativeLayout) -> None:
    """Have none left.

    If last calls have been saved up to now, the interpreter goes on counting down to minus a turn. Then it comes to the
    stub instead of suspending the process, and from there here again, until all are used up.
    """
    saved, done = Label(), Label()
    _check_saved_calls(a, layout)
    a.b(saved, NE)
    a.cmp(FCALLS, 0)
    a.mov(FCALLS, 0, GT)
    a.b(done)
    a.bind(saved)
    a.cmn(FCALLS, vm_flags.CONTEXT_REDS)
    a.mov_constant(FCALLS, -vm_flags.CONTEXT_REDS, GT)
    a.bind(done)


@fragment("suspended")
def suspended(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
    """A process goes on that was suspended in the midst of a function."""
    a.ldr(R0, at(REGISTERS, X_ARRAY + WORD * MOST_LIVE))
    a.ldr_literal(R1, symbols.label(fragments.suspended))
    a.bic(R0, R0, tags.SMALL)
    a.add(R0, R1, asr(R0, tags.IMMED1_BITS - 2))
    a.mov(R1, MOST_LIVE)
    a.b(fragments["go_on_at"])


@fragment("yield")
def yield_(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """No reductions are left at the entry of a function. Behind the call: where its bytecode is."""
    a.ldr(R0, at(LR))
    a.ldr(R1, at(R0, -WORD))  # ErtsCodeMFA.arity
    a.add(FCALLS, FCALLS, 1)  # the interpreter counts the call itself
    a.b(fragments["interpret"])


@fragment("settle")
def settle(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
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


def if_collection_is_due(a: Assembler, layout: NativeLayout, due: Label) -> None:
    """Go to *due* if the interpreter is going to collect garbage: ERTS_IS_GC_DESIRED of erl_gc.h. Keeps r0 and r1."""
    a.ldr(R2, at(PROCESS, layout["Process.mbuf_sz"]))
    a.sub(R3, E, HTOP)
    a.cmp(R2, asr(R3, 2))
    a.b(due, GT)
    a.ldr(R2, at(PROCESS, layout["Process.flags"]))
    a.tst(R2, vm_flags.F_FORCE_GC)
    a.b(due, NE)
    a.ldr(R2, at(PROCESS, layout["Process.off_heap.overhead"]))
    a.ldr(R3, at(PROCESS, layout["Process.bin_vheap_sz"]))
    a.cmp(R2, R3)
    a.b(due, HI)


@fragment("dispatch")
def dispatch(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """To the interpreter, which goes on at Process.i.

    If the process has been killed meanwhile (a collection finds its heap too large, or a signal comes), it finds an
    exception that cannot be caught. It looks at the code that the stack's top is to return to: in a frame there is NIL.
    """
    a.ldr(R0, at(PROCESS, layout["Process.state"]))
    a.tst(R0, vm_flags.ERTS_PSFLG["EXITING"])
    a.mov(R0, vm_flags.EXTAG_EXIT | vm_flags.EXF_PANIC, NE)
    a.str(R0, at(PROCESS, layout["Process.freason"]), NE)
    a.ldr(R0, at(PROCESS, layout["Process.i"]), NE)
    a.str(R0, at(E), NE)
    a.mov(R0, 0)
    a.b(fragments["leave"])


@fragment("leave")
def leave(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """Out of native code: r0 is what the interpreter gets."""
    a.ldr(R1, at(SP, ENVIRONMENT))
    swap_out(a, layout)
    a.str(HTOP, at(R1, layout["ErlNifEnv.hp"]))  # erts_post_nif makes it the top of the heap
    a.add(SP, SP, ROOM)
    a.pop(R4, R5, R6, R7, R8, R9, R10, R11, PC)
