"""Loaded code of the interpreter: modules, functions and lines, from the VM's own tables.

The code of a module is one block of memory (beam_code.h, emu/emu_load.c): a `BeamCodeHeader` with the addresses of all
functions, then the functions, each an `ErtsCodeInfo` followed by its instructions, then the line table, strings and
attributes. A module is read with one request, because remotely each request costs a round trip.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable
from functools import cache
from typing import Optional

from beamgdb.code import special_code
from beamgdb.code.module import NO_CODE, Line, Module, Range, fault
from beamgdb.code.ranges import LoadedNow
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.statics import Symbol
from beamgdb.terms.quoting import bare, runtime_atom
from jit.otp.code import INVALID_LOCATION, LINE_BITS, MAX_ARG
from jit.otp.layouts.layout import Layout
from jit.otp.tags import ATOM, CONS, IMMED1_BITS, IMMED2_BITS, IMMED2_MASK, NIL, PRIMARY_MASK

MAX_FUNCTIONS = 100_000
"""Functions of a module at most."""

MAX_SIZE = 64 << 20
"""Bytes of a module's code at most; the largest known has 1 MiB."""

MAX_PATH = 4096
"""Characters of a file's name at most."""

NO_LINE = 0
"""Number of a line that is not known, in `Range.lines`: it ends what the entry before says."""

AtomName = Callable[[int], Optional[str]]
"""The text of the atom with this index, None where there is none."""

Bounds = tuple[int, int]
"""Where a module's code starts, with its `BeamCodeHeader`, and where it ends. Memory of a module that was purged may be
used again for another one; that has other literals, attributes, lines, at other addresses."""


class NoModule(Exception):
    """What lies there is no module's code."""


class ModuleTable:
    """The modules of one VM. Those that have been read are kept."""

    def __init__(
        self, memory: CachedMemory, layout: Layout, symbol: Symbol, atom_name: AtomName, loaded: LoadedNow
    ) -> None:
        self._memory = memory
        self._layout = layout
        self._symbol = symbol
        self._atom_name = atom_name
        self._loaded = loaded
        self._modules: dict[tuple[int, int, bytes], Module] = {}
        self.left_out: dict[int, str] = {}
        """Why modules were left out, by the address of their code."""

    def modules(self) -> list[Module]:
        """All that are loaded, and the VM's own words that are code. What cannot be read or makes no sense is left
        out."""
        bounds = self._loaded.bounds()
        if bounds is None:
            return []
        special = special_code.module(self._memory, self._symbol)
        return [*self.at(dict.fromkeys(bounds)), *([special] if special else ())]

    def is_current(self) -> bool:
        """Whether the modules are those that were read last."""
        return self._loaded.table is not None and self._loaded.is_as_seen()

    def at(self, bounds: Iterable[Bounds]) -> list[Module]:
        """The modules whose code is there."""
        before, self._modules, self.left_out = self._modules, {}, {}
        for start, end in bounds:
            try:
                header = self._memory.memory.read(start, self._layout.size("BeamCodeHeader"))
                key = (start, end, header)
                self._modules[key] = before.get(key) or self._module(start, end)
            except (NoModule, Unreadable) as error:
                self.left_out[start] = str(error)
        return list(self._modules.values())

    def _module(self, start: int, end: int) -> Module:
        if not 0 < end - start <= MAX_SIZE:
            raise NoModule(f"code from {start:#x} to {end:#x}")
        return _ModuleReader(self._memory, self._layout, self._atom_name, start, end).module()


