"""The Type chunk: what the compiler knows of values in registers (erts/emulator/beam/beam_types.h, beam_types.erl).

A type is a set of kinds of terms as bits of 16, with three more bits that tell of a lower bound, an upper bound and a
unit, which follow in this order. Four versions differ in the places of the bits:

    1  OTP 25      bit 2 is a match context; both bounds always follow, and mean nothing if the lower is the greater
    2  OTP 26      as 1, with bits 13 to 15 for bounds and unit
    3  OTP 27, 28  match contexts are bitstrings: the bits above bit 1 are one place lower
    4  OTP 29      bit 12 is a native record, bits 13 to 15 are bounds and unit
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Final

from jit.beam.chunks import Chunk


class TypeKind(Flag):
    """Kinds of terms, as a set. ``MATCH_CONTEXT`` is told apart from a bitstring by OTP 25 and 26 only."""

    ATOM = auto()
    BITSTRING = auto()
    CONS = auto()
    FLOAT = auto()
    FUN = auto()
    INTEGER = auto()
    MAP = auto()
    NIL = auto()
    PID = auto()
    PORT = auto()
    REFERENCE = auto()
    TUPLE = auto()
    MATCH_CONTEXT = auto()
    RECORD = auto()

    NUMBER = FLOAT | INTEGER
    LIST = CONS | NIL


@dataclass(frozen=True)
class Type:
    """A set of terms: any term of one of the ``kinds`` within the bounds.

    A number lies between ``lowest`` and ``highest``, both included; None is no bound. They are bounds of integers and
    floats alike. ``unit``: the size of a bitstring in bits is a multiple of it; None if that is not told.
    """

    kinds: TypeKind
    lowest: int | None = None
    highest: int | None = None
    unit: int | None = None

    @property
    def is_any(self) -> bool:
        """Whether nothing is known."""
        return self.kinds == ANY_KIND and self.lowest is self.highest is None

    def is_only(self, kinds: TypeKind) -> bool:
        """Whether the value is sure to be of one of *kinds*."""
        return not self.kinds & ~kinds

    def may_be(self, kinds: TypeKind) -> bool:
        """Whether the value can be of one of *kinds*."""
        return bool(self.kinds & kinds)


ANY_KIND: Final = ~TypeKind(0)
ANY: Final = Type(ANY_KIND)


@dataclass(frozen=True)
class _Layout:
    """``kinds`` by bit, from bit 0; and the bits of what else is there."""

    kinds: tuple[TypeKind, ...]
    has_lowest: int
    has_highest: int
    has_unit: int

    @property
    def all_kinds(self) -> int:
        return (1 << len(self.kinds)) - 1


_K27 = (
    TypeKind.ATOM, TypeKind.BITSTRING, TypeKind.CONS, TypeKind.FLOAT, TypeKind.FUN, TypeKind.INTEGER,
    TypeKind.MAP, TypeKind.NIL, TypeKind.PID, TypeKind.PORT, TypeKind.REFERENCE, TypeKind.TUPLE,
)  # fmt: skip
_K25 = (*_K27[:2], TypeKind.MATCH_CONTEXT, *_K27[2:])
_K29 = (*_K27, TypeKind.RECORD)
_LAYOUTS: Final = {
    1: _Layout(_K25, 0, 0, 0),
    2: _Layout(_K25, 1 << 13, 1 << 14, 1 << 15),
    3: _Layout(_K27, 1 << 12, 1 << 13, 1 << 14),
    4: _Layout(_K29, 1 << 13, 1 << 14, 1 << 15),
}
_OTP_25 = 1
_RANGE = struct.Struct(">qq")
_NO_RANGE = (0, -1)


@dataclass
class TypeTable:
    """``types[0]`` is any term. A ``version`` that is not known here has no types, as for the loader."""

    version: int
    types: list[Type] = field(default_factory=list)


def decode_types(chunk: Chunk) -> TypeTable:
    """The types of a Type chunk. Raises BeamError."""
    data = chunk.data
    if len(data) < 4:
        raise chunk.error(0, "a version of 32 bits expected")
    version = int.from_bytes(data[:4], "big")
    layout = _LAYOUTS.get(version)
    if layout is None:
        return TypeTable(version)
    count, at = int.from_bytes(data[4:8], "big"), 8
    chunk.check_count(4, count, "types")
    types: list[Type] = []
    while len(types) < count:
        type, at = _decode_type(chunk, layout, version, at)
        types.append(type)
    if at != len(data):
        raise chunk.error(at, f"the end of {count} types expected, {len(data) - at} bytes are left")
    if not types or not types[0].is_any:
        raise chunk.error(8, "the first type is expected to be any term")
    return TypeTable(version, types)


def _decode_type(chunk: Chunk, layout: _Layout, version: int, at: int) -> tuple[Type, int]:
    data = chunk.data
    bits = int.from_bytes(data[at : at + 2], "big")
    kinds = _kinds(layout, bits)
    if not kinds or bits & ~(layout.all_kinds | layout.has_lowest | layout.has_highest | layout.has_unit):
        raise chunk.error(at, f"bits of a type expected, not {bits:#06x} of {len(data) - at} bytes")
    start, at = at, at + 2
    lowest = highest = unit = None
    try:
        if version == _OTP_25:
            lowest, highest = _RANGE.unpack_from(data, at)
            at += 16
            if lowest > highest:
                lowest = highest = None
        if bits & layout.has_lowest:
            (lowest,) = struct.unpack_from(">q", data, at)
            at += 8
        if bits & layout.has_highest:
            (highest,) = struct.unpack_from(">q", data, at)
            at += 8
        if bits & layout.has_unit:
            unit = data[at] + 1
            at += 1
    except (struct.error, IndexError):
        raise chunk.error(start, f"a type's bounds and unit expected, {len(data) - start - 2} bytes are left") from None
    if (lowest is not None or highest is not None) and not kinds & TypeKind.NUMBER:
        raise chunk.error(start, "a type with bounds that has no numbers")
    if unit is not None and not kinds & (TypeKind.BITSTRING | TypeKind.MATCH_CONTEXT):
        raise chunk.error(start, "a type with a unit that has no bitstrings")
    return Type(kinds, lowest, highest, unit), at


def _kinds(layout: _Layout, bits: int) -> TypeKind:
    if bits & layout.all_kinds == layout.all_kinds:
        return ANY_KIND  # including what this release does not tell apart
    kinds = TypeKind(0)
    for bit, kind in enumerate(layout.kinds):
        if bits >> bit & 1:
            kinds |= kind
    return kinds


def encode_types(table: TypeTable) -> bytes:
    """The data of a Type chunk of the table's version. Raises ValueError where a type cannot be said in it."""
    layout = _LAYOUTS.get(table.version)
    if layout is None:
        raise ValueError(f"types of version {table.version} are not known")
    types = [_encode_type(type, layout, table.version) for type in table.types]
    return struct.pack(">II", table.version, len(types)) + b"".join(types)


