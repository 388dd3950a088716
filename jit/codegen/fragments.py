"""Code that all functions of a module share: ways in and out, and what is rare or long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, HS, LE, LS, NE
from jit.arm32.labels import Label
from jit.arm32.operands import at, lsl, lsr, post
from jit.arm32.registers import D0, D1, LR, PC, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, S0, S2, SP
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
    """To the interpreter, in the midst of a function. Behind the call: where, and a bit for each x register in use.

    Others may hold anything, and the collector must not see that: those below the last in use become NIL.
    """
    loop, used, none = Label(), Label(), Label()
    a.ldm(LR, (R0, R1))
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
    """No reductions are left at the entry of a function. Behind the call: where its bytecode is."""
    a.ldr(R0, at(LR))
    a.ldr(R1, at(R0, -WORD))  # ErtsCodeMFA.arity
    a.add(FCALLS, FCALLS, 1)  # the interpreter counts the call itself
    a.b(fragments["interpret"])


@fragment("call_export")
def call_export(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """Call through the export entry r0: native code, or else the interpreter."""
    a.ldr_literal(R2, External("the_active_code_index"))
    a.ldr(R2, at(R2))
    a.ldr(R0, at(R0, lsl(R2, 2)))
    a.b(fragments["call_code"])


@fragment("call_code")
def call_code(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """Call the function at r0: native code, or else the interpreter."""
    a.ldr(R2, at(R0))
    a.cmp(R2, CALL_NIF)
    a.ldr(R2, at(R0, machine.LIBRARY_WORD), EQ)
    a.ldr_literal(R3, symbols.LIBRARY)
    a.cmp(R2, R3, EQ)
    a.ldr(PC, at(R0, machine.NATIVE_ENTRY), EQ)
    a.ldr(R1, at(R0, -WORD))  # ErtsCodeMFA.arity
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
    collect(a, layout)
    a.ldr(PC, at(SP, RETURN))


def collect(a: Assembler, layout: Layout) -> None:
    """The same within a fragment that has stored lr."""
    swap_out(a, layout)
    a.str(FCALLS, at(SP))
    a.mov(R0, PROCESS)
    a.add(R2, REGISTERS, X_ARRAY)
    call_vm(a, "erts_garbage_collect_nobump")
    a.sub(FCALLS, FCALLS, R0)
    a.str(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    swap_in(a, layout)


@fragment("compare")
def compare(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """r0 = how the terms r0 and r1 are in order: below, equal to or above zero; and the flags of that."""
    a.str(LR, at(SP, RETURN))
    a.mov(R2, 0)
    a.mov(R3, 0)
    call_vm(a, "erts_cmp_compound")
    a.cmp(R0, 0)
    a.ldr(PC, at(SP, RETURN))


@fragment("eq")
def eq(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """r0 = whether the terms r0 and r1 are the same."""
    a.str(LR, at(SP, RETURN))
    call_vm(a, "eq")
    a.ldr(PC, at(SP, RETURN))


@fragment("differ")
def differ(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """The flag Z: whether the terms r0 and r1, whose words differ, are the same."""
    immediate = Label()
    a.eor(R2, R0, R1)
    a.tst(R2, machine.PRIMARY_MASK)
    a.bx(LR, NE)  # one is a list, the other is boxed or immediate, or the like
    a.and_(R2, R0, machine.PRIMARY_MASK)
    a.cmp(R2, machine.PRIMARY_MASK)
    a.b(immediate, EQ)
    a.str(LR, at(SP, RETURN))
    call_vm(a, "eq")
    a.cmp(R0, 1)
    a.ldr(PC, at(SP, RETURN))
    a.bind(immediate)
    a.cmp(R0, R1)  # they differ
    a.bx(LR)


@fragment("guard_bif")
def guard_bif(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """r0 = what the BIF at r12 gives for the arguments on the C stack, and the flags of a comparison with 0.

    It is 0 if the BIF fails. It uses heap fragments only.
    """
    a.str(LR, at(SP, RETURN))
    a.str(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    a.mov(R0, PROCESS)
    a.add(R1, SP, machine.ARGUMENTS)
    a.mov(R2, 0)
    a.blx(R12)
    a.ldr(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    a.cmp(R0, 0)
    a.ldr(PC, at(SP, RETURN))


@fragment("length")
def length(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """r0 = the length of the list r0 as a term, and the flags of a comparison with 0.

    It is 0 if it is no proper list, or so long that it takes a while.
    """
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
    a.movs(R0, R1)
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


@fragment("select_atom")
def select_atom(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
    """Go to where the table behind the call says for r0: atoms and distances from the table, ended by 0 and another."""
    loop = Label()
    a.mov(R2, LR)
    a.bind(loop)
    a.ldr(R1, post(R2, 2 * WORD))
    a.cmp(R1, R0)
    a.cmp(R1, 0, NE)
    a.b(loop, NE)
    a.ldr(R1, at(R2, -WORD))
    a.add(PC, LR, R1)


@fragment("div")
def div(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """r0 = r0 div r1, and the flags of a comparison with 0, which it is if there is none."""
    slow = Label()
    _quotient(a, slow)
    a.add(R3, R2, 1 << 27)
    a.cmp(R3, 1 << 28)
    a.b(slow, HS)  # the least small integer, div -1
    a.lsl(R0, R2, machine.SMALL_BITS)
    a.orrs(R0, R0, machine.SMALL_TAG)
    a.bx(LR)
    _divide_slowly(a, slow, "erts_int_div")


@fragment("rem")
def rem(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """r0 = r0 rem r1, and the flags of a comparison with 0, which it is if there is none."""
    slow = Label()
    _quotient(a, slow)
    a.asr(R3, R1, machine.SMALL_BITS)
    a.sub(R0, R0, machine.SMALL_TAG)
    a.lsl(R2, R2, machine.SMALL_BITS)
    a.mls(R0, R2, R3, R0)
    a.orrs(R0, R0, machine.SMALL_TAG)
    a.bx(LR)
    _divide_slowly(a, slow, "erts_int_rem")


def _quotient(a: Assembler, slow: Label) -> None:
    """r2 = r0 / r1, rounded towards zero, of small integers; *slow* for others, and where r1 is zero.

    Not every ARMv7-A divides integers. Doubles have 53 bits, so that a quotient of integers of 28 bits which is none
    itself is not rounded to one.
    """
    a.and_(R2, R0, R1)
    a.and_(R2, R2, machine.SMALL_TAG)
    a.cmp(R2, machine.SMALL_TAG)
    a.b(slow, NE)
    a.asr(R2, R0, machine.SMALL_BITS)
    a.asrs(R3, R1, machine.SMALL_BITS)
    a.b(slow, EQ)
    a.vmov(S0, R2)
    a.vmov(S2, R3)
    a.vcvt_f64_s32(D0, S0)
    a.vcvt_f64_s32(D1, S2)
    a.vdiv(D0, D0, D1)
    a.vcvt_s32_f64(S0, D0)
    a.vmov(R2, S0)


def _divide_slowly(a: Assembler, slow: Label, function: str) -> None:
    """By the VM's function, which is not to be called with zero."""
    a.bind(slow)
    a.cmp(R1, machine.small(0))
    a.mov(R0, 0, EQ)
    a.cmp(R0, 0, EQ)
    a.bx(LR, EQ)
    _call_arithmetic(a, function, 2)


@fragment("abs_1")
def abs_(a: Assembler, layout: Layout, fragments: Mapping[str, Label]) -> None:
    """r0 = the absolute value of r0, and the flags of a comparison with 0, which it is if there is none."""
    a.str(R0, at(SP, machine.ARGUMENTS))
    a.ldr_literal(R12, External("abs_1"))
    a.b(fragments["guard_bif"])


def _arithmetic(function: str, operands: int) -> Fragment:
    def fragment(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
        """r0 = the result, and the flags of a comparison with 0, which it is if there is none."""
        _call_arithmetic(a, function, operands)

    return fragment


def _call_arithmetic(a: Assembler, function: str, operands: int) -> None:
    a.str(LR, at(SP, RETURN))
    if operands == 2:
        a.mov(R2, R1)
    a.mov(R1, R0)
    a.mov(R0, PROCESS)
    call_vm(a, function)
    a.cmp(R0, 0)
    a.ldr(PC, at(SP, RETURN))


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
    fragment(_name)(_arithmetic(_name, 2))
for _name in arith.UNARY_FRAGMENTS:
    fragment(_name)(_arithmetic(_name, 1))
