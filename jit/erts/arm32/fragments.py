"""Code that all functions of a module share: what is rare or long. Families of operations declare more of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, LE, NE
from jit.arm32.operands import at, lsl, post
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R12, SP, Register
from jit.arm32.relocations import External
from jit.codegen.native import Fragment, source_of
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions, symbols
from jit.erts.arm32.conventions import CALL_NIF, FCALLS, HTOP, PROCESS, REGISTERS, RETURN, WORD, X_ARRAY, E
from jit.erts.layout import NativeLayout
from jit.otp import tags, vm_flags
from jit.otp.native_abi import FRAGMENT

#: Cells of a list that are counted without counting reductions.
_LONGEST: Final = 4000

#: Registers whose values the VM looks for in the process, and where there.
_IN_PROCESS: Final = {HTOP: "Process.htop", E: "Process.stop", FCALLS: "Process.fcalls"}
SWAPPED: Final = tuple(_IN_PROCESS)

#: Appends the code of a fragment.
FragmentEmitter = Callable[[Assembler, NativeLayout, "Fragments"], None]

#: Fragments in which the registers of the machine do not hold what they hold elsewhere.
_AT_THE_EDGE: Final = ("enter", "leave")

#: The fragment that stands for the module.
MODULE: Final = "module"
#: By the names that emitters use; symbol tables have FRAGMENT before them.
FRAGMENTS: Final[dict[str, FragmentEmitter]] = {}
#: Those that are apart from x registers.
APART: Final[set[str]] = set()


def fragment(name: str, *, apart: bool = False) -> Callable[[FragmentEmitter], FragmentEmitter]:
    """Declare a fragment of this name.

    One that is *apart* comes back, and lets nobody look at x registers in memory meanwhile: it does not collect garbage
    or call what may do so, and r10 and r11 stay.
    """

    def declare(function: FragmentEmitter) -> FragmentEmitter:
        FRAGMENTS[name] = function
        if apart:
            APART.add(name)
        return function

    return declare


class Fragments(Mapping[str, Label]):
    """The labels of a module's fragments. Only MODULE and those that are asked for become part of its code.

    *suspended* is the label of the stub by which a process goes on that was suspended in the midst of a function; with
    *stress*, that is whenever it leaves native code there.
    """

    def __init__(self, suspended: int = 0, *, stress: bool = False) -> None:
        self.suspended, self.stress = suspended, stress
        self._labels = {MODULE: Label()}

    def __getitem__(self, name: str) -> Label:
        if name not in FRAGMENTS:
            raise KeyError(name)
        return self._labels.setdefault(name, Label())

    def asked_for(self, name: str) -> bool:
        """Whether a fragment becomes part of the code."""
        return name in self._labels

    def __iter__(self) -> Iterator[str]:
        return iter(FRAGMENTS)

    def __len__(self) -> int:
        return len(FRAGMENTS)

    def emit(self, a: Assembler, layout: NativeLayout) -> list[Fragment]:
        """Append the code of all that are asked for."""
        places: list[Fragment] = []
        while len(places) < len(self._labels):  # one may ask for another
            name, label = list(self._labels.items())[len(places)]
            begin = a.offset
            a.bind(label)
            FRAGMENTS[name](a, layout, self)
            inside, is_module = name not in _AT_THE_EDGE, name == MODULE
            places.append(Fragment(FRAGMENT + name, begin, a.offset, source(name), inside, is_module))
        return places


@cache
def source(name: str) -> tuple[str, int]:
    """File and line of the function that makes a fragment."""
    return source_of(FRAGMENTS[name])


@fragment(MODULE)
def module(a: Assembler, _layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """Nobody comes here. For GDB it is a function of the module's name, and the module's functions are its labels."""
    a.bx(LR)


@fragment("call_export")
def call_export(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """Call through the export entry r0: native code, or else the interpreter.

    If the process's last calls are saved, FCALLS counts from 0 to minus a turn: it is below that with none left.
    """
    saved, go = Label(), Label()
    a.cmp(FCALLS, 0)
    a.b(saved, LE)
    a.bind(go)
    a.ldr_literal(R2, External("the_active_code_index"))
    a.ldr(R2, at(R2))
    a.ldr(R0, at(R0, lsl(R2, 2)))
    a.b(fragments["call_code"])
    a.bind(saved)
    a.cmn(FCALLS, vm_flags.CONTEXT_REDS)
    a.b(go, LE)
    save_call(a)
    a.b(go)


def save_call(a: Assembler) -> None:
    """Add the export entry r0 to the last calls of the process, if these are saved. Keeps r0."""
    a.str(R0, at(SP, conventions.ARGUMENTS))
    a.mov(R1, R0)
    a.mov(R0, PROCESS)
    call_vm(a, "save_calls")
    a.ldr(R0, at(SP, conventions.ARGUMENTS))


@fragment("call_code")
def call_code(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """Call the function at r0: native code, or else the interpreter."""
    a.ldr(R2, at(R0))
    a.cmp(R2, CALL_NIF)
    a.ldr(R2, at(R0, conventions.LIBRARY_WORD), EQ)
    a.ldr_literal(R3, symbols.LIBRARY)
    a.cmp(R2, R3, EQ)
    a.ldr(PC, at(R0, conventions.NATIVE_ENTRY), EQ)
    a.ldr(R1, at(R0, -WORD))  # ErtsCodeMFA.arity
    a.b(fragments["interpret"])


@fragment("collect_garbage")
def collect_garbage(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """Make room for r1 words, with r3 x registers in use."""
    a.str(LR, at(SP, RETURN))
    collect(a, layout)
    a.ldr(PC, at(SP, RETURN))


def collect(a: Assembler, layout: NativeLayout) -> None:
    """The same within a fragment that has stored lr."""
    swap_out(a, layout)
    a.str(FCALLS, at(SP))
    a.mov(R0, PROCESS)
    a.add(R2, REGISTERS, X_ARRAY)
    call_vm(a, "erts_garbage_collect_nobump")
    a.sub(FCALLS, FCALLS, R0)
    a.str(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    swap_in(a, layout)


def collect_keeping(a: Assembler, layout: NativeLayout) -> None:
    """The same, and the term r0 is kept, behind the x registers in use."""
    a.add(R12, REGISTERS, lsl(R3, 2))
    a.str(R0, at(R12, X_ARRAY))
    a.str(R12, at(SP, conventions.ARGUMENTS))
    a.add(R3, R3, 1)
    collect(a, layout)
    a.ldr(R12, at(SP, conventions.ARGUMENTS))
    a.ldr(R0, at(R12, X_ARRAY))


@fragment("eq", apart=True)
def eq(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r0 = whether the terms r0 and r1 are the same."""
    a.str(LR, at(SP, RETURN))
    call_vm(a, "eq")
    a.ldr(PC, at(SP, RETURN))


