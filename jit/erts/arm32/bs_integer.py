"""Integers and characters read from a match context: up to 32 bits here, what is longer by the VM's own functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, HI, HS, MI, NE
from jit.arm32.operands import at, lsl, lsr, post
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R12, SP, Register
from jit.beam.operands import Integer, Operand
from jit.codegen.cache import Keeps
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions
from jit.erts.arm32.bs_context import (
    call_reader,
    check_field_left,
    collect_unless_room,
    context,
    flags_of,
    is_behind,
    load_position,
    make_room,
    match_failure,
    reader,
)
from jit.erts.arm32.conventions import HTOP, REGISTERS, RETURN, SMALL_WIDTH, WORD, X_ARRAY
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.fragments import Fragments, fragment
from jit.erts.arm32.small_integers import make_small
from jit.erts.layout import NativeLayout
from jit.otp import tags, vm_flags

#: Bits that are read at once.
MOST_READ: Final = 32
#: Bits of an unsigned integer that is always small.
_SMALL: Final = SMALL_WIDTH - 1
#: Words of a big integer of one digit.
_DIGIT_WORDS: Final = 2

fragment("bs_get_integer", apart=True)(reader("erts_bs_get_integer_2"))


def is_read(bits: int, flags: int) -> bool:
    """Whether ``read_bits`` reads a field with such flags (of ``flags_of``)."""
    return bits <= MOST_READ and (bits <= 8 or not flags & vm_flags.BSF_LITTLE or bits % 8 == 0)


def words_for(bits: int, flags: int) -> int:
    """Words of heap that an integer of so many bits may take."""
    return 0 if bits <= _SMALL + bool(flags & vm_flags.BSF_SIGNED) else 1 + (bits + 31) // 32


@emits("bs_get_integer2", keeps=Keeps.COPIES)
def bs_get_integer2(
    e: Emission, fail: Operand, source: Operand, live: int, size: Operand, unit: int, flags: int, destination: Operand
) -> None:
    failure = match_failure(e, fail)
    flags = flags_of(flags)
    bits, register = check_field_left(e, source, size, unit, failure)
    if bits is None:
        _get_long(e, _make_room_for_bits(e, live, source), None, flags, failure, destination)
        return
    words = words_for(bits, flags)
    if words:
        register = make_room(e, words, live, source)
        load_position(e, register)
    get_integer(e, register, bits, flags, failure, destination)


def get_integer(
    e: Emission, register: Register, bits: int, flags: int, failure: Label | None, destination: Operand
) -> None:
    """An integer of so many bits, which are there and have room, from the context in a CPU register; r2 = position."""
    if not bits:
        e.store(e.load(Integer(0), R0), destination)
    elif is_read(bits, flags):
        width = read_bits(e, register, bits, little=bits > 8 and bool(flags & vm_flags.BSF_LITTLE))
        advance(e, register, bits)
        store_field(e, width, 0, bits, flags, destination)
    else:
        _get_long(e, register, bits, flags, failure, destination)


def _get_long(
    e: Emission, register: Register, bits: int | None, flags: int, failure: Label | None, destination: Operand
) -> None:
    """An integer by the VM's function. *bits* None: see ``call_reader``."""
    call_reader(e, "bs_get_integer", register, bits, flags)
    if failure:
        e.a.cmp(R0, 0)  # more digits than an integer may have
        e.a.b(failure, EQ)
    e.store(R0, destination)


def _make_room_for_bits(e: Emission, live: int, source: Operand) -> Register:
    """As ``make_room``, for an integer of r1 bits."""
    enough, long, place = Label(), Label(), at(REGISTERS, X_ARRAY + WORD * live)
    behind = is_behind(source, live)
    if behind:
        e.load(source, R0)
    e.a.cmp(R1, _SMALL)
    e.a.b(long, HI)
    e.a.bind(enough)

    def cold() -> None:
        e.a.bind(long)
        e.a.add(R1, R1, 2 * 32 - 1)
        e.a.lsr(R1, R1, 5)
        e.a.mov_constant(R3, live + behind)
        if behind:
            e.a.str(R0, place)
        e.call("bs_room", live=live)
        e.reload()
        if behind:
            e.a.ldr(R0, place)
        e.a.b(enough)

    e.cold(cold, collects=live)
    return R0 if behind else e.value(source, R0)


