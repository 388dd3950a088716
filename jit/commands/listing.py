"""The annotated listing of native code: operations of the bytecode, source lines, and the machine code beneath."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from jit.beam.opcodes import Role
from jit.beam.operands import NOWHERE, Label, Location
from jit.beam.operations import Function, Operation
from jit.beam.text import operation_text
from jit.codegen.compile import Native, NativeFunction
from jit.commands.explain import Explainer, instructions
from jit.commands.names import continuation_places, function_name, label_places, places
from jit.commands.sources import Sources

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

    def __init__(self, native: Native) -> None:
        self._native = native
        names = places(native)
        self._names = names
        self._code = instructions(native, names)
        self._offsets = [one.offset for one in self._code]
        self._explainer = Explainer(native, names)
        self._sources = Sources(native.module)
        self._callees = {one.entry: function_name(native, one.name, one.arity) for one in native.module.functions}
        self._natives = {id(one.function): one for one in native.functions}

    def all(self) -> Iterator[str]:
        """The lines of the whole listing."""
        yield from self.header()
        for function in self._native.module.functions:
            yield ""
            yield from self.function(function)
        if self._native.functions:
            yield from self._ways_in()
            yield from self._fragments()

    def header(self) -> Iterator[str]:
        """What all functions have in common."""
        native = self._native
        total = len(native.module.functions)
        yield f"% {native.module.file}: {len(native.functions)} of {total} functions native"
        yield f"% arm32, for erts {native.layout.erts} (Erlang/OTP {native.layout.otp})"
        yield "% r4 scheduler's registers, r5 process, r6 E, r7 HTOP, r8 FCALLS, r9 handler of call_nif"

    def function(self, function: Function) -> Iterator[str]:
        """The lines of one function."""
        name = function_name(self._native, function.name, function.arity)
        native = self._natives.get(id(function))
        if native is None:
            why = self._native.interpreted.get((function.name, function.arity), "")
            yield f"{name}    % interpreted: {why}"
            yield from self._bytecode(function)
            return
        yield f"{name}    % {native.end - native.start} bytes"
        place = NOWHERE
        pieces = _pieces(native)
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
            if role is Role.CALLEE and isinstance(operand, Label) and operand.number in self._callees:
                remarks.append(self._callees[operand.number])
        return _with_comment(f"  {operation_text(operation)}", ", ".join(remarks))

    def _line(self, place: Location, operation: Operation) -> tuple[list[str], Location]:
        """A line on the source, if the operation is from another one than *place*; and where it is from."""
        location = operation.location
        if location in (place, NOWHERE):
            return [], place
        return [f"  % {location.file}:{location.line}  {self._sources.line(location)}".rstrip()], location

    def _ways_in(self) -> Iterator[str]:
        yield ""
        yield "ways in from the interpreter"
        begin, end = self._native.ways_in
        yield from self._named(begin, end)

    def _fragments(self) -> Iterator[str]:
        end = self._native.ways_in[1]
        for name, begin, end in self._native.fragments:
            yield ""
            yield f"native::{name}    % {end - begin} bytes"
            yield from self._lines(begin, end, None)
        if end < len(self._native.code.data):
            yield ""
            yield "literals"
            yield from self._lines(end, len(self._native.code.data), None)

    def _named(self, begin: int, end: int) -> Iterator[str]:
        marks = [offset for offset in sorted(self._names) if begin <= offset < end]
        for mark, following in zip(marks, [*marks[1:], end]):
            yield f"  {self._names[mark]}:"
            yield from self._lines(mark, following, None)

    def _lines(self, begin: int, end: int, operation: Operation | None) -> Iterator[str]:
        """Machine code from one offset to another."""
        code = self._code[bisect_left(self._offsets, begin) : bisect_left(self._offsets, end)]
        for one, comment in zip(code, self._explainer.comments(code, operation)):
            yield _with_comment(f"    {one.offset:04x}  {one.word:08x}  {one.text}", comment)


def _with_comment(line: str, comment: str) -> str:
    return f"{line:{_COMMENT - 1}} ; {comment}" if comment else line


def _what(operation: Operation) -> str:
    return "the entry" if operation.name == "label" else operation_text(operation)


def _cached(one: NativeFunction, offset: int) -> str:
    """Which x registers are in CPU registers, such as ``x0 in r10``; nothing if all are in memory."""
    places = sorted((x, str(register)) for x, register in one.located(offset).items() if register is not None)
    return ", ".join(f"x{x} in {register}" for x, register in places)


def _pieces(one: NativeFunction) -> list[Piece]:
    """A function's code in its order."""
    pieces = [Piece(one.start, heading="entry for native callers")]
    pieces += [Piece(place, heading=f"L{number}") for number, place in label_places(one)]
    pieces += [Piece(place, heading=f"continuation {label}") for label, place in continuation_places(one)]
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
