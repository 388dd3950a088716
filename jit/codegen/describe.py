"""DWARF of native code: source lines, functions with their arguments and registers, and how to unwind it.

Every address counts from the start of the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jit.beam.text import atom_text
from jit.codegen.compile import Native, NativeFunction
from jit.codegen.fragments import MODULE
from jit.codegen.line_rows import Lines
from jit.codegen.machine import WORD
from jit.codegen.unwinding import add_frames
from jit.codegen.variables import Argument, Variable, locate, regions
from jit.codegen.vm_types import VmTypes
from jit.object.dwarf import Dwarf
from jit.object.dwarf_constants import DW_AT, DW_LANG, DW_TAG
from jit.object.dwarf_info import Attributes, Die, Value
from jit.object.dwarf_ranges import Location
from jit.object.leb128 import sleb128, uleb128
from jit.object.target import Target

#: Fragments in which the registers of the machine do not hold what they hold elsewhere.
_AT_THE_EDGE: Final = ("enter", "leave")


def symbol(module: str, name: str, arity: int) -> str:
    """What a function is called in symbol tables."""
    return f"{atom_text(module)}:{_in_module(name, arity)}"


def _in_module(name: str, arity: int) -> str:
    return f"{atom_text(name)}/{arity}"


def fragment_symbol(name: str) -> str:
    """What a shared fragment is called in symbol tables."""
    return f"native::{name}"


def describe(native: Native, target: Target) -> Dwarf:
    """The debugging information of a module."""
    return _Description(native, target).dwarf


class _Description:
    def __init__(self, native: Native, target: Target) -> None:
        self.native = native
        self.dwarf = dwarf = Dwarf(target)
        self.lines = Lines(native)
        self.types = VmTypes(native.layout)
        self.words = memoryview(native.code.data).cast("I")
        # In assembly, GDB takes a function's beginning for what it is, and looks for no prologue.
        attributes: Attributes = {
            DW_AT.name: self.lines.own_file,
            DW_AT.comp_dir: self.lines.folder,
            DW_AT.producer: "jit for arm32",
            DW_AT.language: DW_LANG.Mips_Assembler,
            DW_AT.stmt_list: dwarf.add_line_table(self.lines.table(native, target)),
        }
        unit = dwarf.add_unit(attributes, ranges=[(0, len(native.code.data))])
        unit.add(*self.types.dies, *map(self._function, native.functions), *self._fragments())
        functions = native.functions[0].start, native.ways_in[0]
        add_frames(dwarf.frames, native.code.data, functions, native.ways_in, native.fragments)

    def _function(self, native: NativeFunction) -> Die:
        file, line = self.lines.first(native)
        function = native.function
        attributes: Attributes = {
            DW_AT.name: symbol(self.native.module.name, function.name, function.arity),
            DW_AT.external: True,
            DW_AT.low_pc: native.body,
            DW_AT.high_pc: native.end - native.body,
            DW_AT.decl_file: file,
            DW_AT.decl_line: line,
        }
        located = locate(native, self.words)
        arguments = [self._argument(located, number) for number in range(function.arity)]
        variables = sorted(
            (variable for variable in located if not isinstance(variable, Argument)),
            key=lambda variable: (type(variable).__name__, variable.number),
        )
        registers = [
            Die(DW_TAG.variable, self._attributes(_name(variable), located[variable])) for variable in variables
        ]
        children = [*arguments, *registers, *self.types.machine_variables(), *self._labels(native)]
        return Die(DW_TAG.subprogram, attributes, children)

    def _argument(self, located: dict[Variable, list[Location]], number: int) -> Die:
        locations = located.get(Argument(number), [])
        return Die(DW_TAG.formal_parameter, self._attributes(f"arg{number + 1}", locations))

    def _attributes(self, name: str, locations: list[Location]) -> Attributes:
        attributes: dict[DW_AT, Value] = {DW_AT.name: name, DW_AT.type: self.types.eterm}
        if locations:
            attributes[DW_AT.location] = self.dwarf.locations.add_locations(locations, unit_base=0)
        return attributes

    def _labels(self, native: NativeFunction) -> Iterator[Die]:
        """Labels of the bytecode, but those before the function's beginning."""
        for offset, index in native.operations:
            operation = native.emission.operations[index]
            if operation.name != "label" or offset <= native.body:
                continue
            attributes: dict[DW_AT, Value] = {DW_AT.name: f"label_{operation.operands[0]}", DW_AT.low_pc: offset}
            if place := self.lines.place(operation.location):
                attributes[DW_AT.decl_file], attributes[DW_AT.decl_line] = place
            yield Die(DW_TAG.label, attributes)

    def _fragments(self) -> Iterator[Die]:
        for name, begin, end in self.native.fragments:
            file, line = self.lines.fragment(name)
            attributes: Attributes = {
                DW_AT.name: fragment_symbol(name),
                DW_AT.low_pc: begin,
                DW_AT.high_pc: end - begin,
                DW_AT.decl_file: file,
                DW_AT.decl_line: line,
            }
            if name == MODULE:
                named = {**attributes, DW_AT.name: atom_text(self.native.module.name)}
                yield Die(DW_TAG.subprogram, named, list(self._functions()))
            else:
                variables = () if name in _AT_THE_EDGE else self.types.machine_variables()
                yield Die(DW_TAG.subprogram, attributes, variables)

    def _functions(self) -> Iterator[Die]:
        """The functions once more, as labels: GDB's ``break f:l`` means a function's label if there is no file f."""
        for native in self.native.functions:
            file, line = self.lines.body(native)
            attributes: Attributes = {
                DW_AT.name: _in_module(native.function.name, native.function.arity),
                DW_AT.low_pc: native.body,
                DW_AT.decl_file: file,
                DW_AT.decl_line: line,
            }
            yield Die(DW_TAG.label, attributes)


def _name(variable: Variable) -> str:
    return f"{type(variable).__name__.lower()}{variable.number}"


def operations_table(native: Native) -> bytes:
    """Which operation each piece of code belongs to, all numbers LEB128.

    For each function: the label of its entry, the word of the code at which it begins, the count of rows, and the rows.
    A row is the count of instructions from the row before, and, signed, by how much the operation's index in the
    function is higher than in the row before. The first row stands for the code that native callers come to, which has
    the index -1; for it the second number is 0. Rows follow the code: what is rarely run comes behind the rest.
    """
    out = bytearray()
    for function in native.functions:
        rows = regions(function)
        out += uleb128(function.function.entry) + uleb128(function.start // WORD) + uleb128(len(rows))
        at, index = function.start, -1
        for row in rows:
            out += uleb128((row.begin - at) // WORD) + sleb128(row.index - index)
            at, index = row.begin, row.index
    return bytes(out)
