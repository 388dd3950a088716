"""BEAM operations and functions, and what their operands refer to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jit.beam.opcodes import NAMED, Opcode
from jit.beam.operands import NOWHERE, Import, Lambda, Literal, Location, Operand
from jit.beam.types import Type


@dataclass(frozen=True)
class Operation:
    """A BEAM operation. ``operands`` are what ``opcode.roles`` says.

    ``offset`` is where it stands in the data of the Code chunk, in bytes. ``location`` is what the last ``line``
    operation up to here in the function told. Both tell of the file that was read, and are no part of what it does.
    """

    opcode: Opcode
    operands: tuple[Operand, ...] = ()
    offset: int = field(default=0, compare=False)
    location: Location = field(default=NOWHERE, compare=False)

    @property
    def name(self) -> str:
        return self.opcode.name


def operation(name: str, *operands: Operand) -> Operation:
    """A new operation. Raises KeyError for an unknown name and ValueError for a wrong count of operands."""
    opcode = NAMED[name]
    if len(operands) != opcode.arity:
        raise ValueError(f"{name} has {opcode.arity} operands, not {len(operands)}")
    return Operation(opcode, operands)


@dataclass
class Function:
    """A function: its operations from the label before ``func_info`` on. ``entry`` is the label of its entry."""

    name: str
    arity: int
    entry: int
    operations: list[Operation]


@dataclass(frozen=True)
class Tables:
    """What operands refer to by index, each as in its chunk.

    ``locations`` and ``types`` are None where there is no such chunk, or it cannot be read: then a line's operand stays
    the number that it is, and a register is without type.
    """

    atoms: Sequence[str]
    imports: Sequence[Import]
    literals: Sequence[Literal]
    lambdas: Sequence[Lambda]
    locations: Sequence[Location] | None
    types: Sequence[Type] | None
    strings: bytes
