"""Matching of binaries: the state of a match has the binary, and an offset in bits."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any, Final

from jit.atomvm import formats, terms
from jit.atomvm.emission import Emission, plain
from jit.atomvm.emitters import emits
from jit.atomvm.macros import CONTEXT, STATE, Condition, Special
from jit.beam.matching import match_commands
from jit.beam.operands import BeamLabel, Integer, Literal, Operand, String
from jit.beam.terms import Atom, List
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label, Register

_BYTE: Final = 7
_BITS_OF_BYTE: Final = 3
#: Flags of integers and floats (bitstring.h).
_FLAGS: Final = {"little": 2, "signed": 4, "native": 16, "big": 0, "unsigned": 0, "exact": 0, "aligned": 0}


def flag_bits(flags: Operand) -> int:
    """The flags that a list of atoms tells."""
    value = flags.value if isinstance(flags, Literal) else flags
    if not isinstance(value, List) or value.tail is not None:
        raise Unsupported(f"flags {flags}")
    bits = 0
    for one in value.elements:
        if not isinstance(one, Atom) or one.name not in _FLAGS:
            raise Unsupported(f"flag {one}")
        bits |= _FLAGS[one.name]
    return bits


_MAX_INT: Final = (1 << 31) - 1


def size_in_bits(e: Emission, size: Operand, unit: int, into: Any, fail: Label) -> Any:
    """A size, as a number or in a register: to *fail* if it is none, less than nothing, or more than a word holds."""
    size = plain(size)
    if isinstance(size, Integer):
        bits = size.value * unit
        if terms.is_small(size.value, e.word) and 0 <= bits < 1 << 8 * e.word - 1:
            return bits
        e.a.jump(fail)
        return 0
    e.load(size, into)
    e.check_small(into, size, fail)
    e.untag(into, into)
    e.m.branch_if(Condition.LESS, into, 0, fail)
    if unit != 1:
        e.m.multiply(into, into, unit, fail)
    return into


def _state(e: Emission, operand: Operand, into: Any) -> None:
    """The address of a match state's words."""
    e.load(operand, into)
    e.pointer(into, into)


def _remaining(e: Emission, into: Any, state: Register, scratch: Register) -> None:
    """Bits behind the offset."""
    e.m.load(into, state, terms.STATE_BINARY)
    e.pointer(into, into)
    e.m.load(into, into, terms.BINARY_SIZE)
    e.m.shift_left(into, into, _BITS_OF_BYTE)
    e.m.load(scratch, state, terms.STATE_OFFSET)
    e.m.subtract(into, into, scratch)


def _advance(e: Emission, state: Any, bits: Any, scratch: Register) -> None:
    e.m.load(scratch, state, terms.STATE_OFFSET)
    e.m.add(scratch, scratch, bits)
    e.m.store(scratch, state, terms.STATE_OFFSET)


