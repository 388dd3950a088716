"""Operations of a function as the compiler made them, from its module's .beam file.

Of a file that carries native code, what was added to stand beside that is left out again: places that native code needs
have labels above those of the compiler, which numbers them as they come, and jumps to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from beamgdb.native.machine import WORD
from jit.beam.errors import BeamError
from jit.beam.module import Module, read_module
from jit.beam.operands import NOWHERE, Label
from jit.beam.operations import Operation
from jit.beam.text import operation_text

_NATIVE = "NatA"
"""The chunk with native code."""

_WITHOUT_CODE = ("line", "int_code_end")


class NoOperations(Exception):
    """The file does not tell; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """An operation: its text, and the line of the source that it is from, None if that is not known."""

    text: str
    file: str | None
    line: int
    is_label: bool


@dataclass(frozen=True, slots=True)
class Code:
    """The operations of a function. `entry` is the label of its entry; None stands for an operation that is no text."""

    entry: int
    steps: tuple[Step | None, ...]


def of_function(path: Path, module: str, name: str, arity: int) -> Code:
    """A function's operations. Raises `NoOperations`."""
    try:
        read = read_module(path)
    except (BeamError, OSError) as error:
        raise NoOperations(str(error)) from None
    if read.name != module:
        raise NoOperations(f"{path} holds the module {read.name}")
    labels = _labels(read) if any(chunk.name == _NATIVE for chunk in read.chunks) else None
    for function in read.functions:
        if (function.name, function.arity) == (name, arity):
            own = [one for one in function.operations if labels is None or not _is_added(one, labels)]
            return Code(function.entry, tuple(_step(one) for one in own if one.name != "int_code_end"))
    raise NoOperations(f"{path} has no function {name}/{arity}")


def _labels(module: Module) -> int:
    """The first label above those of the compiler."""
    following = 1
    for function in module.functions:
        for one in function.operations:
            if one.name == "label" and one.operands[0] == following:
                following += 1
    return following


def _is_added(one: Operation, labels: int) -> bool:
    target = one.operands[0] if one.operands else None
    if one.name == "label":
        return isinstance(target, int) and target >= labels
    return one.name == "jump" and isinstance(target, Label) and target.number >= labels


def _step(one: Operation) -> Step | None:
    if one.name in _WITHOUT_CODE:
        return None
    if one.name == "label":
        return Step(f"label {one.operands[0]}", None, 0, is_label=True)
    known = one.location != NOWHERE
    return Step(operation_text(one), one.location.file if known else None, one.location.line, is_label=False)


@dataclass(frozen=True, slots=True)
class Piece:
    """Native code from `offset` into the code on belongs to the operation with this index; -1: to what native callers
    run before the first."""

    offset: int
    index: int


def pieces(table: bytes, start: int) -> tuple[int, list[Piece]]:
    """The label of the entry, and the pieces, of the function whose code begins at `start`; none if it does not tell.

    `table` is the section `.beam.operations`: for each function the label of its entry, the word at which it begins,
    the count of rows, and the rows; a row is the count of instructions from the row before, and by how much the index
    is higher. All are LEB128, the last signed.
    """
    numbers = _Numbers(table)
    try:
        while numbers.left:
            entry, begin, count = (numbers.unsigned() for _ in range(3))
            rows = list(_rows(numbers, begin * WORD, count))
            if begin * WORD == start:
                return entry, rows
    except IndexError:
        pass
    return 0, []


def _rows(numbers: _Numbers, at: int, count: int) -> Iterator[Piece]:
    index = -1
    for _ in range(count):
        at += WORD * numbers.unsigned()
        index += numbers.signed()
        yield Piece(at, index)


class _Numbers:
    """Reads LEB128, one number after another. Raises IndexError at the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> bool:
        return self._at < len(self._data)

    def unsigned(self) -> int:
        """The next number, which has no sign (DWARF 5, 7.6)."""
        value, _ = self._next()
        return value

    def signed(self) -> int:
        """The next number, which has a sign."""
        value, bits = self._next()
        return value - (1 << bits) if value >> bits - 1 else value

    def _next(self) -> tuple[int, int]:
        value = bits = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << bits
            bits += 7
            if not byte & 0x80:
                return value, bits
