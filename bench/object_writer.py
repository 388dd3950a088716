"""Time of the ELF and DWARF writers for a whole node's code, as it is described to GDB when attaching.

Run from the repository's root: ``python -m bench.object_writer [FILE]``; the object is written to FILE if given.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from jit.object import dwarf_expression
from jit.object.dwarf import Dwarf
from jit.object.dwarf_constants import DW_AT, DW_ATE, DW_FORM, DW_LANG, DW_TAG
from jit.object.dwarf_info import Die, EncodedDies, Unit
from jit.object.dwarf_line import LineNumberTable
from jit.object.elf import ElfFile, Section
from jit.object.elf_constants import EM, ET, SHF, SHT
from jit.object.target import Target

UNITS = 400
FUNCTIONS = 25_000
SYMBOLS = 50_000
LINE_ROWS = 150_000
REGISTERS = 16
FUNCTION_SIZE = 256
CODE = 0x7F0000000000
MODULE_GAP = 0x100000
REGISTER_ARRAY = 3  # DWARF number of x86-64's rbx

FUNCTION_COLUMNS = (
    (DW_AT.name, DW_FORM.strp),
    (DW_AT.low_pc, DW_FORM.addr),
    (DW_AT.high_pc, DW_FORM.data4),
    (DW_AT.decl_file, DW_FORM.data1),
    (DW_AT.decl_line, DW_FORM.data4),
)


@dataclass
class Stopwatch:
    """Seconds by the name of a step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Add the time of the block to *step*."""
        start = perf_counter()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + perf_counter() - start


@dataclass
class Module:
    """One module's code: what the writers are given."""

    name: str
    start: int
    functions: list[tuple[str, int, int, int, int]]
    symbols: list[tuple[str, int, int]]
    rows: list[tuple[int, int, int]]

    @property
    def size(self) -> int:
        return len(self.functions) * FUNCTION_SIZE


def modules() -> list[Module]:
    """Modules of equal size; not part of what is timed."""
    return [_module(number) for number in range(UNITS)]


def _module(number: int) -> Module:
    name, start = f"some_application_module{number}", CODE + number * MODULE_GAP
    count = FUNCTIONS // UNITS + (number < FUNCTIONS % UNITS)
    functions, symbols, rows = [], [], []
    rows_each = LINE_ROWS // FUNCTIONS
    for index in range(count):
        address = start + index * FUNCTION_SIZE
        line = index * 11 + 20
        function = f"{name}:handle_function_{index}/{index % 5}"
        functions.append((function, address, FUNCTION_SIZE, 1, line))
        parts = SYMBOLS // FUNCTIONS
        symbols += [(function + "-part" * part, address + 16 * part, 16) for part in range(parts)]
        rows += [(address + row * 37, 1, line + row * 2 - row % 2 * 3) for row in range(rows_each)]
    return Module(name, start, functions, symbols, rows)


def _types() -> tuple[Die, Die]:
    word = Die(DW_TAG.base_type, {DW_AT.name: "Uint", DW_AT.byte_size: 8, DW_AT.encoding: DW_ATE.unsigned})
    return word, Die(DW_TAG.typedef, {DW_AT.name: "Eterm", DW_AT.type: word})


def _x_registers(unit: Unit, eterm: Die) -> EncodedDies:
    return unit.encode(
        *(
            Die(
                DW_TAG.variable,
                {
                    DW_AT.name: f"x{number}",
                    DW_AT.type: eterm,
                    DW_AT.location: dwarf_expression.breg(REGISTER_ARRAY, 8 * number),
                },
            )
            for number in range(REGISTERS)
        )
    )


def write(code: list[Module], watch: Stopwatch) -> bytes:
    """The whole object for *code*."""
    target = Target(8, "little", EM.X86_64)
    dwarf, elf = Dwarf(target), ElfFile(target, ET.EXEC)
    word, eterm = _types()
    types: EncodedDies | None = None
    registers: EncodedDies | None = None
    for module in code:
        with watch.time("line tables"):
            table = LineNumberTable(target, ["/src"], [(f"{module.name}.erl", 0)])
            table.add_sequence(module.rows, module.start + module.size)
            lines = dwarf.add_line_table(table)
        with watch.time("entries"):
            unit = dwarf.add_unit(
                {
                    DW_AT.name: f"{module.name}.erl",
                    DW_AT.comp_dir: "/src",
                    DW_AT.language: DW_LANG.C11,
                    DW_AT.stmt_list: lines,
                },
                ranges=[(module.start, module.size)],
            )
            if types is None or registers is None:
                types = unit.add(word, eterm)
                registers = _x_registers(unit, eterm)
            else:
                unit.embed(types)
            unit.add_rows(DW_TAG.subprogram, FUNCTION_COLUMNS, module.functions, children=registers)
        with watch.time("symbols"):
            section = _code_section(elf, module)
            elf.add_symbols(module.symbols, section=section)
    with watch.time("DWARF sections"):
        dwarf.add_to(elf)
    with watch.time("ELF file"):
        return elf.to_bytes()


def _code_section(elf: ElfFile, module: Module) -> Section:
    flags = SHF.ALLOC | SHF.EXECINSTR
    return elf.add_section(f".text.{module.name}", SHT.NOBITS, flags, address=module.start, size=module.size, align=16)


def main() -> None:
    """Print the table; the best of five runs."""
    code = modules()
    runs = []
    for _ in range(5):
        watch = Stopwatch()
        data = write(code, watch)
        runs.append(watch.seconds)
    best = min(runs, key=lambda seconds: sum(seconds.values()))
    for step, seconds in best.items():
        print(f"{step:16}{seconds * 1000:8.1f} ms")
    print(f"{'total':16}{sum(best.values()) * 1000:8.1f} ms{len(data) / 1e6:8.2f} MB")
    for path in sys.argv[1:2]:
        Path(path).write_bytes(data)


if __name__ == "__main__":
    main()
