"""Compile units and their trees of debugging information entries (DWARF 5, 2 and 7.5).

A unit is written from front to back. ``Unit.add`` encodes whole trees of ``Die``; what is the same in many places is
encoded once into ``EncodedDies`` and embedded again and again; ``Unit.add_rows`` writes many entries that differ only
in a few fixed-size attributes. All three may be mixed, and share one abbreviation table for all units.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import NamedTuple, Union

from jit.object.dwarf_constants import DW_AT, DW_FORM, DW_TAG, DW_UT, DWARF_VERSION
from jit.object.dwarf_ranges import Range, SectionOffset
from jit.object.leb128 import sleb128, uleb128
from jit.object.string_table import StringTable
from jit.object.target import Target

_HEADER_FIELDS = "IHBBI"
_END_OF_CHILDREN = b"\0"

#: Forms that a row of ``Unit.add_rows`` may use, and their ``struct`` letters.
_FIXED_FORMS = {
    DW_FORM.addr: "W",
    DW_FORM.data1: "B",
    DW_FORM.data2: "H",
    DW_FORM.data4: "I",
    DW_FORM.data8: "Q",
    DW_FORM.flag: "B",
    DW_FORM.strp: "I",
    DW_FORM.line_strp: "I",
    DW_FORM.ref4: "I",
    DW_FORM.sec_offset: "I",
}

#: Forms of integers where the attribute, not the value, decides (7.5.4, 7.5.5). Others are LEB128.
_FORM_OF_ATTRIBUTE = {
    DW_AT.low_pc: DW_FORM.addr,
    DW_AT.high_pc: DW_FORM.data4,
    DW_AT.entry_pc: DW_FORM.addr,
    DW_AT.call_pc: DW_FORM.addr,
    DW_AT.call_return_pc: DW_FORM.addr,
    DW_AT.language: DW_FORM.data2,
}


class WithForm(NamedTuple):
    """An attribute's value with its form said explicitly."""

    form: DW_FORM
    value: int | str | bytes | Die


#: What an attribute may hold. Without ``WithForm`` the form follows from it: str: strp; bytes: exprloc; bool: a flag
#: that is present or left out; Die: ref4; SectionOffset: sec_offset; int: as the attribute says, else udata or sdata.
Value = Union[int, str, bytes, bool, "SectionOffset", "WithForm", "Die"]
Attributes = Mapping[DW_AT, Value]


@dataclass(eq=False)
class Die:
    """A debugging information entry. Other entries refer to it by being given it as an attribute's value."""

    tag: DW_TAG
    attributes: Attributes = field(default_factory=dict)
    children: Sequence[Die] | EncodedDies = ()


@dataclass(eq=False)
class EncodedDies:
    """Sibling entries, encoded.

    ``needs`` are the entries outside that it refers to, with their offsets in the unit; ``defines`` those inside, with
    offsets from its start. One that refers to its own entries fits only at ``origin``, an offset in a unit. It belongs
    to the units that share its abbreviation table. ``address_offsets`` are the places of DW_FORM_addr in it.
    """

    data: bytes
    abbreviations: AbbreviationTable
    needs: dict[Die, int]
    defines: dict[Die, int]
    origin: int | None
    address_offsets: list[int]


class AbbreviationTable:
    """The .debug_abbrev section: one table that all units share (7.5.3)."""

    def __init__(self) -> None:
        self._codes: dict[tuple[int, ...], bytes] = {}
        self._data = bytearray()

    def code(self, tag: int, has_children: bool, shape: Sequence[int]) -> bytes:
        """The code, as LEB128, of an abbreviation whose *shape* is attribute, form, attribute, form, ..."""
        key = (tag, has_children, *shape)
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = uleb128(len(self._codes) + 1)
            self._data += code + uleb128(tag) + bytes((has_children,))
            self._data += b"".join(map(uleb128, shape)) + b"\0\0"
        return code

    def to_bytes(self) -> bytes:
        """The section's content."""
        return bytes(self._data) + b"\0"


