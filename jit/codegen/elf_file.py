"""The native object: a relocatable ELF file with code, symbols, DWARF, and what the glue must know."""

from __future__ import annotations

import struct
from typing import Final

from jit.arm32.relocations import R_ARM
from jit.codegen.compile import Native
from jit.codegen.describe import describe, fragment_symbol, operations_table, symbol
from jit.object.dwarf import Relocation
from jit.object.elf import ElfFile, Section, Symbol
from jit.object.elf_constants import EF_ARM_EABI_VER5, EM, ET, SHF, SHT, STB, STT
from jit.object.target import Target

TARGET: Final = Target(4, machine=EM.ARM, flags=EF_ARM_EABI_VER5)

#: Rows of three words: a label of the bytecode, the ways in from the interpreter and from native code.
ENTRIES_SECTION: Final = ".beam.entries"
#: What the layout of the VM must be: ``Layout.identity``.
LAYOUT_SECTION: Final = ".beam.layout"
#: Which operation each piece of code belongs to: ``operations_table``.
OPERATIONS_SECTION: Final = ".beam.operations"


def elf_file(native: Native) -> bytes:
    """The ELF file of a module's native code."""
    elf = ElfFile(TARGET, ET.REL)
    text = elf.add_section(".text", SHT.PROGBITS, SHF.ALLOC | SHF.EXECINSTR, data=native.code.data, align=4)
    entries = b"".join(struct.pack("<III", *row) for row in native.entries)
    elf.add_section(ENTRIES_SECTION, data=entries, align=4)
    elf.add_section(LAYOUT_SECTION, data=native.layout.identity.encode())
    elf.add_section(OPERATIONS_SECTION, data=operations_table(native))
    start = elf.add_symbol("", 0, section=text, type=STT.SECTION)
    elf.add_symbols(
        ((name, offset, 0) for offset, name in native.code.mapping), section=text, type=STT.NOTYPE, binding=STB.LOCAL
    )
    module = native.module.name
    named = [(symbol(module, one.function.name, one.function.arity), one) for one in native.functions]
    elf.add_symbols(((name, one.body, one.end - one.body) for name, one in named), section=text, type=STT.FUNC)
    # Not of the function's own name: a breakpoint belongs where both native and interpreted callers come by.
    entries_of = ((f"{name} entry", one.start, one.body - one.start) for name, one in named)
    elf.add_symbols(entries_of, section=text, type=STT.FUNC, binding=STB.LOCAL)
    parts = [*native.fragments, ("ways_in", *native.ways_in)]
    elf.add_symbols(
        ((fragment_symbol(name), begin, end - begin) for name, begin, end in parts),
        section=text,
        type=STT.FUNC,
        binding=STB.LOCAL,
    )
    _add_relocations(elf, text, native, start)
    describe(native, TARGET).add_to(elf, relocation=Relocation(start, R_ARM.ABS32, rela=False))
    return elf.to_bytes()


def _add_relocations(elf: ElfFile, text: Section, native: Native, start: Symbol) -> None:
    externals: dict[str, Symbol] = {}
    rows = []
    for relocation in native.code.relocations:
        if relocation.type is not R_ARM.ABS32:
            raise ValueError(f"the glue knows no relocation {relocation.type.name}")
        target = start
        if relocation.symbol is not None:
            if relocation.symbol not in externals:
                externals[relocation.symbol] = elf.add_symbol(relocation.symbol, 0, binding=STB.GLOBAL)
            target = externals[relocation.symbol]
        rows.append((relocation.offset, target, relocation.type, 0))
    elf.add_relocations(text, rows, rela=False)
