"""Shared code for numbers that are no small integers, and for division: floats here, the rest by the VM's functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, HS, LO, NE
from jit.arm32.cpus import Feature
from jit.arm32.operands import at, lsl
from jit.arm32.registers import D0, D1, LR, PC, R0, R1, R2, R3, R12, S0, S2, SP, Double
from jit.arm32.relocations import External
from jit.codegen.processor import Label
from jit.erts.arm32 import arith, conventions
from jit.erts.arm32.conventions import FCALLS, HTOP, PROCESS, RETURN, WORD, E
from jit.erts.arm32.fragments import FragmentEmitter, call_vm, fragment, swap_in, swap_out
from jit.erts.arm32.small_integers import check_small
from jit.erts.layout import NativeLayout
from jit.otp import tags
from jit.otp.features import COUNTED_ARITHMETIC, INLINE_SHIFTS, JOINT_DIVISION

#: Bytes of a float on the heap.
_FLOAT_SIZE: Final = WORD * conventions.FLOAT_WORDS

#: Of two floats, d0 = d0 and d1.
_Operation = Callable[[Assembler, Double, Double, Double], None]
_OPERATIONS: Final[dict[str, _Operation]] = {
    "erts_mixed_plus": Assembler.vadd,
    "erts_mixed_minus": Assembler.vsub,
    "erts_mixed_times": Assembler.vmul,
    "erts_mixed_div": Assembler.vdiv,
}
#: The functions of shifts, and those of the BIFs.
_SHIFTS: Final = {"erts_bsl": "bsl_2", "erts_bsr": "bsr_2"}
#: Where a function leaves what it divides to, from sp.
_QUOTIENT: Final = conventions.ARGUMENTS
_REMAINDER: Final = conventions.ARGUMENTS + WORD


@fragment("compare", apart=True)
def compare(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """The flags of a signed comparison of the terms r0 and r1 in their order."""
    others = Label()
    _load_floats(a, others)
    a.vcmp(D0, D1)
    a.vmrs(PC)
    a.bx(LR)
    a.bind(others)
    a.str(LR, at(SP, RETURN))
    a.mov(R2, 0)
    a.mov(R3, 0)
    call_vm(a, "erts_cmp_compound")
    a.cmp(R0, 0)
    a.ldr(PC, at(SP, RETURN))


@fragment("div", apart=True)
def div(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """r0 = r0 div r1, and the flags of a comparison with 0, which it is if there is none."""
    slow = Label()
    _quotient(a, slow)
    a.add(R3, R2, -conventions.SMALLS.least)
    a.cmp(R3, 1 << conventions.SMALL_WIDTH)
    a.b(slow, HS)  # the least small integer, div -1
    a.lsl(R0, R2, tags.IMMED1_BITS)
    a.orrs(R0, R0, tags.SMALL)
    a.bx(LR)
    _divide_slowly(a, layout, slow, "erts_int_div", _QUOTIENT)


@fragment("rem", apart=True)
def rem(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """r0 = r0 rem r1, and the flags of a comparison with 0, which it is if there is none."""
    slow = Label()
    _quotient(a, slow)
    a.asr(R3, R1, tags.IMMED1_BITS)
    a.sub(R0, R0, tags.SMALL)
    a.lsl(R2, R2, tags.IMMED1_BITS)
    a.multiply_subtract(R0, R2, R3, R0, scratch=R12)
    a.orrs(R0, R0, tags.SMALL)
    a.bx(LR)
    _divide_slowly(a, layout, slow, "erts_int_rem", _REMAINDER)


def _quotient(a: Assembler, slow: Label) -> None:
    """r2 = r0 / r1, rounded towards zero, of small integers; *slow* for others, and where r1 is zero.

    Not every processor divides integers. Doubles have 53 bits, so that a quotient of integers of 28 bits which is none
    itself is not rounded to one.
    """
    a.and_(R2, R0, R1)
    check_small(a, R2, R2, slow)
    a.asr(R2, R0, tags.IMMED1_BITS)
    a.asrs(R3, R1, tags.IMMED1_BITS)
    a.b(slow, EQ)
    if a.has(Feature.DIVISION):
        a.sdiv(R2, R2, R3)
        return
    a.vmov(S0, R2)
    a.vmov(S2, R3)
    a.vcvt_f64_s32(D0, S0)
    a.vcvt_f64_s32(D1, S2)
    a.vdiv(D0, D0, D1)
    a.vcvt_s32_f64(S0, D0)
    a.vmov(R2, S0)


def _divide_slowly(a: Assembler, layout: NativeLayout, slow: Label, function: str, result: int) -> None:
    """By the VM's function, not to be called with zero. *result*: where one that gives both leaves the right one."""
    a.bind(slow)
    a.cmp(R1, conventions.small(0))
    a.mov(R0, 0, EQ)
    a.cmp(R0, 0, EQ)
    a.bx(LR, EQ)
    if not JOINT_DIVISION.of(layout.otp):
        _call_arithmetic(a, layout, function, 2)
        return
    a.add(R2, SP, _REMAINDER)
    a.str(R2, at(SP))
    a.add(R3, SP, _QUOTIENT)
    _call_arithmetic(a, layout, "erts_int_div_rem", 2, result)


