"""The listing of an Erlang function, as `beam-disas` shows it: operations, source lines, machine code interleaved."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Union

from beamgdb.code.loaded import Place
from beamgdb.code.module import Module, Range
from beamgdb.interpreter.operations import Unsupported
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.terms.quoting import unquoted
from beamgdb.unwinding.unwinder import Unwinder
from beamgdb.views.disassembly import instructions
from beamgdb.views.disassembly.comments import CName, Comments
from beamgdb.views.styler import Styler
from beamgdb.views.terms import Terms
from beamgdb.vm.model import Unavailable
from jit.otp import native_abi
from jit.otp.native_abi import ENTRY

if TYPE_CHECKING:
    # Not before they are needed: these load a disassembler, and what reads .beam files.
    from beamgdb.disassembly.beam_file import BeamFileCode
    from beamgdb.machine_code.text import Instruction

_OFFSET = 7
"""Columns of the offset of an instruction, which rarely needs more."""

_COMMENT = 32
"""Columns from the text of an instruction to its comment."""

_WORDS = {4: ".word", 8: ".quad"}
"""How words are written that are data, by their size."""

_NAME = re.compile(r"(?P<module>'(?:[^'\\]|\\.)*'|[^':]+):(?P<name>'(?:[^'\\]|\\.)*'|.+)/(?P<arity>\d+)")


@dataclass(frozen=True)
class FunctionRow:
    """The function. `kind` is interpreted, native or JIT, `size` in bytes; `beam_file` is where its operations are
    from, None where that was not found; `has_bytecode`: the interpreter's own instructions stand for them."""

    name: str
    kind: str
    size: int
    beam_file: str | None = None
    has_bytecode: bool = False


@dataclass(frozen=True)
class SourceRow:
    """A line of the source: what follows is its code."""

    file: str
    line: int


@dataclass(frozen=True)
class OperationRow:
    """An operation that the code behind it was compiled from; of one that `goes_on` there is code before, too."""

    text: str
    is_label: bool
    goes_on: bool = False


@dataclass(frozen=True)
class InstructionRow:
    """An instruction, or data. `offset` is from the beginning of the function; `is_current`: the frame is here;
    `is_target`: a jump in the function leads here."""

    address: int
    offset: int
    text: str
    comment: str
    is_current: bool
    is_target: bool


@dataclass(frozen=True)
class RestRow:
    """Code that is left out, for there is too much: so many bytes from `address` on."""

    address: int
    size: int


ListingRow = Union[FunctionRow, SourceRow, OperationRow, InstructionRow, RestRow]

_KINDS = {"interpreted": "interpreted", "native": "native code", "jit": "JIT code"}

Group = tuple[str, int, list[str]]
"""Operations of one line of the source, in their order: its file, its number, and their texts."""

BeamFiles = Callable[[Module], Sequence[Path]]
"""Where the .beam file of a module may be, the likeliest first."""


def bytecode_of(node: Node, place: Place) -> Place:
    """The interpreted code of a function that may have native code."""
    for module in node.code:
        for code in node.code.functions(module) if module.name == place.module.name else ():
            if code.name == place.code.name and node.code.goes_on(code.start) == place.code.start:
                return Place(module, code)
    return place


@dataclass(frozen=True)
class ListingSources:
    """What a listing draws on besides the VM: how terms are written and C code is named, what unwinds the VM's frames,
    and .beam files."""

    terms: Terms
    c_name: CName
    unwinder: Unwinder | None
    beam_files: BeamFiles


