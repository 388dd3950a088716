"""The native code of a module as an ELF file for debuggers, with symbols and DWARF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from jit.atomvm.module_emission import AtomNative
from jit.codegen.describe import describe, symbol
from jit.codegen.runtime import Runtime
from jit.object.elf import ElfFile
from jit.object.elf_constants import ET, SHF, SHT, STB, STT

_TEXT: Final = ".text"
#: What marks Thumb code.
_THUMB: Final = "$t"


@dataclass(frozen=True)
class NativeElf:
    """The file; where in it the code begins, and where it has addresses of the code."""

    data: bytes
    code: int
    addresses: list[int]


def elf_file(native: AtomNative, runtime: Runtime[Any, AtomNative]) -> NativeElf:
    """The file, in which all addresses count from the beginning of the code.

    The code comes first, right behind the header, so that little is in front of what the VM maps.
    """
    elf = ElfFile(runtime.processor.file, ET.REL)
    text = elf.add_section(_TEXT, SHT.PROGBITS, SHF.ALLOC | SHF.EXECINSTR, data=native.code.data, align=4)
    marks = getattr(native.code, "mapping", ())
    elf.add_symbols(((name, offset, 0) for offset, name in marks), section=text, type=STT.NOTYPE, binding=STB.LOCAL)
    # Of Thumb code, symbols of functions are odd (ELF for the ARM Architecture, 5.5.3).
    odd = any(name == _THUMB for _, name in marks)
    module = native.module.name
    functions = (
        (symbol(module, one.function.name, one.function.arity), one.body | odd, one.end - one.body)
        for one in native.functions
    )
    elf.add_symbols(functions, section=text, type=STT.FUNC)
    shared = ((one.name, one.begin | odd, one.end - one.begin) for one in native.fragments)
    elf.add_symbols(shared, section=text, type=STT.FUNC, binding=STB.LOCAL)
    dwarf = describe(native, runtime)
    dwarf.add_to(elf)
    data, begins = elf.laid_out()
    addresses = [begins[name] + place for name, places in dwarf.address_offsets().items() for place in places]
    return NativeElf(data, begins[_TEXT], sorted(addresses))
