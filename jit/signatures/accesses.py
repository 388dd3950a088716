"""Which functions of a beam.smp access which fields, from its code and its debug information.

A compiler says at which addresses a register has a pointer to a structure (DWARF 5, 2.6.2, location lists). An
instruction that accesses memory there by that register accesses the field at that distance.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import capstone
from capstone import arm64_const, x86_const
from elftools.dwarf.compileunit import CompileUnit
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.dwarf.locationlists import BaseAddressEntry, LocationEntry, LocationExpr, LocationParser
from elftools.elf.elffile import ELFFile

from jit.otp.layouts.dwarf import AGGREGATES, MAX_TYPE_CHAIN, TRANSPARENT, NoDebugInfo, element_count, info_of
from jit.otp.layouts.wanted import STRUCTS

OP_ADDR = 0x03
OP_REG0, OP_REG31, OP_BREG0, OP_BREG31, OP_STACK_VALUE = 0x50, 0x6F, 0x70, 0x8F, 0x9F
"""Operations of location expressions (DWARF 5, 7.7.1)."""

BRANCHES: Final = (
    "b",
    "bl",
    "cbz",
    "cbnz",
    "tbz",
    "tbnz",
    *(f"b.{one}" for one in ("eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al")),
)
"""Of 64-bit ARM, to an address that they name."""

CHECK: Final = 24
"""Bytes of code at most in which it is seen whether an allocator has failed."""

MAX_DEPTH: Final = 8
"""Of structures in structures."""

MAX_ELEMENTS: Final = 64
"""Of an array, that are looked at."""

_X86_64: Final = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
"""DWARF's numbers of registers (System V ABI, AMD64 supplement, 3.6.2)."""

_AARCH64: Final = [f"x{number}" for number in range(29)] + ["fp", "lr", "sp"]
"""The same (DWARF for the Arm 64-bit Architecture, 4.1)."""

_REGISTERS: Final = {"x86_64": _X86_64, "aarch64": _AARCH64}


class Pointer(NamedTuple):
    """From `start` to `stop` register `register` has the address of a structure, and `more` bytes. `number`: which
    element of an array that is, -1 if of none."""

    start: int
    stop: int
    register: str
    struct: str
    more: int
    number: int


class Inside(NamedTuple):
    """A wanted structure, at `offset` in another one or itself."""

    struct: str
    offset: int
    number: int = -1
    """Which element of an array it is, -1 if of none."""


class Access(NamedTuple):
    """An access of what lies at `offset` in a structure, in `width` bytes; 0 where only its address is made. Elements
    of an array are `step` bytes apart, where one of them is accessed. `number`: the structure is that element of an
    array, -1 if of none."""

    struct: str
    offset: int
    width: int
    step: int
    number: int


class Variable(NamedTuple):
    """A variable of the program, and the wanted structures in it, at these offsets."""

    start: int
    stop: int
    name: str
    inside: tuple[Inside, ...]


class Reference(NamedTuple):
    """An access of what lies at `offset` in a variable, in `width` bytes, or 0. `place` is that of the operand in the
    function; what it holds counts from `end`, behind the instruction."""

    place: int
    end: int
    variable: Variable
    offset: int
    width: int


@dataclass
class Code:
    """A function: its bytes, and what it accesses. `masked` are places in it, from and to, of what depends on where
    other things are."""

    start: int
    content: bytes
    masked: list[tuple[int, int]] = field(default_factory=list)
    accesses: set[Access] = field(default_factory=set)
    asked: set[tuple[str, int]] = field(default_factory=set)
    """Structures whose address an allocator gives that was asked for so many bytes."""
    references: set[Reference] = field(default_factory=set)


