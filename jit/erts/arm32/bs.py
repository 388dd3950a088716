"""Matching of binaries: contexts, what is left of them, positions, binaries and strings taken out of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, HI, HS, LO, NE
from jit.arm32.operands import at, lsr, post
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R12, SP, Register
from jit.beam.operands import BeamLabel, Operand, String, register_of
from jit.beam.terms import Atom
from jit.codegen.cache import Keeps
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions
from jit.erts.arm32.bs_context import (
    CONTEXT_25,
    HEAP_BITS,
    PART_WORDS,
    SHARED_BINARY_25,
    SUB_BINARY_25,
    SUB_BITS,
    call_reader,
    check_field_left,
    check_left,
    check_unit,
    constant_bits,
    context,
    flags_of,
    load_address,
    load_bits,
    load_left,
    make_room,
    match_failure,
    reader,
)
from jit.erts.arm32.bs_integer import MOST_READ, advance, compare_bits, read_bits
from jit.erts.arm32.conventions import HTOP, PROCESS, RETURN, WORD, E
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.fragments import Fragments, call_vm, collect_keeping, fragment, load_header, swap_in, swap_out
from jit.erts.arm32.small_integers import check_small, make_small
from jit.erts.layout import NativeLayout
from jit.otp import tags
from jit.otp.features import BITS_NOT_BYTES
from jit.otp.things import ErlSubBits

_ALL: Final = Atom("all")
#: Positions below are small integers.
_POSITIONS: Final = 1 << 27

fragment("bs_get_binary", apart=True)(reader("erts_bs_get_binary_2", with_flags=False))
fragment("bs_get_all", apart=True)(reader("erts_bs_get_binary_all_2"))
fragment("bs_get_float", apart=True)(reader("erts_bs_get_float_2"))


# Contexts


@emits("bs_start_match3", keeps=Keeps.COPIES)
def bs_start_match3(e: Emission, fail: Operand, source: Operand, live: int, destination: Operand) -> None:
    if register_of(source) is None:
        raise Unsupported("a match of bits in a constant")
    failure = e.failure(fail)
    e.load(source, R0)
    e.a.mov_constant(R3, live)
    e.call("bs_start_match", live=live)
    e.a.cmp(R0, 0)
    e.a.b(failure, EQ)
    e.store(R0, destination)


@emits("bs_start_match4", keeps=Keeps.COPIES)
def bs_start_match4(e: Emission, fail: Operand, live: int, source: Operand, destination: Operand) -> None:
    """A context that is resumed is taken as a source like any other, as the loader does it for 32 bits (ops.tab)."""
    bs_start_match3(e, fail if isinstance(fail, BeamLabel) else BeamLabel(0), source, live, destination)


@fragment("bs_start_match")
def start_match(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
    """r0 = a context for matching the term r0, with r3 x registers in use; 0 if it is no bitstring."""
    no = Label()
    load_header(a, R12, R0, no)
    a.and_(R12, R12, tags.HEADER_MASK)
    start = _start_27 if BITS_NOT_BYTES.of(layout.otp) else _start_25
    start(a, layout, fragments, no)
    a.bind(no)
    a.mov(R0, 0)
    a.bx(LR)


def _start_25(a: Assembler, layout: NativeLayout, fragments: Fragments, no: Label) -> None:
    """r12 is the header's tag. Saved positions are small as they count from one that is not far behind."""
    fields, binary, far = context(layout), Label(), Label()
    assert fields.saved is not None
    a.cmp(R12, CONTEXT_25)
    a.b(binary, NE)
    a.ldr(R1, at(R0, fields.start))
    a.ldr(R2, at(R0, fields.saved))
    a.sub(R1, R1, R2)
    a.cmp_constant(R1, _POSITIONS)
    a.b(far, HS)
    a.bx(LR)
    a.bind(binary)
    a.sub(R12, R12, SHARED_BINARY_25)
    a.cmp(R12, SUB_BINARY_25 - SHARED_BINARY_25)
    a.b(no, HI)
    _room_for_context(a, layout, fragments)
    _begin_match(a, layout, "erts_bs_start_match_2")
    a.ldr(PC, at(SP, RETURN))
    a.bind(far)
    _room_for_context(a, layout, fragments)
    a.sub(R0, R0, tags.BOXED)
    for _ in range(fields.words - 1):
        a.ldr(R1, post(R0, WORD))
        a.str(R1, post(HTOP, WORD))
    a.sub(R0, HTOP, WORD * (fields.words - 1) - tags.BOXED)
    a.ldr(R1, at(R0, fields.start))
    a.str(R1, post(HTOP, WORD))
    a.ldr(PC, at(SP, RETURN))


