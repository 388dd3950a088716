"""The C types of a beam.smp from its DWARF, read with pyelftools.

Only what is asked for is read: a unit's top-level entries are walked once, and the walk over units stops as soon as
every wanted name has been seen. References: DWARF 5, 2.13 (siblings), 3.1 (units), 5.3 (typedefs), 5.5 (arrays), 5.7
(structures, members, bit fields, enumerations); DWARF 3, 5.6.6 (bit fields as they were).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import elftools
from elftools.common.exceptions import DWARFError, ELFError
from elftools.construct import ConstructError
from elftools.dwarf.compileunit import CompileUnit
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.elf.elffile import ELFFile

from jit.object.target import ByteOrder
from jit.otp.layouts.resolve import Field, Member, StructType, bit_field, flattened

AGGREGATES = frozenset({"DW_TAG_structure_type", "DW_TAG_union_type", "DW_TAG_class_type"})
TRANSPARENT = frozenset({"DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_atomic_type"})
POINTERS = frozenset({"DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_subroutine_type"})

# DW_LANG_C89, C, C99, C11 and C17: DWARF 5, 7.12 and the DWARF language list. The VM's structures are C; the JIT's own
# C++ units are by far the largest and add nothing.
C_LANGUAGES = frozenset({0x01, 0x02, 0x0C, 0x1D, 0x2C})

# The version of DWARF that pyelftools knows since its 0.28.
SINCE_0_28 = 5
BEFORE_0_28 = re.compile(r"0\.(1?\d|2[0-7])(\D|$)")

# What the length of a unit begins with that has 8 bytes (DWARF 5, 7.4).
LONG = b"\xff" * 4

# A type chain longer than this is a cycle, hence corrupt: no C type of the VM comes near.
MAX_TYPE_CHAIN = 32


# What pyelftools raises on damaged files, besides its own exceptions.
PARSER_ERRORS = (
    DWARFError, ELFError, ConstructError, AssertionError, ArithmeticError, AttributeError, LookupError, MemoryError,
    RecursionError, TypeError, ValueError,
)  # fmt: skip


class NoDebugInfo(ValueError):
    """The file is no ELF file, or has no DWARF types to read."""


class DwarfTypes:
    """A `TypeSource` over an ELF file with debug information (the binary itself, or its separate debug file)."""

    def __init__(self, stream: BinaryIO, names: Iterable[str], preferred_units: str = "/beam/") -> None:
        """Read the types called `names`. Units whose name contains `preferred_units` are read first, so that a name
        that some bundled library also uses means the VM's type. Raises NoDebugInfo."""
        self._wanted = set(names)
        self._typedefs: dict[str, DIE] = {}
        self._tags: dict[str, DIE] = {}
        self._constants: dict[str, int] = {}
        self._structs: dict[int, StructType] = {}
        with _damage_as_no_debug_info():
            info = _dwarf_info(stream)
            self._lowest_bit_first = bool(info.config.little_endian)
            self.word_size = int(info.config.default_address_size)
            self._index(info, preferred_units)

    def struct(self, name: str) -> StructType | None:
        """The complete struct or union called `name`, typedef before tag. Raises NoDebugInfo where it is damaged."""
        with _damage_as_no_debug_info():
            for index in (self._typedefs, self._tags):
                die = index.get(name)
                target = self._stripped(die) if die is not None else None
                if target is not None and target.tag in AGGREGATES:
                    return self._struct(target)
        return None

    def constant(self, name: str) -> int | None:
        """The value of the enumerator `name`."""
        return self._constants.get(name)

    def _index(self, info: DWARFInfo, preferred_units: str) -> None:
        left = set(self._wanted)
        for unit in _units_in_order(info, preferred_units):
            left -= self._index_unit(unit, left)
            if not left:
                return

    def _index_unit(self, unit: CompileUnit, left: set[str]) -> set[str]:
        found = set()
        for die in _children(unit.get_top_DIE()):
            name = _name(die)
            if die.tag == "DW_TAG_enumeration_type":
                found |= self._index_enumerators(die, left)
            elif "DW_AT_declaration" in die.attributes:
                continue
            elif die.tag == "DW_TAG_typedef":
                # Structures behind wanted typedefs may be declared only, here, and complete in another unit.
                if name in left and self._is_complete(die):
                    self._typedefs.setdefault(name, die)
                    found.add(name)
            elif die.tag in AGGREGATES and name in left:
                self._tags.setdefault(name, die)
                found.add(name)
        return found

    def _index_enumerators(self, enumeration: DIE, left: set[str]) -> set[str]:
        found = set()
        for die in _children(enumeration):
            name = _name(die)
            if name in left:
                self._constants.setdefault(name, int(die.attributes["DW_AT_const_value"].value))
                found.add(name)
        return found

    def _is_complete(self, typedef: DIE) -> bool:
        target = self._stripped(typedef)
        return target is not None and target.tag in AGGREGATES and "DW_AT_declaration" not in target.attributes

    def _stripped(self, die: DIE) -> DIE | None:
        """The type behind typedefs and qualifiers; None for void."""
        for _ in range(MAX_TYPE_CHAIN):
            if die.tag not in TRANSPARENT:
                return die
            if "DW_AT_type" not in die.attributes:
                return None
            die = die.get_DIE_from_attribute("DW_AT_type")
        raise NoDebugInfo(f"cyclic type at {die.offset:#x}")

    def _struct(self, die: DIE) -> StructType:
        known = self._structs.get(die.offset)
        if known is None:
            found = (self._member(d) for d in _children(die) if d.tag == "DW_TAG_member")
            members = flattened(member for member in found if member is not None)
            known = self._structs[die.offset] = StructType(_number(die, "DW_AT_byte_size"), members)
        return known

    def _member(self, die: DIE) -> tuple[str | None, Member] | None:
        """Name and place of a member; None for a bit field of a machine that counts from the highest bit."""
        if "DW_AT_bit_size" in die.attributes:
            return (_name(die) or None, Member(self._bit_field(die))) if self._lowest_bit_first else None
        offset = _number(die, "DW_AT_data_member_location")
        target = self._stripped(die.get_DIE_from_attribute("DW_AT_type"))
        elements: int | None = None
        while target is not None and target.tag == "DW_TAG_array_type":
            elements = (1 if elements is None else elements) * element_count(target)
            target = self._stripped(target.get_DIE_from_attribute("DW_AT_type"))
        inner = self._struct(target) if target is not None and target.tag in AGGREGATES else None
        return _name(die) or None, Member(Field(offset, self._width(target), elements), inner)

    def _bit_field(self, die: DIE) -> Field:
        """Since DWARF 4 its position is counted from the struct; before, from the highest bit of the bytes it is in."""
        count = _number(die, "DW_AT_bit_size")
        width = self._width(self._stripped(die.get_DIE_from_attribute("DW_AT_type")))
        position = _number(die, "DW_AT_data_bit_offset", 8 * _number(die, "DW_AT_data_member_location"))
        if "DW_AT_bit_offset" in die.attributes:
            position += 8 * _number(die, "DW_AT_byte_size", width) - _number(die, "DW_AT_bit_offset") - count
        if not 0 < count <= 8 * width or position < 0:
            raise NoDebugInfo(f"impossible bit field at {die.offset:#x}")
        return bit_field(position, count, width)

    def _width(self, target: DIE | None) -> int:
        if target is None:
            return 0
        if target.tag in POINTERS:
            return _number(target, "DW_AT_byte_size", self.word_size)
        return _number(target, "DW_AT_byte_size")