def functions(path: Path, arch: str) -> Iterator[Code]:
    """Those of C code that access structures that are wanted. Raises NoDebugInfo, OSError."""
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        info = info_of(elf)
        if info is None:
            raise NoDebugInfo("no .debug_info section")
        if arch not in _REGISTERS:
            raise NoDebugInfo(f"instructions of {arch} are not known here, only those of {', '.join(_REGISTERS)}")
        text = elf.get_section_by_name(".text")
        if text is None:
            raise NoDebugInfo("no .text section")
        start, content = int(text["sh_addr"]), text.data()
        known = _DebugInfo(info, _REGISTERS[arch])
        variables = sorted(known.variables())
        for low, high, pointers in known.functions():
            if start <= low < high <= start + len(content):
                code = Code(low, content[low - start : high - start])
                _READERS[arch](code, pointers, variables)
                if code.accesses or code.references:
                    yield code


class _DebugInfo:
    """Where registers have pointers to structures, and where variables are."""

    def __init__(self, info: DWARFInfo, registers: list[str]) -> None:
        self._info, self._registers = info, registers
        self._lists = LocationParser(info.location_lists())
        self._names = {name: one.name for one in STRUCTS for name in one.c_names}
        self._structs: dict[int, tuple[Inside, ...]] = {}
        self._complete: dict[str, DIE] = {}
        self._units = [one for one in info.iter_CUs() if one.get_top_DIE().tag == "DW_TAG_compile_unit"]
        for unit in self._units:
            self._name_tags(unit)
        self._name_wrapped()

    def variables(self) -> Iterator[Variable]:
        """Those outside of functions in which there are wanted structures."""
        for unit in self._units:
            for die in unit.get_top_DIE().iter_children():
                place = die.attributes.get("DW_AT_location")
                if die.tag != "DW_TAG_variable" or place is None or place.form != "DW_FORM_exprloc":
                    continue
                declared = die.get_DIE_from_attribute("DW_AT_specification") if not _name(die) else die
                if place.value[:1] != [OP_ADDR] or "DW_AT_type" not in declared.attributes:
                    continue
                kind, start = declared.get_DIE_from_attribute("DW_AT_type"), int.from_bytes(place.value[1:], "little")
                if inside := tuple(sorted({*self._within(kind, 0, MAX_DEPTH)})):
                    yield Variable(start, start + self._size(kind), _name(declared), inside)

    def functions(self) -> Iterator[tuple[int, int, list[Pointer]]]:
        """Start and end of each function, and the pointers in it."""
        for unit in self._units:
            for die in unit.get_top_DIE().iter_children():
                low, high = (die.attributes.get(name) for name in ("DW_AT_low_pc", "DW_AT_high_pc"))
                if die.tag == "DW_TAG_subprogram" and low is not None and high is not None:
                    stop = high.value if high.form == "DW_FORM_addr" else low.value + high.value
                    yield low.value, stop, list(self._inside(unit, die, (low.value, stop)))

    def _name_tags(self, unit: CompileUnit) -> None:
        """Structures that have a wanted name by a typedef are known by their tag as well."""
        for die in unit.get_top_DIE().iter_children():
            if die.tag in AGGREGATES and _name(die) and "DW_AT_declaration" not in die.attributes:
                self._complete.setdefault(_name(die), die)
            if die.tag == "DW_TAG_typedef" and (name := self._names.get(_name(die))) and "DW_AT_type" in die.attributes:
                target = die.get_DIE_from_attribute("DW_AT_type")
                if target.tag in AGGREGATES and "DW_AT_declaration" not in target.attributes:
                    self._complete.setdefault(_name(die), target)
                if target.tag in AGGREGATES and _name(target):
                    self._names.setdefault(_name(target), name)

    def _name_wrapped(self) -> None:
        """Structures that just wrap another one, in their first member, are known by the name of that."""
        for struct in STRUCTS:
            (first, *others) = {path.partition(".")[0] for field in struct.fields for path in field.c_paths}
            for name in struct.c_names:
                members = self._complete[name].iter_children() if name in self._complete and not others else ()
                for member in members:
                    if _name(member) == first and not _offset(member):
                        self._names.setdefault(_name(member.get_DIE_from_attribute("DW_AT_type")), struct.name)

    def _inside(self, unit: CompileUnit, parent: DIE, scope: tuple[int, int] | None) -> Iterator[Pointer]:
        """Those of variables in a function, or in a part of it, of which no `scope` is told."""
        for die in parent.iter_children():
            if die.tag in ("DW_TAG_formal_parameter", "DW_TAG_variable"):
                if "DW_AT_location" in die.attributes and (inside := self._pointed_to(die)):
                    for start, stop, register, more in self._places(unit, die, scope):
                        for one in inside:
                            yield Pointer(start, stop, register, one.struct, more - one.offset, one.number)
            elif die.has_children:
                yield from self._inside(unit, die, None)

    def _pointed_to(self, die: DIE) -> tuple[Inside, ...]:
        """The wanted structures that are where a variable points to."""
        for _ in range(MAX_TYPE_CHAIN):
            if "DW_AT_type" in die.attributes:
                break
            if "DW_AT_abstract_origin" not in die.attributes:
                return ()
            die = die.get_DIE_from_attribute("DW_AT_abstract_origin")
        else:
            return ()
        kind = die.get_DIE_from_attribute("DW_AT_type")
        if kind.offset not in self._structs:
            self._structs[kind.offset] = self._struct(kind)
        return self._structs[kind.offset]

    def _struct(self, die: DIE) -> tuple[Inside, ...]:
        """What is in the structure that a type points to, if it points to one."""
        for _ in range(MAX_TYPE_CHAIN):
            if "DW_AT_type" not in die.attributes:
                return ()
            target = die.get_DIE_from_attribute("DW_AT_type")
            if die.tag == "DW_TAG_pointer_type":
                return tuple(sorted({*self._within(target, 0, MAX_DEPTH)}))
            if die.tag not in TRANSPARENT:
                return ()
            die = target
        return ()

    def _within(self, die: DIE, offset: int, depth: int) -> Iterator[Inside]:
        """The wanted structures that a type is, and that lie in it."""
        for _ in range(MAX_TYPE_CHAIN):
            if (name := self._names.get(_name(die))) is not None:
                yield Inside(name, offset)
            if die.tag not in TRANSPARENT or "DW_AT_type" not in die.attributes:
                break
            die = die.get_DIE_from_attribute("DW_AT_type")
        if die.tag == "DW_TAG_array_type":
            kind = die.get_DIE_from_attribute("DW_AT_type")
            step, count = self._size(kind), min(element_count(die), MAX_ELEMENTS)
            elements = [*self._within(kind, offset, depth)] if step else []
            yield from (
                Inside(one.struct, one.offset + number * step, number) for one in elements for number in range(count)
            )
        if die.tag not in AGGREGATES or not depth:
            return
        for member in self._complete.get(_name(die), die).iter_children():
            if member.tag != "DW_TAG_member" or "DW_AT_bit_size" in member.attributes:
                continue
            kind = member.get_DIE_from_attribute("DW_AT_type")
            yield from self._within(kind, offset + _offset(member), depth - 1)

    def _size(self, die: DIE) -> int:
        """Of a type, in bytes."""
        for _ in range(MAX_TYPE_CHAIN):
            if "DW_AT_byte_size" in die.attributes:
                return int(die.attributes["DW_AT_byte_size"].value)
            if "DW_AT_type" not in die.attributes:
                return 0
            kind = die.get_DIE_from_attribute("DW_AT_type")
            if die.tag == "DW_TAG_array_type":
                return element_count(die) * self._size(kind)
            die = self._complete.get(_name(kind), kind) if kind.tag in AGGREGATES else kind
        return 0

    def _places(
        self, unit: CompileUnit, die: DIE, scope: tuple[int, int] | None
    ) -> Iterator[tuple[int, int, str, int]]:
        """From where to where which register has the value of a variable, and so much more."""
        found: Any = self._lists.parse_from_attribute(die.attributes["DW_AT_location"], unit["version"], die)
        if isinstance(found, LocationExpr):
            if scope is not None and (place := self._place(found.loc_expr)) is not None:
                yield *scope, *place
            return
        top = unit.get_top_DIE().attributes
        base = top["DW_AT_low_pc"].value if "DW_AT_low_pc" in top else 0
        for entry in found:
            if isinstance(entry, BaseAddressEntry):
                base = entry.base_address
            elif isinstance(entry, LocationEntry) and (place := self._place(entry.loc_expr)) is not None:
                start = 0 if entry.is_absolute else base
                yield entry.begin_offset + start, entry.end_offset + start, *place

    def _place(self, expression: list[int]) -> tuple[str, int] | None:
        """The register that has the value, and how much is to be added to it."""
        operation = expression[0] if expression else 0
        if OP_REG0 <= operation <= OP_REG31 and len(expression) == 1:
            number, more = operation - OP_REG0, 0
        elif OP_BREG0 <= operation <= OP_BREG31 and expression[-1] == OP_STACK_VALUE:
            number, more = operation - OP_BREG0, _signed(expression[1:-1])
        else:
            return None
        return (self._registers[number], -more) if number < len(self._registers) else None


