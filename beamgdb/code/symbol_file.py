"""From loaded code to an ELF object with DWARF that GDB can take as a symbol file.

The object holds no code, only its description at the addresses where the code lies: a section and a compile unit for
each module, a symbol and a subprogram for each range, line tables, and in each subprogram the y and x registers as
variables of type `Eterm`. These stand once in a unit, in a subprogram without code that is the abstract origin of
others: debuggers give a function the variables of its origin (DWARF 5, 3.3.8.2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Protocol

from beamgdb.code.module import CODE_INFO, NO_CODE, Module, Range
from beamgdb.terms import elixir_quoting
from beamgdb.terms.quoting import bare
from jit.object.dwarf import Dwarf
from jit.object.dwarf_constants import DW_AT, DW_ATE, DW_FORM, DW_LANG, DW_OP, DW_TAG
from jit.object.dwarf_expression import branch, breg, const, deref, op, piece, plus_uconst, skip
from jit.object.dwarf_info import Die, EncodedDies, Unit, Value
from jit.object.dwarf_line import LineNumberTable, LineRow, RowFlag
from jit.object.elf import ElfFile
from jit.object.elf_constants import ET, SHF, SHN, SHT, STT
from jit.object.target import Target
from jit.otp.tags import PRIMARY_MASK

X_VARIABLES = 16
"""x registers that every function shows as variables; a function of higher arity shows as many as it has arguments."""

Y_VARIABLES = 16
"""y registers that every function shows as variables. Those that a frame has not are optimized out."""

NOT_AVAILABLE_TYPE = "Eterm_not_available"
"""Type of values that stand for a term which is not known: GDB's Python cannot make such a value by itself."""

BYTECODE = " bytecode"
"""How the names of interpreted code end that has native code beside it: breakpoints on the function or its lines are
meant for that, and are not to be put here."""

Locate = Callable[[str, str], tuple[str, str]]
"""From a module and a file name in its line table to (directory, file name) of the source. May raise OSError and
ValueError, for a name that cannot be that of a file."""

#: Without a line: since GDB 16 a breakpoint on one before that which a function declares is not put into that function,
#: and what belongs to a function of Erlang begins with its -spec.
_FUNCTION_COLUMNS = (
    (DW_AT.name, DW_FORM.strp),
    (DW_AT.low_pc, DW_FORM.addr),
    (DW_AT.high_pc, DW_FORM.data4),
    (DW_AT.decl_file, DW_FORM.data2),
)
_FRAGMENT_COLUMNS = _FUNCTION_COLUMNS[:3]
_LABEL_COLUMNS = (*_FUNCTION_COLUMNS[:2], *_FUNCTION_COLUMNS[3:], (DW_AT.decl_line, DW_FORM.data4))


Named = Callable[[str], str]
"""From the name of a function to that by which it is described."""


class Describing(Protocol):
    """What must be known of a machine to describe code that runs on it."""

    @property
    def target(self) -> Target: ...

    def x_location(self, number: int) -> bytes:
        """The DWARF expression that says where an x register is; an empty one says that it is nowhere."""

    @property
    def y_dwarf(self) -> int | None:
        """The number in DWARF of the register that points at y0, None where that is not known."""


def write(modules: Sequence[Module], machine: Describing, locate: Locate, named: Named = str) -> bytes:
    """The ELF object that describes `modules`, which must not overlap. A function has symbols
    of all names that are typed for it: a breakpoint stays where another one is shown."""
    elf, dwarf = ElfFile(machine.target, ET.EXEC), Dwarf(machine.target)
    units = _UnitWriter(dwarf, machine, locate, named)
    for module in modules:
        _add_symbols(elf, module, named)
        units.add(module)
    dwarf.add_to(elf)
    return elf.to_bytes()


