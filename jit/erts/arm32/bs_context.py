"""Match contexts: where they hold what, and how a field of them is measured.

In OTP 25 a context is a kind of its own (ErlBinMatchState, erl_bits.h), in OTP 27 it is a sub-bitstring that may be
changed (ErlSubBits). Both count a position and an end in bits from the same base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import AL, EQ, HI, HS, LO, MI, NE
from jit.arm32.operands import at, lsl
from jit.arm32.registers import LR, R0, R1, R2, R3, R12, SP, Register
from jit.beam.operands import BeamLabel, Integer, Literal, Operand, X, register_of
from jit.beam.terms import NIL, Atom, List, Term
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions
from jit.erts.arm32.common import check_room
from jit.erts.arm32.conventions import ARGUMENTS, HTOP, REGISTERS, WORD, X_ARRAY, E
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.fragments import FragmentEmitter, Fragments, collect, fragment, load_header, of_process
from jit.erts.arm32.small_integers import check_small
from jit.erts.layout import NativeLayout
from jit.otp import tags, vm_flags
from jit.otp.features import BITS_NOT_BYTES, STATES_OF_BITS
from jit.otp.tags import HEADERS_IN_BITS, HEADERS_IN_BYTES, Kind
from jit.otp.things import ONHEAP_LIMIT, ErlBinMatchState, ErlHeapBits, ErlSubBits

# What is native is little-endian on ARM.
_FLAGS: Final = {
    Atom("little"): vm_flags.BSF_LITTLE,
    Atom("native"): vm_flags.BSF_LITTLE,
    Atom("signed"): vm_flags.BSF_SIGNED,
}

# Header words of bitstrings. OTP 25 has three kinds of them, from OTP 27 on there are two, and a context is one of the
# second.
CONTEXT_25: Final = HEADERS_IN_BYTES[Kind.MATCH_STATE]
SHARED_BINARY_25: Final = HEADERS_IN_BYTES[Kind.PROC_BIN]
HEAP_BINARY_25: Final = HEADERS_IN_BYTES[Kind.HEAP_BIN]
SUB_BINARY_25: Final = HEADERS_IN_BYTES[Kind.SUB_BIN]
HEAP_BITS: Final = HEADERS_IN_BITS[Kind.HEAP_BITS]
SUB_BITS: Final = HEADERS_IN_BITS[Kind.SUB_BITS]

#: Words that a bitstring may take that is part of another: the largest one on the heap.
PART_WORDS: Final = ErlHeapBits.DATA + ONHEAP_LIMIT // WORD
_MOST_BITS: Final = 0xFFFF_FFFF


@dataclass(frozen=True)
class Context:
    """Offsets in bytes from the tagged pointer to a context.

    ``buffer`` is what C functions take. The word at ``base`` is ``bias`` more than the address that ``start`` and
    ``end``, which are neighbours, count bits from. Positions in terms count from the one at ``saved``, if there is it.
    ``words`` is the size of a context.
    """

    buffer: int
    base: int
    bias: int
    start: int
    end: int
    saved: int | None
    words: int


def context(layout: NativeLayout) -> Context:
    """Where a context of the release holds what."""
    if not BITS_NOT_BYTES.of(layout.otp):
        state = ErlBinMatchState
        words = (state.ORIG, state.BASE, state.OFFSET, state.SIZE, state.SAVE_OFFSET)
        buffer, base, start, end, saved = (WORD * word - tags.BOXED for word in words)
        return Context(buffer, base, 0, start, end, saved, state.SAVE_OFFSET + 1)
    words_27 = (ErlSubBits.BASE_FLAGS, ErlSubBits.START, ErlSubBits.END)
    base, start, end = (WORD * word - tags.BOXED for word in words_27)
    # The lowest bits of the base are flags, of which a context has just this.
    return Context(-tags.BOXED, base, ErlSubBits.FLAG_MUTABLE, start, end, None, ErlSubBits.WORDS)


def match_failure(e: Emission, fail: Operand) -> Label:
    """Where a test goes that fails, with the context as it then is: a place in the function."""
    if not isinstance(fail, BeamLabel) or not fail.number:
        raise Unsupported("a match of bits without a fail label")
    return e.label(fail.number)


def load_left(e: Emission, source: Operand) -> Register:
    """r3 = bits left, r2 = the position; gives the CPU register of the context."""
    register, fields = e.value(source, R0), context(e.shared.layout)
    e.a.ldrd(R2, R3, at(register, fields.start))
    e.a.sub(R3, R3, R2)
    return register


def load_position(e: Emission, register: Register) -> None:
    """r2 = the position of the context in a CPU register."""
    e.a.ldr(R2, at(register, context(e.shared.layout).start))


def check_left(e: Emission, source: Operand, bits: int, failure: Label) -> Register:
    """Go to *failure* unless so many bits are left; r2 = the position. Gives the CPU register of the context."""
    register = load_left(e, source)
    e.a.cmp_constant(R3, within_memory(bits))
    e.a.b(failure, LO)
    return register


def within_memory(bits: int) -> int:
    """So many bits, to be compared with or taken from a word as a constant. Raises Unsupported for more than that."""
    if bits >> 31:
        raise Unsupported("a field longer than memory")
    return bits


def check_field_left(
    e: Emission, source: Operand, size: Operand, unit: int, failure: Label
) -> tuple[int | None, Register]:
    """Go to *failure* unless a field is left; r2 = the position. Gives its bits, and the CPU register of the context.

    Bits are None if they are not constant: then they are in r1, and kept at [sp + ARGUMENTS].
    """
    bits = constant_bits(size, unit)
    if bits is not None:
        return bits, check_left(e, source, bits, failure)
    load_bits(e, size, unit, failure)
    register = load_left(e, source)
    e.a.cmp(R3, R1)
    e.a.b(failure, LO)
    e.a.str(R1, at(SP, ARGUMENTS))
    return None, register


def make_room(e: Emission, words: int, live: int, source: Operand) -> Register:
    """Have room on the heap for what is read from a context; gives the CPU register of the context then.

    As in the interpreter (GC_TEST_PRESERVE), the context may be in an x register that the collector is not told of:
    then it is kept behind those in use.
    """
    if not is_behind(source, live):
        check_room(e, words, live)
        return e.value(source, R0)
    collect, go_on, place = Label(), Label(), at(REGISTERS, X_ARRAY + WORD * live)
    e.load(source, R0)
    e.a.sub(R1, E, HTOP)
    e.a.cmp_constant(R1, WORD * (words + conventions.RESERVED))
    e.a.b(collect, AL if e.shared.stress else LO)
    e.a.bind(go_on)

    def cold() -> None:
        e.a.bind(collect)
        e.a.mov_constant(R1, words)
        e.a.mov_constant(R3, live + 1)
        e.a.str(R0, place)
        e.call("collect_garbage", live=live)
        e.reload()
        e.a.ldr(R0, place)
        e.a.b(go_on)

    e.cold(cold, collects=live)
    return R0


def collect_unless_room(
    a: Assembler, layout: NativeLayout, fragments: Fragments, collection: Label | None = None
) -> None:
    """Have r1 words of heap, with r3 x registers in use, in a fragment that has stored lr.

    *collection*: where garbage is collected in any case.
    """
    enough = Label()
    if not fragments.stress:
        a.add(R2, R1, conventions.RESERVED)
        a.sub(R12, E, HTOP)
        a.cmp(R12, lsl(R2, 2))
        a.b(enough, HS)
    if collection is not None:
        a.bind(collection)
    collect(a, layout)
    a.bind(enough)


def is_behind(source: Operand, live: int) -> bool:
    """Whether an operand is an x register behind those in use."""
    register = register_of(source)
    return isinstance(register, X) and register.number >= live


def check_unit(e: Emission, unit: int, failure: Label) -> None:
    """Go to *failure* unless the r3 bits are whole units."""
    if unit & (unit - 1) == 0:
        e.a.tst(R3, unit - 1)
    else:
        e.a.mov_constant(R1, unit)
        e.call("bs_remainder")
    e.a.b(failure, NE)


def flags_of(flags: int) -> int:
    """Flags of a field, as the VM's functions want them."""
    return flags & vm_flags.BSF_SIGNED | (
        vm_flags.BSF_LITTLE if flags & (vm_flags.BSF_LITTLE | vm_flags.BSF_NATIVE) else 0
    )


