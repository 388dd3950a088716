"""Construction of binaries: bs_create_bin of OTP 25 and later.

As in the interpreter (emu/bs_instrs.tab, i_bs_create_bin): the size is found out, the binary is allocated or a given
one is made longer, and then one segment after the other is written to where the scheduler's erl_bits_state says. What
fails is done again by the interpreter, which raises the exception: all that is to be seen until then is garbage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, HI, HS, MI, NE
from jit.arm32.operands import at, lsl, lsr, post
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R12, SP
from jit.beam.operands import Allocation, Operand
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions
from jit.erts.arm32.bs_append import REFERENCE_WORDS, append, private_append
from jit.erts.arm32.bs_context import (
    HEAP_BINARY_25,
    HEAP_BITS,
    SHARED_BINARY_25,
    SUB_BINARY_25,
    SUB_BITS,
    collect_unless_room,
    load_small_size,
)
from jit.erts.arm32.bs_put import Writer
from jit.erts.arm32.bs_segments import UTF8_LIMITS, UTF16_LIMITS, Segment, segments
from jit.erts.arm32.bs_state import BIN_OFFSET, CURRENT_BIN
from jit.erts.arm32.bs_utf import check_character
from jit.erts.arm32.common import check_room, heap_words
from jit.erts.arm32.conventions import ARGUMENTS, HTOP, PROCESS, REGISTERS, RETURN, WORD
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.fragments import Fragments, call_vm, fragment, load_header, swap_out
from jit.erts.arm32.small_integers import check_small
from jit.erts.layout import NativeLayout
from jit.otp import tags
from jit.otp.features import BITS_NOT_BYTES
from jit.otp.things import ONHEAP_LIMIT, ErlHeapBits, ErlSubBin, ErlSubBits, ProcBin

#: From sp: the new binary while its segments are written.
_RESULT: Final = ARGUMENTS + 2 * WORD
#: The largest binary on the heap.
_MOST_HEAP_BITS: Final = 8 * ONHEAP_LIMIT
#: Words before the data of a binary on the heap.
_HEAD: Final = ErlHeapBits.DATA
_MOST_SIZE: Final = (1 << 31) - 1


@emits("bs_create_bin")
def bs_create_bin(
    e: Emission, _fail: Operand, heap: int | Allocation, live: int, _unit: int, destination: Operand, operands: Operand
) -> None:
    parts, words, failure = segments(operands), heap_words(e, heap), e.to_interpreter()
    bits = _load_size(e, parts, failure)
    writer = Writer(e, failure)
    if parts[0].kind == "append":
        writer.failure = append(e, parts[0], bits, words, live, failure)
    elif parts[0].kind == "private_append":
        if words or e.shared.stress:
            _make_room(e, words, live)
        private_append(e, parts[0], bits, failure)
    else:
        writer.offset = 0
        writer.is_stored = new(e, bits, words, live)
    e.a.str(R0, at(SP, _RESULT))
    writer.write([part for part in parts if part.kind not in ("append", "private_append")])
    e.a.ldr(R0, at(SP, _RESULT))
    e.store(R0, destination)


# The size


def _load_size(e: Emission, parts: Sequence[Segment], failure: Label) -> int | None:
    """The sum of the sizes in bits if it is constant, else None: then it is in r3, and below 2**31."""
    constant = sum(part.bits or 0 for part in parts)
    for part in parts:
        if part.kind == "utf32":
            check_source(e, part, failure)
    if all(part.bits is not None for part in parts):
        return constant
    e.a.mov_constant(R3, constant)
    for part in parts:
        if part.bits is None:
            _load_bits(e, part, failure)
            e.a.adds(R3, R3, R0)
            e.a.b(failure, MI)
    return None


def _load_bits(e: Emission, part: Segment, failure: Label) -> None:
    """r0 = the size of a segment, below 2**31. r3 stays."""
    if part.is_all:
        e.load(part.source, R0)
        e.call("bs_bits")
        e.a.cmp(R0, 0)
        e.a.b(failure, MI)
    elif part.kind == "utf8":
        load_steps(e, part.source, 8, UTF8_LIMITS)
    elif part.kind == "utf16":
        load_steps(e, part.source, 16, UTF16_LIMITS)
    else:
        load_small_size(e, part.size, part.unit, _MOST_SIZE, R0, failure)


def load_steps(e: Emission, source: Operand, step: int, limits: Sequence[int]) -> None:
    """r0 = the size of a character: a step, and one more for each limit that it is not below.

    Terms are compared as words: what is no character is found out when it is written.
    """
    register = e.value(source, R1)
    e.a.mov(R0, step)
    for limit in limits:
        e.a.cmp_constant(register, conventions.small(limit))
        e.a.add(R0, R0, step, HS)


def check_source(e: Emission, part: Segment, failure: Label) -> None:
    """Go to *failure* unless the source of a segment is a character. r3 stays."""
    register = e.value(part.source, R0)
    check_small(e.a, register, R1, failure)
    e.a.lsr(R1, register, tags.IMMED1_BITS)
    check_character(e, R1, R1, failure)


@fragment("bs_bits", apart=True)
def bs_bits(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r0 = the size of the bitstring r0 in bits; below zero if it is none, or too large for that. r3 stays."""
    no = Label()
    load_header(a, R1, R0, no)
    a.and_(R1, R1, tags.HEADER_MASK)
    sizes = _bits_27 if BITS_NOT_BYTES.of(layout.otp) else _bits_25
    sizes(a, no)
    a.bx(LR)
    a.bind(no)
    a.mvn(R0, 0)
    a.bx(LR)


