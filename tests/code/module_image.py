"""Modules as the loader of the interpreter lays them out (emu/emu_load.c), and the atom table with their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from beamgdb.memory import BytesMemory, CachedMemory
from beamgdb.records.record import Record
from beamgdb.vm.atoms import AtomTable
from jit.otp.layouts.layout import Layout, load_table
from jit.otp.tags import ATOM, CONS, IMMED1_BITS, IMMED2_BITS, NIL, SMALL

WORD = 4
INFO = 20
"""Bytes of an `ErtsCodeInfo`."""


def layout_of(release: int, arch: str = "arm32") -> Layout:
    """The layout of Debian's interpreter."""
    found = load_table({25: "13.1.5", 27: "15.2.7", 29: "17.1.1"}[release], arch, "emu")
    assert found is not None
    return found


LAYOUT = layout_of(27)


@dataclass(frozen=True)
class Function:
    """A function with so many words of code, and lines: (word of the code, -1 for the head; file; line)."""

    module: str
    name: str
    arity: int
    words: int
    lines: Sequence[tuple[int, int, int]] = ()


@dataclass
class Image:
    """Memory of a VM. `files` are the names of a module's files from the second on."""

    segments: dict[int, bytes] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def atom(self, name: str) -> int:
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name) << IMMED2_BITS | ATOM

    def put(self, address: int, *words: int) -> None:
        self.segments[address] = b"".join(word.to_bytes(WORD, "little") for word in words)

    def string(self, address: int, text: str) -> int:
        """A list of characters; its term."""
        pointer = NIL
        for number, character in enumerate(reversed(text)):
            self.put(address + 2 * WORD * number, ord(character) << IMMED1_BITS | SMALL, pointer)
            pointer = address + 2 * WORD * number | CONS
        return pointer

    def module(self, base: int, functions: Sequence[Function], files: Sequence[int] = (), width: int = 4) -> int:
        """Put a module there; where it ends. `files` are the names of its files from the second on, as terms; `width`
        is the number of bytes of a location."""
        header = LAYOUT.offset("BeamCodeHeader", "functions")
        at = base + header + (len(functions) + 1) * WORD
        infos: list[int] = []
        starts: list[int] = []
        items: list[tuple[int, int, int]] = []
        code = b""
        for one in functions:
            infos.append(at + len(code))
            starts.append(len(items))
            start = infos[-1] + INFO
            items += [(start + word * WORD if word >= 0 else infos[-1], file, line) for word, file, line in one.lines]
            info = (0x4005_0000, 0, self.atom(one.module), self.atom(one.name), one.arity)
            code += b"".join(word.to_bytes(WORD, "little") for word in (*info, *[0x4005_1000] * one.words))
        infos.append(at + len(code))
        code += (0x4005_2000).to_bytes(WORD, "little")  # int_code_end
        table = at + len(code)
        lines = self._line_table(table, infos, items, starts, files, width)
        fields = {"num_functions": len(functions), "line_table": table if items else 0}
        raw = bytearray(header)
        for name, value in fields.items():
            offset = LAYOUT.offset("BeamCodeHeader", name)
            raw[offset : offset + WORD] = value.to_bytes(WORD, "little")
        raw += b"".join(info.to_bytes(WORD, "little") for info in infos) + code + (lines if items else b"")
        self.segments[base] = bytes(raw)
        return base + len(raw)

    def _line_table(
        self,
        table: int,
        infos: Sequence[int],
        items: Sequence[tuple[int, int, int]],
        starts: Sequence[int],
        files: Sequence[int],
        width: int,
    ) -> bytes:
        first = table + LAYOUT.offset("BeamCodeLineTab", "func_tab") + len(infos) * WORD
        names = first + (len(items) + 1) * WORD
        # The first is the module's own, which nobody looks up.
        locations = names + (1 + len(files)) * WORD
        words = [
            names, width, locations,
            *(first + start * WORD for start in starts), first + len(items) * WORD,
            *(address for address, _, _ in items), infos[-1],
            0, *files,
        ]  # fmt: skip
        raw = b"".join(word.to_bytes(WORD, "little") for word in words)
        return raw + b"".join((file << 24 | line).to_bytes(width, "little") for _, file, line in items)

    def memory(self) -> CachedMemory:
        """The memory, with the atom table in it."""
        at = 0x7000_0000
        pointers = []
        for name in self.names:
            atom, text = at, name.encode()
            self.segments[atom] = bytes(LAYOUT.size("Atom"))
            self._set(atom, "Atom", {"len": len(text), "name": atom + 0x100})
            self.segments[atom + 0x100] = text or b"\0"
            pointers.append(atom)
            at += 0x1000
        self.put(0x7F00_0000, *pointers, *[0] * (1024 - len(pointers)))
        self.put(0x7F10_0000, 0x7F00_0000)
        self.segments[0x7F20_0000] = bytes(LAYOUT.size("IndexTable"))
        self._set(0x7F20_0000, "IndexTable", {"entries": len(self.names), "seg_table": 0x7F10_0000})
        return CachedMemory(BytesMemory(self.segments, WORD), block=16)

    def atoms(self, memory: CachedMemory) -> AtomTable:
        return AtomTable(Record(memory, LAYOUT, "IndexTable", 0x7F20_0000))

    def _set(self, address: int, struct: str, fields: dict[str, int]) -> None:
        raw = bytearray(self.segments[address])
        for name, value in fields.items():
            one = LAYOUT.field(struct, name)
            raw[one.offset : one.offset + one.width] = value.to_bytes(one.width, "little")
        self.segments[address] = bytes(raw)
