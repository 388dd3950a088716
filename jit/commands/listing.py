"""The annotated listing of native code: operations of the bytecode, source lines, and the machine code beneath."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jit.beam.opcodes import Role
from jit.beam.operands import NOWHERE, BeamLabel, Location
from jit.beam.operations import Function, Operation
from jit.beam.text import operation_text
from jit.codegen.describe import symbol
from jit.codegen.disassembly import Disassembly
from jit.codegen.native import Native, NativeFunction
from jit.commands.sources import Sources
from jit.system.command_line import one_line

#: Where comments begin, in columns.
_COMMENT = 56

_MARKS = ("label", "line", "int_code_end")


@dataclass(frozen=True)
class Piece:
    """Code from ``offset`` on, up to the next piece: with a heading, or the operation itself as one.

    ``registers`` tells which x registers are in CPU registers before it.
    """

    offset: int
    operation: Operation | None = None
    heading: str = ""
    registers: str = ""


class Listing:
    """The listing of a module."""

    def __init__(self, native: Native[Any], disassembly: Disassembly) -> None:
        self._native, self._disassembly = native, disassembly
        self._offsets = [one.offset for one in disassembly.code]
        self._sources = Sources(native.module)
        self._callees = {one.entry: symbol(native.module.name, one.name, one.arity) for one in native.module.functions}
        self._natives = {id(one.function): one for one in native.functions}

    def all(self) -> Iterator[str]:
        """The lines of the whole listing."""
        yield from self.header()
        for function in self._native.module.functions:
            yield ""
            yield from self.function(function)
        if self._native.functions:
            yield from self._parts()
            yield from self._fragments()

    def header(self) -> Iterator[str]:
        """What all functions have in common."""
        native = self._native
        total = len(native.module.functions)
        yield f"% {one_line(native.module.file)}: {len(native.functions)} of {total} functions native"
        yield from (f"% {line}" for line in self._disassembly.about)

    def function(self, function: Function) -> Iterator[str]:
        """The lines of one function."""
        name = symbol(self._native.module.name, function.name, function.arity)
        native = self._natives.get(id(function))
        if native is None:
            why = self._native.interpreted.get((function.name, function.arity), "")
            yield f"{name}    % interpreted: {why}"
            yield from self._bytecode(function)
            return
        yield f"{name}    % {native.end - native.start} bytes"
        place = NOWHERE
        pieces = _pieces(native, self._disassembly.returns(function.entry))
        for piece, following in zip(pieces, [*pieces[1:], Piece(native.end)]):
            if piece.heading:
                yield f"  {piece.heading}:"
            elif piece.operation:
                line, place = self._line(place, piece.operation)
                yield from line
                yield self._operation(piece.operation, piece.registers)
            yield from self._lines(piece.offset, following.offset, piece.operation)

    def _bytecode(self, function: Function) -> Iterator[str]:
        place = NOWHERE
        for operation in function.operations:
            if operation.name == "label":
                yield f"  L{operation.operands[0]}:"
            elif operation.name not in _MARKS:
                line, place = self._line(place, operation)
                yield from line
                yield self._operation(operation)

    def _operation(self, operation: Operation, registers: str = "") -> str:
        """An operation, and what it calls if that is only a label."""
        remarks = [registers] if registers else []
        for operand, role in zip(operation.operands, operation.opcode.roles or ()):
            if role is Role.CALLEE and isinstance(operand, BeamLabel) and operand.number in self._callees:
                remarks.append(self._callees[operand.number])
        return _with_comment(f"  {operation_text(operation)}", ", ".join(remarks))

    def _line(self, place: Location, operation: Operation) -> tuple[list[str], Location]:
        """A line on the source, if the operation is from another one than *place*; and where it is from."""
        location = operation.location
        if location in (place, NOWHERE):
            return [], place
        text = f"% {location.file}:{location.line}  {self._sources.line(location)}".rstrip()
        return [f"  {one_line(text)}"], location

    def _parts(self) -> Iterator[str]:
        for part in self._disassembly.parts:
            yield ""
            yield part.title
            yield from self._named(part.begin, part.end)

    def _fragments(self) -> Iterator[str]:
        for one in self._native.fragments:
            yield ""
            yield f"{one.name}    % {one.end - one.begin} bytes"
            yield from self._lines(one.begin, one.end, None)
        ends = [part.end for part in self._disassembly.parts] + [one.end for one in self._native.fragments]
        end = max(ends, default=0)
        if end < len(self._native.code.data):
            yield ""
            yield "literals"
            yield from self._lines(end, len(self._native.code.data), None)

    def _named(self, begin: int, end: int) -> Iterator[str]:
        marks = [offset for offset in sorted(self._disassembly.names) if begin <= offset < end]
        for mark, following in zip(marks, [*marks[1:], end]):
            yield f"  {self._disassembly.names[mark]}:"
            yield from self._lines(mark, following, None)

    def _lines(self, begin: int, end: int, operation: Operation | None) -> Iterator[str]:
        """Machine code from one offset to another."""
        code = self._disassembly.code[bisect_left(self._offsets, begin) : bisect_left(self._offsets, end)]
        for one, comment in zip(code, self._disassembly.comments(code, operation)):
            yield _with_comment(f"    {one.offset:04x}  {one.code}  {one.text}", comment)


def _with_comment(line: str, comment: str) -> str:
    return f"{line:{_COMMENT - 1}} ; {comment}" if comment else line


def _what(operation: Operation) -> str:
    return "the entry" if operation.name == "label" else operation_text(operation)


def _cached(one: NativeFunction[Any], offset: int) -> str:
    """Which x registers are in CPU registers, such as ``x0 in r10``; nothing if all are in memory."""
    places = sorted((x, str(register)) for x, register in one.located(offset).items() if register is not None)
    return ", ".join(f"x{x} in {register}" for x, register in places)


def _pieces(one: NativeFunction[Any], returns: Sequence[tuple[int, str]]) -> list[Piece]:
    """A function's code in its order."""
    pieces = [Piece(one.start, heading="entry for native callers")]
    pieces += [Piece(place, heading=f"L{number}") for number, place in one.labels]
    pieces += [Piece(place, heading=heading) for place, heading in returns]
    operations = one.emission.operations
    pieces += [
        Piece(at, operations[index], registers=_cached(one, at))
        for at, index in one.operations
        if operations[index].name not in _MARKS
    ]
    pieces += [
        Piece(at, operations[index], heading=f"cold code of {_what(operations[index])}") for at, index in one.cold
    ]
    return sorted(pieces, key=lambda piece: piece.offset)
