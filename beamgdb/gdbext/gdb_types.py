"""The C types of a beam.smp that GDB has debug information for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import gdb

from beamgdb.gdbext.c_expressions import in_c
from jit.object.target import ByteOrder
from jit.otp.layouts.resolve import Field, Member, StructLayout, StructType, bit_field, flattened, resolve
from jit.otp.layouts.wanted import CONSTANTS, STRUCTS

_STRUCTS = (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION)
MAX_NESTING = 16
_Known = TypeVar("_Known")


class GdbTypes:
    """A `layouts.resolve.TypeSource` that asks GDB for what one file has. Bit fields are known where the lowest bits
    are the first ones."""

    def __init__(self, objfile: gdb.Objfile, byteorder: ByteOrder | None) -> None:
        self._objfile = objfile
        self._has_bits = byteorder == "little"

    def struct(self, name: str) -> StructType | None:
        for domain in (gdb.SYMBOL_VAR_DOMAIN, gdb.SYMBOL_STRUCT_DOMAIN):
            try:
                with in_c():
                    symbol = self._objfile.lookup_static_symbol(name, domain)
                    found = symbol.type.strip_typedefs() if symbol is not None and symbol.type is not None else None
            except gdb.error:
                continue
            if found is not None and found.code in _STRUCTS and found.sizeof:
                return self._struct(found, MAX_NESTING)
        return None

    def constant(self, name: str) -> int | None:
        try:
            symbol = self._objfile.lookup_static_symbol(name) or self._objfile.lookup_global_symbol(name)
            return int(symbol.value()) if symbol else None
        except (gdb.error, TypeError, ValueError):
            return None

    def _struct(self, found: gdb.Type, nesting: int) -> StructType:
        # Static members and enumerators have no position.
        placed = [(f, at) for f in found.fields() if (at := getattr(f, "bitpos", None)) is not None]
        if not self._has_bits:
            placed = [(f, at) for f, at in placed if not f.bitsize]
        return StructType(found.sizeof, flattened(self._member(f, at, nesting) for f, at in placed))

    def _member(self, field: gdb.Field, bitpos: int, nesting: int) -> tuple[str | None, Member]:
        kind = field.type.strip_typedefs() if field.type else None
        if field.bitsize and kind is not None:
            return field.name or None, Member(bit_field(bitpos, field.bitsize, kind.sizeof))
        elements = None
        while kind is not None and kind.code == gdb.TYPE_CODE_ARRAY:
            # GDB gives a flexible array member the bounds 0 and -1, or an upper bound of 0 where it has none; GDB 10
            # ends if it is asked for such.
            low, high = kind.range() if kind.sizeof else (0, -1)
            count = max(0, high - low + 1)
            elements = count * (1 if elements is None else elements)
            kind = kind.target().strip_typedefs()
        width = kind.sizeof if kind is not None else 0
        inner = self._struct(kind, nesting - 1) if kind is not None and kind.code in _STRUCTS and nesting else None
        return field.name or None, Member(Field(bitpos // 8, width, elements), inner)


class OnDemand(Mapping[str, _Known]):
    """What is wanted of a VM, asked of GDB when it is needed: all at once would take GDB seconds of reading DWARF."""

    def __init__(self, names: frozenset[str], ask: Callable[[str], _Known | None]) -> None:
        self._names = names
        self._ask = ask
        self._known: dict[str, _Known | None] = {}

    def __getitem__(self, name: str) -> _Known:
        if name not in self._known:
            self._known[name] = self._ask(name) if name in self._names else None
        found = self._known[name]
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def structs(objfile: gdb.Objfile, byteorder: ByteOrder | None) -> Mapping[str, StructLayout]:
    """The wanted structs that a file has, by name."""
    wanted, types = {struct.name: struct for struct in STRUCTS}, GdbTypes(objfile, byteorder)

    def ask(name: str) -> StructLayout | None:
        return resolve(types, [wanted[name]], []).structs.get(name)

    return OnDemand(frozenset(wanted), ask)


def constants(objfile: gdb.Objfile) -> Mapping[str, int]:
    """The wanted enumerators that a file has, by name."""
    wanted, types = {constant.name: constant for constant in CONSTANTS}, GdbTypes(objfile, None)

    def ask(name: str) -> int | None:
        return resolve(types, [], [wanted[name]]).constants.get(name)

    return OnDemand(frozenset(wanted), ask)