class _ModuleReader:
    """Reads one module from its block of memory."""

    def __init__(self, memory: CachedMemory, layout: Layout, atom_name: AtomName, start: int, end: int) -> None:
        self._memory = memory
        self._layout = layout
        self._atom_name = atom_name
        self._start = start
        self._raw = memory.memory.read(start, end - start)
        self._order = "<" if memory.byteorder == "little" else ">"
        self._word_code = "Q" if memory.word_size == 8 else "I"

    def module(self) -> Module:
        """The module. Raises `NoModule`, `Unreadable`."""
        try:
            return self._module()
        except struct.error:
            raise NoModule(f"the code at {self._start:#x} is not a module's") from None

    def _module(self) -> Module:
        header = self._layout.offset("BeamCodeHeader", "functions")
        count = self._field("BeamCodeHeader", "num_functions", self._start)
        if not 0 < count <= MAX_FUNCTIONS:
            raise NoModule(f"the code at {self._start:#x} has {count} functions")
        infos = self._words(self._start + header, count + 1)
        if any(one >= other for one, other in zip(infos, infos[1:])):
            raise NoModule(f"the functions at {self._start:#x} are in disorder")
        size = self._layout.size("ErtsCodeInfo")
        names = [self._name(info) for info in infos[:-1]]
        lines = self._lines(infos)
        module = bare(self._atom(self._field("ErtsCodeInfo", "mfa.module", infos[0])))
        functions = (
            Range(info + size, stop, name, _of_function(info, info + size, stop, lines))
            for info, stop, name in zip(infos, infos[1:], names)
        )
        data = Range(self._start, infos[0], module + NO_CODE[0], ())
        found = Module(module, self._start, len(self._raw), (data, *functions))
        if wrong := fault(found, self._memory.word_size):
            raise NoModule(f"{module}: {wrong}")
        return found

    def _name(self, info: int) -> str:
        """`module:function/arity` in an `ErtsCodeInfo`."""
        module, function, arity = (
            self._field("ErtsCodeInfo", f"mfa.{name}", info) for name in ("module", "function", "arity")
        )
        if arity > MAX_ARG:
            raise NoModule(f"the function at {info:#x} has {arity} arguments")
        return f"{runtime_atom(self._atom(module))}:{runtime_atom(self._atom(function))}/{arity}"

    def _atom(self, term: int) -> str:
        name = self._atom_name(term >> IMMED2_BITS) if term & IMMED2_MASK == ATOM else None
        if name is None:
            raise NoModule(f"in the code at {self._start:#x}, {term:#x} is no atom")
        return name

    def _lines(self, infos: tuple[int, ...]) -> list[Line]:
        """The line table: each entry holds from its address on."""
        table = self._field("BeamCodeHeader", "line_table", self._start)
        if not table:
            return []
        word = self._memory.word_size
        # Behind a table with the first entry of each function. That may have been longer when the code was loaded:
        # functions that stand for places in native code have been taken out of it.
        by_function = table + self._layout.offset("BeamCodeLineTab", "func_tab")
        (items,) = self._words(by_function, 1)
        files_at = self._field("BeamCodeLineTab", "fname_ptr", table)
        locations_at = self._field("BeamCodeLineTab", "loc_tab.p2", table)
        width = self._field("BeamCodeLineTab", "loc_size", table)
        count = (files_at - items) // word - 1
        if count < 0 or width not in (2, 4) or not by_function < items <= files_at <= locations_at:
            raise NoModule(f"the line table at {table:#x} makes no sense")
        addresses = self._words(items, count)
        raw = self._bytes(locations_at, count * width)
        locations = struct.unpack(f"{self._order}{count}{'H' if width == 2 else 'I'}", raw)
        files = self._files(self._words(files_at, (locations_at - files_at) // word), infos[0])
        return [(address, *files(location)) for address, location in zip(addresses, locations)]

    def _files(self, names: tuple[int, ...], info: int) -> Callable[[int], tuple[str, int]]:
        """From a location to its file's name and the number of the line. File 0 is the module's own (beam_file.c)."""
        own = bare(self._atom(self._field("ErtsCodeInfo", "mfa.module", info))) + ".erl"

        @cache
        def name(number: int) -> str:
            return (_string(self._memory, names[number]) if number < len(names) else None) or own

        def position(location: int) -> tuple[str, int]:
            if location == INVALID_LOCATION:
                return own, NO_LINE
            return name(location >> LINE_BITS), location & ((1 << LINE_BITS) - 1)

        return position

    def _field(self, struct_name: str, path: str, address: int) -> int:
        field = self._layout.field(struct_name, path)
        return int.from_bytes(self._bytes(address + field.offset, field.width), self._memory.byteorder)

    def _words(self, address: int, count: int) -> tuple[int, ...]:
        raw = self._bytes(address, count * self._memory.word_size)
        return struct.unpack(f"{self._order}{count}{self._word_code}", raw)

    def _bytes(self, address: int, size: int) -> bytes:
        """Part of the module's block. Raises `NoModule` for what is outside of it."""
        at = address - self._start
        if at < 0 or size < 0 or at + size > len(self._raw):
            raise NoModule(f"{size} bytes at {address:#x} are outside of the code at {self._start:#x}")
        return self._raw[at : at + size]


def _of_function(info: int, start: int, stop: int, lines: list[Line]) -> tuple[Line, ...]:
    """The lines of a function. The line of its head is at its `ErtsCodeInfo`, which lies before its code."""
    first, last = bisect_left(lines, (info,)), bisect_left(lines, (stop,))
    return tuple((max(address, start), file, line) for address, file, line in lines[first:last])


def _string(memory: CachedMemory, term: int) -> str | None:
    """A list of characters."""
    text: list[str] = []
    try:
        while term & PRIMARY_MASK == CONS and len(text) < MAX_PATH:
            head, term = memory.pair(term - CONS)
            text.append(chr(head >> IMMED1_BITS))
        return bare("".join(text)) if term == NIL else None
    except (Unreadable, ValueError, OverflowError):
        return None
