"""Making of binaries: how long they are is known first, then each segment is put into the new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from jit.atomvm import terms
from jit.atomvm.code_bs import flag_bits, size_in_bits
from jit.atomvm.code_common import heap_words
from jit.atomvm.emission import Emission, plain
from jit.atomvm.emitters import emits
from jit.atomvm.macros import CONTEXT, STATE, Condition
from jit.beam.operands import Integer, Literal, Operand, String, X
from jit.beam.terms import Atom, List
from jit.beam.types import TypeKind
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label

_BYTE: Final = 7
_BITS_OF_BYTE: Final = 3
_ALL: Final = Atom("all")
_BINARIES: Final = ("binary", "append", "private_append")
_FLOATS: Final = (16, 32, 64)
_UTF32: Final = 32


@dataclass(frozen=True)
class _Segment:
    """A segment as the operation has it."""

    kind: str
    unit: int
    flags: Operand
    source: Operand
    size: Operand

    @property
    def constant(self) -> int | None:
        """Its size in bits, where that is a number."""
        size = plain(self.size)
        return size.value * self.unit if isinstance(size, Integer) else None


def _segments(operands: tuple[Operand, ...]) -> list[_Segment]:
    found = []
    for at in range(0, len(operands), 6):
        kind, _, unit, flags, source, size = operands[at : at + 6]
        if not isinstance(kind, Atom) or not isinstance(unit, int):
            raise Unsupported(f"segment {kind}")
        found.append(_Segment(kind.name, unit, flags, source, size))
    return found


@emits("bs_create_bin")
def bs_create_bin(
    e: Emission, fail: Operand, heap: Operand, live: int, _unit: int, into: Operand, operands: tuple[Operand, ...]
) -> None:
    m, no = e.m, e.fail(fail)
    total, created, _ = m.saved
    segments = _segments(operands)
    constant = _total(e, segments, total, no)
    _reserve(e, constant, total, heap_words(e, heap), live)
    making = _Making(e, no)
    first = segments[0] if segments else None
    if first is not None and first.kind == "private_append" and first.size == _ALL:
        making.reuse(first.source)
        segments = segments[1:]
    else:
        m.call("term_create_empty_binary", CONTEXT, total)
        m.branch_if_false(m.args[0], e.raises("out_of_memory"))
        m.a.move(created, m.args[0])
    for segment in segments:
        making.put(segment)
    e.store(created, into)


def _total(e: Emission, segments: list[_Segment], total: Any, no: Label) -> int | None:
    """The sum of all sizes in bits: a number, or None where it is in a register; segments are checked."""
    m, result = e.m, e.m.args[0]
    known, dynamic = 0, False
    for one in segments:
        size = _size(e, one, no)
        if isinstance(size, int):
            known += size
        elif dynamic:
            m.add(total, total, result)
        else:
            m.a.move(total, result)
            dynamic = True
    if not dynamic:
        return known
    if known:
        m.add(total, total, known)
    return None


def _size(e: Emission, one: _Segment, no: Label) -> Any:
    """The size of a segment in bits: a number, or the register of results."""
    m = e.m
    result, scratch, *_ = m.args
    value, saved = m.saved[1], m.saved[2]
    if one.kind == "string":
        return one.constant
    e.load(one.source, value)
    if one.kind in ("utf8", "utf16", "utf32"):
        e.check_small(value, one.source, no)
        if one.kind == "utf32":
            return _UTF32
        e.untag(result, value)
        m.call(f"bitstring_{one.kind}_size", result)
        m.branch_if(Condition.EQUAL, result, 0, no)
        m.shift_left(result, result, _BITS_OF_BYTE)
        return result
    if one.kind in _BINARIES:
        return _binary_size(e, one, value, no)
    if one.kind == "float":
        m.call("term_is_number", value)
        m.branch_if_false(result, no)
    elif one.kind == "integer":
        _check_integer(e, one.source, value, no)
    else:
        raise Unsupported(f"a segment of {one.kind}")
    bits = size_in_bits(e, one.size, one.unit, saved, no)
    if isinstance(bits, int):
        if one.kind == "float" and bits not in _FLOATS:
            e.a.jump(no)
        return bits
    if one.kind == "float":
        good = Label()
        for length in _FLOATS[:-1]:
            m.branch_if(Condition.EQUAL, saved, length, good)
        m.branch_if(Condition.DIFFERENT, saved, _FLOATS[-1], no)
        e.a.bind(good)
    m.a.move(result, saved)
    return result


def _check_integer(e: Emission, operand: Operand, value: Any, no: Label) -> None:
    if e.is_sure(operand, TypeKind.INTEGER):
        return
    header, good = e.m.args[0], Label()
    e.m.branch_if_bits(Condition.EQUAL, value, terms.TAG, terms.INTEGER, good)
    e.check_boxed(value, header, no)
    e.m.branch_if_bits(Condition.DIFFERENT, header, terms.ANY_SIGN, terms.POSITIVE, no)
    e.a.bind(good)


def _binary_size(e: Emission, one: _Segment, value: Any, no: Label) -> Any:
    m = e.m
    result, saved = m.args[0], m.saved[2]
    e.check_binary(value, result, no)
    if one.size == _ALL:
        _bits(e, result, value)
        return result
    bits = size_in_bits(e, one.size, one.unit, saved, no)
    _bits(e, result, value)
    m.branch_if(Condition.LESS, result, bits, no)
    if isinstance(bits, int):
        return bits
    m.a.move(result, saved)
    return result


def _bits(e: Emission, into: Any, binary: Any) -> None:
    """The size of a binary."""
    e.pointer(into, binary)
    e.m.load(into, into, terms.BINARY_SIZE)
    e.m.shift_left(into, into, _BITS_OF_BYTE)


def _reserve(e: Emission, constant: int | None, total: Any, beside: int, live: int) -> None:
    """Memory for a new binary, whose size in bytes is then in the register."""
    m = e.m
    if constant is not None:
        if constant & _BYTE:
            m.fail("raise_error", reason=terms.ATOMS["unsupported"])
        m.constant(total, constant >> _BITS_OF_BYTE)
        e.ensure(terms.binary_words(constant >> _BITS_OF_BYTE, e.word) + beside, live)
        return
    words, large, known = m.args[0], Label(), Label()
    m.branch_if_any(total, _BYTE, e.raises("unsupported"))
    m.shift_right(total, total, _BITS_OF_BYTE)
    m.constant(words, terms.REFC_SIZE + beside)
    m.branch_if(Condition.GREATER_EQUAL, total, terms.refc_minimum(e.word), known)
    e.a.bind(large)
    m.add(words, total, e.word - 1)
    m.shift_right(words, words, e.word.bit_length() - 1)
    m.add(words, words, 1 + terms.BINARY_HEADER + beside)
    e.a.bind(known)
    e.ensure(words, live)


class _Making:
    """Segments are put into a new binary; ``offset`` in bits is a number as long as it is known."""

    def __init__(self, e: Emission, no: Label) -> None:
        self.e, self.no = e, no
        self.size, self.created, self.place = e.m.saved
        self.offset: Any = 0

    def _advance(self, bits: Any) -> None:
        m = self.e.m
        if isinstance(self.offset, int) and isinstance(bits, int):
            self.offset += bits
            return
        if isinstance(self.offset, int):
            m.add(self.place, bits, self.offset)
        else:
            m.add(self.place, self.place, bits)
        self.offset = self.place

    def reuse(self, source: Operand) -> None:
        """What is appended to may be used again, as nobody else has it; it keeps what is in it."""
        e, m = self.e, self.e.m
        result, value, *_ = m.args
        e.load(source, value)
        _bits(e, self.place, value)
        m.call("term_reuse_binary", CONTEXT, value, self.size)
        m.branch_if_false(result, e.raises("out_of_memory"))
        m.a.move(self.created, result)
        self.offset = self.place

    def put(self, one: _Segment) -> None:
        e, m = self.e, self.e.m
        result, _, value, _ = m.args
        if one.kind == "string":
            if not isinstance(one.source, String) or one.constant is None:
                raise Unsupported(f"string {one.source}")
            m.call(
                "bitstring_copy_module_str",
                CONTEXT, STATE, self.created, self.offset, one.source.offset, one.constant,
            )  # fmt: skip
            self._advance(one.constant)
        elif one.kind in _BINARIES:
            self._put_binary(one)
        elif one.kind in ("utf8", "utf16", "utf32"):
            flags = [] if one.kind == "utf8" else [self._flags(one.flags)]
            e.load(one.source, value)
            e.untag(value, value)
            m.call(f"bitstring_insert_{one.kind}", self.created, self.offset, value, *map(self._told, flags))
            if one.kind == "utf32":
                m.branch_if_false(result, self.no)
                self._advance(_UTF32)
            else:
                m.shift_left(result, result, _BITS_OF_BYTE)
                self._advance(result)
        else:
            bits = size_in_bits(e, one.size, one.unit, self.size, self.no)
            flag = self._flags(one.flags)
            e.load(one.source, value)
            m.call(f"bitstring_insert_{one.kind}", self.created, self.offset, value, bits, self._told(flag))
            m.branch_if_false(result, self.no)
            self._advance(bits)

    def _flags(self, flags: Operand) -> int | None:
        """Flags; None if only the VM can tell them, which wait behind the x registers, as a small integer."""
        e, m = self.e, self.e.m
        if isinstance(flags, List | Literal):
            return flag_bits(flags)
        result = m.args[0]
        e.load(flags, m.args[2])
        m.call("decode_flags_list", CONTEXT, STATE, m.args[2])
        m.branch_if(Condition.LESS, result, 0, e.error())
        m.shift_left(result, result, terms.TAG_BITS)
        m.or_(result, result, terms.INTEGER)
        e.set_aside(result)
        return None

    def _told(self, flags: int | None) -> Any:
        """The flags, as an argument."""
        if flags is not None:
            return flags
        into = self.e.m.args[-1]
        self.e.take_back(into)
        self.e.untag(into, into)
        return into

    def _put_binary(self, one: _Segment) -> None:
        e, m = self.e, self.e.m
        result, _, value, _ = m.args
        size: Any = terms.ALL
        if one.size != _ALL:
            size = size_in_bits(e, one.size, one.unit, self.size, self.no)
            if isinstance(size, int):
                size = terms.small(size)
            else:
                m.shift_left(size, size, terms.TAG_BITS)
                m.or_(size, size, terms.INTEGER)
        e.load(one.source, value)
        m.call("bitstring_copy_binary", CONTEXT, STATE, self.created, self.offset, value, size)
        m.branch_if(Condition.LESS, result, 0, e.error())
        self._advance(result)


@emits("bs_init_writable")
def bs_init_writable(e: Emission) -> None:
    m, layout, result = e.m, e.shared.target.layout, e.m.args[0]
    e.ensure(terms.binary_words(0, e.word), 0)
    m.call("term_create_empty_binary", CONTEXT, 0)
    m.branch_if_false(result, e.raises("out_of_memory"))
    m.store_context(result, layout.bs)
    m.constant(m.args[1], 0)
    m.store_context(m.args[1], layout.bs + layout.word)
    e.store(result, X(0))