def _check_unit(e: Emission, bits: Register, unit: int, fail: Label) -> None:
    """To *fail* if bits are no multiple of a unit."""
    odd = unit // (unit & -unit)
    if unit > odd:
        e.m.branch_if_any(bits, unit // odd - 1, fail)
    if odd > 1:  # a multiple times the inverse of the odd number is how many times it is there, another number is more
        scratch, word = e.m.args[-1], 1 << 8 * e.word
        e.m.multiply_low(scratch, bits, pow(odd, -1, word))
        e.m.branch_if(Condition.ABOVE, scratch, (word - 1) // odd, fail)


# Beginning


@emits("bs_start_match3")
def bs_start_match3(e: Emission, fail: Operand, source: Operand, live: int, destination: Operand) -> None:
    _start(e, e.fail(fail), source, live, destination)


@emits("bs_start_match4")
def bs_start_match4(e: Emission, mode: Operand, live: int, source: Operand, destination: Operand) -> None:
    _start(e, e.fail(mode) if isinstance(mode, BeamLabel) else None, source, live, destination)


def _start(e: Emission, fail: Label | None, source: Operand, live: int, destination: Operand) -> None:
    value, header = e.m.saved[0], e.m.args[0]
    e.load(source, value)
    if fail is not None:
        e.check_binary(value, header, fail, state=True)
    e.ensure(terms.MATCH_STATE_SIZE, live, (value, source))
    e.m.call("term_alloc_bin_match_state", CONTEXT, value, 0)
    e.store(e.m.args[0], destination)


# Segments


@emits("bs_get_integer2")
def bs_get_integer2(
    e: Emission, fail: Operand, source: Operand, _live: int, size: Operand, unit: int, flags: int, into: Operand
) -> None:
    state = e.m.saved[0]
    e.load(source, state)
    bits = size_in_bits(e, size, unit, e.m.saved[1], e.fail(fail))
    _get_number(e, fail, state, bits, flags, into, "bitstring_extract_integer", STATE)


@emits("bs_get_float2")
def bs_get_float2(
    e: Emission, fail: Operand, source: Operand, live: int, size: Operand, unit: int, flags: int, into: Operand
) -> None:
    state = e.m.saved[0]
    e.load(source, state)
    bits = size_in_bits(e, size, unit, e.m.saved[1], e.fail(fail))
    e.ensure(terms.float_words(e.shared.target), live, (state, source))
    _get_number(e, fail, state, bits, flags, into, "bitstring_extract_float")


def _get_number(
    e: Emission, fail: Operand, state: Any, bits: Any, flags: int, into: Operand, primitive: str, *beside: Special
) -> None:
    """A number that a primitive gives, which is told *beside* the context of that. The number of bits is an `int` to
    it: no binary that AtomVM matches has more, so there is no match."""
    m = e.m
    result, scratch, binary, offset = m.args
    if isinstance(bits, int):
        if bits > _MAX_INT:
            e.a.jump(e.fail(fail))
            return
    elif e.word > 4:
        m.branch_if(Condition.ABOVE, bits, _MAX_INT, e.fail(fail))
    e.pointer(state, state)
    m.load(binary, state, terms.STATE_BINARY)
    m.load(offset, state, terms.STATE_OFFSET)
    m.call(primitive, CONTEXT, *beside, binary, offset, bits, flags)
    m.branch_if_false(result, e.error())
    m.branch_if(Condition.EQUAL, result, terms.FALSE, e.fail(fail))
    _advance(e, state, bits, scratch)
    e.store(result, into)


@emits("bs_get_binary2")
def bs_get_binary2(
    e: Emission, fail: Operand, source: Operand, live: int, size: Operand, unit: int, _flags: int, into: Operand
) -> None:
    """A part of a binary, of whole bytes: AtomVM has no others."""
    m, no = e.m, e.fail(fail)
    state, offset, length = m.saved
    binary, available, *_ = m.args
    e.load(source, state)
    if plain(size) != Atom("all"):
        bits = size_in_bits(e, size, unit, length, no)
        if isinstance(bits, int):
            m.constant(length, bits)
        m.branch_if_any(length, _BYTE, e.raises("unsupported"))
        m.shift_right(length, length, _BITS_OF_BYTE)
        _binary_offset(e, state, offset, available, binary, 0)
        m.branch_if(Condition.LESS, available, length, no)
    else:
        _binary_offset(e, state, offset, available, binary, 0)
        m.a.move(length, available)
        _check_unit(e, length, _in_bytes(unit), no)
    _make_part(e, state, offset, length, live, source)
    e.pointer(state, state)
    m.add(offset, offset, length)
    m.shift_left(offset, offset, _BITS_OF_BYTE)
    m.store(offset, state, terms.STATE_OFFSET)
    e.store(m.args[0], into)


def _in_bytes(unit: int) -> int:
    """A unit of bits, for what has whole bytes."""
    return unit // gcd(unit, 8)


def _binary_offset(
    e: Emission, state: Any, offset: Any, available: Register, scratch: Register, ahead: int, *, reason: str = "badarg"
) -> None:
    """The offset of a match and what is left behind it, in bytes; *ahead* bits are matched already.

    The *reason* is that of the error if the offset is within a byte.
    """
    m = e.m
    e.pointer(scratch, state)
    m.load(offset, scratch, terms.STATE_OFFSET)
    m.load(available, scratch, terms.STATE_BINARY)
    if ahead:
        m.add(offset, offset, ahead)
    m.branch_if_any(offset, _BYTE, e.raises(reason))
    m.shift_right(offset, offset, _BITS_OF_BYTE)
    e.pointer(available, available)
    m.load(available, available, terms.BINARY_SIZE)
    m.subtract(available, available, offset)


def _make_part(e: Emission, state: Any, offset: Any, length: Any, live: int, source: Operand | None) -> None:
    """A part of the binary of a match, in the register of results; the state may have moved.

    *source* is where the state is, if it is nowhere else."""
    m = e.m
    result, binary, *_ = m.args
    e.pointer(result, state)
    m.load(binary, result, terms.STATE_BINARY)
    m.call("term_sub_binary_heap_size", binary, length)
    e.ensure(result, live, (state, Integer(0) if source is None else source))
    e.pointer(binary, state)
    m.load(binary, binary, terms.STATE_BINARY)
    m.call("term_maybe_create_sub_binary", CONTEXT, binary, offset, length)


@emits("bs_skip_bits2")
def bs_skip_bits2(e: Emission, fail: Operand, source: Operand, size: Operand, unit: int, _flags: int) -> None:
    m, no = e.m, e.fail(fail)
    state, saved, _ = m.saved
    left, scratch, *_ = m.args
    if plain(size) == Atom("all"):
        raise Unsupported("bs_skip_bits2 of all")
    _state(e, source, state)
    bits = size_in_bits(e, size, unit, saved, no)
    _remaining(e, left, state, scratch)
    m.branch_if(Condition.LESS, left, bits, no)
    _advance(e, state, bits, scratch)


@emits("bs_test_tail2")
def bs_test_tail2(e: Emission, fail: Operand, source: Operand, bits: int) -> None:
    left, state, scratch, *_ = e.m.args
    _state(e, source, state)
    _remaining(e, left, state, scratch)
    e.m.branch_if(Condition.DIFFERENT, left, bits, e.fail(fail))


@emits("bs_test_unit")
def bs_test_unit(e: Emission, fail: Operand, source: Operand, unit: int) -> None:
    left, state, scratch, *_ = e.m.args
    _state(e, source, state)
    _remaining(e, left, state, scratch)
    _check_unit(e, left, unit, e.fail(fail))


@emits("bs_match_string")
def bs_match_string(e: Emission, fail: Operand, source: Operand, bits: int, string: String) -> None:
    m, state = e.m, e.m.saved[0]
    result, scratch, binary, offset = m.args
    _state(e, source, state)
    m.load(binary, state, terms.STATE_BINARY)
    m.load(offset, state, terms.STATE_OFFSET)
    m.call("bitstring_match_module_str", CONTEXT, STATE, binary, offset, string.offset, bits)
    m.branch_if_false(result, e.fail(fail))
    _advance(e, state, bits, scratch)


def _utf(kind: str) -> None:
    def match(e: Emission, fail: Operand, source: Operand, flags: int) -> Any:
        value = e.m.args[0]
        e.load(source, value)
        e.m.call(f"bitstring_get_{kind}", value, *(() if kind == "utf8" else (flags,)))
        e.m.branch_if_false(value, e.fail(fail))
        return value

    @emits(f"bs_get_{kind}")
    def get(e: Emission, fail: Operand, source: Operand, _live: int, flags: int, into: Operand) -> None:
        e.store(match(e, fail, source, flags), into)

    @emits(f"bs_skip_{kind}")
    def skip(e: Emission, fail: Operand, source: Operand, _live: int, flags: int) -> None:
        match(e, fail, source, flags)


for _kind in ("utf8", "utf16", "utf32"):
    _utf(_kind)


@emits("bs_get_tail")
def bs_get_tail(e: Emission, source: Operand, into: Operand, live: int) -> None:
    state, offset, length = e.m.saved
    e.load(source, state)
    _binary_offset(e, state, offset, length, e.m.args[0], 0, reason="unsupported")
    _make_part(e, state, offset, length, live, source)
    e.store(e.m.args[0], into)


@emits("bs_get_position")
def bs_get_position(e: Emission, source: Operand, into: Operand, _live: int) -> None:
    state = e.m.args[0]
    _state(e, source, state)
    e.m.load(state, state, terms.STATE_OFFSET)
    e.m.shift_left(state, state, terms.TAG_BITS)
    e.m.or_(state, state, terms.INTEGER)
    e.store(state, into)


@emits("bs_set_position")
def bs_set_position(e: Emission, source: Operand, position: Operand) -> None:
    state, offset, *_ = e.m.args
    e.loads((source, state), (position, offset))
    e.pointer(state, state)
    e.untag(offset, offset)
    e.m.store(offset, state, terms.STATE_OFFSET)


# All at once


@dataclass
class _Match:
    """A bs_match at work: the state's term is in a register, and ``ahead`` bits are matched that it is not told of.

    ``source`` is where else the state is; None when something has been stored there."""

    e: Emission
    state: Any
    source: Operand | None
    fail: Label
    ahead: int = 0

    def store(self, register: Any, into: Operand) -> None:
        self.e.store(register, into)
        if self.source is not None and plain(into) == plain(self.source):
            self.source = None

    def load(self, binary: Any, offset: Any) -> None:
        """The binary, and the offset in bits."""
        m = self.e.m
        self.e.pointer(offset, self.state)
        m.load(binary, offset, terms.STATE_BINARY)
        m.load(offset, offset, terms.STATE_OFFSET)
        if self.ahead:
            m.add(offset, offset, self.ahead)

    def remaining(self) -> Any:
        """Bits that are left, in a register."""
        left, offset, *_ = self.e.m.args
        self.load(left, offset)
        self.e.pointer(left, left)
        self.e.m.load(left, left, terms.BINARY_SIZE)
        self.e.m.shift_left(left, left, _BITS_OF_BYTE)
        self.e.m.subtract(left, left, offset)
        return left

    def ensure_at_least(self, stride: int, unit: int) -> None:
        left = self.remaining()
        self.e.m.branch_if(Condition.LESS, left, stride, self.fail)
        if unit > 1 and stride:
            self.e.m.subtract(left, left, stride)
        _check_unit(self.e, left, unit, self.fail)

    def ensure_exactly(self, stride: int) -> None:
        self.e.m.branch_if(Condition.DIFFERENT, self.remaining(), stride, self.fail)

    def skip(self, stride: int) -> None:
        self.ahead += stride

    def integer(self, _live: int, flags: Operand, size: int, unit: int, into: Operand) -> None:
        self.store(self._extract(size * unit, flag_bits(flags)), into)
        self.ahead += size * unit

    def _extract(self, bits: int, flags: int) -> Any:
        m = self.e.m
        result, _, binary, offset = m.args
        self.load(binary, offset)
        m.call("bitstring_extract_integer", CONTEXT, STATE, binary, offset, bits, flags)
        m.branch_if_false(result, self.e.error())
        m.branch_if(Condition.EQUAL, result, terms.FALSE, self.fail)
        return result

    def equal(self, _nothing: Operand, size: int, value: int) -> None:
        m, wanted = self.e.m, self.e.m.saved[1]
        result = self._extract(size, 0)
        constant = Integer(value)
        word = terms.immediate(constant, self.e.word)
        if word is not None:
            m.branch_if(Condition.DIFFERENT, result, word, self.fail)
        else:
            m.a.move(wanted, result)
            self.e.load(constant, result)
            m.compare(wanted, result, formats.EXACT)
            m.branch_if(Condition.DIFFERENT, m.args[0], m.args[1], self.fail)
        self.ahead += size

    def binary(self, live: int, _flags: Operand, size: int, unit: int, into: Operand) -> None:
        m = self.e.m
        _, offset, length = m.saved
        if size * unit % 8:
            m.fail("raise_error", reason=terms.ATOMS["badarg"])
            return
        scratch, left, *_ = m.args
        _binary_offset(self.e, self.state, offset, left, scratch, self.ahead)
        m.constant(length, size * unit // 8)
        m.branch_if(Condition.LESS, left, length, self.fail)
        _make_part(self.e, self.state, offset, length, live, self.source)
        self.store(m.args[0], into)
        self.ahead += size * unit

    def get_tail(self, live: int, _unit: int, into: Operand) -> None:
        _, offset, length = self.e.m.saved
        _binary_offset(self.e, self.state, offset, length, self.e.m.args[0], self.ahead, reason="unsupported")
        _make_part(self.e, self.state, offset, length, live, self.source)
        self.store(self.e.m.args[0], into)


@emits("bs_match")
def bs_match(e: Emission, fail: Operand, source: Operand, commands: Operand) -> None:
    match = _Match(e, e.m.saved[0], source, e.fail(fail))
    e.load(source, match.state)
    for command in match_commands(commands):
        getattr(match, "equal" if command.name == "=:=" else command.name)(*command.operands)
    if match.ahead:
        scratch, words, *_ = e.m.args
        e.pointer(words, match.state)
        _advance(e, words, match.ahead, scratch)