def _add_symbols(elf: ElfFile, module: Module, named: Named) -> None:
    # Not read-only: of such sections GDB may take the contents from the file (`set trust-readonly-sections on`).
    flags = SHF.ALLOC | SHF.EXECINSTR | SHF.WRITE
    section = elf.add_section(f".text.{module.name}", SHT.NOBITS, flags, address=module.base, size=module.size, align=8)
    code = _functions(module)
    data = [r for r in module.ranges if r.name.endswith((*NO_CODE, CODE_INFO))]
    shown = [(named(r.name), r) for r in code]
    elf.add_symbols(((name, r.start, r.stop - r.start) for name, r in shown), section=section, type=STT.FUNC)
    # Of several symbols at one place GDB shows one that has a size.
    typed = ((mine, name, r) for mine, r in shown for name in dict.fromkeys((r.name, elixir_quoting.function(r.name))))
    others = ((name, r.start, 0) for mine, name, r in typed if name != mine)
    elf.add_symbols(others, section=section, type=STT.FUNC)
    # In a section of code GDB would take these for functions, and offer them as places for breakpoints.
    elf.add_symbols(((r.name, r.start, r.stop - r.start) for r in data), section=SHN.ABS, type=STT.OBJECT)


class _UnitWriter:
    """Writes compile units that share the encoded types and x registers."""

    def __init__(self, dwarf: Dwarf, machine: Describing, locate: Locate, named: Named) -> None:
        self._dwarf = dwarf
        self._named = named
        self._machine = machine
        self._locate = locate
        size = machine.target.address_size
        word = Die(
            DW_TAG.base_type,
            {DW_AT.name: "unsigned long", DW_AT.byte_size: size, DW_AT.encoding: DW_ATE.unsigned},
        )
        self._eterm = Die(DW_TAG.typedef, {DW_AT.name: "Eterm", DW_AT.type: word})
        unknown = Die(DW_TAG.typedef, {DW_AT.name: NOT_AVAILABLE_TYPE, DW_AT.type: word})
        self._origins = {X_VARIABLES: self._origin(X_VARIABLES)}
        self._shared = (word, self._eterm, unknown, self._origins[X_VARIABLES])
        self._encoded: EncodedDies | None = None

    def add(self, module: Module) -> None:
        """Append the compile unit of `module`."""
        files = _Files(module, self._locate)
        # Also for a module without lines: the first entries of all units must have the same size.
        table = LineNumberTable(self._machine.target, files.directories, files.entries)
        for code in module.ranges:
            if code.lines:
                table.add_sequence(_rows(code, files), code.stop)
        unit = self._dwarf.add_unit(
            {
                DW_AT.name: files.entries[0][0],
                DW_AT.comp_dir: files.directories[0],
                DW_AT.producer: "BeamAsm",
                DW_AT.language: DW_LANG.Mips_Assembler,
                DW_AT.stmt_list: self._dwarf.add_line_table(table),
            },
            ranges=[(module.base, module.size)],
        )
        if self._encoded is None:
            self._encoded = unit.add(*self._shared)
        else:
            unit.embed(self._encoded)
        self._add_functions(unit, module, files)
        self._add_module(unit, module, files)

    def _add_module(self, unit: Unit, module: Module, files: _Files) -> None:
        """The functions once more, as labels of one that is called as the module: what front ends give GDB as the name
        of a function, `m:f/a`, is to GDB a label, if there is no file `m`. It stands for code that is run where no
        clause of the first function matches."""
        first = next((code for code in module.ranges if code.name.endswith(CODE_INFO)), None)
        if first is None:
            return
        place: dict[DW_AT, Value] = {DW_AT.low_pc: first.start, DW_AT.high_pc: first.stop - first.start}
        with unit.within(DW_TAG.subprogram, {DW_AT.name: module.name, DW_AT.external: True, **place}):
            own = sorted((one for one in _functions(module) if one.arity is not None), key=_has_lines)
            for has_lines, group in groupby(own, key=_has_lines):
                rows = [_label_row(code, files) for code in group]
                unit.add_rows(DW_TAG.label, _LABEL_COLUMNS if has_lines else _LABEL_COLUMNS[:2], rows)

    def _add_functions(self, unit: Unit, module: Module, files: _Files) -> None:
        """Subprograms, in groups whose entries differ by their columns only."""
        groups: dict[tuple[int, bool], list[Range]] = {}
        for one in _functions(module):
            groups.setdefault(_shape(one), []).append(one)
        for variables in {count for count, _ in groups} - {X_VARIABLES}:
            self._origins.setdefault(variables, self._origin(variables))
            unit.add(self._origins[variables])
        for (variables, has_lines), group in sorted(groups.items()):
            columns = _FUNCTION_COLUMNS if has_lines else _FRAGMENT_COLUMNS
            unit.add_rows(
                DW_TAG.subprogram,
                columns,
                [_row(r, self._named(r.name), files) for r in group],
                constants={DW_AT.external: True, DW_AT.abstract_origin: self._origins[variables]},
            )

    def _origin(self, count: int) -> Die:
        """The subprogram that has the y registers, and `count` x registers."""
        machine, register = self._machine, self._machine.y_dwarf
        located = {f"x{number}": machine.x_location(number) for number in range(count)}
        if register is not None:
            own = {f"y{number}": _y_location(machine.target, register, number) for number in range(Y_VARIABLES)}
            located = own | located
        variables = (
            Die(DW_TAG.variable, {DW_AT.name: name, DW_AT.type: self._eterm, DW_AT.location: location})
            for name, location in located.items()
        )
        return Die(DW_TAG.subprogram, {}, tuple(variables))


