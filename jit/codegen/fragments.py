"""Code that all functions of a module share: ways in and out, and what is rare or long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, LE, LS, NE
from jit.arm32.labels import Label
from jit.arm32.operands import at, lsl, lsr
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, SP
from jit.arm32.relocations import External
from jit.codegen import arith, machine, symbols
from jit.codegen.machine import (
    CALL_NIF,
    ENVIRONMENT,
    FCALLS,
    HTOP,
    PROCESS,
    REGISTERS,
    RETURN,
    ROOM,
    SAVED,
    WORD,
    X_ARRAY,
    E,
)
from jit.erts.layout import Layout

#: Cells of a list that are counted without counting reductions.
_LONGEST: Final = 4000

Fragment = Callable[[Assembler, Layout, dict[str, Label]], None]


def enter(a: Assembler, layout: Layout, _fragments: dict[str, Label]) -> None:
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


def return_(a: Assembler, layout: Layout, fragments: dict[str, Label]) -> None:
    """To the interpreter, which returns x0 to the address on the stack."""
    a.mov(R1, 1)
    a.bl(fragments["settle"])
    a.ldr(R0, at(REGISTERS, X_ARRAY))
    a.b(fragments["leave"])


def interpret(a: Assembler, layout: Layout, fragments: dict[str, Label]) -> None:
    """To the interpreter, which goes on at r0, a function with r1 arguments, as for a trap."""
    _prepare_trap(a, layout)
    a.bl(fragments["settle"])
    a.mov(R0, 0)
    a.b(fragments["leave"])


def _prepare_trap(a: Assembler, layout: Layout) -> None:
    """Let the interpreter go on at r0 with r1 x registers in use when it gets THE_NON_VALUE, which is 0."""
    a.str(R0, at(PROCESS, layout["Process.i"]))
    a.mov_constant(R0, machine.TRAP)
    a.str(R0, at(PROCESS, layout["Process.freason"]))
    place = at(PROCESS, layout["Process.arity"])
    if layout.fields["Process.arity"].size == 1:
        a.strb(R1, place)
    else:
        a.str(R1, place)


def to_interpreter(a: Assembler, layout: Layout, fragments: dict[str, Label]) -> None:
    """To the interpreter, in the midst of a function: r0 is where, r1 has a bit for each x register in use.

    Others may hold anything, and the collector must not see that: those below the last in use become NIL.
    """
    loop, used, none = Label(), Label(), Label()
    a.add(R2, REGISTERS, X_ARRAY)
    a.mov_constant(R3, machine.NIL_WORD)
    a.mov(R12, 0)
    a.cmp(R1, 0)
    a.b(none, EQ)
    a.bind(loop)
    a.tst(R1, 1)
    a.b(used, NE)
    a.str(R3, at(R2))
    a.bind(used)
    a.add(R2, R2, WORD)
    a.add(R12, R12, 1)
    a.movs(R1, lsr(R1, 1))
    a.b(loop, NE)
    a.bind(none)
    a.mov(R1, R12)
    _prepare_trap(a, layout)
    a.bl(fragments["settle"])
    # Without reductions the interpreter would take this place for the beginning of a function. A collection costs
    # some; as there is none to be done now, it makes none before it goes on.
    a.cmp(FCALLS, 0)
    a.mov(FCALLS, 1, LE)
    a.mov(R0, 0)
    a.b(fragments["leave"])


def yield_(a: Assembler, layout: Layout, fragments: dict[str, Label]) -> None:
    """No reductions are left at the entry of a function: r0 is its bytecode, r1 its arity."""
    a.add(FCALLS, FCALLS, 1)  # the interpreter counts the call itself
    a.b(fragments["interpret"])


def call_export(a: Assembler, layout: Layout, fragments: dict[str, Label]) -> None:
    """Call through the export entry r0 with r1 arguments: native code, or else the interpreter."""
    a.ldr_literal(R2, External("the_active_code_index"))
    a.ldr(R2, at(R2))
    a.ldr(R0, at(R0, lsl(R2, 2)))
    a.b(fragments["call_address"])


def call_address(a: Assembler, layout: Layout, fragments: dict[str, Label]) -> None:
    """Call the function at r0 with r1 arguments: native code, or else the interpreter."""
    a.ldr(R2, at(R0))
    a.cmp(R2, CALL_NIF)
    a.b(fragments["interpret"], NE)
    a.ldr(R2, at(R0, machine.LIBRARY_WORD))
    a.ldr_literal(R3, symbols.LIBRARY)
    a.cmp(R2, R3)
    a.ldr(PC, at(R0, machine.NATIVE_ENTRY), EQ)
    a.b(fragments["interpret"])


def settle(a: Assembler, layout: Layout, fragments: dict[str, Label]) -> None:
    """Before leaving with r1 x registers in use: do what the interpreter would do next, as in call_nif's epilogue.

    It collects garbage if there are heap fragments or much binary data, or if it is told to. There must be no heap
    fragments: it has noted which there were before (live_hf_end), though they may have been freed here meanwhile.
    """
    collect = Label()
    a.ldr(R2, at(PROCESS, layout["Process.mbuf"]))
    a.cmp(R2, 0)
    a.b(collect, NE)
    a.ldr(R2, at(PROCESS, layout["Process.flags"]))
    a.tst(R2, machine.FORCE_GC)
    a.b(collect, NE)
    a.ldr(R2, at(PROCESS, layout["Process.off_heap.overhead"]))
    a.ldr(R3, at(PROCESS, layout["Process.bin_vheap_sz"]))
    a.cmp(R2, R3)
    a.bx(LR, LS)
    a.bind(collect)
    a.mov(R3, R1)
    a.mov(R1, 0)
    a.b(fragments["collect_garbage"])


def leave(a: Assembler, layout: Layout, _fragments: dict[str, Label]) -> None:
    """Out of native code: r0 is what the interpreter gets."""
    a.ldr(R1, at(SP, ENVIRONMENT))
    _swap_out(a, layout)
    a.str(HTOP, at(R1, layout["ErlNifEnv.hp"]))  # erts_post_nif makes it the top of the heap
    a.add(SP, SP, ROOM)
    a.pop(R4, R5, R6, R7, R8, R9, R10, R11, PC)


def collect_garbage(a: Assembler, layout: Layout, _fragments: dict[str, Label]) -> None:
    """Make room for r1 words, with r3 x registers in use."""
    a.str(LR, at(SP, RETURN))
    _swap_out(a, layout)
    a.str(FCALLS, at(SP))
    a.mov(R0, PROCESS)
    a.add(R2, REGISTERS, X_ARRAY)
    _call(a, "erts_garbage_collect_nobump")
    a.sub(FCALLS, FCALLS, R0)
    a.str(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    _swap_in(a, layout)
    a.ldr(PC, at(SP, RETURN))


def compare(a: Assembler, layout: Layout, _fragments: dict[str, Label]) -> None:
    """r0 = how the terms r0 and r1 are in order: below, equal to or above zero."""
    a.str(LR, at(SP, RETURN))
    a.mov(R2, 0)
    a.mov(R3, 0)
    _call(a, "erts_cmp_compound")
    a.ldr(PC, at(SP, RETURN))


def eq(a: Assembler, layout: Layout, _fragments: dict[str, Label]) -> None:
    """r0 = whether the terms r0 and r1 are the same."""
    a.str(LR, at(SP, RETURN))
    _call(a, "eq")
    a.ldr(PC, at(SP, RETURN))


def guard_bif(a: Assembler, layout: Layout, _fragments: dict[str, Label]) -> None:
    """r0 = what the BIF at r12 gives for the arguments on the C stack; 0 if it fails. It uses heap fragments only."""
    a.str(LR, at(SP, RETURN))
    a.str(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    a.mov(R0, PROCESS)
    a.add(R1, SP, machine.ARGUMENTS)
    a.mov(R2, 0)
    a.blx(R12)
    a.ldr(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    a.ldr(PC, at(SP, RETURN))


def length(a: Assembler, layout: Layout, _fragments: dict[str, Label]) -> None:
    """r0 = the length of the list r0 as a term; 0 if it is no proper list, or so long that it takes a while."""
    loop, other, end = Label(), Label(), Label()
    a.mov(R1, machine.SMALL_TAG)
    a.bind(loop)
    a.cmp_constant(R0, machine.NIL_WORD)
    a.b(end, EQ)
    a.and_(R2, R0, machine.PRIMARY_MASK)
    a.cmp(R2, machine.LIST_TAG)
    a.b(other, NE)
    a.cmp_constant(R1, _LONGEST << machine.SMALL_BITS | machine.SMALL_TAG)
    a.b(other, EQ)
    a.ldr(R0, at(R0, WORD - machine.LIST_TAG))
    a.add(R1, R1, 1 << machine.SMALL_BITS)
    a.b(loop)
    a.bind(other)
    a.mov(R1, 0)
    a.bind(end)
    a.mov(R0, R1)
    a.bx(LR)


def call_fun(a: Assembler, layout: Layout, _fragments: dict[str, Label]) -> None:
    """r0 = the code of the fun behind r1 arguments in x registers, where its variables are now; 0 if it fails."""
    a.str(LR, at(SP, RETURN))
    _swap_out(a, layout)
    a.mov(R0, PROCESS)
    a.add(R2, REGISTERS, X_ARRAY)
    a.mov(R3, 0)
    _call(a, "call_fun")
    _swap_in(a, layout)
    a.ldr(PC, at(SP, RETURN))


def build_stacktrace(a: Assembler, layout: Layout, _fragments: dict[str, Label]) -> None:
    """r0 = the stack trace that the raw one in r0 stands for."""
    a.str(LR, at(SP, RETURN))
    _swap_out(a, layout)
    a.mov(R1, R0)
    a.mov(R0, PROCESS)
    _call(a, "build_stacktrace")
    _swap_in(a, layout)
    a.ldr(PC, at(SP, RETURN))


def call_code(a: Assembler, layout: Layout, fragments: dict[str, Label]) -> None:
    """Call the function at r0: native code, or else the interpreter."""
    a.ldr(R1, at(R0, -WORD))  # ErtsCodeMFA.arity
    a.b(fragments["call_address"])


def _arithmetic(function: str) -> Fragment:
    def fragment(a: Assembler, layout: Layout, _fragments: dict[str, Label]) -> None:
        a.str(LR, at(SP, RETURN))
        a.mov(R2, R1)
        a.mov(R1, R0)
        a.mov(R0, PROCESS)
        _call(a, function)
        a.ldr(PC, at(SP, RETURN))

    return fragment


def _swap_out(a: Assembler, layout: Layout) -> None:
    """Let the VM see heap, stack and reductions."""
    a.str(HTOP, at(PROCESS, layout["Process.htop"]))
    a.str(E, at(PROCESS, layout["Process.stop"]))
    a.str(FCALLS, at(PROCESS, layout["Process.fcalls"]))


def _swap_in(a: Assembler, layout: Layout) -> None:
    """Take them back: the VM may have moved them."""
    a.ldr(HTOP, at(PROCESS, layout["Process.htop"]))
    a.ldr(E, at(PROCESS, layout["Process.stop"]))
    a.ldr(FCALLS, at(PROCESS, layout["Process.fcalls"]))


def _call(a: Assembler, function: str) -> None:
    a.ldr_literal(R12, External(function))
    a.blx(R12)


#: By the names that emitters use.
FRAGMENTS: Final[dict[str, Fragment]] = {
    "enter": enter,
    "return": return_,
    "interpret": interpret,
    "to_interpreter": to_interpreter,
    "yield": yield_,
    "call_export": call_export,
    "call_address": call_address,
    "call_code": call_code,
    "call_fun": call_fun,
    "guard_bif": guard_bif,
    "length": length,
    "build_stacktrace": build_stacktrace,
    "settle": settle,
    "leave": leave,
    "collect_garbage": collect_garbage,
    "compare": compare,
    "eq": eq,
    **{name: _arithmetic(name) for name in arith.FRAGMENTS},
}