def _signed(encoded: list[int]) -> int:
    """A number in LEB128 (DWARF 5, 7.6)."""
    value = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(encoded))
    return value - (1 << 7 * len(encoded)) if encoded and encoded[-1] & 0x40 else value


def _offset(member: DIE) -> int:
    place = member.attributes.get("DW_AT_data_member_location")
    return int(place.value) if place is not None else 0


def _name(die: DIE) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return attribute.value.decode() if attribute is not None else ""


class _Known:
    """What registers point to at an address."""

    def __init__(self, pointers: Iterable[Pointer]) -> None:
        self._by_register: dict[str, list[Pointer]] = {}
        for one in sorted(pointers):
            self._by_register.setdefault(one.register, []).append(one)

    def at(self, pc: int, register: str) -> Iterator[tuple[str, int, int]]:
        """Structures, by how much the register is beyond the start of each, and which element of an array it is. More
        than one where variables share it, or structures begin together."""
        there = self._by_register.get(register, [])
        # (What begins later cannot be it; what has begun before may still last.)
        for one in there[: bisect_right(there, pc, key=lambda one: one.start)]:
            if pc < one.stop:
                yield one.struct, one.more, one.number

    def given(self, pc: int, register: str) -> Iterator[str]:
        """Structures whose address is in the register as a call of their allocator has returned to there: the compiler
        says so as soon as it is none for a failure."""
        for one in self._by_register.get(register, []):
            if pc <= one.start < pc + CHECK and not one.more:
                yield one.struct


