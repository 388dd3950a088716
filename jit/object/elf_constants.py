"""Numbers of the ELF format (System V ABI, generic part, chapters 4 and 5; e_machine from the processor supplements).

Classes are named as the prefixes of the specification: ``SHT.PROGBITS`` is SHT_PROGBITS.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

ELF_MAGIC = b"\x7fELF"
EV_CURRENT = 1


class ELFCLASS(IntEnum):
    ELFCLASS32 = 1
    ELFCLASS64 = 2


class ELFDATA(IntEnum):
    ELFDATA2LSB = 1
    ELFDATA2MSB = 2


class ET(IntEnum):
    """e_type."""

    NONE = 0
    REL = 1
    EXEC = 2
    DYN = 3
    CORE = 4


class EM(IntEnum):
    """e_machine."""

    NONE = 0
    I386 = 3
    PPC = 20
    PPC64 = 21
    ARM = 40
    X86_64 = 62
    XTENSA = 94
    AARCH64 = 183
    RISCV = 243


EF_ARM_EABI_VER5 = 0x05000000
"""e_flags of an object for ARM that follows version 5 of its EABI (ELF for the Arm Architecture, 5.2)."""
EF_RISCV_RVC = 0x1
"""e_flags of an object for RISC-V with instructions of 16 bits (RISC-V ELF psABI, "File Header")."""
EF_RISCV_FLOAT_ABI_DOUBLE = 0x4
"""The same of one that passes floats of up to 64 bits in float registers."""


class SHT(IntEnum):
    """sh_type."""

    NULL = 0
    PROGBITS = 1
    SYMTAB = 2
    STRTAB = 3
    RELA = 4
    HASH = 5
    DYNAMIC = 6
    NOTE = 7
    NOBITS = 8
    REL = 9
    DYNSYM = 11
    INIT_ARRAY = 14
    FINI_ARRAY = 15
    ARM_ATTRIBUTES = 0x70000003


class SHF(IntFlag):
    """sh_flags."""

    NONE = 0
    WRITE = 1
    ALLOC = 2
    EXECINSTR = 4
    MERGE = 0x10
    STRINGS = 0x20
    INFO_LINK = 0x40


class SHN(IntEnum):
    """Section indices that name no section."""

    UNDEF = 0
    LORESERVE = 0xFF00
    ABS = 0xFFF1
    COMMON = 0xFFF2


class STT(IntEnum):
    """The type in a symbol's st_info."""

    NOTYPE = 0
    OBJECT = 1
    FUNC = 2
    SECTION = 3
    FILE = 4


class STB(IntEnum):
    """The binding in a symbol's st_info."""

    LOCAL = 0
    GLOBAL = 1
    WEAK = 2


class STV(IntEnum):
    """st_other."""

    DEFAULT = 0
    HIDDEN = 2


class PT(IntEnum):
    """p_type."""

    NULL = 0
    LOAD = 1
    DYNAMIC = 2
    INTERP = 3
    NOTE = 4
    PHDR = 6
    GNU_STACK = 0x6474E551


class PF(IntFlag):
    """p_flags."""

    NONE = 0
    X = 1
    W = 2
    R = 4