def field_flags(flags: Operand) -> int:
    """The same, from the list of atoms that OTP 25 and later have for them."""
    elements: Sequence[Term] = ()
    if isinstance(flags, Literal) and isinstance(flags.value, List):
        elements = flags.value.elements
    elif flags != NIL:
        raise Unsupported(f"flags {flags}")
    total = 0
    for element in elements:
        total |= _FLAGS.get(element, 0) if isinstance(element, Atom) else 0
    return total


def constant_bits(size: Operand, unit: int) -> int | None:
    """The size of a field in bits if it is a constant. Raises Unsupported for one that is never there."""
    if not isinstance(size, Integer | Literal):
        return None
    if type(size.value) is not int or not 0 <= size.value * unit <= _MOST_BITS:
        raise Unsupported("a field of bits of such a size")
    return size.value * unit


def load_bits(e: Emission, size: Operand, unit: int, failure: Label) -> None:
    """r1 = the size of a field in bits, from an operand; to *failure* if that is none, or too much."""
    if register_of(size) is None:
        raise Unsupported(f"a field of bits of size {size}")
    other, known = Label(), Label()
    e.load(size, R1)
    check_small(e.a, R1, R12, other)
    e.a.asrs(R1, R1, tags.IMMED1_BITS)
    e.a.b(failure, MI)
    e.a.bind(known)
    e.a.cmp_constant(R1, _MOST_BITS // unit)
    e.a.b(failure, HI)
    multiply(e.a, R1, unit)

    def cold() -> None:
        e.a.bind(other)
        e.call("bs_big_size")
        e.a.cmp(R12, 0)
        e.a.b(failure, EQ)
        e.a.b(known)

    e.cold(cold)


def load_small_size(e: Emission, size: Operand, unit: int, most: int, into: Register, failure: Label) -> None:
    """into = size * unit, of a small integer; to *failure* if it is none, or negative, or the product above *most*.

    r2 and r12 are not kept.
    """
    if unit < 1:
        raise Unsupported(f"a unit of {unit}")
    register = e.value(size, into)
    check_small(e.a, register, R2, failure)
    e.a.asrs(into, register, tags.IMMED1_BITS)
    e.a.b(failure, MI)
    e.a.cmp_constant(into, most // unit)
    e.a.b(failure, HI)
    multiply(e.a, into, unit)


def multiply(a: Assembler, register: Register, by: int) -> None:
    """register *= by, a constant from 1 on; r12 is not kept."""
    if by & (by - 1) == 0:
        if by > 1:
            a.mov(register, lsl(register, by.bit_length() - 1))
    else:
        a.mov_constant(R12, by)
        a.mul(register, register, R12)


def load_address(e: Emission, into: Register, data: bytes) -> None:
    """The address of constant data."""
    place = Label()
    e.a.ldr_literal(into, place)

    def cold() -> None:
        e.a.together((len(data) + WORD - 1) // WORD)
        e.a.bind(place)
        e.a.data(data)

    e.cold(cold)


@fragment("bs_big_size", apart=True)
def bs_big_size(a: Assembler, _layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r1 = the value of the term r1, no small integer, if it is a positive integer of one word: else r12 = 0."""
    no = Label()
    load_header(a, R12, R1, no)
    a.cmp(R12, conventions.POSITIVE_DIGIT)
    a.b(no, NE)
    a.ldr(R1, at(R1, WORD - tags.BOXED))
    a.bx(LR)
    a.bind(no)
    a.mov(R12, 0)
    a.bx(LR)


@fragment("bs_remainder", apart=True)
def bs_remainder(a: Assembler, _layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r3 = r3 % r1 and flags, where r1 is 1 to 256. Not all processors divide."""
    loop = Label()
    a.clz(R12, R1)
    a.lsl(R12, R1, R12)
    a.bind(loop)
    a.cmp(R3, R12)
    a.sub(R3, R3, R12, HS)
    a.lsr(R12, R12, 1)
    a.cmp(R12, R1)
    a.b(loop, HS)
    a.cmp(R3, 0)
    a.bx(LR)


def reader(function: str, *, with_flags: bool = True) -> FragmentEmitter:
    """A fragment that calls one of the VM's functions that read a field and may take room that was made before.

    One without flags has been told them nevertheless to OTP 28.
    """
    read = of_process(function, HTOP)

    def call(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
        if STATES_OF_BITS.of(layout.otp) and not with_flags:
            a.mov(R2, R3)
        read(a, layout, fragments)

    return call


def call_reader(e: Emission, reader: str, register: Register, bits: int | None, flags: int) -> None:
    """r0 = what a fragment made by ``reader`` reads from the context in a CPU register, of so many bits.

    None stands for those that ``check_field_left`` has kept.
    """
    e.a.add_constant(R3, register, context(e.shared.layout).buffer)
    if bits is None:
        e.a.ldr(R1, at(SP, ARGUMENTS))
    else:
        e.a.mov_constant(R1, bits)
    e.a.mov_constant(R2, flags)
    e.call(reader)