@fragment("bs_room")
def bs_room(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
    """Have r1 words of heap, with r3 x registers in use."""
    a.str(LR, at(SP, RETURN))
    collect_unless_room(a, layout, fragments)
    a.ldr(PC, at(SP, RETURN))


# Up to 32 bits


def read_bits(e: Emission, register: Register, size: int, *, little: bool = False) -> int:
    """r1 = the next bits of the context in *register*, where r2 is the position, as it stays.

    They are the upper ones of as many as their bytes have, which is what this gives: 8, 16, 24 or 32. The lower bits
    are those behind them, or anything. *little*: whole bytes, more than one, in the other order.
    """
    fields, unaligned, done = context(e.shared.layout), Label(), Label()
    count = (size + 7) // 8
    e.a.tst(R2, 7)
    e.a.b(unaligned, NE)
    e.a.ldr(R3, at(register, fields.base))
    e.a.add(R3, R3, lsr(R2, 3))
    _READ[count](e.a, -fields.bias, little)
    e.a.bind(done)

    def cold() -> None:
        e.a.bind(unaligned)
        e.a.move(R0, register)
        e.a.mov_constant(R1, size)
        e.call("bs_read")
        if little:
            e.a.rev(R1, R1)
            if size < 32:
                e.a.extract(R1, R1, 0, size)
        elif count < 4:
            e.a.lsr(R1, R1, 32 - 8 * count)
        e.a.b(done)

    e.cold(cold)
    return 8 * count


def _read_1(a: Assembler, offset: int, _little: bool) -> None:
    a.ldrb(R1, at(R3, offset))


def _read_2(a: Assembler, offset: int, little: bool) -> None:
    a.ldrh(R1, at(R3, offset))
    if not little:
        a.rev16(R1, R1)


def _read_3(a: Assembler, offset: int, little: bool) -> None:
    if little:
        a.ldrh(R1, at(R3, offset))
        a.ldrb(R12, at(R3, offset + 2))
        a.orr(R1, R1, lsl(R12, 16))
    else:
        a.ldrb(R12, at(R3, offset))
        a.ldrh(R1, at(R3, offset + 1))
        a.rev16(R1, R1)
        a.orr(R1, R1, lsl(R12, 16))


def _read_4(a: Assembler, offset: int, little: bool) -> None:
    a.ldr(R1, at(R3, offset))
    if not little:
        a.rev(R1, R1)


#: By count of bytes: r1 = the bytes at r3 + offset. ARMv6 and later ones load them at any address.
_READ: Final = {1: _read_1, 2: _read_2, 3: _read_3, 4: _read_4}


@fragment("bs_read", apart=True)
def bs_read(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r1 = the next r1 bits of the context r0, 1 to 32, in the upper bits of the word; r2, the position, stays."""
    fields = context(layout)
    a.str(R0, at(SP))
    a.ldr(R3, at(R0, fields.base))
    a.add(R3, R3, lsr(R2, 3))
    a.and_(R12, R2, 7)
    a.add(R12, R12, R1)  # up to where in the bytes
    a.ldrb(R1, at(R3, -fields.bias))
    a.lsl(R1, R1, 24)
    for number in (1, 2, 3):
        a.cmp(R12, 8 * number)
        a.ldrb(R0, at(R3, number - fields.bias), HI)
        a.orr(R1, R1, lsl(R0, 24 - 8 * number), HI)
    a.cmp(R12, 32)
    a.ldrb(R12, at(R3, 4 - fields.bias), HI)
    a.and_(R0, R2, 7)
    a.lsl(R1, R1, R0)
    a.rsb(R0, R0, 8, HI)
    a.orr(R1, R1, lsr(R12, R0), HI)
    a.ldr(R0, at(SP))
    a.bx(LR)


def advance(e: Emission, register: Register, bits: int) -> None:
    """The position, which is in r2, goes on by so many bits in the context in *register*."""
    e.a.add_constant(R2, R2, bits)
    e.a.str(R2, at(register, context(e.shared.layout).start))


def compare_bits(e: Emission, width: int, begin: int, bits: int, value: int, failure: Label) -> None:
    """Go to *failure* unless so many of the *width* bits in r1, from one on, counted from the highest, are *value*."""
    e.a.cmp_constant(_field(e, width, begin, bits, 0), value)
    e.a.b(failure, NE)


def store_field(e: Emission, width: int, begin: int, bits: int, flags: int, destination: Operand) -> None:
    """Store so many of the *width* bits in r1 as an integer, for which there is room. r0, r1 and r2 stay."""
    field = _field(e, width, begin, bits, flags)
    if not words_for(bits, flags):
        target = e.target(destination, R3)
        make_small(e.a, target, field)
        e.store(target, destination)
        return
    big, done = Label(), Label()
    if flags & vm_flags.BSF_SIGNED:
        e.a.add(R12, field, 1 << _SMALL)
        e.a.cmp(R12, 1 << _SMALL + 1)
    else:
        e.a.cmp(field, 1 << _SMALL)
    e.a.b(big, HS)
    make_small(e.a, R3, field)
    e.a.bind(done)
    e.store(R3, destination)

    def cold() -> None:
        e.a.bind(big)
        e.a.move(R3, field)
        e.call("bs_signed_digit" if flags & vm_flags.BSF_SIGNED else "bs_digit")
        e.a.b(done)

    e.cold(cold)


def _field(e: Emission, width: int, begin: int, bits: int, flags: int) -> Register:
    """A CPU register, r1 or r3, that holds a part of r1 alone."""
    if bits == width and (bits == 32 or not flags & vm_flags.BSF_SIGNED):
        return R1
    e.a.extract(R3, R1, width - begin - bits, bits, signed=bool(flags & vm_flags.BSF_SIGNED))
    return R3


def _digit(a: Assembler, header: int) -> None:
    """r3 = the term of a big integer of one digit, r3. Only r12 is changed."""
    a.mov(R12, header)
    a.str(R12, post(HTOP, WORD))
    a.str(R3, post(HTOP, WORD))
    a.sub(R3, HTOP, WORD * _DIGIT_WORDS - tags.BOXED)
    a.bx(LR)


@fragment("bs_digit", apart=True)
def bs_digit(a: Assembler, _layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r3 = the term of the unsigned integer r3, which is not small; there is room for it. Only r12 is changed."""
    _digit(a, conventions.POSITIVE_DIGIT)


@fragment("bs_signed_digit", apart=True)
def bs_signed_digit(a: Assembler, _layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """The same of a signed integer."""
    negative = Label()
    a.cmp(R3, 0)
    a.b(negative, MI)
    _digit(a, conventions.POSITIVE_DIGIT)
    a.bind(negative)
    a.rsb(R3, R3, 0)
    _digit(a, conventions.POSITIVE_DIGIT | tags.BIG_SIGN)