def type_bits(kinds: TypeKind, version: int) -> int:
    """The bits of *kinds* in a version of the Type chunk."""
    return _bits(kinds, _LAYOUTS[version].kinds)


def _bits(kinds: TypeKind, order: Sequence[TypeKind]) -> int:
    return sum(1 << bit for bit, kind in enumerate(order) if kinds & kind)


def _encode_type(type: Type, layout: _Layout, version: int) -> bytes:
    bits = _bits(type.kinds, layout.kinds)
    if not bits:
        raise ValueError(f"{type} has no kinds in version {version}")
    if version == _OTP_25:
        if type.unit is not None or (type.lowest is None) != (type.highest is None):
            raise ValueError(f"{type} cannot be said in version {version}")
        low, high = _NO_RANGE if type.lowest is None or type.highest is None else (type.lowest, type.highest)
        return struct.pack(">H", bits) + _RANGE.pack(low, high)
    extra = b""
    if type.lowest is not None:
        bits, extra = bits | layout.has_lowest, struct.pack(">q", type.lowest)
    if type.highest is not None:
        bits, extra = bits | layout.has_highest, extra + struct.pack(">q", type.highest)
    if type.unit is not None:
        bits, extra = bits | layout.has_unit, extra + bytes((type.unit - 1,))
    return struct.pack(">H", bits) + extra
