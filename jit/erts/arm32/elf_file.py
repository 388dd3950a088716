"""The native object: a relocatable ELF file with code, symbols, DWARF, and what the glue must know."""

from __future__ import annotations

import struct
from typing import Any

from jit.arm32.cpus import Cpu
from jit.arm32.relocations import R_ARM
from jit.codegen.describe import describe, symbol
from jit.codegen.native import regions
from jit.codegen.runtime import Runtime
from jit.erts.arm32.conventions import WORD
from jit.erts.arm32.native import MixedNative
from jit.erts.parts import ENTRIES_SECTION, LAYOUT_SECTION, PROCESSOR_SECTION
from jit.object.dwarf import AddressRelocation
from jit.object.elf import ElfFile, Section, Symbol
from jit.object.elf_constants import ET, SHF, SHT, STB, STT
from jit.object.leb128 import sleb128, uleb128
from jit.otp.native_abi import ENTRY, FRAGMENT, OPERATIONS_SECTION


def elf_file(native: MixedNative, runtime: Runtime[Any, MixedNative], cpu: Cpu) -> bytes:
    """The ELF file of a module's native code, which is for a processor."""
    elf = ElfFile(runtime.processor.file, ET.REL)
    text = elf.add_section(".text", SHT.PROGBITS, SHF.ALLOC | SHF.EXECINSTR, data=native.code.data, align=4)
    entries = b"".join(struct.pack("<IIII", *row) for row in native.entries)
    elf.add_section(ENTRIES_SECTION, data=entries, align=4)
    elf.add_section(LAYOUT_SECTION, data=native.layout.identity.encode())
    elf.add_section(PROCESSOR_SECTION, data=struct.pack("<I", cpu.told), align=4)
    elf.add_section(OPERATIONS_SECTION, data=operations_table(native))
    start = elf.add_symbol("", 0, section=text, type=STT.SECTION)
    elf.add_symbols(
        ((name, offset, 0) for offset, name in native.code.mapping), section=text, type=STT.NOTYPE, binding=STB.LOCAL
    )
    module = native.module.name
    named = [(symbol(module, one.function.name, one.function.arity), one) for one in native.functions]
    elf.add_symbols(((name, one.body, one.end - one.body) for name, one in named), section=text, type=STT.FUNC)
    # Not of the function's own name: a breakpoint belongs where both native and interpreted callers come by.
    entries_of = ((name + ENTRY, one.start, one.body - one.start) for name, one in named)
    elf.add_symbols(entries_of, section=text, type=STT.FUNC, binding=STB.LOCAL)
    parts = [(one.name, one.begin, one.end) for one in native.fragments]
    parts.append((f"{FRAGMENT}ways_in", *native.ways_in))
    sized = ((name, begin, end - begin) for name, begin, end in parts)
    elf.add_symbols(sized, section=text, type=STT.FUNC, binding=STB.LOCAL)
    _add_relocations(elf, text, native, start)
    describe(native, runtime).add_to(elf, relocation=AddressRelocation(start, R_ARM.ABS32, rela=False))
    return elf.to_bytes()


def _add_relocations(elf: ElfFile, text: Section, native: MixedNative, start: Symbol) -> None:
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


def operations_table(native: MixedNative) -> bytes:
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