@fragment("differ", apart=True)
def differ(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """The flag Z: whether the terms r0 and r1 are the same. For comparisons where their words mostly differ."""
    immediate = Label()
    a.eor(R2, R0, R1)
    a.tst(R2, tags.PRIMARY_MASK)
    a.bx(LR, NE)  # one is a list, the other is boxed or immediate, or the like
    a.and_(R2, R0, tags.PRIMARY_MASK)
    a.cmp(R2, tags.PRIMARY_MASK)
    a.b(immediate, EQ)
    a.str(LR, at(SP, RETURN))
    call_vm(a, "eq")
    a.cmp(R0, 1)
    a.ldr(PC, at(SP, RETURN))
    a.bind(immediate)
    a.cmp(R0, R1)
    a.bx(LR)


@fragment("guard_bif", apart=True)
def guard_bif(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r0 = what the BIF at r12 gives for the arguments on the C stack, and the flags of a comparison with 0.

    It is 0 if the BIF fails. It uses heap fragments only.
    """
    a.str(LR, at(SP, RETURN))
    a.str(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    a.mov(R0, PROCESS)
    a.add(R1, SP, conventions.ARGUMENTS)
    a.mov(R2, 0)
    a.blx(R12)
    a.ldr(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    a.cmp(R0, 0)
    a.ldr(PC, at(SP, RETURN))


@fragment("length", apart=True)
def length(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r0 = the length of the list r0 as a term, and the flags of a comparison with 0.

    It is 0 if it is no proper list, or so long that it takes a while.
    """
    loop, other, end = Label(), Label(), Label()
    a.mov(R1, tags.SMALL)
    a.bind(loop)
    a.cmp_constant(R0, tags.NIL)
    a.b(end, EQ)
    a.and_(R2, R0, tags.PRIMARY_MASK)
    a.cmp(R2, tags.CONS)
    a.b(other, NE)
    a.cmp_constant(R1, _LONGEST << tags.IMMED1_BITS | tags.SMALL)
    a.b(other, EQ)
    a.ldr(R0, at(R0, WORD - tags.CONS))
    a.add(R1, R1, 1 << tags.IMMED1_BITS)
    a.b(loop)
    a.bind(other)
    a.mov(R1, 0)
    a.bind(end)
    a.movs(R0, R1)
    a.bx(LR)


@fragment("call_fun")
def call_fun(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
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
def build_stacktrace(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r0 = the stack trace that the raw one in r0 stands for."""
    a.str(LR, at(SP, RETURN))
    swap_out(a, layout)
    a.mov(R1, R0)
    a.mov(R0, PROCESS)
    call_vm(a, "build_stacktrace")
    swap_in(a, layout)
    a.ldr(PC, at(SP, RETURN))


@fragment("select_atom", apart=True)
def select_atom(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
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


def swap_out(a: Assembler, layout: NativeLayout, registers: Sequence[Register] = SWAPPED) -> None:
    """Let the VM see heap, stack and reductions, or some of them."""
    for register in registers:
        a.str(register, at(PROCESS, layout[_IN_PROCESS[register]]))


def swap_in(a: Assembler, layout: NativeLayout, registers: Sequence[Register] = SWAPPED) -> None:
    """Take them back: the VM may have moved them."""
    for register in registers:
        a.ldr(register, at(PROCESS, layout[_IN_PROCESS[register]]))


def of_process(function: str, *swapped: Register) -> FragmentEmitter:
    """A fragment that calls one of the VM's functions with the process and r1, r2, r3, and gives r0.

    *swapped*: those of heap, stack and reductions that the function uses.
    """

    def call(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
        a.str(LR, at(SP, RETURN))
        swap_out(a, layout, swapped)
        a.mov(R0, PROCESS)
        call_vm(a, function)
        swap_in(a, layout, swapped)
        a.ldr(PC, at(SP, RETURN))

    return call


def load_header(a: Assembler, into: Register, term: Register, otherwise: Label) -> None:
    """into = the header of a term; control goes to *otherwise* if it is not boxed."""
    a.and_(into, term, tags.PRIMARY_MASK)
    a.cmp(into, tags.BOXED)
    a.b(otherwise, NE)
    a.ldr(into, at(term, -tags.BOXED))


def call_vm(a: Assembler, function: str) -> None:
    """Call an exported C function of beam.smp: r0 to r3, r12 and lr are not kept."""
    a.ldr_literal(R12, External(function))
    a.blx(R12)