def open_types(path: Path, names: Iterable[str]) -> DwarfTypes:
    """The types called `names` in the file at `path`, which is open only meanwhile. Raises NoDebugInfo, OSError."""
    with path.open("rb") as stream:
        return DwarfTypes(stream, names)


@contextmanager
def _damage_as_no_debug_info() -> Iterator[None]:
    try:
        yield
    except NoDebugInfo:
        raise
    except PARSER_ERRORS as error:
        what = f"{type(error).__name__} {error}".rstrip()
        raise NoDebugInfo(f"damaged ELF or DWARF, or newer than pyelftools {elftools.__version__}: {what}") from error


def info_of(elf: ELFFile) -> DWARFInfo | None:
    """The debug information in a file, None where there is none. (To pyelftools call frame information is such too,
    and until 0.30 it cannot be told otherwise.)"""
    if not any(elf.get_section_by_name(name) for name in (".debug_info", ".zdebug_info")):
        return None
    return elf.get_dwarf_info(relocate_dwarf_sections=False)


def _dwarf_info(stream: BinaryIO) -> DWARFInfo:
    info = info_of(ELFFile(stream))
    if info is None:
        raise NoDebugInfo("no .debug_info section")
    version, reader = _version(info), elftools.__version__
    if version >= SINCE_0_28 and BEFORE_0_28.match(reader):
        raise NoDebugInfo(
            f"it is DWARF {version}, of which pyelftools {reader} knows nothing: have a newer one, or compile with "
            f"-gdwarf-{SINCE_0_28 - 1}"
        )
    return info


def _version(info: DWARFInfo) -> int:
    """The newest version of DWARF that a unit is in: that stands behind its length, of 4 bytes, or of 12 that begin
    with ones."""
    if info.debug_info_sec is None:
        return 0
    stream, found, at = info.debug_info_sec.stream, 0, 0
    order: ByteOrder = "little" if info.config.little_endian else "big"
    while True:
        stream.seek(at)
        head = stream.read(14)
        start = 12 if head[:4] == LONG else 4
        if len(head) < start + 2:
            return found
        found = max(found, int.from_bytes(head[start : start + 2], order))
        at += start + int.from_bytes(head[4 if start > 4 else 0 : start], order)


def _units_in_order(info: DWARFInfo, preferred: str) -> Iterator[CompileUnit]:
    """The units that may hold C types: first the VM's own, then partial units (dwz moves shared types there) and
    what else is C."""
    later = []
    for unit in info.iter_CUs():
        top = unit.get_top_DIE()
        if top.tag == "DW_TAG_compile_unit" and _number(top, "DW_AT_language") not in C_LANGUAGES:
            continue
        if preferred in f"/{_name(top)}":
            yield unit
        else:
            later.append(unit)
    yield from later


def _children(die: DIE) -> Iterator[DIE]:
    """The children of an entry. A damaged DW_AT_sibling may lead backwards, and for ever."""
    last = die.offset
    for child in die.iter_children():
        if child.offset <= last:
            raise NoDebugInfo(f"sibling of {last:#x} is {child.offset:#x}")
        last = child.offset
        yield child


def _name(die: DIE) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return attribute.value.decode() if attribute is not None else ""


def _number(die: DIE, attribute: str, default: int = 0) -> int:
    found: Any = die.attributes.get(attribute)
    return found.value if found is not None and isinstance(found.value, int) else default


def element_count(array: DIE) -> int:
    """Elements of all dimensions of an array together; 0 for a flexible array member, which has no bound."""
    count = 1
    for dimension in _children(array):
        if dimension.tag == "DW_TAG_subrange_type":
            bound = _number(dimension, "DW_AT_upper_bound", -1) + 1
            count *= _number(dimension, "DW_AT_count", bound)
    return count
