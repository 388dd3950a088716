"""Whether the program that GDB was given wrote the core file that it was given, or is what the process runs: build ids
tell, or types of the files.

GDB 13 takes any program for any core file, or compares no more than names, and all take any for a process (`file`,
`symbol-file`). What is read then is from neither.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import gdb

from beamgdb.gdbext import front_end, gdb_text, program_file
from beamgdb.gdbext.connection import is_core, is_remote
from beamgdb.gdbext.extension import extension
from beamgdb.terms.quoting import bare

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
    """Why the program of the selected inferior is not the one that wrote the core file, or that the process runs, None
    if it is or may be."""
    path = program_file.name()
    if path is None or gdb.selected_inferior().pid == 0:
        return None
    if not is_core():
        return _not_run(path)
    types = dict(_FILE_TYPE.findall(front_end.taken("info files")))
    if len(set(types.values())) > 1:
        differ = f"it is {types['core dump']}, and that {types['exec']}"
        return f"the core file is not of {path}: {differ}; give the BEAM that wrote it"
    known, wrote = _in_objfile(path), _in_memory()
    if known is None or wrote is None or known == wrote:
        return None
    return f"the core file is not of {path}: {_differ(wrote, known)}; give the BEAM that wrote it"


class _Known(set[tuple[int, int, str, str]]):
    """Of which inferiors and processes it is known that they run a program, and GDB has the symbols of that."""


def _not_run(path: str) -> str | None:
    """Why a process does not run the program at `path`, or GDB has the symbols of another one."""
    inferior, symbols = gdb.selected_inferior(), program_file.with_symbols()
    key = inferior.num, inferior.pid, path, symbols
    if key in extension().part(_Known):
        return None
    runs = _in_memory()
    if runs is None:
        # Nor will it be at the next stop: what is asked there, many times in a step, has GDB execute a command.
        extension().part(_Known).add(key)
        return None
    known = build_id(path)
    if known not in (None, runs):
        advice = "give the BEAM that it runs (`file BEAM`)" if is_remote() else f"`file /proc/{inferior.pid}/exe`"
        return f"process {inferior.pid} does not run {bare(path)}: {_differ(runs, known or '')}; {advice}"
    if symbols and symbols != path and _in_objfile(symbols) not in (None, runs):
        return f"GDB has the symbols of {bare(symbols)}, not of the program: `symbol-file {bare(path)}`"
    extension().part(_Known).add(key)
    return None


def _differ(one: str, other: str) -> str:
    return f"build ids {one[:SHOWN]} and {other[:SHOWN]} differ"


def _in_objfile(path: str) -> str | None:
    """The build id of a file that GDB has read."""
    objfile = next((one for one in gdb.objfiles() if gdb_text.file_name(one) == path), None)
    return objfile.build_id if objfile is not None else None


def build_id(path: str) -> str | None:
    """The build id of the program at `path`, also where GDB has no symbols of it; None without one."""
    known = _in_objfile(path)
    if known is not None:
        return known
    # Not before it is needed: what reads ELF files takes time to load.
    from jit.otp.layouts import executable

    return executable.build_id(program_file.local(path))


def _in_memory() -> str | None:
    """The build id of the program that the process runs, or that wrote the core file; None where that is not to be
    read."""
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
