"""The ELF objects of native code: which functions and shared fragments they hold, and their source lines.

An object lies in the memory of the VM, relocated: sections and line table have the addresses of the code. Its symbols
are `m:f/a` for a function, from where every caller comes by, `m:f/a entry` for what native callers run before, and
`native::NAME` for a fragment that the functions of the module share.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from beamgdb.code import native_lines
from beamgdb.code.jit_interface import CodeEntry
from beamgdb.code.module import Line, Module, Range
from beamgdb.memory import Memory, Unreadable
from beamgdb.terms.quoting import bare, runtime_atom, unquoted
from jit.otp.native_abi import ENTRY

MAX_SECTIONS = 256
MAX_SYMBOLS = 1 << 20
MAX_NAME = 4096
"""Bytes of a symbol: two atoms of 255 characters, with their quotes and escapes."""

GLOBALS = 8
"""Global symbols among which the first function is looked for."""

_ATOM = r"('(?:[^'\\]|\\.)*'|[^:'/]+)"
_FUNCTION = re.compile(rf"{_ATOM}:{_ATOM}/(\d+(?:{ENTRY})?)")
"""The symbol of a function: its module, its name, and the rest."""

_HEADER = struct.Struct("<4s28xI10xHHH")
"""Elf32_Ehdr: magic, offset, size and number of section headers, and which of them has the names (elf(5))."""

_SECTION = struct.Struct("<10I")
"""Elf32_Shdr: name, type, flags, address, offset, size, link, info, alignment, size of an entry."""

_SYMBOL = struct.Struct("<IIIBBH")
"""Elf32_Sym: name, value, size, type and binding, visibility, section."""

_STT_FUNC = 2


class NoObject(Exception):
    """What is registered is no ELF object of native code."""


class _Section(NamedTuple):
    number: int
    address: int
    offset: int
    size: int
    link: int
    info: int


class NativeObject:
    """A registered object. Only what tells where its code lies is read at once. May raise `Unreadable` later; where it
    is damaged, it has no functions or lines."""

    def __init__(self, memory: Memory, entry: CodeEntry) -> None:
        """Raises `NoObject`, `Unreadable`."""
        self._memory = memory
        self.entry = entry
        magic, offset, size, count, names = _HEADER.unpack(self._read(0, _HEADER.size))
        if magic != b"\x7fELF" or size != _SECTION.size or not names < count <= MAX_SECTIONS:
            raise NoObject(f"the object registered at {entry.symfile:#x} is no ELF file of 32 bits")
        self.headers = self._read(offset, size * count)
        """What tells it from another object at the same place, for all that matters."""
        self._sections = self._named(names)
        if ".text" not in self._sections:
            raise NoObject(f"the object registered at {entry.symfile:#x} has no code")
        text = self._sections[".text"]
        self.base, self.size = text.address, text.size

    @property
    def stop(self) -> int:
        """The address behind its code."""
        return self.base + self.size

    def _named(self, names: int) -> dict[str, _Section]:
        rows = list(_SECTION.iter_unpack(self.headers))
        texts = self._read(rows[names][4], rows[names][5])
        return {_text(texts, row[0]): _Section(number, *row[3:8]) for number, row in enumerate(rows)}

    def _read(self, offset: int, size: int) -> bytes:
        if offset + size > self.entry.size:
            raise NoObject(f"the object registered at {self.entry.symfile:#x} is cut off")
        return self._memory.read(self.entry.symfile + offset, size)

    def section(self, name: str) -> bytes | None:
        """What a section holds, None without one."""
        found = self._sections.get(name)
        return self._read(found.offset, found.size) if found else None

    @cached_property
    def module(self) -> Module:
        """Its functions and fragments."""
        lines = self._lines()
        ranges = (
            Range(start, start + size, _name(symbol), _between(lines, start, start + size))
            for start, size, symbol in sorted(self._functions)
        )
        return Module(self.name, self.base, self.size, tuple(ranges))

    @cached_property
    def name(self) -> str:
        """The module's name: that of its first global symbol which is a function. Quick, for it is asked of all."""
        try:
            symbols = (symbol for _, _, symbol in self._read_functions(GLOBALS))
            found = next(filter(None, map(_FUNCTION.fullmatch, symbols)), None)
        except (NoObject, struct.error):
            found = None
        return bare(unquoted(found[1])) if found else ""

    @cached_property
    def _functions(self) -> list[tuple[int, int, str]]:
        """Address, size and symbol of each; none where the object is damaged."""
        try:
            return list(self._read_functions())
        except (NoObject, struct.error):
            return []

    def _read_functions(self, globals_only: int = 0) -> Iterator[tuple[int, int, str]]:
        """All functions, or those among so many global symbols, which come behind the others (elf(5), sh_info)."""
        table = self._sections.get(".symtab")
        names = next((one for one in self._sections.values() if table and one.number == table.link), None)
        if table is None or names is None:
            return
        first = min(table.info * _SYMBOL.size, table.size) if globals_only else 0
        size = min(table.size - first, (globals_only or MAX_SYMBOLS) * _SYMBOL.size)
        symbols = self._read(table.offset + first, size)
        texts = b"" if globals_only else self._read(names.offset, names.size)
        text = self._sections[".text"].number
        for name, value, length, kind, _, section in _SYMBOL.iter_unpack(symbols):
            if kind & 0xF == _STT_FUNC and section == text and length:
                symbol = _text(texts, name) if texts else self._name_at(names, name)
                yield self.base + value, length, symbol

    def _name_at(self, names: _Section, at: int) -> str:
        if at >= names.size:
            raise NoObject("a name of a native object is outside of it")
        return _text(self._read(names.offset + at, min(MAX_NAME, names.size - at)), 0)

    def _lines(self) -> list[Line]:
        """The line table's rows, by address; none where it is damaged."""
        try:
            table, names = self.section(".debug_line"), self.section(".debug_line_str")
        except NoObject:
            return []
        return native_lines.rows(table, names) if table and names else []


def find(memory: Memory, entry: CodeEntry) -> NativeObject | None:
    """The object that is registered, None for anything else."""
    try:
        return NativeObject(memory, entry)
    except (NoObject, Unreadable, struct.error):
        return None


def _between(lines: list[Line], start: int, stop: int) -> tuple[Line, ...]:
    """The rows of a function: the one that holds at its start, and those up to its end."""
    first, last = (bisect_left(lines, (at,)) for at in (start, stop))
    return tuple(lines[first:last])


def _name(symbol: str) -> str:
    """The name of code as the interpreter's code has it, where atoms may be quoted by other rules."""
    function = _FUNCTION.fullmatch(symbol)
    if function is None:
        return symbol
    module, name = (runtime_atom(unquoted(atom)) for atom in function.group(1, 2))
    return f"{module}:{name}/{function[3]}"


def _text(texts: bytes, at: int) -> str:
    end = texts.find(b"\0", at)
    if end < 0:
        raise NoObject("a name of a native object has no end")
    return bare(texts[at:end].decode("utf-8", "replace"))