def _y_location(target: Target, register: int, number: int) -> bytes:
    """Where y register `number` is, for a register that points at y0. A frame ends with the first word that has the
    tag of a header, its return address or a frame pointer: behind that, the y register is optimized out."""
    word = target.address_size
    more = const(1) + op(DW_OP.minus) + op(DW_OP.swap) + plus_uconst(word) + op(DW_OP.swap)
    is_term = op(DW_OP.over) + deref() + const(PRIMARY_MASK) + op(DW_OP.and_)
    jump = len(skip(target, 0))
    more_size = len(more) + jump
    found = op(DW_OP.drop) + skip(target, more_size)
    is_further = op(DW_OP.dup) + branch(target, len(found))
    none = op(DW_OP.drop) * 2 + piece(word)
    none += skip(target, len(is_further) + len(found) + more_size)
    loop = is_term + branch(target, len(none)) + none + is_further + found + more
    return breg(register) + const(number) + loop + skip(target, -len(loop) - jump)


def _functions(module: Module) -> list[Range]:
    """Ranges that are functions or shared fragments."""
    return [code for code in module.ranges if not code.name.endswith((*NO_CODE, CODE_INFO))]


def _shape(code: Range) -> tuple[int, bool]:
    """What decides how a range's subprogram is encoded: number of x variables, whether it has a source line."""
    return max(X_VARIABLES, code.arity or 0), bool(code.lines)


def _has_lines(code: Range) -> bool:
    return bool(code.lines)


def _label_row(code: Range, files: _Files) -> tuple[str | int, ...]:
    name, start, _, *file = _row(code, code.name, files)
    return (str(name).partition(":")[2], start, *file, *(code.lines[0][2:] if code.lines else ()))


def _row(code: Range, name: str, files: _Files) -> tuple[str | int, ...]:
    head: tuple[str | int, ...] = (name, code.start, code.stop - code.start)
    return (*head, files.number[code.lines[0][1]]) if code.lines else head


def _rows(code: Range, files: _Files) -> Iterable[LineRow]:
    number = files.number
    if code.name.endswith(BYTECODE):
        return [(address, number[file], line, 0, RowFlag.NONE) for address, file, line in code.lines]
    return [(address, number[file], line) for address, file, line in code.lines]


class _Files:
    """Source files of a module's line table: `directories` and `entries` as `LineNumberTable` takes them; `number` of a
    file name counts from 1. The first file is the one with most lines."""

    def __init__(self, module: Module, locate: Locate) -> None:
        counts = Counter(file for code in module.ranges for _, file, _ in code.lines)
        names = [name for name, _ in counts.most_common()] or [f"{module.name}.erl"]
        located = [_located(module.name, name, locate) for name in names]
        folders = list(dict.fromkeys(directory for directory, _ in located))
        self.directories = folders
        self.entries = [(name, folders.index(directory)) for directory, name in located]
        self.number = {name: index for index, name in enumerate(names, 1)}


def _located(module: str, file: str, locate: Locate) -> tuple[str, str]:
    """Directory and name of a source. GDB prints them as they are."""
    try:
        directory, name = locate(module, file)
    except (OSError, ValueError):
        directory, name = ".", file
    return bare(directory), bare(name)
