"""Programs for amd64 that use the C library of their own root, whatever the host has.

A dynamic program names its loader (PT_INTERP), and the loader looks for libraries in the host's folders. Both are
changed in the file itself, to paths inside the root: nothing is moved, code and build id stay as they are, and
debuggers see an ordinary program. An environment variable instead would reach the host's programs that Erlang starts,
and a loader started by hand would hide the program from debuggers.

The paths are written behind the contents of a segment, where its last page has room: that much is mapped anyway.
Structures: System V ABI, ELF-64 object file format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jit.sandbox.errors import SandboxError
from jit.sandbox.pairs import Machine

_PAGE = 4096
_ELF64_LITTLE = b"\x7fELF\x02\x01"
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_DYNAMIC_ENTRY = struct.Struct("<QQ")
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_STRTAB, _DT_RPATH = 0, 5, 15


@dataclass
class _Segment:
    """A program header, and where it stands in the file."""

    at: int
    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    file_size: int
    memory_size: int
    alignment: int

    def write(self, image: bytearray) -> None:
        fields = (self.kind, self.flags, self.offset, self.address, self.physical)
        _PROGRAM_HEADER.pack_into(image, self.at, *fields, self.file_size, self.memory_size, self.alignment)

    def move(self, offset: int, address: int, size: int) -> None:
        self.offset, self.address, self.physical = offset, address, address
        self.file_size = self.memory_size = size


def libraries_in(root: Path, machine: Machine) -> list[Path]:
    """The folders of libraries in a root."""
    return [root / lib / machine.triplet for lib in ("usr/lib", "lib")]


def use_root(folder: Path, final: Path, machine: Machine, programs: Iterable[Path]) -> None:
    """Make programs use the loader and the libraries of `folder`/root, which will lie in the folder `final`."""
    # Not the link in lib64 that programs name: in bookworm it is one to the host's loader.
    loaders = (libraries / "ld-linux-x86-64.so.2" for libraries in libraries_in(folder / "root", machine))
    loader = next((loader for loader in loaders if loader.is_file()), None)
    if loader is None:
        raise SandboxError(f"there is no loader among the libraries for {machine.name}")
    for program in programs:
        use_own_loader(program, final / loader.relative_to(folder), libraries_in(final / "root", machine))


def use_own_loader(path: Path, loader: Path, libraries: Sequence[Path]) -> bool:
    """Make the program at `path` use this loader, and look in `libraries` first; false for other files.

    Programs are ELF files, 64-bit and little-endian, that want a loader. Raises SandboxError if one has no room.
    """
    image = bytearray(path.read_bytes())
    if not image.startswith(_ELF64_LITTLE):
        return False
    segments = list(_segments(image))
    interpreter = next((segment for segment in segments if segment.kind == _PT_INTERP), None)
    dynamic = next((segment for segment in segments if segment.kind == _PT_DYNAMIC), None)
    if interpreter is None or dynamic is None:
        return False
    name, search = bytes(loader) + b"\0", b":".join(map(bytes, libraries)) + b"\0"
    try:
        offset, address = _write_behind(image, segments, name + search)
        _add_search_path(image, dynamic, address + len(name))
    except LookupError as error:
        raise SandboxError(f"{path} cannot be made to run here: {error}") from None
    _move_section(image, interpreter, offset, address, len(name))
    interpreter.move(offset, address, len(name))
    interpreter.write(image)
    path.write_bytes(image)
    return True


def _segments(image: bytearray) -> Iterator[_Segment]:
    (table,) = struct.unpack_from("<Q", image, 0x20)
    size, count = struct.unpack_from("<HH", image, 0x36)
    for at in range(table, table + size * count, size):
        yield _Segment(at, *_PROGRAM_HEADER.unpack_from(image, at))


def _write_behind(image: bytearray, segments: Sequence[_Segment], text: bytes) -> tuple[int, int]:
    """Put `text` behind the contents of a loaded segment: its offset and its address. Raises LookupError."""
    for segment in segments:
        start = segment.offset + segment.file_size
        room = -start % _PAGE
        # Where memory is larger than the file's part, the loader clears the rest.
        if segment.kind != _PT_LOAD or segment.file_size != segment.memory_size or len(text) > room:
            continue
        if len(image) >= start + room and not any(image[start : start + room]):
            image[start : start + len(text)] = text
            address = segment.address + segment.file_size
            segment.file_size = segment.memory_size = segment.file_size + len(text)
            segment.write(image)
            return start, address
    raise LookupError(f"no room for paths of {len(text)} bytes in its segments (a shorter BEAMGDB_CACHE may help)")


def _add_search_path(image: bytearray, dynamic: _Segment, address: int) -> None:
    """Add DT_RPATH, with the text at `address`, in the spare entries that linkers leave. Raises LookupError."""
    places = range(dynamic.offset, dynamic.offset + dynamic.file_size, _DYNAMIC_ENTRY.size)
    entries = [_DYNAMIC_ENTRY.unpack_from(image, place) for place in places]
    end = [tag for tag, _ in entries].index(_DT_NULL)
    if end + 1 >= len(entries):
        raise LookupError("no spare entry in its dynamic section")
    # RPATH, not RUNPATH: it also holds for the libraries of libraries, and for those of NIFs.
    strings = dict(entries[:end])[_DT_STRTAB]
    _DYNAMIC_ENTRY.pack_into(image, places[end], _DT_RPATH, (address - strings) % (1 << 64))


def _move_section(image: bytearray, old: _Segment, offset: int, address: int, size: int) -> None:
    """Let the section of the loader's name (`.interp`), which is what GDB reads, follow its segment."""
    (table,) = struct.unpack_from("<Q", image, 0x28)
    entry, count = struct.unpack_from("<HH", image, 0x3A)
    for at in range(table, table + entry * count, entry):
        fields = list(_SECTION_HEADER.unpack_from(image, at))
        if (fields[4], fields[5]) == (old.offset, old.file_size):
            fields[3:6] = address, offset, size
            _SECTION_HEADER.pack_into(image, at, *fields)