@fragment("abs_1", apart=True)
def abs_(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """r0 = the absolute value of r0, and the flags of a comparison with 0, which it is if there is none."""
    a.str(R0, at(SP, conventions.ARGUMENTS))
    a.ldr_literal(R12, External("abs_1"))
    a.b(fragments["guard_bif"])


def _arithmetic(function: str, operands: int) -> FragmentEmitter:
    def calculate(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
        """r0 = the result, and the flags of a comparison with 0, which it is if there is none."""
        if function in _OPERATIONS:
            _calculate_floats(a, _OPERATIONS[function])
        if function in _SHIFTS and INLINE_SHIFTS.of(layout.otp):
            a.str(R0, at(SP, conventions.ARGUMENTS))
            a.str(R1, at(SP, conventions.ARGUMENTS + WORD))
            a.ldr_literal(R12, External(_SHIFTS[function]))
            a.b(fragments["guard_bif"])
        else:
            _call_arithmetic(a, layout, function, operands)

    return calculate


def _calculate_floats(a: Assembler, operation: _Operation) -> None:
    """Return a new float, if there are two, and the result is finite, and there is room on the heap.

    None of the heap is spoken for where this is used: the operation may collect garbage.
    """
    others = Label()
    _load_floats(a, others)
    a.sub(R2, E, HTOP)
    a.cmp_constant(R2, _FLOAT_SIZE + WORD * conventions.RESERVED)
    a.b(others, LO)
    operation(a, D0, D0, D1)
    # Infinite or no number: all bits of the exponent are set.
    a.vmov_from_double(R2, R3, D0)
    a.mov(R12, 1 << 21)
    a.cmn(R12, lsl(R3, 1))
    a.b(others, HS)
    a.mov_constant(R1, conventions.FLOAT)
    a.add(R0, HTOP, tags.BOXED)
    a.stm(HTOP, (R1, R2, R3), writeback=True)
    a.cmp(R0, 0)
    a.bx(LR)
    a.bind(others)


def _load_floats(a: Assembler, otherwise: Label) -> None:
    """d0 and d1 = the floats r0 and r1; *otherwise* if they are none."""
    a.orr(R2, R0, R1)
    a.tst(R2, 1)
    a.ldr(R2, at(R0, -tags.BOXED), EQ)
    a.ldr(R3, at(R1, -tags.BOXED), EQ)
    a.cmp(R2, conventions.FLOAT, EQ)
    a.cmp(R3, conventions.FLOAT, EQ)
    a.b(otherwise, NE)
    a.add(R2, R0, WORD - tags.BOXED)
    a.vldr(D0, at(R2))
    a.add(R2, R1, WORD - tags.BOXED)
    a.vldr(D1, at(R2))


def _call_arithmetic(
    a: Assembler, layout: NativeLayout, function: str, operands: int, result: int | None = None
) -> None:
    """Call a function that gives the result, or says whether it has left one on the C stack, *result* from sp."""
    swapped = (FCALLS,) if COUNTED_ARITHMETIC.of(layout.otp) else ()
    a.str(LR, at(SP, RETURN))
    swap_out(a, layout, swapped)
    if operands == 2:
        a.mov(R2, R1)
    a.mov(R1, R0)
    a.mov(R0, PROCESS)
    call_vm(a, function)
    swap_in(a, layout, swapped)
    a.cmp(R0, 0)
    if result is not None:
        a.ldr(R0, at(SP, result), NE)
    a.ldr(PC, at(SP, RETURN))


for _name in arith.FRAGMENTS:
    fragment(_name, apart=True)(_arithmetic(_name, 2))
for _name in arith.UNARY_FRAGMENTS:
    fragment(_name, apart=True)(_arithmetic(_name, 1))