def _variable(variables: list[Variable], address: int) -> Variable | None:
    at = bisect_right(variables, address, key=lambda one: one.start) - 1
    return variables[at] if at >= 0 and address < variables[at].stop else None


def _read_x86_64(code: Code, pointers: list[Pointer], variables: list[Variable]) -> None:
    known, size = _Known(pointers), 0
    machine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    machine.detail = True
    stop = code.start + len(code.content)
    for one in machine.disasm(code.content, code.start):
        at, operands = one.address - code.start, one.operands
        # erts_alloc_fnf and its like call an allocator with a size as the third argument (erl_alloc.h).
        if one.mnemonic == "mov" and one.op_str.startswith("edx, "):
            size = operands[1].imm if operands[1].type == x86_const.X86_OP_IMM else 0
        elif one.mnemonic == "call":
            code.asked |= {(struct, size) for struct in known.given(one.address + one.size, "rax") if size}
            size = 0
        if x86_const.X86_GRP_BRANCH_RELATIVE in one.groups:
            if operands[0].type == x86_const.X86_OP_IMM and not code.start <= operands[0].imm < stop:
                code.masked.append((at + one.imm_offset, at + one.imm_offset + one.imm_size))
            continue
        if one.mnemonic == "add" and [each.type for each in operands] == [x86_const.X86_OP_REG, x86_const.X86_OP_IMM]:
            for struct, more, number in known.at(one.address, one.reg_name(operands[0].reg)):
                code.accesses.add(Access(struct, operands[1].imm + more, 0, 0, number))
        for memory, width in ((each.mem, each.size) for each in operands if each.type == x86_const.X86_OP_MEM):
            if memory.base == x86_const.X86_REG_RIP:
                place, end = at + one.disp_offset, at + one.size
                # (Always of 4 bytes: what capstone tells of some is wrong.)
                code.masked.append((place, place + 4))
                target = code.start + end + memory.disp
                if (variable := _variable(variables, target)) is not None:
                    told = 0 if one.mnemonic == "lea" else width
                    code.references.add(Reference(place, end, variable, target - variable.start, told))
            elif memory.base:
                step = memory.scale if memory.index else 0
                for struct, more, number in known.at(one.address, one.reg_name(memory.base)):
                    code.accesses.add(
                        Access(struct, memory.disp + more, 0 if one.mnemonic == "lea" else width, step, number)
                    )


