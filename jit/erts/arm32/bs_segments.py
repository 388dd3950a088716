"""The segments of bs_create_bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jit.beam.operands import Integer, Operand, String
from jit.beam.terms import Atom
from jit.codegen.emission import Unsupported
from jit.erts.arm32.bs_context import field_flags
from jit.otp import vm_flags

#: Operands of a segment: type, number, unit, flags, source, size.
_OPERANDS: Final = 6
_SIZED: Final = frozenset(("integer", "float", "binary"))
_KINDS: Final = _SIZED | {"append", "private_append", "string", "utf8", "utf16", "utf32"}
#: Constant sizes in bits from here on are left to the interpreter, as it does not take them for constants.
_MOST_BITS: Final = 1 << 24

#: Characters from each of these on take one step more, of 8 or 16 bits.
UTF8_LIMITS: Final = (0x80, 0x800, 0x10000)
UTF16_LIMITS: Final = (0x10000,)


@dataclass(frozen=True)
class Segment:
    """``bits`` is the size if it is constant, ``is_all`` whether it is that of the source, ``flags`` LITTLE or 0."""

    kind: str
    unit: int
    flags: int
    source: Operand
    size: Operand
    bits: int | None
    is_all: bool

    @property
    def data(self) -> bytes:
        """The bytes of a string."""
        assert isinstance(self.source, String)
        assert self.bits is not None
        return self.source.data[: self.bits // 8]


def segments(operands: Operand) -> list[Segment]:
    """The segments in the operand list of bs_create_bin. Raises Unsupported."""
    if not isinstance(operands, tuple) or len(operands) % _OPERANDS:
        raise Unsupported("segments of bs_create_bin")
    return [_segment(*operands[at : at + _OPERANDS]) for at in range(0, len(operands), _OPERANDS)]


def _segment(kind: Operand, _number: Operand, unit: Operand, flags: Operand, source: Operand, size: Operand) -> Segment:
    if not isinstance(kind, Atom) or kind.name not in _KINDS or not isinstance(unit, int):
        raise Unsupported(f"a segment of {kind}")
    is_all = kind.name == "binary" and size == Atom("all")
    bits = None if is_all else constant_bits(kind.name, unit, size)
    return Segment(kind.name, unit, field_flags(flags) & vm_flags.BSF_LITTLE, source, size, bits, is_all)


def constant_bits(kind: str, unit: int, size: Operand) -> int | None:
    """The size of a segment if it is constant. Raises Unsupported."""
    if kind in ("append", "private_append"):
        return 0
    if kind == "utf32":
        return 32
    if kind == "string":
        unit = 8
    elif kind not in _SIZED:
        return None
    if not isinstance(size, Integer):
        return None
    if not 0 <= size.value * unit < _MOST_BITS:
        raise Unsupported("a segment of such a size")
    return size.value * unit