class FunctionListing:
    """The listing of one function. `pc` is that of a frame which may be in it, `path` the .beam file that a user has
    named."""

    def __init__(self, sources: ListingSources, place: Place, pc: int | None, path: Path | None) -> None:
        self._node = sources.terms.node
        self._sources = sources
        self._place = place
        self._pc = pc
        self._path = path
        self._native = self._node.native.object_at(place.code.start)
        self._start = self._where_it_begins()
        is_native = self._native is not None
        self._comments = Comments(sources.terms, sources.c_name, place.code, self._start, is_native=is_native)

    def rows(self) -> Iterator[ListingRow]:
        """All of it. Raises `Unavailable`."""
        if self._node.is_interpreter and self._native is None:
            yield from self._interpreted()
        else:
            yield from self._machine_code()

    # -- interpreted code ----------------------------------------------------------------------------------------------

    def _interpreted(self) -> Iterator[ListingRow]:
        code = self._place.code
        yield FunctionRow(self._name(code), "interpreted", code.stop - code.start)
        before = None
        rows = list(self._bytecode(code))
        current = self._current([address for address, _ in rows])
        for address, text in rows:
            where = self._node.code.where(address)
            if where is not None and where != before:
                yield SourceRow(where.file, where.line)
                before = where
            yield self._row(address, text, is_current=address == current)

    def _bytecode(self, code: Range) -> Iterator[tuple[int, str]]:
        from beamgdb.disassembly.bytecode_text import Naming, of_function

        naming = Naming(self._sources.terms.text, self._sources.c_name)
        try:
            yield from of_function(self._node, code, naming)
        except (Unsupported, Unreadable) as error:
            raise Unavailable(f"the code of {self._name(code)} cannot be shown: {error}") from None

    def _name(self, code: Range) -> str:
        return self._sources.terms.syntax.function(code.name)

    def _current(self, starts: list[int]) -> int | None:
        """Of instructions that begin there the one in progress: the pc of a frame of interpreted code is behind it."""
        if self._pc is None or not self._place.code.start < self._pc <= self._place.code.stop:
            return None
        at = bisect_right(starts, self._pc - 1) - 1
        return starts[at] if at >= 0 else None

    # -- machine code --------------------------------------------------------------------------------------------------

    def _machine_code(self) -> Iterator[ListingRow]:
        code, start = self._place.code, self._start
        kind = "native" if self._native is not None else "jit"
        exact, found = self._pieces(start)
        groups = [] if exact else self._groups(found)
        beam_file = str(found[0]) if found else None
        yield FunctionRow(self._name(code), kind, code.stop - start, beam_file, bool(groups) and found is None)
        lines = {at: (file, line) for at, file, line in code.lines if line}
        listed = instructions.listed(self._node, self._sources.unwinder, self._place, start)
        for one in self._without_room(listed.instructions):
            if one.address in lines:
                yield SourceRow(*lines[one.address])
                yield from _taken(groups, *lines[one.address])
            yield from exact.get(one.address, ())
            text, comment = (self._data(one), "") if one.is_data else (one.text, self._comments.on(one))
            is_current, is_target = one.address == self._pc, one.address in listed.led_to
            yield self._row(one.address, text, comment, is_current=is_current, is_target=is_target)
        more = start + instructions.MOST
        if more < code.stop:
            yield RestRow(more, code.stop - more)

    def _data(self, one: Instruction) -> str:
        if one.size != self._node.memory.word_size:
            return one.text
        return f"{_WORDS[one.size]} {self._comments.word(one.address)}"

    def _without_room(self, rows: Sequence[Instruction]) -> Iterator[Instruction]:
        """Without the zeros up to the next function."""
        read, last = self._node.memory.read, len(rows)
        while self._native is None and last and not any(read(rows[last - 1].address, rows[last - 1].size)):
            last -= 1
        yield from rows[:last]

    def _where_it_begins(self) -> int:
        """Where the code begins, with what only native callers run."""
        code = self._place.code
        before = (one for one in self._place.module.ranges if one.stop == code.start)
        entry = next((one for one in before if one.name == code.name + ENTRY), None)
        return entry.start if entry is not None else code.start

    def _pieces(self, start: int) -> tuple[dict[int, list[OperationRow]], tuple[Path, BeamFileCode] | None]:
        """Operations by the address of their code, where native code tells that; and the file that they are from."""
        from beamgdb.disassembly import operation_table

        table = self._native.section(native_abi.OPERATIONS_SECTION) if self._native is not None else None
        entry, pieces = operation_table.pieces(table, start - self._place.module.base) if table else (0, [])
        found = self._file(entry, max((piece.index for piece in pieces), default=-1))
        if found is None or not pieces:
            return {}, found
        exact: dict[int, list[OperationRow]] = {}
        last = -1
        for piece in pieces:
            # Operations without code of their own, such as labels, come with the one that follows.
            indices = range(last + 1, piece.index + 1) if piece.index > last else [piece.index]
            steps = [found[1].steps[index] for index in indices if index >= 0]
            goes_on = piece.index < last
            operations = [OperationRow(step.text, step.is_label, goes_on) for step in steps if step is not None]
            exact.setdefault(self._place.module.base + piece.offset, []).extend(operations)
            last = max(last, piece.index)
        return exact, found

    def _file(self, entry: int, most: int) -> tuple[Path, BeamFileCode] | None:
        """The .beam file of the module and the function's operations, if it is found and fits. Raises `Unavailable`
        for a file that the user has named and that does not."""
        from beamgdb.disassembly.beam_file import NoOperations, of_function

        name = _NAME.fullmatch(self._place.code.name)
        if name is None:
            return None
        paths = [self._path] if self._path else self._sources.beam_files(self._module())
        for path in paths:
            try:
                code = of_function(path, self._place.module.name, unquoted(name["name"]), int(name["arity"]))
                if not entry or (entry == code.entry and most < len(code.steps)):
                    return path, code
                raise NoOperations(f"{path} is not the file that this code was made of")
            except NoOperations as error:
                if self._path:
                    raise Unavailable(str(error)) from None
        return None

    def _module(self) -> Module:
        """The module as the VM has loaded it."""
        return bytecode_of(self._node, self._place).module

    def _groups(self, found: tuple[Path, BeamFileCode] | None) -> list[Group]:
        """Operations by lines of the source: of the .beam file, else what the interpreter has loaded."""
        groups: list[Group] = []
        if found is not None:
            for step in found[1].steps:
                if step is not None and not step.is_label:
                    _add(groups, step.file or "", step.line, step.text)
        elif self._native is not None:
            for address, text in self._bytecode(bytecode_of(self._node, self._place).code):
                where = self._node.code.where(address)
                _add(groups, where.file if where else "", where.line if where else 0, text)
        return groups

    def _row(
        self, address: int, text: str, comment: str = "", *, is_current: bool, is_target: bool = False
    ) -> InstructionRow:
        return InstructionRow(address, address - self._place.code.start, text, comment, is_current, is_target)


