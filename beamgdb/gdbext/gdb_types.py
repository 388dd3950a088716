"""The C types of a beam.smp that GDB has debug information for."""

from __future__ import annotations

import gdb

from beamgdb.layouts.resolve import Field, Member, StructType, flattened

_STRUCTS = (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION)
MAX_NESTING = 16


class GdbTypes:
    """A `layouts.resolve.TypeSource` that asks GDB."""

    def struct(self, name: str) -> StructType | None:
        for spelling in (name, f"struct {name}", f"union {name}"):
            try:
                found = gdb.lookup_type(spelling).strip_typedefs()
            except gdb.error:
                continue
            if found.code in _STRUCTS and found.sizeof:
                return _struct(found, MAX_NESTING)
        return None

    def constant(self, name: str) -> int | None:
        try:
            symbol = gdb.lookup_static_symbol(name) or gdb.lookup_global_symbol(name)
            return int(symbol.value()) if symbol else None
        except (gdb.error, TypeError, ValueError):
            return None


def _struct(found: gdb.Type, nesting: int) -> StructType:
    return StructType(found.sizeof, flattened(_member(f, nesting) for f in found.fields() if hasattr(f, "bitpos")))


def _member(field: gdb.Field, nesting: int) -> tuple[str | None, Member]:
    kind = field.type.strip_typedefs() if field.type else None
    elements = None
    while kind is not None and kind.code == gdb.TYPE_CODE_ARRAY:
        low, high = kind.range()
        elements = max(0, high - low + 1) * (1 if elements is None else elements)
        kind = kind.target().strip_typedefs()
    width = kind.sizeof if kind is not None else 0
    inner = _struct(kind, nesting - 1) if kind is not None and kind.code in _STRUCTS and nesting else None
    return field.name or None, Member(Field(field.bitpos // 8, width, elements), inner)
