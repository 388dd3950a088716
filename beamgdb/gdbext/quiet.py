"""Keeps GDB quiet about BeamAsm's registrations.

BeamAsm registers every module through the GDB JIT interface in a format of its own. GDB takes it for an ELF file and
says "JITed symbol file is not an object file, ignoring it." once per module, on every attach, run and core. GDB asks a
*JIT reader* first if one is loaded (GDB manual, "Using JIT Debug Info Readers"; `gdb/jit-reader.h`). Ours answers
"read" for whatever does not start as an ELF file does, and leaves ELF to GDB.

A reader is a shared object. No compiler may be needed on a user's machine, so it is written here.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from itertools import accumulate

from beamgdb.late import dataclass
from jit.object.elf import ElfFile, Section
from jit.object.elf_constants import EM, ET, PF, PT, SHF, SHT, STB, STT
from jit.object.target import Target

_ALREADY_LOADED = "JIT reader already loaded"

# What GDB looks up in a reader, and struct gdb_reader_funcs (`gdb/jit-reader.h`, interface version 1): int
# reader_version, void *priv_data, then the pointers to these functions.
_INIT_READER, _GPL_COMPATIBLE = "gdb_init_reader", "plugin_is_GPL_compatible"
_FUNCS_LAYOUT = "<i4x5Q"
_INTERFACE_VERSION = 1
_POINTERS = {16: "read", 24: "unwind", 32: "get_frame_id", 40: "destroy"}

# Addresses agree with file offsets modulo the largest page of either host (64 KiB), so that the file stays small while
# no page is both writable and executable.
_PAGE = 0x10000
_READ_ONLY_AT, _CODE_AT, _FUNCS_AT = 0x0400, _PAGE + 0x0600, 2 * _PAGE + 0x0800
_CODE_NUMBER = 4  # of .text among the sections
_FUNCTION_ALIGN = 16
_SYMBOL_SIZE = 24

# Entries of .dynamic (System V ABI, chapter 5).
_DT_NULL, _DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT = 0, 4, 5, 6, 10, 11


@dataclass(frozen=True)
class Host:
    """Position-independent machine code of the reader for one kind of machine that GDB may run on.

    `init` makes gdb_init_reader from its own address, that of the struct gdb_reader_funcs which it fills and returns,
    and those of the functions by name.
    """

    machine: EM
    functions: dict[str, bytes]
    init: Callable[[int, int, dict[str, int]], bytes]


def _words(*instructions: int) -> bytes:
    return struct.pack(f"<{len(instructions)}I", *instructions)


def _x86_64_init(here: int, funcs: int, functions: dict[str, int]) -> bytes:
    code = bytearray()

    def lea(register: int, address: int) -> None:
        """lea register, [rip + address]"""
        code.extend(struct.pack("<3Bi", 0x48, 0x8D, 0x05 | register << 3, address - (here + len(code) + 7)))

    rax, rcx = 0, 1
    lea(rax, funcs)
    for at, name in _POINTERS.items():
        lea(rcx, functions[name])
        code.extend((0x48, 0x89, 0x48, at))  # mov [rax + at], rcx
    return bytes(code) + b"\xc3"


def _aarch64_init(here: int, funcs: int, functions: dict[str, int]) -> bytes:
    words: list[int] = []

    def adr(register: int, address: int) -> None:
        """ADR Xregister, address (Arm ARM, C6.2.11: immlo at bit 29, immhi at bit 5)"""
        distance = address - (here + 4 * len(words))
        words.append(0x10000000 | (distance & 3) << 29 | (distance >> 2 & 0x7FFFF) << 5 | register)

    adr(0, funcs)
    for at, name in _POINTERS.items():
        adr(1, functions[name])
        words.append(0xF9000001 | at // 8 << 10)  # str x1, [x0, #at]
    words.append(0xD65F03C0)  # ret
    return _words(*words)


_X86_64 = Host(
    EM.X86_64,
    {
        "read": bytes.fromhex(  # rdx: the memory, rcx: its size
            "31c0"  # xor eax, eax               GDB_FAIL
            "4883f904"  # cmp rcx, 4
            "7c08"  # jl 1f
            "813a7f454c46"  # cmp dword ptr [rdx], "\x7fELF"
            "7402"  # je 2f
            "ffc0"  # 1: inc eax                 GDB_SUCCESS
            "c3"  # 2: ret
        ),
        "unwind": bytes.fromhex("31c0 c3"),  # xor eax, eax; ret
        "get_frame_id": bytes.fromhex("31c0 31d2 c3"),  # xor eax, eax; xor edx, edx; ret
        "destroy": bytes.fromhex("c3"),  # ret
        _GPL_COMPATIBLE: bytes.fromhex("31c0 c3"),  # xor eax, eax; ret
    },
    _x86_64_init,
)
_AARCH64 = Host(
    EM.AARCH64,
    {
        "read": _words(  # x2: the memory, x3: its size
            0xF100107F,  # cmp x3, #4
            0x540000EB,  # b.lt 1f
            0xB9400044,  # ldr w4, [x2]
            0x5288AFE5,  # mov w5, #0x457f       "\x7fE"
            0x72A8C985,  # movk w5, #0x464c, lsl #16   "LF"
            0x6B05009F,  # cmp w4, w5
            0x1A9F07E0,  # cset w0, ne
            0xD65F03C0,  # ret
            0x52800020,  # 1: mov w0, #1         GDB_SUCCESS
            0xD65F03C0,  # ret
        ),
        "unwind": _words(0x52800000, 0xD65F03C0),  # mov w0, #0; ret
        "get_frame_id": _words(0xD2800000, 0xD2800001, 0xD65F03C0),  # mov x0, #0; mov x1, #0; ret
        "destroy": _words(0xD65F03C0),  # ret
        _GPL_COMPATIBLE: _words(0x52800000, 0xD65F03C0),  # mov w0, #0; ret
    },
    _aarch64_init,
)
#: By the name that uname gives the machine.
HOSTS = {"x86_64": _X86_64, "amd64": _X86_64, "aarch64": _AARCH64, "arm64": _AARCH64}


def _code(host: Host) -> tuple[bytes, dict[str, int]]:
    """The code that stands at _CODE_AT, and the address of each function in it."""
    code, addresses = bytearray(), {}
    for name, instructions in host.functions.items():
        addresses[name] = _CODE_AT + len(code)
        code += instructions + bytes(-len(instructions) % _FUNCTION_ALIGN)
    addresses[_INIT_READER] = here = _CODE_AT + len(code)
    return bytes(code) + host.init(here, _FUNCS_AT, addresses), addresses


def _exports(target: Target, addresses: dict[str, int]) -> tuple[bytes, bytes, bytes]:
    """The contents of .dynstr, .dynsym and .hash that export what GDB looks up (System V ABI, chapters 4 and 5)."""
    exported = (_INIT_READER, _GPL_COMPATIBLE)
    names, symbols = b"\0", bytes(_SYMBOL_SIZE)
    for name in exported:
        symbols += target.pack("IBBHQQ", len(names), STB.GLOBAL << 4 | STT.FUNC, 0, _CODE_NUMBER, addresses[name], 0)
        names += name.encode() + b"\0"
    # A hash table of one bucket needs no hash function: its chain runs through all symbols.
    chain = (0, *range(2, len(exported) + 1), 0)
    hashes = target.pack(f"{3 + len(chain)}I", 1, len(chain), 1, *chain)
    return names + bytes(-len(names) % 8), symbols, hashes


def _dynamic(dynstr: Section, dynsym: Section, hashes: Section) -> bytes:
    """The contents of .dynamic."""
    entries = (
        (_DT_HASH, hashes.address),
        (_DT_STRTAB, dynstr.address),
        (_DT_SYMTAB, dynsym.address),
        (_DT_STRSZ, dynstr.size),
        (_DT_SYMENT, _SYMBOL_SIZE),
        (_DT_NULL, 0),
    )
    return b"".join(struct.pack("<QQ", *entry) for entry in entries)


def reader_image(host: Host) -> bytes:
    """The reader as an ELF shared object for `host`. It has no relocations: gdb_init_reader fills in the pointers."""
    elf = ElfFile(Target(8, "little", host.machine), ET.DYN)
    add = elf.add_section
    code, addresses = _code(host)
    exports = _exports(elf.target, addresses)
    names_at, symbols_at, hashes_at, _ = accumulate(map(len, exports), initial=_READ_ONLY_AT)
    names, symbols, hashes = exports
    funcs = struct.pack(_FUNCS_LAYOUT, _INTERFACE_VERSION, 0, 0, 0, 0, 0)

    tables, writable = {"flags": SHF.ALLOC, "align": 8}, {"flags": SHF.ALLOC | SHF.WRITE, "align": 8}
    dynstr = add(".dynstr", SHT.STRTAB, address=names_at, data=names, **tables)
    dynsym = add(
        ".dynsym", SHT.DYNSYM, address=symbols_at, data=symbols, link=dynstr, info=1, entsize=_SYMBOL_SIZE, **tables
    )
    hash_ = add(".hash", SHT.HASH, address=hashes_at, data=hashes, link=dynsym, entsize=4, **tables)
    text = add(".text", flags=SHF.ALLOC | SHF.EXECINSTR, address=_CODE_AT, data=code, align=_FUNCTION_ALIGN)
    data = add(".data", address=_FUNCS_AT, data=funcs, **writable)
    entries = _dynamic(dynstr, dynsym, hash_)
    dynamic = add(
        ".dynamic", SHT.DYNAMIC, address=_FUNCS_AT + len(funcs), data=entries, link=dynstr, entsize=16, **writable
    )

    elf.add_segment(PT.LOAD, PF.R, [dynstr, dynsym, hash_], align=_PAGE)
    elf.add_segment(PT.LOAD, PF.R | PF.X, [text], align=_PAGE)
    elf.add_segment(PT.LOAD, PF.R | PF.W, [data, dynamic], align=_PAGE)
    elf.add_segment(PT.DYNAMIC, PF.R | PF.W, [dynamic], align=8)
    elf.add_segment(PT.GNU_STACK, PF.R | PF.W)  # without it, loading asks for an executable stack
    return elf.to_bytes()


class JitReader:
    """The reader in this GDB."""

    def __init__(self) -> None:
        self._is_loaded = False
        self._is_set_aside = False

    def silence(self) -> str | None:
        """Load the reader into this GDB. None when it is loaded, by this or an earlier call; else why it is not.

        A reader that someone else loaded is left alone: GDB holds one.
        """
        import gdb

        machine = os.uname().machine
        if machine not in HOSTS or sys.byteorder != "little" or struct.calcsize("P") != 8:
            return f"no JIT reader for a GDB on {machine}"
        try:
            # A file in memory: nobody else can write it, nothing is left behind, and a /tmp mounted noexec does not
            # matter.
            with os.fdopen(os.memfd_create("beamgdb-jit-reader"), "wb", buffering=0) as file:
                file.write(reader_image(HOSTS[machine]))
                gdb.execute(f"jit-reader-load /proc/self/fd/{file.fileno()}", to_string=True)
        except (gdb.error, OSError, AttributeError) as error:  # AttributeError: a system without memfd_create
            return None if self._is_loaded and _ALREADY_LOADED in str(error) else str(error)
        self._is_loaded = True
        return None

    def set_aside(self) -> None:
        """Have GDB go without the reader, which would be given any registration in memory that GDB allocates for it,
        of whatever size: GDB ends if there is not so much. By itself it reads of one only what it needs."""
        import gdb

        if self._is_loaded:
            gdb.execute("jit-reader-unload", to_string=True)
            self._is_loaded, self._is_set_aside = False, True

    def resume(self) -> None:
        """Load the reader again if it was set aside: there is another target."""
        if self._is_set_aside:
            self._is_set_aside = False
            self.silence()
