"""What a core file says of the program that wrote it, without a debugger: which files it had mapped, and where, and of
what it died.

The notes are those of Linux (fs/binfmt_elf.c): NT_FILE lists the files, NT_AUXV has the address of the program's own
headers, NT_PRSTATUS is one for each thread. A core file of qemu-user has no NT_FILE. All may be damaged, or cut off.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from beamgdb.late import dataclass

ELF_MAGIC: Final = b"\x7fELF"
ET_CORE: Final = 4
PT_LOAD, PT_INTERP, PT_NOTE = 1, 3, 4
PN_XNUM: Final = 0xFFFF
"""The number of program headers if there are more: it is in the first section header then."""

NT_PRSTATUS, NT_AUXV, NT_FILE = 1, 6, 0x46494C45
AT_PHDR: Final = 3

MAX_HEADERS: Final = 1 << 20
MAX_PATH: Final = 4096
MAX_NOTES: Final = 64 << 20
"""Bytes of notes that are looked at: a thread takes some thousands, a mapped file a hundred."""


class NoCore(Exception):
    """A file is no core file that can be read; the text is one line that says why."""


@dataclass(frozen=True)
class Mapping:
    """A part of a file in memory, from `start` up to `end`."""

    start: int
    end: int
    path: str


@dataclass(frozen=True)
class Death:
    """The signal that a program died of, and the id (LWP) of the thread that it came in."""

    thread: int
    signal: int


@dataclass(frozen=True)
class CoreFile:
    """`program` is the path of the program, None where that is not told; `mapped` all that was mapped of files; `death`
    None where no signal is told. `size` are its bytes, and `whole` as many as it must have by its own account: one that
    was cut off, as where a disk is full, has less. `lacks` are the parts of memory that the program had but the file
    has not, in order, each from a start up to an end: what was cut off, and what its writer has left out."""

    path: Path
    program: str | None
    mapped: tuple[Mapping, ...]
    death: Death | None
    size: int = 0
    whole: int = 0
    lacks: tuple[tuple[int, int], ...] = ()

    @property
    def is_cut_off(self) -> bool:
        return self.size < self.whole

    def files(self) -> list[str]:
        """The paths of all mapped files, each once."""
        return list(dict.fromkeys(one.path for one in self.mapped))


def is_elf(path: Path) -> bool:
    """Whether a file is a program, a library or a core file. Raises OSError."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(ELF_MAGIC)) == ELF_MAGIC


def is_program(path: Path) -> bool:
    """Whether it is a program or a library, no core file. Raises OSError."""
    with path.open("rb") as file:
        try:
            return bool(_Reader(file, path).kind != ET_CORE)
        except (NoCore, struct.error):
            return False


def interpreter(path: Path) -> str | None:
    """The path of the dynamic linker that a program asks for, None without one. Raises OSError."""
    with path.open("rb") as file:
        try:
            found = next(_Reader(file, path).segments(PT_INTERP), None)
        except (struct.error, NoCore):
            return None
        if found is None:
            return None
        file.seek(found[0])
        return file.read(min(found[1], MAX_PATH)).split(b"\0")[0].decode(errors="surrogateescape")


def read(path: Path) -> CoreFile:
    """What a core file says. Raises OSError and `NoCore`."""
    with path.open("rb") as file:
        try:
            reader = _Reader(file, path)
            if reader.kind != ET_CORE:
                raise NoCore(f"{path}: a program or library, no core file")
            notes = list(reader.notes())
            loads = list(reader.loads())
            whole = max((one.offset + one.size for one in loads), default=0)
            there = file.seek(0, 2)
        except struct.error:
            raise NoCore(f"{path}: no whole core file") from None
    mapped: tuple[Mapping, ...] = ()
    headers = 0
    told: list[Death] = []
    for kind, words, code, content in notes:
        if kind == NT_PRSTATUS:
            told += _status(content, words, code)
        elif kind == NT_FILE:
            mapped += tuple(_files(content, words, code))
        elif kind == NT_AUXV:
            headers = headers or _auxiliary(content, code).get(AT_PHDR, 0)
    program = next((one.path for one in mapped if one.start <= headers < one.end), None)
    return CoreFile(
        path, program, mapped, next((one for one in told if one.signal), None), there, whole, _lacks(loads, there)
    )


Note = tuple[int, int, str, bytes]
"""Its type, the size of words, how a word is unpacked, and its content."""


