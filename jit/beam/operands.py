"""The operands of BEAM operations.

A plain ``int`` is a number (tag u) such as an arity, a count of words, a unit or flags; an atom and the empty list are
those of ``jit.beam.terms``; a tuple is an operand list. Everything else is a small frozen class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Union

from jit.beam.terms import Atom, List, Term
from jit.beam.types import Type
from jit.otp.code import MAX_REG

#: The highest number of a register.
MAX_REGISTER: Final = MAX_REG - 1


@dataclass(frozen=True)
class X:
    """An x register."""

    number: int


@dataclass(frozen=True)
class Y:
    """A y register: a word of the stack frame, counted from the frame's top."""

    number: int


@dataclass(frozen=True)
class FloatRegister:
    number: int


@dataclass(frozen=True)
class Typed:
    """A register, and what the compiler knows of the value in it."""

    register: X | Y
    type: Type


@dataclass(frozen=True)
class BeamLabel:
    """A place in the module's code. Number 0 is none: where a label to fail to is expected, an exception is raised."""

    number: int


@dataclass(frozen=True)
class Integer:
    """An integer as a term."""

    value: int


@dataclass(frozen=True)
class Character:
    """A character as a term. No compiler of today uses it, and the loader refuses it."""

    value: int


@dataclass(frozen=True)
class Literal:
    """Entry ``index`` of the literal table."""

    index: int
    value: Term


@dataclass(frozen=True)
class Allocation:
    """Words of heap to allocate, and beside them room for floats and for funs, whose sizes are the VM's affair."""

    words: int = 0
    floats: int = 0
    funs: int = 0


@dataclass(frozen=True)
class Import:
    """A function of another module, from the import table; or a BIF."""

    module: str
    function: str
    arity: int


@dataclass(frozen=True)
class Lambda:
    """A fun, from the lambda table.

    ``function`` and ``arity`` are those of the function that is the fun's body, at ``label``; its arity counts the
    ``free`` variables. ``index`` and ``old_uniq`` are parts of the fun's identity.
    """

    function: str
    arity: int
    label: int
    index: int
    free: int
    old_uniq: int


@dataclass(frozen=True)
class Location:
    """A line of a source file, counted from 1."""

    file: str
    line: int


#: The location of code that comes from no line (entry 0 of the line table).
NOWHERE: Final = Location("", 0)


@dataclass(frozen=True)
class String:
    """A piece of the string table, at ``offset`` bytes."""

    offset: int
    data: bytes


BeamRegister = Union[X, Y, FloatRegister]
Constant = Union[Atom, List, Integer, Character, Literal]
Reference = Union[Import, Lambda, Location, String]
Simple = Union[int, BeamRegister, Typed, Constant, BeamLabel, Allocation, Reference]
Operand = Union[Simple, tuple[Simple, ...]]


def register_of(operand: Operand) -> BeamRegister | None:
    """The register that an operand names, whatever is known of its type; None for everything else."""
    if isinstance(operand, Typed):
        return operand.register
    return operand if isinstance(operand, (X, Y, FloatRegister)) else None