class Unit:
    """A compile unit being written; made by ``Dwarf.add_unit``.

    Offsets of entries count from the unit's first byte, as DW_FORM_ref4 does.
    """

    def __init__(
        self,
        target: Target,
        abbreviations: AbbreviationTable,
        strings: StringTable,
        line_strings: StringTable,
        attributes: Attributes,
        ranges: Sequence[Range],
    ) -> None:
        self.target = target
        self.ranges = tuple(ranges)
        self.size = target.struct(_HEADER_FIELDS).size
        self.abbreviations = abbreviations
        self._strings = strings
        self._line_strings = line_strings
        self._offsets: dict[Die, int] = {}
        self._chunks: list[bytes] = []
        self._address_offsets: list[Iterable[int]] = []
        shape, values, addresses = self._encode_constants(attributes)
        code = abbreviations.code(DW_TAG.compile_unit, True, shape)
        self._address_offsets.append([self.size + len(code) + place for place in addresses])
        self._append(code + values)

    def offset(self, die: Die) -> int:
        """The offset of an entry already in this unit; raises ValueError for another."""
        if die not in self._offsets:
            raise ValueError(f"{_describe(die)} is not in this unit yet")
        return self._offsets[die]

    def address_offsets(self) -> Iterable[int]:
        """The places of DW_FORM_addr in the unit. Addresses inside expressions are not among them."""
        return chain.from_iterable(self._address_offsets)

    def add(self, *dies: Die) -> EncodedDies:
        """Append entries at the top level. They may refer to one another and to what was added before.

        What it gives can be embedded at the same place in other units.
        """
        encoded = self.encode(*dies)
        self.embed(encoded)
        return encoded

    def encode(self, *dies: Die) -> EncodedDies:
        """Sibling entries encoded, not yet in the unit.

        Raises ValueError for a reference to an entry that is neither in the unit nor among them.
        """
        return _DieWriter(self, self.size).write(dies)

    def embed(self, encoded: EncodedDies) -> None:
        """Append encoded entries at the top level, also those from another unit.

        Raises ValueError when its references would not hold here.
        """
        self._check(encoded, self.size)
        for die, offset in encoded.defines.items():
            self._offsets[die] = self.size + offset
        self._address_offsets.append([self.size + place for place in encoded.address_offsets])
        self._append(encoded.data)

    @contextmanager
    def within(self, tag: DW_TAG, attributes: Attributes) -> Iterator[None]:
        """Append an entry whose children are what is added meanwhile. It has no DW_AT_sibling."""
        shape, values, addresses = self._encode_constants(attributes)
        code = self.abbreviations.code(tag, True, shape)
        self._address_offsets.append([self.size + len(code) + place for place in addresses])
        self._append(code + values)
        yield
        self._append(_END_OF_CHILDREN)

    def add_rows(
        self,
        tag: DW_TAG,
        columns: Sequence[tuple[DW_AT, DW_FORM]],
        rows: Iterable[Sequence[int | str]],
        *,
        constants: Attributes | None = None,
        children: EncodedDies | None = None,
    ) -> range:
        """Append entries that share tag, *constants* and *children*; each row has one value for each column.

        Forms must have a fixed size (``strp`` and ``line_strp`` take the text). Entries with children get
        DW_AT_sibling, so that a reader skips them. Returns the entries' offsets. Raises ValueError when a value does
        not fit.
        """
        values = list(zip(*rows))
        if not values:
            return range(self.size, self.size)
        sibling = () if children is None else (DW_AT.sibling, DW_FORM.ref4)
        shape, tail, tail_addresses = self._encode_constants(constants or {})
        forms = [form for _, form in columns]
        code = self.abbreviations.code(
            tag, children is not None, [*sibling, *(number for column in columns for number in column), *shape]
        )
        if children is not None:
            self._check(children, None)
            tail_addresses += [len(tail) + place for place in children.address_offsets]
            tail += children.data + _END_OF_CHILDREN
        letters = [f"{len(code)}s", *("I" * (len(sibling) // 2)), *(_fixed_letter(form) for form in forms)]
        layout = self.target.struct("".join(letters))
        step = layout.size + len(tail)
        offsets = range(self.size, self.size + step * len(values[0]), step)
        places = [self.target.struct("".join(letters[:n])).size for n, letter in enumerate(letters) if letter == "W"]
        places += [layout.size + place for place in tail_addresses]
        self._address_offsets += [range(offsets.start + place, offsets.stop, step) for place in places]
        siblings = (range(self.size + step, offsets.stop + step, step),) if sibling else ()
        packed = map(
            layout.pack,
            repeat(code),
            *siblings,
            *(self._row_column(form, column) for form, column in zip(forms, values)),
        )
        try:
            self._append(tail.join(packed) + tail)
        except struct.error as error:
            raise ValueError(f"a value of {tag!r} does not fit its form: {error}") from None
        return offsets

    def _row_column(self, form: int, column: tuple[int | str, ...]) -> Sequence[int | str]:
        if form == DW_FORM.strp:
            return self._strings.offsets(column)  # type: ignore[arg-type]  # the form says they are texts
        if form == DW_FORM.line_strp:
            return self._line_strings.offsets(column)  # type: ignore[arg-type]
        return column

    @property
    def total_size(self) -> int:
        """Bytes of the unit in .debug_info, if nothing more is added."""
        return self.size + len(_END_OF_CHILDREN)

    def to_bytes(self) -> bytes:
        """The unit, for .debug_info."""
        version = (DWARF_VERSION, DW_UT.compile, self.target.address_size)
        header = self.target.pack(_HEADER_FIELDS, self.total_size - 4, *version, 0)  # the only abbreviation table
        return b"".join((header, *self._chunks, _END_OF_CHILDREN))

    def _append(self, data: bytes) -> None:
        self._chunks.append(data)
        self.size += len(data)

    def _check(self, encoded: EncodedDies, position: int | None) -> None:
        if encoded.abbreviations is not self.abbreviations:
            raise ValueError("encoded entries cannot be embedded in another Dwarf's unit")
        if encoded.origin is not None and encoded.origin != position:
            raise ValueError(f"entries that refer to each other at {encoded.origin:#x} cannot stand at {position}")
        for die, offset in encoded.needs.items():
            if self._offsets.get(die) != offset:
                raise ValueError(f"{_describe(die)} is not at {offset:#x} of this unit, where others expect it")

    def _encode_constants(self, attributes: Attributes) -> tuple[list[int], bytes, list[int]]:
        """Shape, bytes and places of addresses of attributes whose references, if any, point backwards."""
        shape: list[int] = []
        values = bytearray()
        addresses = []
        for attribute, value in attributes.items():
            form, plain = resolve_form(attribute, value)
            if form is None:
                continue
            shape += (attribute, form)
            if form == DW_FORM.addr:
                addresses.append(len(values))
            values += self.encode_value(form, self.offset(plain) if isinstance(plain, Die) else plain)
        return shape, bytes(values), addresses

    def encode_value(self, form: int, value: int | str | bytes) -> bytes:
        """The bytes of one attribute; a reference is given as its offset. Raises ValueError when it does not fit."""
        if isinstance(value, str):
            return self._encode_text(form, value)
        if isinstance(value, bytes):
            return self._encode_block(form, value)
        if form == DW_FORM.udata:
            return uleb128(value)
        if form == DW_FORM.sdata:
            return sleb128(value)
        if form == DW_FORM.flag_present:
            return b""
        return self.target.pack(_fixed_letter(form), value)

    def _encode_text(self, form: int, text: str) -> bytes:
        if form == DW_FORM.strp:
            return self.target.pack("I", self._strings.offset(text))
        if form == DW_FORM.line_strp:
            return self.target.pack("I", self._line_strings.offset(text))
        if form == DW_FORM.string and "\0" not in text:
            return text.encode() + b"\0"
        raise ValueError(f"form {form:#x} cannot hold the text {text!r}")

    def _encode_block(self, form: int, block: bytes) -> bytes:
        if form in (DW_FORM.exprloc, DW_FORM.block):
            return uleb128(len(block)) + block
        letters = {DW_FORM.block1: "B", DW_FORM.block2: "H", DW_FORM.block4: "I"}
        for block_form, letter in letters.items():
            if form == block_form:
                return self.target.pack(letter, len(block)) + block
        raise ValueError(f"form {form:#x} cannot hold a block")


class _DieWriter:
    """Encodes trees of entries at a position of a unit. References between them are filled in at the end."""

    def __init__(self, unit: Unit, origin: int) -> None:
        self.unit = unit
        self.origin = origin
        self.out = bytearray()
        self.needs: dict[Die, int] = {}
        self.defines: dict[Die, int] = {}
        self.references: list[tuple[int, Die]] = []
        self.addresses: list[int] = []
        self.pinned = False

    def write(self, dies: Sequence[Die]) -> EncodedDies:
        for die in dies:
            self._die(die)
        for position, die in self.references:
            self._fill(position, self._offset(die))
        origin = self.origin if self.pinned else None
        return EncodedDies(bytes(self.out), self.unit.abbreviations, self.needs, self.defines, origin, self.addresses)

    def _offset(self, die: Die) -> int:
        if die in self.defines:
            self.pinned = True
            return self.origin + self.defines[die]
        offset = self.needs[die] = self.unit.offset(die)
        return offset

    def _fill(self, position: int, offset: int) -> None:
        self.out[position : position + 4] = self.unit.target.pack("I", offset)

    def _die(self, die: Die) -> None:
        if die in self.defines:
            raise ValueError(f"{_describe(die)} stands twice in the tree")
        self.defines[die] = len(self.out)
        has_children = bool(die.children)
        has_sibling = has_children and die.tag == DW_TAG.subprogram
        shape: list[int] = [DW_AT.sibling, DW_FORM.ref4] if has_sibling else []
        body = bytearray(4 if has_sibling else 0)
        references: list[tuple[int, Die]] = []
        addresses: list[int] = []
        for attribute, value in die.attributes.items():
            form, plain = resolve_form(attribute, value)
            if form is None:
                continue
            shape += (attribute, form)
            if isinstance(plain, Die):
                references.append((len(body), plain))
                plain = 0
            elif form == DW_FORM.addr:
                addresses.append(len(body))
            body += self.unit.encode_value(form, plain)
        self.out += self.unit.abbreviations.code(die.tag, has_children, shape)
        start = len(self.out)
        self.references += [(start + position, target) for position, target in references]
        self.addresses += [start + place for place in addresses]
        self.out += body
        if has_children:
            self._children(die.children)
            self.out += _END_OF_CHILDREN
        if has_sibling:
            self.pinned = True
            self._fill(start, self.origin + len(self.out))

    def _children(self, children: Sequence[Die] | EncodedDies) -> None:
        if not isinstance(children, EncodedDies):
            for child in children:
                self._die(child)
            return
        position = len(self.out)
        if children.origin is not None and children.origin != self.origin + position:
            raise ValueError("entries that refer to each other cannot be nested here")
        for die, offset in children.needs.items():
            if self._offset(die) != offset:
                raise ValueError(f"{_describe(die)} is not where the nested entries expect it")
        self.pinned = self.pinned or children.origin is not None
        self.addresses += [position + place for place in children.address_offsets]
        self.out += children.data


def resolve_form(attribute: DW_AT, value: Value) -> tuple[DW_FORM | None, int | str | bytes | Die]:
    """The form of an attribute's value, and the value alone; no form: leave the attribute out (a false flag)."""
    if isinstance(value, WithForm):
        return value.form, value.value
    if isinstance(value, Die):
        return DW_FORM.ref4, value
    if isinstance(value, str):
        return DW_FORM.strp, value
    if isinstance(value, bytes):
        return DW_FORM.exprloc, value
    if isinstance(value, bool):
        return (DW_FORM.flag_present if value else None), value
    if isinstance(value, SectionOffset):
        return DW_FORM.sec_offset, value
    form = _FORM_OF_ATTRIBUTE.get(attribute)
    return form or (DW_FORM.udata if value >= 0 else DW_FORM.sdata), value


def _fixed_letter(form: int) -> str:
    for fixed, letter in _FIXED_FORMS.items():
        if fixed == form:
            return letter
    raise ValueError(f"form {form:#x} has no fixed size")


def _describe(die: Die) -> str:
    name = die.attributes.get(DW_AT.name)
    return f"DW_TAG_{die.tag.name} {name!r}" if name else f"DW_TAG_{die.tag.name}"
