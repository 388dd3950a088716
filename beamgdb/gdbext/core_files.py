"""The core file that GDB looks at, also where GDB does not find the place of a position-independent program in it.

GDB takes the difference between the entry point in memory (`AT_ENTRY`) and that in the file for the distance by which
the program was moved, if it is one of whole pages. For ARM's Thumb code it has dropped the lowest bit of one but not of
the other. And a core file by qemu-user leaves out pages that were never written, so that the program headers, which GDB
compares as well, are zeros. Then GDB finds neither the program's symbols nor its libraries.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Final

from beamgdb import core_file
from beamgdb.gdbext import front_end, program_file
from beamgdb.gdbext.connection import is_core
from beamgdb.gdbext.file_arguments import file_argument
from beamgdb.gdbext.temporary_settings import without_questions

_CORE: Final = re.compile(r"^Local core dump file:\s+`(.*)', file type ", re.M)
_AUXV_ENTRY = re.compile(r"^9\s+AT_ENTRY\b.*(0x[0-9a-f]+)$", re.MULTILINE)
_KNOWN_ENTRY = re.compile(r"^\s*Entry point: (0x[0-9a-f]+)$", re.MULTILINE)
_E_ENTRY = 24
"""Offset of `e_entry` in an ELF header, of 32 and of 64 bits (System V ABI, ELF header)."""

PAGE = 0x1000
"""A program is moved by whole pages, of this size at least. What is below, as ARM's bit for Thumb, is not address."""


def opened() -> core_file.CoreFile | None:
    """What the core file itself says, None where GDB looks at none, or it cannot be read."""
    named = _CORE.search(front_end.taken("info files")) if is_core() else None
    try:
        return core_file.read(Path(named[1])) if named is not None else None
    except (OSError, ValueError, struct.error, core_file.NoCore):
        return None


def missing() -> tuple[tuple[int, int], ...]:
    """Memory that the program had, but the core file has not; see `CoreFile.lacks`."""
    core = opened()
    return core.lacks if core is not None else ()


def relocate() -> bool:
    """Move the program's symbols to where a core file says that it was loaded, if GDB has not; whether it had not.
    All frames change with that."""
    program = program_file.name()
    if not program or not is_core():
        return False
    loaded = _AUXV_ENTRY.search(front_end.taken("info auxv"))
    known = _KNOWN_ENTRY.search(front_end.taken("info files"))
    entry = _entry(Path(program))
    if loaded is None or known is None or entry is None:
        return False
    wanted, moved = int(loaded[1], 16) - entry, int(known[1], 16) - entry
    if not abs(moved) < PAGE <= wanted:
        return False
    command = f"symbol-file -o {wanted - wanted % PAGE:#x} {file_argument(program)}"
    # (What GDB says names libraries, as the core file does, which may be damaged.)
    without_questions(lambda: front_end.taken(command))
    # Only now can GDB follow the program to the list of its libraries.
    front_end.taken("sharedlibrary")
    return True


def _entry(program: Path) -> int | None:
    """`e_entry` of an ELF file, None if it is none."""
    try:
        with program.open("rb") as file:
            header = file.read(64)
        if not header.startswith(b"\x7fELF"):
            return None
        kind = ("<" if header[5] == 1 else ">") + ("Q" if header[4] == 2 else "I")
        return int(struct.unpack_from(kind, header, _E_ENTRY)[0])
    except (OSError, IndexError, struct.error):
        return None
