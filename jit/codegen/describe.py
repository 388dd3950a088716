"""DWARF of native code: source lines, functions with their x and y registers, and how to unwind it.

Every address counts from the start of the code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from jit.beam.operands import NOWHERE, Location
from jit.beam.text import atom_text
from jit.codegen.compile import Native, NativeFunction
from jit.codegen.machine import FRAME_SIZE, REGISTERS, ROOM, SAVED, WORD, X_ARRAY
from jit.object import dwarf_expression as expression
from jit.object.dwarf import Dwarf
from jit.object.dwarf_constants import DW_AT, DW_ATE, DW_LANG, DW_TAG
from jit.object.dwarf_frame import CfaProgram
from jit.object.dwarf_info import Die
from jit.object.dwarf_line import LineRow, LineTable
from jit.object.target import Target

# DWARF for the Arm Architecture, 4.1: r0 to r15 are 0 to 15.
_SP: Final = 13
_LR: Final = 14
_INSTRUCTION: Final = 4


def symbol(module: str, name: str, arity: int) -> str:
    """What a function is called in symbol tables."""
    return f"{atom_text(module)}:{atom_text(name)}/{arity}"


def describe(native: Native, target: Target) -> Dwarf:
    """The debugging information of a module."""
    dwarf = Dwarf(target)
    files = _files(native)
    table = LineTable(target, ["."], [(name, 0) for name in files], minimum_instruction_length=_INSTRUCTION)
    for function in native.functions:
        table.add_sequence(_rows(function, files), function.end)
    size = len(native.code.data)
    unit = dwarf.add_unit(
        {
            DW_AT.name: files[0],
            DW_AT.comp_dir: ".",
            DW_AT.producer: "jit for arm32",
            DW_AT.language: DW_LANG.Mips_Assembler,
            DW_AT.stmt_list: dwarf.add_line_table(table),
        },
        ranges=[(0, size)],
    )
    word = Die(DW_TAG.base_type, {DW_AT.name: "unsigned long", DW_AT.byte_size: WORD, DW_AT.encoding: DW_ATE.unsigned})
    eterm = Die(DW_TAG.typedef, {DW_AT.name: "Eterm", DW_AT.type: word})
    functions = [_subprogram(native, function, files, eterm) for function in native.functions]
    unit.add(word, eterm, *functions)
    _add_frames(dwarf, native)
    return dwarf


def _files(native: Native) -> list[str]:
    """Names of source files, the module's own first."""
    own = native.module.lines.own_file if native.module.lines else f"{native.module.name}.erl"
    told = [location.file for function in native.functions for _, location in function.lines if location != NOWHERE]
    return list(dict.fromkeys([own, *told]))


def _rows(function: NativeFunction, files: list[str]) -> Iterator[LineRow]:
    """The function's lines, where they change."""
    current = _first(function, files)
    yield function.start, *current
    yield function.body, *current
    for at, location in function.lines:
        place = _place(location, files)
        if place and place != current and at >= function.body:
            current = place
            yield at, *place


def _place(location: Location, files: list[str]) -> tuple[int, int] | None:
    return (files.index(location.file) + 1, location.line) if location != NOWHERE else None


def _first(function: NativeFunction, files: list[str]) -> tuple[int, int]:
    """The first line that is known; line 0 of the module's file is none."""
    places = (_place(location, files) for _, location in function.lines)
    return next((place for place in places if place), (1, 0))


def _subprogram(native: Native, function: NativeFunction, files: list[str], eterm: Die) -> Die:
    file, line = _first(function, files)
    one = function.function
    return Die(
        DW_TAG.subprogram,
        {
            DW_AT.name: symbol(native.module.name, one.name, one.arity),
            DW_AT.external: True,
            DW_AT.low_pc: function.body,
            DW_AT.high_pc: function.end - function.body,
            DW_AT.decl_file: file,
            DW_AT.decl_line: line,
            DW_AT.frame_base: expression.call_frame_cfa(),
        },
        list(_x_variables(max(_x_count(function), one.arity), eterm)),
    )


def _x_count(function: NativeFunction) -> int:
    """How many x registers are ever in use."""
    assert function.emission
    return max((mask.bit_length() for mask in function.emission.live), default=0)


def _x_variables(count: int, eterm: Die) -> Iterable[Die]:
    for number in range(count):
        location = expression.breg(REGISTERS.number, X_ARRAY + WORD * number)
        yield Die(DW_TAG.variable, {DW_AT.name: f"x{number}", DW_AT.type: eterm, DW_AT.location: location})


def _add_frames(dwarf: Dwarf, native: Native) -> None:
    """The C stack is the same everywhere between entering and leaving."""
    cie = dwarf.frames.add_cie(
        _LR,
        code_alignment=_INSTRUCTION,
        data_alignment=-WORD,
        initial=CfaProgram(dwarf.target, 4, -WORD).def_cfa(_SP, 0),
    )
    inside = _saved(cie.program().def_cfa(_SP, FRAME_SIZE))
    places = {name: (start, end) for name, start, end in native.fragments}
    enter, leave = places.pop("enter"), places.pop("leave")
    entering = cie.program().advance(4).def_cfa_offset(FRAME_SIZE - ROOM)
    _saved(entering).advance(4).def_cfa_offset(FRAME_SIZE)
    dwarf.frames.add_fdes(cie, [(enter[0], enter[1] - enter[0])], entering)
    leaving = _saved(cie.program().def_cfa(_SP, FRAME_SIZE))
    leaving.advance(leave[1] - leave[0] - 4).def_cfa_offset(FRAME_SIZE - ROOM)
    dwarf.frames.add_fdes(cie, [(leave[0], leave[1] - leave[0])], leaving)
    ranges = [*places.values(), *((function.start, function.end) for function in native.functions)]
    dwarf.frames.add_fdes(cie, [(start, end - start) for start, end in ranges], inside)
    begin, end = native.ways_in
    dwarf.frames.add_fdes(cie, [(begin, end - begin)])


def _saved(program: CfaProgram) -> CfaProgram:
    """Where the caller's registers are, below the CFA."""
    for number, register in enumerate(SAVED):
        program.offset(register.number, WORD * (number - len(SAVED)))
    return program