def _start_27(a: Assembler, layout: NativeLayout, fragments: Fragments, no: Label) -> None:
    """r12 is the header's tag."""
    fields, new = context(layout), Label()
    a.cmp(R12, HEAP_BITS)
    a.b(new, EQ)
    a.cmp(R12, SUB_BITS)
    a.b(no, NE)
    a.ldr(R1, at(R0, fields.base))
    a.and_(R1, R1, ErlSubBits.FLAG_MASK)
    a.cmp(R1, fields.bias)
    a.bx(LR, EQ)
    a.bind(new)
    _room_for_context(a, layout, fragments)
    _begin_match(a, layout, "erts_bs_start_match_3")
    a.add(R0, R0, tags.BOXED)
    a.ldr(PC, at(SP, RETURN))


def _room_for_context(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
    """Have room for a context, with r3 x registers in use. The term r0 is kept."""
    enough = Label()
    words = context(layout).words
    a.str(LR, at(SP, RETURN))
    if not fragments.stress:
        a.sub(R12, E, HTOP)
        a.cmp(R12, WORD * (words + conventions.RESERVED))
        a.b(enough, HS)
    a.mov(R1, words)
    collect_keeping(a, layout)
    a.bind(enough)


def _begin_match(a: Assembler, layout: NativeLayout, function: str) -> None:
    """r0 = what the VM's function gives for the process and the term r0, and one place for a saved position."""
    swap_out(a, layout, (HTOP,))
    a.mov(R1, R0)
    a.mov(R0, PROCESS)
    a.mov(R2, 1)
    call_vm(a, function)
    swap_in(a, layout, (HTOP,))


# What is left


@emits("bs_test_tail2", keeps=Keeps.ALL)
def bs_test_tail2(e: Emission, fail: Operand, source: Operand, bits: int) -> None:
    load_left(e, source)
    e.a.cmp_constant(R3, bits)
    e.a.b(match_failure(e, fail), NE)


@emits("bs_test_unit", keeps=Keeps.ALL)
def bs_test_unit(e: Emission, fail: Operand, source: Operand, unit: int) -> None:
    load_left(e, source)
    check_unit(e, unit, match_failure(e, fail))


@emits("bs_skip_bits2", keeps=Keeps.ALL)
def bs_skip_bits2(e: Emission, fail: Operand, source: Operand, size: Operand, unit: int, _flags: int) -> None:
    failure = match_failure(e, fail)
    if size == _ALL:
        bs_test_unit(e, fail, source, unit)
        return
    bits = constant_bits(size, unit)
    if bits is None:
        load_bits(e, size, unit, failure)
        register = load_left(e, source)
        e.a.cmp(R3, R1)
        e.a.b(failure, LO)
        e.a.add(R2, R2, R1)
    else:
        register = check_left(e, source, bits, failure)
        e.a.add_constant(R2, R2, bits)
    e.a.str(R2, at(register, context(e.shared.layout).start))


# Binaries and floats


@emits("bs_get_tail")
def bs_get_tail(e: Emission, source: Operand, destination: Operand, live: int) -> None:
    """What is left, while the position stays."""
    get_tail(e, make_room(e, PART_WORDS, live, source), destination)


def get_tail(e: Emission, register: Register, destination: Operand) -> None:
    """What is left in the context in a CPU register, for which there is room."""
    start = context(e.shared.layout).start
    e.a.add(R1, register, start)
    e.a.ldr(R12, at(R1))
    e.a.str(R12, at(SP, conventions.ARGUMENTS))
    e.a.str(R1, at(SP, conventions.ARGUMENTS + WORD))
    e.a.add_constant(R1, R1, context(e.shared.layout).buffer - start)
    e.call("bs_get_all")
    e.a.ldr(R12, at(SP, conventions.ARGUMENTS))
    e.a.ldr(R1, at(SP, conventions.ARGUMENTS + WORD))
    e.a.str(R12, at(R1))
    e.store(R0, destination)


@emits("bs_get_binary2")
def bs_get_binary2(
    e: Emission, fail: Operand, source: Operand, live: int, size: Operand, unit: int, _flags: int, destination: Operand
) -> None:
    failure = match_failure(e, fail)
    if size == _ALL:
        load_left(e, source)
        check_unit(e, unit, failure)
        register = make_room(e, PART_WORDS, live, source)
        e.a.add_constant(R1, register, context(e.shared.layout).buffer)
        e.call("bs_get_all")
        e.store(R0, destination)
        return
    bits, _ = check_field_left(e, source, size, unit, failure)
    get_binary(e, make_room(e, PART_WORDS, live, source), bits, destination)


def get_binary(e: Emission, register: Register, bits: int | None, destination: Operand) -> None:
    """So many bits, which are there and have room, of the context in a CPU register. None: see ``call_reader``."""
    call_reader(e, "bs_get_binary", register, bits, 0)
    e.store(R0, destination)


@emits("bs_get_float2")
def bs_get_float2(
    e: Emission, fail: Operand, source: Operand, live: int, size: Operand, unit: int, flags: int, destination: Operand
) -> None:
    failure = match_failure(e, fail)
    bits, _ = check_field_left(e, source, size, unit, failure)
    register = make_room(e, conventions.FLOAT_WORDS, live, source)
    call_reader(e, "bs_get_float", register, bits, flags_of(flags))
    e.a.cmp(R0, 0)
    e.a.b(failure, EQ)
    e.store(R0, destination)


# Strings


@emits("bs_match_string", keeps=Keeps.ALL)
def bs_match_string(e: Emission, fail: Operand, source: Operand, bits: int, string: String) -> None:
    failure = match_failure(e, fail)
    register = check_left(e, source, bits, failure)
    if not bits:
        return
    if bits <= MOST_READ:
        width = read_bits(e, register, bits)
        value = int.from_bytes(string.data, "big") >> (8 * len(string.data) - bits)
        compare_bits(e, width, 0, bits, value, failure)
        advance(e, register, bits)
        return
    e.a.move(R0, register)
    load_address(e, R1, string.data)
    e.a.mov_constant(R2, bits)
    e.call("bs_match_string")
    e.a.b(failure, NE)


@fragment("bs_match_string", apart=True)
def match_string(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """Flags eq, and the position goes on, if the next r2 bits of the context r0 are those at r1."""
    fields, unaligned, done = context(layout), Label(), Label()
    a.str(LR, at(SP, RETURN))
    a.ldr(R3, at(R0, fields.start))
    a.add(R12, R3, R2)
    a.str(R12, at(SP, conventions.ARGUMENTS))
    a.str(R0, at(SP, conventions.ARGUMENTS + WORD))
    a.ldr(R0, at(R0, fields.base))
    if fields.bias:
        a.sub(R0, R0, fields.bias)
    a.add(R0, R0, lsr(R3, 3))
    a.orr(R12, R3, R2)
    a.tst(R12, 7)
    a.b(unaligned, NE)
    a.lsr(R2, R2, 3)
    call_vm(a, "memcmp")
    a.b(done)
    a.bind(unaligned)
    a.str(R2, at(SP))
    a.mov(R2, R0)
    a.mov(R0, R1)
    a.mov(R1, 0)
    a.and_(R3, R3, 7)
    call_vm(a, "erts_cmp_bits__" if BITS_NOT_BYTES.of(layout.otp) else "erts_cmp_bits")
    a.bind(done)
    a.cmp(R0, 0)
    a.ldr(R1, at(SP, conventions.ARGUMENTS))
    a.ldr(R2, at(SP, conventions.ARGUMENTS + WORD))
    a.str(R1, at(R2, fields.start), EQ)
    a.ldr(PC, at(SP, RETURN))


# Positions


@emits("bs_get_position", keeps=Keeps.ALL)
def bs_get_position(e: Emission, source: Operand, destination: Operand, _live: int) -> None:
    fields = context(e.shared.layout)
    register = e.value(source, R0)
    e.a.ldr(R1, at(register, fields.start))
    if fields.saved is not None:
        e.a.ldr(R2, at(register, fields.saved))
        e.a.sub(R1, R1, R2)
    e.a.cmp_constant(R1, _POSITIONS)
    e.a.b(e.to_interpreter(), HS)
    make_small(e.a, R1, R1)
    e.store(R1, destination)


@emits("bs_set_position", keeps=Keeps.ALL)
def bs_set_position(e: Emission, source: Operand, position: Operand) -> None:
    fields = context(e.shared.layout)
    other = e.to_interpreter()
    value = e.value(position, R1)
    check_small(e.a, value, R12, other)
    e.a.lsr(R1, value, tags.IMMED1_BITS)
    register = e.value(source, R0)
    if fields.saved is not None:
        e.a.ldr(R2, at(register, fields.saved))
        e.a.add(R1, R1, R2)
    e.a.str(R1, at(register, fields.start))
