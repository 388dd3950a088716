"""From operations to the bytes of the Code chunk. What operands refer to goes into the module's tables."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, Generic, TypeVar

from jit.beam import compact
from jit.beam.compact import Extended, Tag
from jit.beam.operands import (
    Allocation,
    BeamLabel,
    Character,
    FloatRegister,
    Import,
    Integer,
    Lambda,
    Literal,
    Location,
    Operand,
    String,
    Typed,
    X,
    Y,
)
from jit.beam.operations import Operation
from jit.beam.terms import Atom, List
from jit.beam.types import Type

_T = TypeVar("_T", bound=Hashable)


class Interner(Generic[_T]):
    """A table that grows: ``rows``, and the index of each by its value, the first one where it is there twice."""

    def __init__(self, rows: list[_T]) -> None:
        self.rows = rows
        self._indices = {row: index for index, row in reversed(list(enumerate(rows)))}

    def index(self, row: _T) -> int:
        """The index of *row*, which is appended if it is not there."""
        index = self._indices.get(row)
        if index is None:
            index = self._indices[row] = len(self.rows)
            self.rows.append(row)
        return index


class OperationEncoder:
    """Encodes operations. The tables given are appended to where an operand refers to what is not there yet.

    ``max_opcode`` is the highest so far. ``lines`` counts the operations that name a location.
    """

    def __init__(
        self,
        *,
        atoms: list[str],
        imports: list[Import],
        lambdas: list[Lambda],
        locations: list[Location],
        types: list[Type],
        strings: bytes,
    ) -> None:
        self._atoms = Interner(atoms)
        self._imports = Interner(imports)
        self._lambdas = Interner(lambdas)
        self.locations = Interner(locations)
        self.types = Interner(types)
        self.strings = strings
        self.max_opcode = 0
        self.lines = 0

    def encode(self, operation: Operation) -> bytes:
        """The bytes of an operation."""
        number = operation.opcode.number
        self.max_opcode = max(self.max_opcode, number)
        return bytes((number,)) + self._all(operation.operands)

    def atom(self, name: str) -> int:
        """The index of an atom, from 1 on."""
        return self._atoms.index(name) + 1

    def _all(self, operands: Iterable[Operand]) -> bytes:
        return b"".join([_ENCODERS[type(operand)](self, operand) for operand in operands])

    def _atom(self, atom: Atom) -> bytes:
        return compact.encode(Tag.ATOM, self.atom(atom.name))

    def _list_term(self, term: List) -> bytes:
        if term.elements or term.tail is not None:
            raise ValueError("the only list that is an operand is the empty one: others are literals")
        return compact.encode(Tag.ATOM, 0)

    def _typed(self, typed: Typed) -> bytes:
        register = self._all((typed.register,))
        return _extended(Extended.TYPED_REGISTER) + register + _unsigned(self.types.index(typed.type))

    def _allocation(self, allocation: Allocation) -> bytes:
        sizes = list(enumerate((allocation.words, allocation.floats, allocation.funs)))
        parts = [_unsigned(kind) + _unsigned(size) for kind, size in sizes]
        return _extended(Extended.ALLOCATION) + _unsigned(len(parts)) + b"".join(parts)

    def _import(self, function: Import) -> bytes:
        return _unsigned(self._imports.index(function))

    def _lambda(self, fun: Lambda) -> bytes:
        return _unsigned(self._lambdas.index(fun))

    def _location(self, location: Location) -> bytes:
        self.lines += 1
        return _unsigned(self.locations.index(location))

    def _string(self, string: String) -> bytes:
        offset = string.offset
        if self.strings[offset : offset + len(string.data)] != string.data:
            offset = self.strings.find(string.data)
            if offset < 0:
                offset = len(self.strings)
                self.strings += string.data
        return _unsigned(offset)

    def _list(self, elements: tuple[Operand, ...]) -> bytes:
        return _extended(Extended.LIST) + _unsigned(len(elements)) + self._all(elements)


def _unsigned(number: int) -> bytes:
    return compact.encode(Tag.UNSIGNED, number)


def _extended(kind: Extended) -> bytes:
    return compact.encode(Tag.EXTENDED, kind)


_ENCODERS: Final[dict[type, Callable[[OperationEncoder, Any], bytes]]] = {
    int: lambda _, number: _unsigned(number),
    X: lambda _, register: compact.encode(Tag.X, register.number),
    Y: lambda _, register: compact.encode(Tag.Y, register.number),
    FloatRegister: lambda _, register: _extended(Extended.FLOAT_REGISTER) + _unsigned(register.number),
    BeamLabel: lambda _, label: compact.encode(Tag.LABEL, label.number),
    Integer: lambda _, integer: compact.encode(Tag.INTEGER, integer.value),
    Character: lambda _, character: compact.encode(Tag.CHARACTER, character.value),
    Literal: lambda _, literal: _extended(Extended.LITERAL) + _unsigned(literal.index),
    Atom: OperationEncoder._atom,
    List: OperationEncoder._list_term,
    Typed: OperationEncoder._typed,
    Allocation: OperationEncoder._allocation,
    Import: OperationEncoder._import,
    Lambda: OperationEncoder._lambda,
    Location: OperationEncoder._location,
    String: OperationEncoder._string,
    tuple: OperationEncoder._list,
}
