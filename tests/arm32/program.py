"""Code of the assembler linked with C and run under qemu-arm."""

from __future__ import annotations

import subprocess
from pathlib import Path

from jit.arm32.buffer import FinishedCode
from jit.object.elf import ElfFile, Section, Symbol
from jit.object.elf_constants import EM, ET, SHF, SHN, STB, STT
from jit.object.target import Target
from tests.harness.patience import PATIENCE

_EABI5_HARD_FLOAT = 0x0500_0400  # e_flags: EF_ARM_EABI_VER5 and EF_ARM_ABI_FLOAT_HARD


def relocatable_object(code: FinishedCode) -> bytes:
    """An ELF object with *code* as .text, as a linker wants it: REL relocations and mapping symbols."""
    elf = ElfFile(Target(4, "little", EM.ARM, flags=_EABI5_HARD_FLOAT), ET.REL)
    section = elf.add_section(".text", flags=SHF.ALLOC | SHF.EXECINSTR, data=code.data, align=8)
    start = elf.add_symbol("", 0, section=section, type=STT.SECTION)
    elf.add_symbols([(name, offset, 0) for offset, name in code.mapping], section=section, type=STT.NOTYPE,
                    binding=STB.LOCAL)  # fmt: skip
    symbols = _symbols(elf, section, code)
    rows = [
        (relocation.offset, start if relocation.symbol is None else symbols[relocation.symbol], relocation.type, 0)
        for relocation in code.relocations
    ]
    elf.add_relocations(section, rows, rela=False)
    return elf.to_bytes()


def _symbols(elf: ElfFile, section: Section, code: FinishedCode) -> dict[str, Symbol]:
    defined = {
        name: elf.add_symbol(name, offset, section=section, type=STT.FUNC, binding=STB.GLOBAL)
        for name, offset in code.symbols.items()
    }
    outside = {relocation.symbol for relocation in code.relocations if relocation.symbol is not None} - set(defined)
    return defined | {name: elf.add_symbol(name, 0, section=SHN.UNDEF, binding=STB.GLOBAL) for name in sorted(outside)}


def link(code: FinishedCode, c_source: str, folder: Path, *options: str) -> Path:
    """A static program of *code* and *c_source*, which has main."""
    made, source, program = folder / "code.o", folder / "main.c", folder / "program"
    made.write_bytes(relocatable_object(code))
    source.write_text(c_source)
    compiler = ["arm-linux-gnueabihf-gcc", "-O1", "-Wall", "-Werror", "-static", "-Wl,-z,noexecstack", *options]
    subprocess.run([*compiler, "-o", program, source, made], check=True, timeout=PATIENCE)
    return program


def run(program: Path, asked: str = "", *options: str) -> list[str]:
    """The lines that *program* prints when told *asked*."""
    command = ["qemu-arm", *options, str(program)]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stderr == ""
    return done.stdout.splitlines()