class _Load(NamedTuple):
    """A part of memory: where it is in the file, how many bytes are there, where it was, and how many it had."""

    offset: int
    size: int
    address: int
    length: int


def _lacks(loads: Iterable[_Load], there: int) -> tuple[tuple[int, int], ...]:
    """What a file of so many bytes has not of these."""
    found = (
        (one.address + min(one.size, max(0, there - one.offset)), one.address + one.length)
        for one in sorted(loads, key=lambda one: one.address)
    )
    return tuple((start, end) for start, end in found if start < end)


class _Reader:
    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        head = file.read(64)
        if head[:4] != ELF_MAGIC or len(head) < 52:
            raise NoCore(f"{path}: no core file")
        self._order = ">" if head[5] == 2 else "<"
        self._is_long = head[4] == 2
        (self.kind,) = struct.unpack_from(f"{self._order}H", head, 16)
        form = "QQIHHHH" if self._is_long else "IIIHHHH"
        self._at, self._sections, _, _, self._size, self._count, _ = struct.unpack_from(
            self._order + form, head, 32 if self._is_long else 28
        )

    def notes(self) -> Iterator[Note]:
        word, code = (8, f"{self._order}Q") if self._is_long else (4, f"{self._order}I")
        for offset, size in self.segments(PT_NOTE):
            self._file.seek(offset)
            data, at = self._file.read(min(size, MAX_NOTES)), 0
            while at + 12 <= len(data):
                name, length, kind = struct.unpack_from(f"{self._order}III", data, at)
                start = at + 12 + (name + 3 & ~3)
                if start + length > len(data):
                    break
                yield kind, word, code, data[start : start + length]
                at = start + (length + 3 & ~3)

    def segments(self, kind: int) -> Iterator[tuple[int, int]]:
        """Offset and size of those of a kind."""
        at, size = (2, 5) if self._is_long else (1, 4)
        return ((header[at], header[size]) for header in self._headers(kind))

    def loads(self) -> Iterator[_Load]:
        """All parts of memory."""
        places = (2, 5, 3, 6) if self._is_long else (1, 4, 2, 5)
        return (_Load(*(header[place] for place in places)) for header in self._headers(PT_LOAD))

    def _headers(self, kind: int) -> Iterator[tuple[int, ...]]:
        """The program headers of a kind (Elf64_Phdr, Elf32_Phdr: System V ABI)."""
        count = self._count
        if count == PN_XNUM:
            self._file.seek(self._sections + (44 if self._is_long else 28))
            (count,) = struct.unpack(f"{self._order}I", self._file.read(4))
        entry = struct.Struct(self._order + ("IIQQQQQQ" if self._is_long else "IIIIIIII"))
        if self._size != entry.size or count > MAX_HEADERS:
            return
        self._file.seek(self._at)
        for header in entry.iter_unpack(self._file.read(count * entry.size)):
            if header[0] == kind:
                yield header


def _files(content: bytes, word: int, code: str) -> Iterator[Mapping]:
    """Of NT_FILE: the number of files and the size of pages, so many starts, ends and offsets, and then their names."""
    (count,) = struct.unpack_from(code, content)
    places = 2 * word + count * 3 * word
    if count > MAX_HEADERS or places > len(content):
        return
    numbers = struct.unpack_from(f"{code[0]}{3 * count}{code[1]}", content, 2 * word)
    names = content[places:].split(b"\0")
    for number, name in enumerate(names[:count]):
        yield Mapping(numbers[3 * number], numbers[3 * number + 1], name.decode(errors="surrogateescape"))


def _status(content: bytes, word: int, code: str) -> Iterator[Death]:
    """Of NT_PRSTATUS: `pr_cursig` behind three words of 32 bits, `pr_pid` behind two masks of signals (struct
    elf_prstatus, linux/elfcore.h). Linux has the thread that died first, and its signal with all; qemu before 8 too;
    later ones have threads as they were started, and the signal with the one that died."""
    if len(content) >= 20 + 2 * word:
        (signal,), (thread,) = (struct.unpack_from(code[0] + form, content, at)
                                for form, at in (("H", 12), ("i", 16 + 2 * word)))  # fmt: skip
        yield Death(thread, signal)


def _auxiliary(content: bytes, code: str) -> dict[int, int]:
    """Of NT_AUXV: pairs of a key and a value."""
    pair = struct.Struct(f"{code[0]}2{code[1]}")
    whole = content[: len(content) // pair.size * pair.size]
    return dict(pair.iter_unpack(whole))