def _bits_25(a: Assembler, no: Label) -> None:
    """r1 is the header's tag; whole bytes are where ErlSubBin.SIZE is in all kinds."""
    a.sub(R2, R1, SHARED_BINARY_25)
    a.cmp(R2, SUB_BINARY_25 - SHARED_BINARY_25)
    a.b(no, HI)
    a.ldr(R2, at(R0, WORD * ErlSubBin.SIZE - tags.BOXED))
    a.cmp(R2, 1 << 28)
    a.b(no, HS)
    a.cmp(R1, SUB_BINARY_25)
    a.ldrb(R0, at(R0, WORD * ErlSubBin.BITS + ErlSubBin.BITSIZE_BYTE - tags.BOXED), EQ)
    a.mov(R0, 0, NE)
    a.add(R0, R0, lsl(R2, 3))


def _bits_27(a: Assembler, no: Label) -> None:
    """r1 is the header's tag; the size of one on the heap follows its header."""
    a.cmp(R1, HEAP_BITS)
    a.ldr(R0, at(R0, WORD * ErlHeapBits.SIZE - tags.BOXED), EQ)
    a.bx(LR, EQ)
    a.cmp(R1, SUB_BITS)
    a.b(no, NE)
    a.ldr(R1, at(R0, WORD * ErlSubBits.START - tags.BOXED))
    a.ldr(R0, at(R0, WORD * ErlSubBits.END - tags.BOXED))
    a.sub(R0, R0, R1)


def _make_room(e: Emission, words: int, live: int) -> None:
    """Have room on the heap; r3 stays."""
    e.a.str(R3, at(SP, ARGUMENTS))
    check_room(e, words, live)
    e.a.ldr(R3, at(SP, ARGUMENTS))


# Allocation: r0 = the term, erl_bits_state = where to write


def new(e: Emission, bits: int | None, words: int, live: int) -> bool:
    """A new binary of *bits*, or r3 bits. Whether the offset in erl_bits_state is set: else it is to be 0."""
    if bits is not None and bits <= _MOST_HEAP_BITS and (BITS_NOT_BYTES.of(e.shared.layout.otp) or bits % 8 == 0):
        _new_on_heap(e, bits, words, live)
        return False
    if bits is None:
        e.a.mov(R0, R3)
    else:
        e.a.mov_constant(R0, bits)
    e.a.mov_constant(R1, words)
    e.a.mov_constant(R3, live)
    e.call("bs_new", live=live)
    return True


