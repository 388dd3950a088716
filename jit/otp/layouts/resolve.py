"""From C types to a layout: what a source of types must offer, and how wanted fields are found in it.

Two things know the VM's C types: the DWARF of a file (`jit.otp.layouts.dwarf`) and GDB's own type API. Both are reduced
here to a `TypeSource`; everything after that is the same for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from jit.otp.layouts.wanted import CONSTANTS, STRUCTS, WantedConstant, WantedStruct


class Field(NamedTuple):
    """Where a field lies: byte offset in its struct, and width in bytes (of one element, for an array).

    `elements` is None for a field that is no array, their number for an array, 0 for a flexible array member.
    Widths differ between releases even where the name does not: Process.arity is a word in OTP 25, a byte in 27.
    `bits` is None but for a bit field, which shares its bytes with others: number of its lowest bit in the number that
    the `width` bytes at `offset` are, and how many bits it has.
    """

    offset: int
    width: int
    elements: int | None = None
    bits: tuple[int, int] | None = None

    def value(self, number: int) -> int:
        """The field's value of the unsigned number that its bytes are."""
        if self.bits is None:
            return number
        lowest, count = self.bits
        return number >> lowest & (1 << count) - 1


def bit_field(position: int, count: int, width: int) -> Field:
    """The bit field of `count` bits from bit `position` of its struct on, lowest bits first, as on little-endian
    machines; `width` is that of its type in bytes, to a multiple of which its bytes are aligned unless it is packed."""
    offset = position // (8 * width) * width
    if position + count > 8 * (offset + width):
        offset, width = position // 8, (position % 8 + count + 7) // 8
    return Field(offset, width, None, (position - 8 * offset, count))


@dataclass(frozen=True)
class Member:
    """A member of a C struct or union; `type` is set when the member (or its element, for an array) is one itself."""

    field: Field
    type: StructType | None = None


@dataclass(frozen=True)
class StructType:
    """A C struct or union: size in bytes and members by name. Members of unnamed members are members of the whole."""

    size: int
    members: Mapping[str, Member]


@dataclass(frozen=True)
class StructLayout:
    """The wanted part of a struct: its size in bytes, None if unknown, and the fields by dotted path."""

    size: int | None
    fields: Mapping[str, Field]


class TypeSource(Protocol):
    """Whoever knows the C types of a beam.smp. Answers None for what it does not know; does not raise for it."""

    def struct(self, name: str) -> StructType | None:
        """The complete struct or union that `name` means, as a typedef or else as a tag."""

    def constant(self, name: str) -> int | None:
        """The value of the enumerator `name`."""


@dataclass
class Resolution:
    """What a source of types gave for a list of wishes; `missing` names required things that it did not have."""

    structs: dict[str, StructLayout] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def flattened(members: Iterable[tuple[str | None, Member]]) -> dict[str, Member]:
    """Members by name, with those of unnamed structs and unions moved up to where C lets one name them."""
    result: dict[str, Member] = {}
    for name, member in members:
        if name:
            result[name] = member
        elif member.type is not None:
            for inner_name, inner in member.type.members.items():
                moved = inner.field._replace(offset=member.field.offset + inner.field.offset)
                result[inner_name] = Member(moved, inner.type)
    return result


def find_field(struct: StructType, path: str) -> Field | None:
    """The field that a dotted path names, None if there is none. A path through an array means its first element."""
    offset = 0
    at: StructType | None = struct
    found: Field | None = None
    for name in path.split("."):
        member = at.members.get(name) if at is not None else None
        if member is None:
            return None
        found = member.field._replace(offset=offset + member.field.offset)
        offset, at = found.offset, member.type
    return found


def resolve(
    types: TypeSource,
    structs: Iterable[WantedStruct] = STRUCTS,
    constants: Iterable[WantedConstant] = CONSTANTS,
) -> Resolution:
    """Look up all that is wanted, under whichever of its C names the source knows."""
    result = Resolution()
    for wanted in structs:
        _resolve_struct(types, wanted, result)
    for constant in constants:
        value = next((v for v in map(types.constant, constant.c_names) if v is not None), None)
        if value is not None:
            result.constants[constant.name] = value
        elif not constant.optional:
            result.missing.append(constant.name)
    return result


def _resolve_struct(types: TypeSource, wanted: WantedStruct, result: Resolution) -> None:
    struct = next((s for s in map(types.struct, wanted.c_names) if s is not None), None)
    if struct is None:
        if not wanted.optional:
            result.missing.append(wanted.name)
        return
    fields: dict[str, Field] = {}
    for path in wanted.fields:
        found = next((f for f in (find_field(struct, p) for p in path.c_paths) if f is not None), None)
        if found is not None:
            fields[path.name] = found
        elif not path.optional:
            result.missing.append(f"{wanted.name}.{path.name}")
    result.structs[wanted.name] = StructLayout(struct.size, fields)
