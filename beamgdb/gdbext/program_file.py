"""The file of the program that GDB debugs, as far as memory of the process is surely the same as the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import gdb

from beamgdb.gdbext import connection, front_end, gdb_text
from beamgdb.gdbext.extension import extension
from beamgdb.late import dataclass

if TYPE_CHECKING:
    from elftools.elf.segments import Segment

PF_W = 2
"""A segment is writable (ELF gABI, program header, p_flags)."""


@dataclass(frozen=True)
class ProgramFile:
    """Read-only segments of an ELF file, at their addresses in memory."""

    path: Path
    bias: int
    """What is added to an address in the file to get that in memory."""
    segments: tuple[tuple[int, bytes], ...]
    symbols: Mapping[str, int]
    """Addresses in memory of the functions and objects that the file exports; those of functions are even."""

    def read(self, address: int, size: int) -> bytes | None:
        """Exactly `size` bytes at `address`; None where the file does not hold them all, or they may be changed."""
        for start, content in self.segments:
            if start <= address and address + size <= start + len(content):
                return content[address - start : address - start + size]
        return None

    def overlaid(self, address: int, data: bytes) -> bytes:
        """What is in memory at `address`, of which `data` was read: as the file has it, as far as that goes."""
        for start, content in self.segments:
            low, high = max(address, start), min(address + len(data), start + len(content))
            if low < high:
                data = data[: low - address] + content[low - start : high - start] + data[high - address :]
        return data


def name() -> str | None:
    """The path of the selected inferior's program, None where there is none.

    That of a program space is where GDB has its symbols from, which `symbol-file` changes; GDB 15 and later tell the
    other, too. Before, `info files` does. (So does `info inferiors`, but in a table: see `connection.kind`.)"""
    space = gdb.current_progspace()
    if space is None:
        return None
    if hasattr(space, "executable_filename"):
        return gdb_text.path(lambda: space.executable_filename) or with_symbols() or None
    number = gdb.selected_inferior().num
    asked = extension().part(_Executables)
    symbols = with_symbols()
    key = (number, symbols)
    if key not in asked:
        found = _opened() or symbols
        if not found:
            # (Nor is it listed while GDB discards symbols.)
            return None
        asked[key] = found
    return asked[key]


def with_symbols() -> str:
    """The path of the file that GDB has the symbols of the selected inferior's program from, empty without one: another
    one than the program's after `symbol-file`."""
    space = gdb.current_progspace()
    return gdb_text.path(lambda: space.filename) if space is not None else ""


def has_own_symbols(path: str) -> bool:
    """Whether that is the program at `path` itself."""
    found = with_symbols()
    return bool(found) and realpath(found) == realpath(path)


def local(path: str) -> Path:
    """Where the program can be read here. What GDB reads through the target, as if that process is in a container, is
    what the process runs, if that is on this machine."""
    if path.startswith(_THROUGH_TARGET) and connection.kind() == "native":
        return Path(f"/proc/{gdb.selected_inferior().pid}/exe")
    return Path(path)


def is_far(path: str) -> bool:
    """Whether GDB reads the program through the target, and it cannot be read here."""
    return path.startswith(_THROUGH_TARGET) and not local(path).exists()


_THROUGH_TARGET = "target:"
"""What such a path begins with (GDB manual, `set sysroot`)."""


class _Executables(dict[tuple[int, Optional[str]], str]):
    """The program of each inferior, by its number and the file of its symbols."""


def forget_names() -> None:
    """GDB reads a program anew: it may be another one of the same name, or with the same symbols."""
    extension().part(_Executables).clear()


def _opened() -> str | None:
    """The file that GDB has opened as the selected inferior's program."""
    match = re.search(r"^Local exec file:\n\t`(.*)', file type ", front_end.taken("info files"), re.M)
    return match[1] if match is not None else None


class OpenedProgram:
    """The file of one inferior's program that was asked for last."""

    def __init__(self) -> None:
        self._asked: tuple[str | None, str, int, int] | None = None
        self._file: ProgramFile | None = None

    def file(self, path: str | None, symbol: str, address: int, pid: int) -> ProgramFile | None:
        """The file at `path`, as `find` gives it for a process."""
        asked = (path, symbol, address, pid)
        if self._asked != asked:
            self._asked, self._file = asked, _open(local(path), symbol, address) if path else None
        return self._file


class _Programs(dict[int, OpenedProgram]):
    """The one of each inferior, by its number."""


def find(symbol: str, address: int) -> ProgramFile | None:
    """The file of the selected inferior's program, which has `symbol` at `address` in memory.

    None where there is none, or where the process has been started from another one: their build ids are compared.
    """
    inferior = gdb.selected_inferior()
    opened = extension().part(_Programs).setdefault(inferior.num, OpenedProgram())
    return opened.file(name(), symbol, address, inferior.pid)


def forget(number: int) -> None:
    """The process of an inferior has ended."""
    extension().part(_Programs).pop(number, None)


def _open(path: Path, symbol: str, address: int) -> ProgramFile | None:
    # Not before they are needed: these take time to load.
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    from jit.object.elf_constants import STT
    from jit.object.elf_symbols import defined

    kinds: dict[int, int] = {STT.FUNC: ~1, STT.OBJECT: ~0}
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            exported = {
                each.name: each.address & kinds[each.type] for each in defined(elf, ".dynsym") if each.type in kinds
            }
            if symbol not in exported:
                return None
            bias = address - exported[symbol]
            segments = tuple((each["p_vaddr"] + bias, each.data()) for each in elf.iter_segments() if _is_same(each))
            note = elf.get_section_by_name(".note.gnu.build-id")
            if note is None:
                return None
            # A core file by qemu-user lacks what was never written to: GDB reads zeros there.
            if _memory(note["sh_addr"] + bias, note["sh_size"]) not in (note.data(), bytes(note["sh_size"])):
                return None
    except (ELFError, OSError):
        return None
    return ProgramFile(path, bias, segments, {name: place + bias for name, place in exported.items()})


def _is_same(segment: Segment) -> bool:
    is_loaded = segment["p_type"] == "PT_LOAD" and segment["p_filesz"] == segment["p_memsz"]
    return is_loaded and not segment["p_flags"] & PF_W


def _memory(address: int, size: int) -> bytes | None:
    try:
        # For nothing GDB is not asked: from 14 on that is an error.
        return bytes(gdb.selected_inferior().read_memory(address, size)) if size else b""
    except (gdb.error, OverflowError, MemoryError):
        return None
