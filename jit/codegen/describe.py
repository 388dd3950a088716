"""DWARF of native code: source lines, functions with their arguments and registers, and how to unwind it.

Every address counts from the start of the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from jit.beam.text import atom_text
from jit.codegen.line_rows import Lines
from jit.codegen.native import Native, NativeFunction, NativeT
from jit.codegen.processor import Called
from jit.codegen.runtime import Runtime
from jit.codegen.unwinding import add_frames
from jit.codegen.variables import Argument, Variable, locate
from jit.object.dwarf import Dwarf
from jit.object.dwarf_constants import DW_AT, DW_LANG, DW_TAG
from jit.object.dwarf_info import Attributes, Die, Value
from jit.object.dwarf_ranges import ListedLocation


def symbol(module: str, name: str, arity: int) -> str:
    """What a function is called in symbol tables."""
    return f"{atom_text(module)}:{_in_module(name, arity)}"


def _in_module(name: str, arity: int) -> str:
    return f"{atom_text(name)}/{arity}"


def describe(native: NativeT, runtime: Runtime[Any, NativeT]) -> Dwarf:
    """The debugging information of a module."""
    description = _Description(native, runtime)
    frames = description.dwarf.frames
    add_frames(frames, runtime.processor, runtime.frames, runtime.stretches(native), native.code.events)
    return description.dwarf


class _Description:
    def __init__(self, native: Native[Any], runtime: Runtime[Any, Any]) -> None:
        self.native, self.runtime = native, runtime
        processor = runtime.processor
        self.dwarf = dwarf = Dwarf(processor.file)
        self.lines = Lines(native)
        self.types = runtime.types()
        # Of each register once, for all functions.
        self.place = cache(runtime.place)
        self.calls = [event.begin for event in native.code.events if isinstance(event, Called)]
        # In assembly, GDB takes a function's beginning for what it is, and looks for no prologue.
        attributes: Attributes = {
            DW_AT.name: self.lines.own_file,
            DW_AT.comp_dir: self.lines.folder,
            DW_AT.producer: f"jit for {processor.name}",
            DW_AT.language: DW_LANG.Mips_Assembler,
            DW_AT.stmt_list: dwarf.add_line_table(self.lines.table(native, processor)),
        }
        unit = dwarf.add_unit(attributes, ranges=[(0, len(native.code.data))])
        unit.add(*self.types.dies, *map(self._function, native.functions), *self._fragments())

    def _function(self, native: NativeFunction[Any]) -> Die:
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
        located = locate(native, self.calls, self.place, self.runtime.processor.instruction)
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

    def _argument(self, located: dict[Variable, list[ListedLocation]], number: int) -> Die:
        locations = located.get(Argument(number), [])
        return Die(DW_TAG.formal_parameter, self._attributes(f"arg{number + 1}", locations))

    def _attributes(self, name: str, locations: list[ListedLocation]) -> Attributes:
        attributes: dict[DW_AT, Value] = {DW_AT.name: name, DW_AT.type: self.types.eterm}
        if locations:
            attributes[DW_AT.location] = self.dwarf.locations.add_locations(locations, unit_base=0)
        return attributes

    def _labels(self, native: NativeFunction[Any]) -> Iterator[Die]:
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
        for fragment in self.native.fragments:
            file, line = self.lines.fragment(fragment)
            attributes: Attributes = {
                DW_AT.name: fragment.name,
                DW_AT.low_pc: fragment.begin,
                DW_AT.high_pc: fragment.end - fragment.begin,
                DW_AT.decl_file: file,
                DW_AT.decl_line: line,
            }
            if fragment.stands_for_module:
                named = {**attributes, DW_AT.name: atom_text(self.native.module.name)}
                yield Die(DW_TAG.subprogram, named, list(self._functions()))
            else:
                variables = self.types.machine_variables() if fragment.inside else ()
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
