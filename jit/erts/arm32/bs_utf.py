"""Characters read from a match context, in UTF-8, UTF-16 and UTF-32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, HI, LO, NE
from jit.arm32.operands import at, lsr
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, SP, Register
from jit.beam.operands import Operand
from jit.codegen.cache import Keeps
from jit.codegen.processor import Label
from jit.erts.arm32.bs_context import check_left, context, flags_of, match_failure
from jit.erts.arm32.bs_integer import advance, read_bits
from jit.erts.arm32.conventions import RETURN
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.fragments import call_vm, fragment
from jit.erts.arm32.small_integers import make_small
from jit.erts.layout import NativeLayout
from jit.otp import vm_flags

_LAST_CHARACTER: Final = 0x10FFFF
#: What UTF-16 has for halves of characters: the first, and how many.
_SURROGATES: Final = (0xD800, 0x800)


def check_character(e: Emission, number: Register, scratch: Register, failure: Label) -> None:
    """Go to *failure* unless a number, with no sign, is one of a character."""
    first, count = _SURROGATES
    e.a.cmp_constant(number, _LAST_CHARACTER)
    e.a.b(failure, HI)
    e.a.sub(scratch, number, first)
    e.a.cmp(scratch, count)
    e.a.b(failure, LO)


@emits("bs_get_utf8", keeps=Keeps.ALL)
def bs_get_utf8(e: Emission, fail: Operand, source: Operand, _live: int, _flags: int, destination: Operand) -> None:
    bs_skip_utf8(e, fail, source)
    e.store(R0, destination)


@emits("bs_skip_utf8", keeps=Keeps.ALL)
def bs_skip_utf8(e: Emission, fail: Operand, source: Operand, *_rest: int) -> None:
    """r0 = the character."""
    failure = match_failure(e, fail)
    e.load(source, R0)
    e.call("bs_get_utf8")
    e.a.cmp(R0, 0)
    e.a.b(failure, EQ)


@fragment("bs_get_utf8", apart=True)
def get_utf8(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r0 = the next character of the context r0; 0 if there is none."""
    fields, other, none = context(layout), Label(), Label()
    a.ldrd(R2, R3, at(R0, fields.start))
    a.sub(R3, R3, R2)
    a.cmp(R3, 8)
    a.b(none, LO)
    a.tst(R2, 7)
    a.b(other, NE)
    a.ldr(R3, at(R0, fields.base))
    a.add(R3, R3, lsr(R2, 3))
    a.ldrb(R3, at(R3, -fields.bias))
    a.tst(R3, 0x80)
    a.b(other, NE)
    a.add(R2, R2, 8)
    a.str(R2, at(R0, fields.start))
    make_small(a, R0, R3)
    a.bx(LR)
    a.bind(other)
    a.str(LR, at(SP, RETURN))
    a.add_constant(R0, R0, fields.buffer)
    call_vm(a, "erts_bs_get_utf8")
    a.ldr(PC, at(SP, RETURN))
    a.bind(none)
    a.mov(R0, 0)
    a.bx(LR)


@emits("bs_get_utf16", keeps=Keeps.ALL)
def bs_get_utf16(e: Emission, fail: Operand, source: Operand, live: int, flags: int, destination: Operand) -> None:
    bs_skip_utf16(e, fail, source, live, flags)
    e.store(R0, destination)


@emits("bs_skip_utf16", keeps=Keeps.ALL)
def bs_skip_utf16(e: Emission, fail: Operand, source: Operand, _live: int, flags: int) -> None:
    """r0 = the character."""
    failure = match_failure(e, fail)
    e.a.add_constant(R0, e.value(source, R0), context(e.shared.layout).buffer)
    e.a.mov_constant(R1, flags_of(flags))
    e.call("bs_get_utf16")
    e.a.cmp(R0, 0)
    e.a.b(failure, EQ)


@fragment("bs_get_utf16", apart=True)
def get_utf16(a: Assembler, _layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r0 = the next character behind the buffer r0, with flags r1; 0 if there is none."""
    a.str(LR, at(SP, RETURN))
    call_vm(a, "erts_bs_get_utf16")
    a.ldr(PC, at(SP, RETURN))


@emits("bs_get_utf32", keeps=Keeps.ALL)
def bs_get_utf32(e: Emission, fail: Operand, source: Operand, live: int, flags: int, destination: Operand) -> None:
    bs_skip_utf32(e, fail, source, live, flags)
    make_small(e.a, R1, R1)
    e.store(R1, destination)


@emits("bs_skip_utf32", keeps=Keeps.ALL)
def bs_skip_utf32(e: Emission, fail: Operand, source: Operand, _live: int, flags: int) -> None:
    """r1 = the number of the character."""
    failure = match_failure(e, fail)
    register = check_left(e, source, 32, failure)
    read_bits(e, register, 32, little=bool(flags_of(flags) & vm_flags.BSF_LITTLE))
    check_character(e, R1, R3, failure)
    advance(e, register, 32)
