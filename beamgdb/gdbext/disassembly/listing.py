"""The listing of an Erlang function: operations, source lines and machine code interleaved."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from beamgdb.beamasm.registrations import Module, Range
from beamgdb.gdbext import beam_files, term_printing
from beamgdb.gdbext.disassembly.comments import Comments, c_name
from beamgdb.gdbext.style import function, heading, source
from beamgdb.interpreter.operations import Unsupported
from beamgdb.memory import Unreadable
from beamgdb.native import machine as native
from beamgdb.native.objects import ENTRY
from beamgdb.terms.quoting import unquoted
from beamgdb.vm.code import Place
from beamgdb.vm.node import Node, Unavailable

if TYPE_CHECKING:
    # Not before they are needed: these load a disassembler, and what reads .beam files.
    from beamgdb.disassembly.beam_file import Code
    from beamgdb.disassembly.machine_code import Instruction

_OFFSET = 7
"""Columns of the offset of an instruction, which rarely needs more."""

_COMMENT = 32
"""Columns from the text of an instruction to its comment."""

_NAME = re.compile(r"(?P<module>'(?:[^'\\]|\\.)*'|[^':]+):(?P<name>'(?:[^'\\]|\\.)*'|.+)/(?P<arity>\d+)")

Group = tuple[str, int, list[str]]
"""Operations of one line of the source, in their order: its file, its number, and their texts."""


def bytecode_of(node: Node, place: Place) -> Place:
    """The interpreted code of a function that may have native code."""
    for module in node.code:
        for code in node.code.functions(module) if module.name == place.module.name else ():
            if code.name == place.code.name and node.code.goes_on(code.start) == place.code.start:
                return Place(module, code)
    return place


class Listing:
    """The listing of one function."""

    def __init__(self, node: Node, place: Place, pc: int | None, path: Path | None) -> None:
        self._node = node
        self._place = place
        self._pc = pc
        self._path = path
        self._native = node.native.object_at(place.code.start)
        self._start = self._where_it_begins()
        self._comments = Comments(node, place.code, self._start, is_native=self._native is not None)

    def lines(self) -> Iterator[str]:
        """All of it. Raises `Unavailable`."""
        if self._node.is_interpreter and self._native is None:
            yield from self._interpreted()
        else:
            yield from self._machine_code()

    # -- interpreted code ----------------------------------------------------------------------------------------------

    def _interpreted(self) -> Iterator[str]:
        code = self._place.code
        yield f"{heading(function(code.name))}, interpreted, {code.stop - code.start} bytes of bytecode"
        before = None
        rows = list(self._bytecode(code))
        current = self._current([address for address, _ in rows])
        for address, text in rows:
            where = self._node.code.where(address)
            if where is not None and where != before:
                yield f" {source(where.file, where.line)}"
                before = where
            yield self._row(address, text, address == current)

    def _bytecode(self, code: Range) -> Iterator[tuple[int, str]]:
        from beamgdb.disassembly.bytecode_text import Naming, of_function

        naming = Naming(lambda word: term_printing.text(self._node, word), c_name)
        try:
            yield from of_function(self._node, code, naming)
        except (Unsupported, Unreadable) as error:
            raise Unavailable(f"the code of {code.name} cannot be shown: {error}") from None

    def _current(self, starts: list[int]) -> int | None:
        """Of instructions that begin there the one in progress: the pc of a frame of interpreted code is behind it."""
        if self._pc is None or not self._place.code.start < self._pc <= self._place.code.stop:
            return None
        at = bisect_right(starts, self._pc - 1) - 1
        return starts[at] if at >= 0 else None

    # -- machine code --------------------------------------------------------------------------------------------------

    def _machine_code(self) -> Iterator[str]:
        code, start = self._place.code, self._start
        kind = "native code" if self._native is not None else "JIT code"
        exact, found = self._pieces(start)
        groups = [] if exact else self._groups(found)
        named = f"; operations of {found[0]}" if found else ""
        fallback = "; the interpreter's instructions" if groups and not found else ""
        yield f"{heading(function(code.name))}, {kind}, {code.stop - start} bytes{named}{fallback}"
        lines = {at: (file, line) for at, file, line in code.lines if line}
        instructions = list(self._instructions(start, code.stop))
        data = self._data(instructions)
        for one in instructions:
            if one.address in lines:
                yield f" {source(*lines[one.address])}"
                yield from _taken(groups, *lines[one.address])
            yield from exact.get(one.address, ())
            if one.address in data:
                yield self._row(one.address, f".word {self._comments.word(one.address)}", is_current=False)
            else:
                text = _with_comment(one.text, self._comments.on(one))
                yield self._row(one.address, text, one.address == self._pc)

    def _data(self, instructions: list[Instruction]) -> set[int]:
        """Addresses of words among native code that are no instructions: what those load, and what belongs to calls."""
        if self._native is None:
            return set()
        found = {one.loads for one in instructions if one.loads is not None}
        for one in instructions:
            target = one.target if one.address not in found else None
            place = self._node.code.native_at(target) if target is not None else None
            words = native.WORDS_BEHIND.get(place.code.name, 0) if place is not None else 0
            found |= {one.address + native.WORD * (1 + number) for number in range(words)}
        return found

    def _where_it_begins(self) -> int:
        """Where the code begins, with what only native callers run."""
        code = self._place.code
        before = (one for one in self._place.module.ranges if one.stop == code.start)
        entry = next((one for one in before if one.name == code.name + ENTRY), None)
        return entry.start if entry is not None else code.start

    def _instructions(self, start: int, stop: int) -> Iterator[Instruction]:
        try:
            from beamgdb.disassembly import machine_code
        except ImportError:
            raise Unavailable("there is no disassembler: pip install capstone") from None
        try:
            raw = self._node.memory.read(start, stop - start)
        except Unreadable as error:
            raise Unavailable(str(error)) from None
        for one in machine_code.instructions(self._node.identity.arch or "", raw, start):
            if self._native is None and not any(raw[one.address - start :]):
                # Room up to the next function.
                return
            yield one

    def _pieces(self, start: int) -> tuple[dict[int, list[str]], tuple[Path, Code] | None]:
        """Operations by the address of their code, where native code tells that; and the file that they are from."""
        from beamgdb.disassembly import operation_table

        table = self._native.section(operation_table.SECTION) if self._native is not None else None
        entry, pieces = operation_table.pieces(table, start - self._place.module.base) if table else (0, [])
        found = self._file(entry, max((piece.index for piece in pieces), default=-1))
        if found is None or not pieces:
            return {}, found
        exact: dict[int, list[str]] = {}
        last = -1
        for piece in pieces:
            # Operations without code of their own, such as labels, come with the one that follows.
            indices = range(last + 1, piece.index + 1) if piece.index > last else [piece.index]
            steps = [found[1].steps[index] for index in indices if index >= 0]
            again = "  (continued)" if piece.index < last else ""
            texts = [_operation(step.text, step.is_label) + again for step in steps if step is not None]
            exact.setdefault(self._place.module.base + piece.offset, []).extend(texts)
            last = max(last, piece.index)
        return exact, found

    def _file(self, entry: int, most: int) -> tuple[Path, Code] | None:
        """The .beam file of the module and the function's operations, if it is found and fits. Raises `Unavailable`
        for a file that the user has named and that does not."""
        from beamgdb.disassembly.beam_file import NoOperations, of_function

        name = _NAME.fullmatch(self._place.code.name)
        if name is None:
            return None
        paths: Sequence[Path] = [self._path] if self._path else beam_files.candidates(self._node, self._module())
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

    def _groups(self, found: tuple[Path, Code] | None) -> list[Group]:
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

    def _row(self, address: int, text: str, is_current: bool) -> str:
        mark = "=>" if is_current else "  "
        offset = f"<{address - self._place.code.start:+}>"
        return f"{mark}    {address:#x} {offset:{_OFFSET}}  {text}".rstrip()


def _operation(text: str, is_label: bool) -> str:
    return f"  {text}:" if is_label else f"    {text}"


def _taken(groups: list[Group], file: str, line: int) -> Iterator[str]:
    """The next operations of a line, which are removed."""
    name = Path(file).name
    at = next((at for at, group in enumerate(groups) if (Path(group[0]).name, group[1]) == (name, line)), None)
    if at is not None:
        yield from (_operation(text, is_label=False) for text in groups.pop(at)[2])


def _add(groups: list[Group], file: str, line: int, text: str) -> None:
    if not groups or groups[-1][:2] != (file, line):
        groups.append((file, line, []))
    groups[-1][2].append(text)


def _with_comment(text: str, comment: str) -> str:
    return f"{text:{_COMMENT}} ; {comment}" if comment else text
