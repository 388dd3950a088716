"""Code that all functions of a module share: ways in and out, and what is rare or long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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

Fragment = Callable[[Assembler, Layout, Mapping[str, Label]], None]

#: By the names that emitters use, behind which a fragment is found in symbol tables too.
FRAGMENTS: Final[dict[str, Fragment]] = {}


def fragment(name: str) -> Callable[[Fragment], Fragment]:
    """Declare a fragment of this name."""

    def declare(function: Fragment) -> Fragment:
        FRAGMENTS[name] = function
        return function

    return declare


class Fragments(Mapping[str, Label]):
    """The labels of a module's fragments. Only those that are asked for become part of its code."""

    def __init__(self) -> None:
        self._labels: dict[str, Label] = {}

    def __getitem__(self, name: str) -> Label:
        if name not in FRAGMENTS:
            raise KeyError(name)
        return self._labels.setdefault(name, Label())

    def __iter__(self) -> Iterator[str]:
        return iter(FRAGMENTS)

    def __len__(self) -> int:
        return len(FRAGMENTS)

    def emit(self, a: Assembler, layout: Layout) -> list[tuple[str, int, int]]:
        """Append the code of all that are asked for; name, begin and end of each, offsets in bytes."""
        places: list[tuple[str, int, int]] = []
        while len(places) < len(self._labels):  # one may ask for another
            name, label = list(self._labels.items())[len(places)]
            begin = a.offset
            a.bind(label)
            FRAGMENTS[name](a, layout, self)
            places.append((name, begin, a.offset))
        return places


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


@fragment("to_interpreter")
def to_interpreter(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
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


@fragment("yield")
def yield_(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """No reductions are left at the entry of a function: r0 is its bytecode, r1 its arity."""
    a.add(FCALLS, FCALLS, 1)  # the interpreter counts the call itself
    a.b(fragments["interpret"])


@fragment("call_export")
def call_export(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """Call through the export entry r0 with r1 arguments: native code, or else the interpreter."""
    a.ldr_literal(R2, External("the_active_code_index"))
    a.ldr(R2, at(R2))
    a.ldr(R0, at(R0, lsl(R2, 2)))
    a.b(fragments["call_address"])


@fragment("call_address")
def call_address(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """Call the function at r0 with r1 arguments: native code, or else the interpreter."""
    a.ldr(R2, at(R0))
    a.cmp(R2, CALL_NIF)
    a.b(fragments["interpret"], NE)
    a.ldr(R2, at(R0, machine.LIBRARY_WORD))
    a.ldr_literal(R3, symbols.LIBRARY)
    a.cmp(R2, R3)
    a.ldr(PC, at(R0, machine.NATIVE_ENTRY), EQ)
    a.b(fragments["interpret"])


@fragment("settle")
def settle(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
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


@fragment("leave")
def leave(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """Out of native code: r0 is what the interpreter gets."""
    a.ldr(R1, at(SP, ENVIRONMENT))
    swap_out(a, layout)
    a.str(HTOP, at(R1, layout["ErlNifEnv.hp"]))  # erts_post_nif makes it the top of the heap
    a.add(SP, SP, ROOM)
    a.pop(R4, R5, R6, R7, R8, R9, R10, R11, PC)


@fragment("collect_garbage")
def collect_garbage(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """Make room for r1 words, with r3 x registers in use."""
    a.str(LR, at(SP, RETURN))
    swap_out(a, layout)
    a.str(FCALLS, at(SP))
    a.mov(R0, PROCESS)
    a.add(R2, REGISTERS, X_ARRAY)
    call_vm(a, "erts_garbage_collect_nobump")
    a.sub(FCALLS, FCALLS, R0)
    a.str(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    swap_in(a, layout)
    a.ldr(PC, at(SP, RETURN))


@fragment("compare")
def compare(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """r0 = how the terms r0 and r1 are in order: below, equal to or above zero."""
    a.str(LR, at(SP, RETURN))
    a.mov(R2, 0)
    a.mov(R3, 0)
    call_vm(a, "erts_cmp_compound")
    a.ldr(PC, at(SP, RETURN))


@fragment("eq")
def eq(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """r0 = whether the terms r0 and r1 are the same."""
    a.str(LR, at(SP, RETURN))
    call_vm(a, "eq")
    a.ldr(PC, at(SP, RETURN))


@fragment("guard_bif")
def guard_bif(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """r0 = what the BIF at r12 gives for the arguments on the C stack; 0 if it fails. It uses heap fragments only."""
    a.str(LR, at(SP, RETURN))
    a.str(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    a.mov(R0, PROCESS)
    a.add(R1, SP, machine.ARGUMENTS)
    a.mov(R2, 0)
    a.blx(R12)
    a.ldr(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    a.ldr(PC, at(SP, RETURN))


@fragment("length")
def length(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
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


@fragment("call_fun")
def call_fun(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """r0 = the code of the fun behind r1 arguments in x registers, where its variables are now; 0 if it fails."""
    a.str(LR, at(SP, RETURN))
    swap_out(a, layout)
    a.mov(R0, PROCESS)
    a.add(R2, REGISTERS, X_ARRAY)
    a.mov(R3, 0)
    call_vm(a, "call_fun")
    swap_in(a, layout)
    a.ldr(PC, at(SP, RETURN))


@fragment("build_stacktrace")
def build_stacktrace(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """r0 = the stack trace that the raw one in r0 stands for."""
    a.str(LR, at(SP, RETURN))
    swap_out(a, layout)
    a.mov(R1, R0)
    a.mov(R0, PROCESS)
    call_vm(a, "build_stacktrace")
    swap_in(a, layout)
    a.ldr(PC, at(SP, RETURN))


@fragment("call_code")
def call_code(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """Call the function at r0: native code, or else the interpreter."""
    a.ldr(R1, at(R0, -WORD))  # ErtsCodeMFA.arity
    a.b(fragments["call_address"])


def _arithmetic(function: str) -> Fragment:
    def fragment(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
        a.str(LR, at(SP, RETURN))
        a.mov(R2, R1)
        a.mov(R1, R0)
        a.mov(R0, PROCESS)
        call_vm(a, function)
        a.ldr(PC, at(SP, RETURN))

    return fragment


def swap_out(a: Assembler, layout: Layout) -> None:
    """Let the VM see heap, stack and reductions."""
    a.str(HTOP, at(PROCESS, layout["Process.htop"]))
    a.str(E, at(PROCESS, layout["Process.stop"]))
    a.str(FCALLS, at(PROCESS, layout["Process.fcalls"]))


def swap_in(a: Assembler, layout: Layout) -> None:
    """Take them back: the VM may have moved them."""
    a.ldr(HTOP, at(PROCESS, layout["Process.htop"]))
    a.ldr(E, at(PROCESS, layout["Process.stop"]))
    a.ldr(FCALLS, at(PROCESS, layout["Process.fcalls"]))


def call_vm(a: Assembler, function: str) -> None:
    """Call an exported C function of beam.smp: r0 to r3, r12 and lr are not kept."""
    a.ldr_literal(R12, External(function))
    a.blx(R12)


for _name in arith.FRAGMENTS:
    fragment(_name)(_arithmetic(_name))
