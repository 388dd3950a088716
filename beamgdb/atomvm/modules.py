"""Modules that AtomVM has loaded: which functions they have, and where in their code which line is (module.c, jit.h).

A module's file stays in memory as it is (`Module.binary`), and all is read from there. Places in code are told as the
VM does in return addresses: in bytes from the start of its code, which is bytecode or, where the module has it for this
processor, native code.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.terms.quoting import runtime_atom
from jit.beam.chunks import Chunk, read_chunks
from jit.beam.code import decode_code
from jit.beam.errors import BeamError
from jit.beam.external import decode_term
from jit.beam.lines import LineTable, decode_lines
from jit.beam.operands import BeamLabel, Lambda, Literal, Operand
from jit.beam.operations import Operation, Tables
from jit.beam.tables import FunctionEntry, decode_atoms, decode_entries, decode_imports, decode_lambdas
from jit.beam.terms import Atom, List, Tuple

MAX_MODULES: Final = 1 << 16
MAX_BINARY: Final = 16 << 20
"""Bytes of a file: a module that has more is damaged."""

CODE_HEADER: Final = 20
"""Bytes of the Code chunk before the first operation: its header."""

_ARCHITECTURES: Final = {"x86_64": 1, "aarch64": 2, "arm32": 6}
ENTRY: Final = {"x86_64": 5, "aarch64": 4, "arm32": 8}
"""Bytes of an entry of the table of labels that native code begins with (jit.h, JIT_JUMPTABLE_ENTRY_SIZE)."""

_NATIVE_HEADER: Final = struct.Struct(">IIHH")
_NATIVE_TARGET: Final = struct.Struct(">HHI")
_NEAR: Final = 64
"""Bytes behind the code that tells where the tables are in which they begin."""

_QUIRKS: Final = (0, 20)
"""What stands before the code in tables of offsets: AtomVM's own compiler counts the header of its chunk where it
writes no debugging information (jit_precompile.erl)."""


@dataclass(frozen=True)
class Function:
    """A function of a module; its code begins at `start`, which is an offset, and is entered at `entry`."""

    module: str
    name: str
    arity: int
    start: int
    entry: int

    @property
    def text(self) -> str:
        """`module:function/arity`, with atoms in quotes where they need them."""
        return f"{runtime_atom(self.module)}:{runtime_atom(self.name)}/{self.arity}"


@dataclass(frozen=True)
class Place:
    """Where in a module an offset is; `file` and `line` are None where that is not known."""

    function: Function
    offset: int
    file: str | None
    line: int | None

    @property
    def text(self) -> str:
        """As a return address on a stack shows."""
        where = f" at {self.file}:{self.line}" if self.file is not None else ""
        return f"{self.function.text}+{self.offset - self.function.start}{where}"


class _AnyLiteral(Sequence[Literal]):
    """Stands for the literals of a file that is read for its operations only: packed files have them in another form,
    and there may be many."""

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, index: int) -> Literal:  # type: ignore[override]
        return Literal(index, Atom("?"))


class Broken(Exception):
    """A module cannot be read; the text says why."""


class ModuleFile:
    """What a module's file tells. Raises `Broken`."""

    def __init__(self, data: bytes, arch: str, native: bool) -> None:
        self.arch = arch
        self.native = native
        try:
            self._chunks: dict[str, Chunk] = {one.name: one for one in read_chunks(data, "a module")}
            self.atoms = decode_atoms(self._chunks["AtU8"])
        except BeamError as error:
            raise Broken(str(error)) from None
        except KeyError:
            raise Broken("it has no atoms") from None
        self.name = self.atoms[0]

    def _entries(self, name: str) -> list[FunctionEntry]:
        chunk = self._chunks.get(name)
        try:
            return decode_entries(chunk, self.atoms) if chunk is not None else []
        except BeamError:
            return []

    @cached_property
    def lambdas(self) -> list[Lambda]:
        chunk = self._chunks.get("FunT")
        try:
            return decode_lambdas(chunk, self.atoms) if chunk is not None else []
        except BeamError:
            return []

    @cached_property
    def exports(self) -> list[FunctionEntry]:
        return self._entries("ExpT")

    @cached_property
    def _line_table(self) -> LineTable | None:
        chunk = self._chunks.get("Line")
        try:
            return decode_lines(chunk, self.name) if chunk is not None else None
        except BeamError:
            return None

    # -- bytecode ------------------------------------------------------------------------------------------------------

    @cached_property
    def source(self) -> str | None:
        """The path of what it was compiled from, as its compile info says, None where that is not told."""
        try:
            info = decode_term(self._chunks["CInf"]) if "CInf" in self._chunks else None
        except BeamError:
            return None
        pairs = [one.elements for one in info.elements if isinstance(one, Tuple)] if isinstance(info, List) else []
        found = next((pair[1] for pair in pairs if len(pair) == 2 and pair[0] == Atom("source")), None)
        letters = found.elements if isinstance(found, List) else ()
        return "".join(chr(one) for one in letters if isinstance(one, int) and 0 < one < 0x110000) or None

    @cached_property
    def operations(self) -> list[list[Operation]]:
        """Operations by function, of a module that is interpreted. Raises `Broken`."""
        try:
            imports = decode_imports(self._chunks["ImpT"], self.atoms)
            lines = self._line_table.locations if self._line_table is not None else None
            strings = self._chunks["StrT"].data if "StrT" in self._chunks else b""
            tables = Tables(self.atoms, imports, _AnyLiteral(), self.lambdas, lines, None, strings)
            found = decode_code(self._chunks["Code"], tables)
        except BeamError as error:
            raise Broken(str(error)) from None
        except KeyError as error:
            raise Broken(f"it has no chunk {error}") from None
        return [function.operations for function in found.functions]

    @cached_property
    def _framed(self) -> dict[int, bool]:
        """Whether a function has its frame on the stack, by the offset of each operation for which that is known."""
        found: dict[int, bool] = {}
        for operations in self.operations:
            found.update(frames(operations))
        return found

    # -- native code ---------------------------------------------------------------------------------------------------

    @cached_property
    def native_code(self) -> bytes:
        """The native code for this processor, with what stands behind it. Raises `Broken`."""
        chunk = self._chunks.get("avmN")
        wanted = _ARCHITECTURES.get(self.arch)
        data = chunk.data if chunk is not None else b""
        if wanted is None or len(data) < _NATIVE_HEADER.size:
            raise Broken(f"it has no native code for {self.arch} that is known here")
        size, _, _, count = _NATIVE_HEADER.unpack_from(data)
        area = data[4 + size :]
        if len(data) < _NATIVE_HEADER.size + count * _NATIVE_TARGET.size:
            raise Broken("its native code is damaged")
        rows = [_NATIVE_TARGET.unpack_from(data, _NATIVE_HEADER.size + _NATIVE_TARGET.size * at) for at in range(count)]
        ends = [offset for _, _, offset in rows[1:]] + [len(area)]
        for (architecture, _, offset), end in zip(rows, ends):
            if architecture == wanted:
                return area[offset:end]
        raise Broken(f"it has no native code for {self.arch}")

    @property
    def tells_frames(self) -> bool:
        """Whether debugging information of native code has rules for its frames, by which GDB goes through all of
        them. AtomVM's own compiler makes none."""
        chunk = self._chunks.get("avmN")
        return chunk is not None and (b".debug_frame\0" in chunk.data or b".eh_frame\0" in chunk.data)

    @cached_property
    def label_count(self) -> int:
        """One more than the highest label of native code."""
        chunk = self._chunks.get("avmN")
        return int(_NATIVE_HEADER.unpack_from(chunk.data)[1]) if chunk and len(chunk.data) >= 12 else 0

    def way_in(self, label: int) -> int | None:
        """Where the VM's table of labels jumps for a label: to its body, or to what prepares that. Entry 0 leads to
        what tells where the tables are."""
        size, code = ENTRY.get(self.arch, 0), self.native_code
        at = size * label
        if not 0 <= label < self.label_count or not size or at + size > len(code):
            return None
        offset = _jump(self.arch, code, at)
        return offset if offset is not None and 0 < offset < len(code) else None

    @cached_property
    def _tables(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The tables behind native code: offset and label, and offset and index of a line, both by offsets. Empty where
        they are not found."""
        code, told = self.native_code, self.way_in(0)
        exported = {one.label for one in self.exports}
        for at in range(told, min(told + _NEAR, len(code))) if told is not None else ():
            found = _read_tables(code, at, self.label_count)
            if found is None or not exported <= {label for _, label in found[0]}:
                continue
            quirk = next(
                one
                for one in (*reversed(_QUIRKS), 0)
                if not one or all(self.way_in(label) in (None, offset - one) for offset, label in found[0])
            )
            labels, lines = ([(offset - quirk, number) for offset, number in rows] for rows in found)
            return labels, lines
        return [], []

    @cached_property
    def _offsets(self) -> dict[int, int]:
        return {label: offset for offset, label in self._tables[0]}

    def label_offset(self, label: int) -> int | None:
        """Where native code has the body of a label, None if that is not told. Raises `Broken`."""
        return self._offsets.get(label)

    # -- both ----------------------------------------------------------------------------------------------------------

    @cached_property
    def functions(self) -> list[Function]:
        """All functions whose names are known, by where they start. Raises `Broken`."""
        return sorted(self._native_functions() if self.native else self._interpreted(), key=lambda one: one.start)

    def _interpreted(self) -> Iterator[Function]:
        for operations in self.operations:
            info = next(at for at, one in enumerate(operations) if one.name == "func_info")
            _, name, arity = operations[info].operands
            # The VM comes to what follows the label.
            entry = operations[min(info + 2, len(operations) - 1)].offset - CODE_HEADER
            start = operations[0].offset - CODE_HEADER
            if not isinstance(name, Atom) or not isinstance(arity, int):
                continue
            yield Function(self.name, name.name, arity, start, entry)

    def _native_functions(self) -> Iterator[Function]:
        known: dict[int, tuple[str, int]] = {one.label: (one.function, one.arity) for one in self.lambdas}
        known.update({one.label: (one.function, one.arity) for one in (*self._entries("LocT"), *self.exports)})
        for label, (name, arity) in known.items():
            entry = self.label_offset(label)
            if entry is not None:
                before = self._offsets.get(label - 1, entry)
                yield Function(self.name, name, arity, before if entry - 64 <= before <= entry else entry, entry)

    @cached_property
    def _starts(self) -> list[int]:
        return [one.start for one in self.functions]

    @cached_property
    def _lines(self) -> list[tuple[int, str, int]]:
        """Offset, file and line, by offsets."""
        table = self._line_table
        found: list[tuple[int, str, int]] = []
        if table is None:
            return found
        if self.native:
            places = table.locations
            rows = [(offset, places[index]) for offset, index in self._tables[1] if index < len(places)]
            return [(offset, one.file, one.line) for offset, one in rows if one.line]
        for operations in self.operations:
            for one in operations:
                row = (one.offset - CODE_HEADER, one.location.file, one.location.line)
                if not found or found[-1][1:] != row[1:]:
                    found.append(row)
        return found

    @property
    def lines(self) -> Sequence[tuple[int, str, int]]:
        """Where lines begin: offset, file and line, by offsets. Raises `Broken`."""
        return self._lines

    def function(self, name: str, arity: int) -> Function | None:
        """The function of a name. Raises `Broken`."""
        return next((one for one in self.functions if (one.name, one.arity) == (name, arity)), None)

    def place(self, offset: int) -> Place | None:
        """Where an offset is: of a return address, ask for the byte before. None outside of functions whose names are
        known. Raises `Broken`."""
        at = bisect_right(self._starts, offset) - 1
        if at < 0:
            return None
        function = self.functions[at]
        number = bisect_right(self._lines, (offset, "\U0010ffff", 0)) - 1
        row = self._lines[number] if number >= 0 else None
        if row is None or row[0] < function.start or not row[2]:
            return Place(function, offset, None, None)
        return Place(function, offset, row[1], row[2])

    @cached_property
    def _begins(self) -> dict[int, str]:
        """The operations of bytecode, by offset."""
        return {one.offset - CODE_HEADER: one.name for operations in self.operations for one in operations}

    @cached_property
    def _sorted_begins(self) -> list[int]:
        return sorted(self._begins)

    def operation_at(self, offset: int, *, is_begun: bool) -> int:
        """Where the operation of bytecode begins that is at an offset; `is_begun`: one that begins there has not been
        come to yet. Raises `Broken`."""
        at = bisect_right(self._sorted_begins, offset) - 1
        # Nobody jumps to where a function starts, but what is before it is done when its operands have been read.
        if at > 0 and self._sorted_begins[at] == offset and (is_begun or offset in self._starts):
            at -= 1
        return self._sorted_begins[at] if at >= 0 else offset

    def removes_frame(self, offset: int) -> bool:
        """Whether the operation at an offset of bytecode takes the frame off the stack. Raises `Broken`."""
        return not self.native and self._begins.get(offset) in _REMOVING

    def has_frame(self, offset: int) -> bool | None:
        """Whether the function that is at an operation has its frame on the stack, None where that cannot be told, as
        in native code. Raises `Broken`."""
        return None if self.native else self._framed.get(offset)


def frames(operations: Sequence[Operation]) -> dict[int, bool]:
    """Of the operations of a function, by offset in the code: whether its frame is on the stack when they begin. All
    ways to a label agree in that (beam_validator)."""
    found: dict[int, bool] = {}
    labels: dict[int, bool] = {}
    framed: bool | None = False
    for one in operations:
        if one.name == "label" and isinstance(one.operands[0], int):
            framed = labels.get(one.operands[0], framed)
        if framed is not None:
            found[one.offset - CODE_HEADER] = framed
            for label in _labels(one.operands):
                labels.setdefault(label, framed)
        if one.name.startswith("allocate"):
            framed = True
        elif one.name == "deallocate":
            framed = False
        elif one.name in _ENDING:
            framed = None
        elif one.name == "func_info":
            framed = False
    return found


_ENDING: Final = frozenset(
    "return jump call_only call_last call_ext_only call_ext_last apply_last select_val select_tuple_arity badmatch "
    "case_end if_end try_case_end badrecord wait loop_rec_end raw_raise".split()
)
"""Operations behind which nothing comes from before."""


_REMOVING: Final = ("deallocate", "call_last", "call_ext_last", "apply_last")


def _labels(operands: Sequence[Operand]) -> Iterator[int]:
    for one in operands:
        if isinstance(one, BeamLabel):
            yield one.number
        elif isinstance(one, tuple):
            yield from _labels(one)


_BRANCH_ARM32: Final = 0xEA


def _jump(arch: str, code: bytes, at: int) -> int | None:
    """Where the jump in an entry of the table of labels goes, None if it is none."""
    if arch == "x86_64":
        return at + 5 + int.from_bytes(code[at + 1 : at + 5], "little", signed=True) if code[at] == 0xE9 else None
    word = int.from_bytes(code[at : at + 4], "little")
    if arch == "arm32" and word >> 24 != _BRANCH_ARM32:
        at += 4  # behind the push
        word = int.from_bytes(code[at : at + 4], "little")
    if arch == "aarch64":
        return at + 4 * ((word & 0x3FFFFFF ^ 0x2000000) - 0x2000000) if word >> 26 == 0b000101 else None
    return at + 8 + 4 * ((word & 0xFFFFFF ^ 0x800000) - 0x800000) if word >> 24 == _BRANCH_ARM32 else None


def _read_tables(code: bytes, at: int, label_count: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]] | None:
    """The tables of labels and of lines that begin at a place, None if none do."""
    found = []
    for most in (label_count, 1 << 16):
        if at > len(code) - 2:
            return None
        count = int.from_bytes(code[at : at + 2], "big")
        end = at + 2 + 6 * count
        if end > len(code):
            return None
        rows = [(offset, number) for number, offset in struct.iter_unpack(">HI", code[at + 2 : end])]
        offsets = [offset for offset, _ in rows]
        if offsets != sorted(offsets) or any(one > len(code) + max(_QUIRKS) for one in offsets):
            return None
        if any(number > most for _, number in rows):
            return None
        found.append(rows)
        at = end
    return (found[0], found[1]) if found[0] else None


class Module:
    """A module that is loaded."""

    def __init__(self, record: Record, arch: str, files: dict[tuple[int, int, bool], ModuleFile | Broken]) -> None:
        self.record = record
        self.address = record.address
        self._arch = arch
        self._files = files

    @property
    def index(self) -> int:
        return self.record["module_index"]

    @property
    def native(self) -> int:
        """Where its native code begins, 0 if it is interpreted."""
        return self.record["native_code"] & ~1 if self.record.layout.has("Module", "native_code") else 0

    @property
    def bytecode(self) -> int:
        """Where its operations begin."""
        return self.record["code"] + 8 + CODE_HEADER

    @property
    def start(self) -> int:
        """Where the code begins that is run."""
        return self.native or self.bytecode

    @property
    def end_offset(self) -> int:
        """Where the first function of a process returns to."""
        return self.record["end_instruction_ii"]

    @property
    def file(self) -> ModuleFile:
        """What its file tells, read once. Raises `Broken`, `Unreadable`."""
        where, size, native = self.record["binary"], self.record["binary_size"], bool(self.native)
        if size > MAX_BINARY:
            raise Broken(f"its file has {size} bytes")
        key = (where, size, native)
        known = self._files.get(key)
        if known is None:
            try:
                known = ModuleFile(self.record.memory.read(where, size), self._arch, native)
            except Broken as error:
                known = error
            self._files[key] = known
        if isinstance(known, Broken):
            raise known
        return known

    @property
    def size(self) -> int:
        """Bytes of the code that is run, as far as its file tells. Raises `Broken`, `Unreadable`."""
        if self.native:
            return len(self.file.native_code)
        return int.from_bytes(self.record.memory.read(self.record["code"] + 4, 4), "big") - CODE_HEADER

    @property
    def name(self) -> str:
        """Raises `Broken`, `Unreadable`."""
        return self.file.name

    def place(self, offset: int) -> Place | None:
        """See `ModuleFile.place`; None also where its file is damaged."""
        try:
            return self.file.place(offset)
        except (Broken, Unreadable):
            return None


class ModuleTable:
    """All modules that are loaded, by index. What files tell is kept in `files`, for they do not change."""

    def __init__(
        self, vm: Record, memory: CachedMemory, arch: str, files: dict[tuple[int, int, bool], ModuleFile | Broken]
    ) -> None:
        self._vm, self._memory, self._arch, self._files = vm, memory, arch, files

    @cached_property
    def _addresses(self) -> tuple[int, ...]:
        count = self._vm["loaded_modules_count"]
        if count > MAX_MODULES:
            raise Unreadable(self._vm["modules_by_index"], count * self._memory.word_size)
        return self._memory.words(self._vm["modules_by_index"], count)

    def __len__(self) -> int:
        return len(self._addresses)

    def __iter__(self) -> Iterator[Module]:
        return map(self.at, self._addresses)

    def at(self, address: int) -> Module:
        """The module at an address."""
        return Module(Record(self._memory, self._vm.layout, "Module", address), self._arch, self._files)

    def by_index(self, index: int) -> Module | None:
        """That of an index, None if there is none."""
        return self.at(self._addresses[index]) if 0 <= index < len(self._addresses) else None

    def by_address(self, address: int) -> Module | None:
        """The loaded module that lies at an address, None if none does."""
        return self.at(address) if address in self._addresses else None

    @cached_property
    def _code(self) -> list[tuple[int, int, Module]]:
        """Where the code of each module is, from an address up to another."""
        found = []
        for module in self:
            try:
                found.append((module.start, module.start + module.size, module))
            except (Broken, Unreadable):
                continue
        return found

    def of_code(self, address: int) -> Module | None:
        """The module whose code, native or not, is at an address. Raises `Unreadable`."""
        return next((module for start, end, module in self._code if start <= address < end), None)
