"""Whether the program that GDB was given wrote the core file that it was given: build ids tell, or types of the files.

GDB 13 takes any program for any core file, or compares no more than names. What is read then is from neither.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import gdb

from beamgdb.gdbext import front_end, gdb_text, program_file
from beamgdb.gdbext.connection import is_core

_FILE_TYPE = re.compile(r"^Local (core dump|exec) file:\s+`.*', file type (\S+)\.$", re.MULTILINE)
"""As in `elf64-x86-64`, of the file formats that GDB tells of."""

_AUXV = re.compile(r"^\d+\s+AT_(PHDR|PHENT|PHNUM)\b.*?(0x[0-9a-f]+|\d+)$", re.MULTILINE)

PT_NOTE, PT_PHDR = 4, 6
"""Types of program headers (ELF gABI)."""

NT_GNU_BUILD_ID, GNU = 3, b"GNU\0"
"""The note with the build id, and who defines it (elf.h)."""

MAX_HEADERS, MAX_NOTES = 64, 64 << 10
"""More program headers than any program has, and bytes of notes."""

SHOWN = 12
"""Characters of a build id that tell it from others."""

_HEADERS = {56: ("IIQQQQQQ", (0, 3, 5)), 32: ("IIIIIIII", (0, 2, 4))}
"""By size of a program header, of 64 and 32 bits: its fields, and which are p_type, p_vaddr and p_filesz."""


def foreign() -> str | None:
    """Why the program of the selected inferior is not the one that wrote the core file, None if it is or may be."""
    path = program_file.name()
    if path is None or not is_core():
        return None
    types = dict(_FILE_TYPE.findall(front_end.taken("info files")))
    if len(set(types.values())) > 1:
        differ = f"it is {types['core dump']}, and that {types['exec']}"
        return f"the core file is not of {path}: {differ}; give the BEAM that wrote it"
    objfile = next((one for one in gdb.objfiles() if gdb_text.file_name(one) == path), None)
    known = objfile.build_id if objfile is not None else None
    wrote = _in_core()
    if known is None or wrote is None or known == wrote:
        return None
    differ = f"build ids {wrote[:SHOWN]} and {known[:SHOWN]} differ"
    return f"the core file is not of {path}: {differ}; give the BEAM that wrote it"


def _in_core() -> str | None:
    """The build id of the program that wrote the core file, None where that is not to be read."""
    order = ">" if "big endian" in front_end.taken("show endian") else "<"
    try:
        return next(_build_ids(order), None)
    except (gdb.error, struct.error, OverflowError):
        return None


def _build_ids(order: str) -> Iterator[str]:
    auxv = {name: int(value, 0) for name, value in _AUXV.findall(front_end.taken("info auxv"))}
    start, size, count = (auxv.get(name, 0) for name in ("PHDR", "PHENT", "PHNUM"))
    if size not in _HEADERS or not start or not 0 < count <= MAX_HEADERS:
        return
    form, fields = _HEADERS[size]
    headers = [
        tuple(header[field] for field in fields)
        for header in struct.iter_unpack(order + form, _memory(start, size * count))
    ]
    moved = next((start - address for kind, address, _ in headers if kind == PT_PHDR), None)
    if moved is None:
        return
    for kind, address, length in headers:
        if kind == PT_NOTE and length <= MAX_NOTES:
            yield from _in_notes(_memory(address + moved, length), order)


def _in_notes(notes: bytes, order: str) -> Iterator[str]:
    at = 0
    while at + 12 <= len(notes):
        name, content, kind = struct.unpack_from(order + "III", notes, at)
        start = at + 12 + (name + 3 & ~3)
        if kind == NT_GNU_BUILD_ID and notes[at + 12 : at + 12 + name] == GNU:
            yield notes[start : start + content].hex()
        at = start + (content + 3 & ~3)


def _memory(address: int, size: int) -> bytes:
    # For nothing GDB is not asked: from 14 on that is an error.
    return bytes(gdb.selected_inferior().read_memory(address, size)) if size else b""