def _new_on_heap(e: Emission, bits: int, words: int, live: int) -> None:
    size = (bits + 31) // 32
    check_room(e, words + _HEAD + size, live)
    e.a.mov_constant(R0, _HEAD + size - 1 << tags.ARITY_SHIFT | _heap_tag(e.shared.layout))
    e.a.mov_constant(R1, bits if BITS_NOT_BYTES.of(e.shared.layout.otp) else bits // 8)
    e.a.stm(HTOP, (R0, R1), writeback=True)
    e.a.str(HTOP, at(REGISTERS, e.shared.layout[CURRENT_BIN]))
    e.a.sub(R0, HTOP, WORD * _HEAD - tags.BOXED)
    if size:
        e.a.add(HTOP, HTOP, WORD * size)


def _heap_tag(layout: NativeLayout) -> int:
    """The tag in the header of a binary on the heap (erl_term.h)."""
    return HEAP_BITS if BITS_NOT_BYTES.of(layout.otp) else HEAP_BINARY_25


@fragment("bs_new")
def bs_new(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
    """A new binary of r0 bits, and room for r1 words more, with r3 x registers in use."""
    elsewhere, made = Label(), Label()
    a.str(LR, at(SP, RETURN))
    a.str(R0, at(SP, ARGUMENTS))
    a.cmp(R0, _MOST_HEAP_BITS)
    a.b(elsewhere, HI)
    _on_heap(a, layout, fragments)
    a.b(made)
    a.bind(elsewhere)
    _elsewhere(a, layout, fragments)
    a.bind(made)
    a.str(R1, at(REGISTERS, layout[CURRENT_BIN]))
    a.mov(R1, 0)
    a.str(R1, at(REGISTERS, layout[BIN_OFFSET]))
    if not BITS_NOT_BYTES.of(layout.otp):
        _cut_last_byte(a)
    a.ldr(PC, at(SP, RETURN))


def _on_heap(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
    """r0 = the term, r1 = its data, of a binary of r0 bits behind which there are r1 words."""
    a.add(R2, R0, 31)
    a.lsr(R2, R2, 5)
    a.add(R2, R2, _HEAD)
    a.str(R2, at(SP, ARGUMENTS + WORD))
    a.add(R1, R1, R2)
    a.add(R1, R1, ErlSubBin.WORDS)
    collect_unless_room(a, layout, fragments)
    a.ldr(R0, at(SP, ARGUMENTS))
    a.ldr(R2, at(SP, ARGUMENTS + WORD))
    a.sub(R1, R2, 1)
    a.lsl(R1, R1, tags.ARITY_SHIFT)
    a.orr(R1, R1, _heap_tag(layout))
    a.str(R1, at(HTOP))
    if not BITS_NOT_BYTES.of(layout.otp):
        a.add(R0, R0, 7)
        a.lsr(R0, R0, 3)
    a.str(R0, at(HTOP, WORD))
    a.add(R0, HTOP, tags.BOXED)
    a.add(R1, HTOP, WORD * _HEAD)
    a.add(HTOP, HTOP, lsl(R2, 2))


def _elsewhere(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
    """The same of a large binary. There may be a collection because of how much memory they take."""
    crowded = Label()
    a.add(R1, R1, REFERENCE_WORDS)
    a.ldr(R2, at(PROCESS, layout["Process.off_heap.overhead"]))
    a.add(R2, R2, lsr(R0, 5))
    a.ldr(R12, at(PROCESS, layout["Process.bin_vheap_sz"]))
    a.cmp(R2, R12)
    a.b(crowded, HS)
    collect_unless_room(a, layout, fragments, crowded)
    swap_out(a, layout)
    a.mov(R0, PROCESS)
    a.ldr(R1, at(SP, ARGUMENTS))
    if not BITS_NOT_BYTES.of(layout.otp):
        a.add(R2, R1, 7)
        a.lsr(R2, R2, 3)
        a.mov(R1, 0)
        call_vm(a, "new_binary")
        a.ldr(R1, at(R0, WORD * ProcBin.BYTES - tags.BOXED))
    else:
        a.add(R2, SP, ARGUMENTS + WORD)
        call_vm(a, "erts_new_bitstring")
        a.ldr(R1, at(SP, ARGUMENTS + WORD))
    a.ldr(HTOP, at(PROCESS, layout["Process.htop"]))


def _cut_last_byte(a: Assembler) -> None:
    """OTP 25: r0 = a part of the binary r0 if it ends within a byte."""
    whole = Label()
    a.ldr(R1, at(SP, ARGUMENTS))
    a.ands(R12, R1, 7)
    a.b(whole, EQ)
    a.lsr(R2, R1, 3)
    a.mov_constant(R1, ErlSubBin.ARITY << tags.ARITY_SHIFT | SUB_BINARY_25)
    a.mov(R3, 0)
    a.stm(HTOP, (R1, R2, R3, R12), writeback=True)
    a.str(R0, post(HTOP, WORD))
    a.sub(R0, HTOP, WORD * ErlSubBin.WORDS - tags.BOXED)
    a.bind(whole)