def _taken(groups: list[Group], file: str, line: int) -> Iterator[OperationRow]:
    """The next operations of a line, which are removed."""
    name = Path(file).name
    at = next((at for at, group in enumerate(groups) if (Path(group[0]).name, group[1]) == (name, line)), None)
    if at is not None:
        yield from (OperationRow(text, is_label=False) for text in groups.pop(at)[2])


def _add(groups: list[Group], file: str, line: int, text: str) -> None:
    if not groups or groups[-1][:2] != (file, line):
        groups.append((file, line, []))
    groups[-1][2].append(text)


def line(row: ListingRow, styler: Styler) -> str:
    """The text of a row."""
    if isinstance(row, FunctionRow):
        unit = " of bytecode" if row.kind == "interpreted" else ""
        named = f"; operations of {row.beam_file}" if row.beam_file is not None else ""
        fallback = "; the interpreter's instructions" if row.has_bytecode else ""
        name = styler.heading(styler.function(row.name))
        return f"{name}, {_KINDS[row.kind]}, {row.size} bytes{unit}{named}{fallback}"
    if isinstance(row, SourceRow):
        return f" {styler.source(row.file, row.line)}"
    if isinstance(row, OperationRow):
        return (f"  {row.text}:" if row.is_label else f"    {row.text}") + ("  (continued)" if row.goes_on else "")
    if isinstance(row, InstructionRow):
        mark, target = "=>" if row.is_current else "  ", ">" if row.is_target else " "
        offset = f"<{row.offset:+}>"
        text = f"{row.text:{_COMMENT}} ; {row.comment}" if row.comment else row.text
        return f"{mark}  {target} {row.address:#x} {offset:{_OFFSET}}  {text}".rstrip()
    goes_on = f"x/20i {row.address:#x} goes on"
    return f"({row.size} bytes from {row.address:#x} on are left out: too much code; {goes_on})"
