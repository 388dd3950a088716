"""Construction of binaries by one operation per segment, as compilers before OTP 25 make it.

What has been allocated and where the next segment goes is in the scheduler's erl_bits_state from one operation to the
next. Nothing in between collects garbage: control goes to the interpreter only where it raises an exception, or for
segments that are too large for a binary on the heap, which would move.
"""

from __future__ import annotations

from typing import Final

from jit.arm32.conditions import HI
from jit.arm32.operands import at
from jit.arm32.registers import R0, R1, R3, SP
from jit.beam.operands import Allocation, Integer, Operand, String, X, register_of
from jit.beam.terms import Atom
from jit.codegen.processor import Label
from jit.erts.arm32.bs_append import append, private_append
from jit.erts.arm32.bs_context import flags_of, load_small_size
from jit.erts.arm32.bs_create import check_source, load_steps, new
from jit.erts.arm32.bs_put import Writer
from jit.erts.arm32.bs_segments import UTF8_LIMITS, UTF16_LIMITS, Segment, constant_bits
from jit.erts.arm32.bs_state import BIN_OFFSET
from jit.erts.arm32.common import heap_words
from jit.erts.arm32.conventions import ARGUMENTS, REGISTERS, SMALLS, WORD, X_ARRAY
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.small_integers import make_small
from jit.otp import vm_flags

_ALL: Final = Atom("all")
#: From sp: the size while a binary is made longer.
_SIZE: Final = ARGUMENTS + 2 * WORD


# Sizes


@emits("bs_add")
def bs_add(e: Emission, _fail: Operand, one: Operand, other: Operand, unit: int, destination: Operand) -> None:
    """one + other * unit."""
    failure = e.to_interpreter()
    load_small_size(e, one, 1, SMALLS.greatest, R0, failure)
    load_small_size(e, other, unit, SMALLS.greatest, R1, failure)
    e.a.add(R0, R0, R1)
    e.a.cmp_constant(R0, SMALLS.greatest)
    e.a.b(failure, HI)
    make_small(e.a, R0, R0)
    e.store(R0, destination)


@emits("bs_utf8_size")
def bs_utf8_size(e: Emission, _fail: Operand, source: Operand, destination: Operand) -> None:
    load_steps(e, source, 1, UTF8_LIMITS)
    make_small(e.a, R0, R0)
    e.store(R0, destination)


@emits("bs_utf16_size")
def bs_utf16_size(e: Emission, _fail: Operand, source: Operand, destination: Operand) -> None:
    load_steps(e, source, 2, UTF16_LIMITS)
    make_small(e.a, R0, R0)
    e.store(R0, destination)


# Allocation


@emits("bs_init2")
def bs_init2(
    e: Emission, _fail: Operand, size: Operand, heap: int | Allocation, live: int, _flags: int, destination: Operand
) -> None:
    _init(e, size, 8, heap_words(e, heap), live, destination)


@emits("bs_init_bits")
def bs_init_bits(
    e: Emission, _fail: Operand, size: Operand, heap: int | Allocation, live: int, _flags: int, destination: Operand
) -> None:
    _init(e, size, 1, heap_words(e, heap), live, destination)


def _init(e: Emission, size: Operand, unit: int, words: int, live: int, destination: Operand) -> None:
    bits = size * unit if isinstance(size, int) else None
    if bits is None:
        load_small_size(e, size, unit, SMALLS.greatest, R3, e.to_interpreter())
    if not new(e, bits, words, live):
        e.a.mov(R1, 0)
        e.a.str(R1, at(REGISTERS, e.shared.layout[BIN_OFFSET]))
    e.store(R0, destination)


@emits("bs_append")
def bs_append(
    e: Emission, _fail: Operand, size: Operand, heap: int | Allocation, live: int, unit: int, source: Operand,
    _flags: int, destination: Operand,
) -> None:  # fmt: skip
    failure = e.to_interpreter()
    load_small_size(e, size, 1, SMALLS.greatest, R3, failure)
    part = Segment("append", unit, 0, source, size, None, False)
    append(e, part, None, heap_words(e, heap), live, _restoring(e, size, failure))
    e.store(R0, destination)


def _restoring(e: Emission, size: Operand, failure: Label) -> Label:
    """Where to go if something fails when the size, whose bits are in r3, may have been overwritten in its register."""
    register, again = register_of(size), Label()
    if not isinstance(register, X):
        return failure
    e.a.str(R3, at(SP, _SIZE))

    def cold() -> None:
        e.a.bind(again)
        e.a.ldr(R0, at(SP, _SIZE))
        make_small(e.a, R0, R0)
        e.a.str(R0, at(REGISTERS, X_ARRAY + WORD * register.number))
        e.a.b(failure)

    e.cold(cold)
    return again


@emits("bs_private_append")
def bs_private_append(
    e: Emission, _fail: Operand, size: Operand, unit: int, source: Operand, _flags: int, destination: Operand
) -> None:
    failure = e.to_interpreter()
    load_small_size(e, size, 1, SMALLS.greatest, R3, failure)
    private_append(e, Segment("private_append", unit, 0, source, size, None, False), None, failure)
    e.store(R0, destination)


# Segments


@emits("bs_put_integer")
def bs_put_integer(e: Emission, _fail: Operand, size: Operand, unit: int, flags: int, source: Operand) -> None:
    _put_sized(e, "integer", size, unit, flags, source)


@emits("bs_put_float")
def bs_put_float(e: Emission, _fail: Operand, size: Operand, unit: int, flags: int, source: Operand) -> None:
    _put_sized(e, "float", size, unit, flags, source)


@emits("bs_put_binary")
def bs_put_binary(e: Emission, _fail: Operand, size: Operand, unit: int, flags: int, source: Operand) -> None:
    _put_sized(e, "binary", size, unit, flags, source)


def _put_sized(e: Emission, kind: str, size: Operand, unit: int, flags: int, source: Operand) -> None:
    failure, is_all = e.to_interpreter(), size == _ALL
    bits = None if is_all else constant_bits(kind, unit, size)
    if bits is None and not is_all:
        load_small_size(e, size, unit, SMALLS.greatest, R3, failure)
    _put(e, Segment(kind, unit, flags_of(flags) & vm_flags.BSF_LITTLE, source, size, bits, is_all), failure)


@emits("bs_put_string")
def bs_put_string(e: Emission, size: int, string: String) -> None:
    _put(e, Segment("string", 8, 0, string, Integer(size), 8 * size, False), e.to_interpreter())


@emits("bs_put_utf8")
def bs_put_utf8(e: Emission, _fail: Operand, _flags: int, source: Operand) -> None:
    _put(e, Segment("utf8", 1, 0, source, Integer(0), None, False), e.to_interpreter())


@emits("bs_put_utf16")
def bs_put_utf16(e: Emission, _fail: Operand, flags: int, source: Operand) -> None:
    part = Segment("utf16", 1, flags_of(flags) & vm_flags.BSF_LITTLE, source, Integer(0), None, False)
    _put(e, part, e.to_interpreter())


@emits("bs_put_utf32")
def bs_put_utf32(e: Emission, _fail: Operand, flags: int, source: Operand) -> None:
    part = Segment("utf32", 1, flags_of(flags) & vm_flags.BSF_LITTLE, source, Integer(32), 32, False)
    check_source(e, part, e.to_interpreter())
    _put(e, part, e.to_interpreter())


def _put(e: Emission, part: Segment, failure: Label) -> None:
    """Write a segment to where erl_bits_state says."""
    Writer(e, failure).write([part])