def _read_aarch64(code: Code, pointers: list[Pointer], _: list[Variable]) -> None:
    # (Which variable is meant two instructions tell together: not looked at here.)
    known, size, pages = _Known(pointers), 0, set[int]()
    machine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    machine.detail = True
    stop = code.start + len(code.content)
    for one in machine.disasm(code.content, code.start):
        at, operands = one.address - code.start, one.operands
        registers = [each.reg for each in operands if each.type == arm64_const.ARM64_OP_REG]
        numbers = [each.imm for each in operands if each.type == arm64_const.ARM64_OP_IMM]
        memory = next((each.mem for each in operands if each.type == arm64_const.ARM64_OP_MEM), None)
        if one.mnemonic == "mov" and registers and one.reg_name(registers[0]) in ("w2", "x2"):
            size = numbers[0] if numbers else 0
        elif one.mnemonic == "blr":
            code.asked |= {(struct, size) for struct in known.given(one.address + one.size, "x0") if size}
            size = 0
        elif one.mnemonic == "bl":
            size = 0
        is_outside = one.mnemonic in BRANCHES and numbers and not code.start <= numbers[-1] < stop
        used = {*registers[1:], memory.base} if memory is not None else {*registers[1:]}
        if is_outside or one.mnemonic in ("adrp", "adr") or used & pages:
            code.masked.append((at, at + one.size))
        elif memory is not None:
            width, step = _width(one), 1 if memory.index else 0
            for struct, more, number in known.at(one.address, one.reg_name(memory.base)):
                code.accesses.add(Access(struct, memory.disp + more, width, step, number))
                if one.mnemonic in ("ldp", "stp"):
                    code.accesses.add(Access(struct, memory.disp + more + width, width, step, number))
        elif one.mnemonic == "add" and len(registers) == 2 and numbers:
            for struct, more, number in known.at(one.address, one.reg_name(registers[1])):
                code.accesses.add(Access(struct, numbers[0] + more, 0, 0, number))
        if one.mnemonic == "adrp":
            pages.add(registers[0])
        elif registers and not one.mnemonic.startswith("st"):
            pages.discard(registers[0])


def _width(one: capstone.CsInsn) -> int:
    """How many bytes of memory an instruction of 64-bit ARM accesses for each of its registers."""
    suffix = re.match(r"(?:ld|st)[a-z]*?(?:s?(b|h)|s(w))?$", one.mnemonic)
    if suffix is not None and (suffix[1] or suffix[2]):
        return {"b": 1, "h": 2, "w": 4}[suffix[1] or suffix[2]]
    name = one.reg_name(one.operands[0].reg) or ""
    return {"w": 4, "s": 4, "q": 16, "b": 1, "h": 2}.get(name[:1], 8) if name != "sp" else 8


_READERS: Final[Mapping[str, Callable[[Code, list[Pointer], list[Variable]], None]]] = {
    "x86_64": _read_x86_64, "aarch64": _read_aarch64,
}  # fmt: skip
