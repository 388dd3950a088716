"""Which operands each operation can have."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Final

from jit.beam.opcodes import OPCODES, Opcode, Role
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
from jit.beam.terms import Atom, List
from jit.beam.text import operand_text
from jit.otp.code import MAX_ARG, MAX_REG

_REGISTERS = frozenset((X, Y, FloatRegister, Typed))
_CONSTANTS = frozenset((Atom, List, Integer, Character, Literal))
_NUMBER = frozenset((int,))
_ALLOWED: Final[dict[Role, frozenset[type]]] = {
    Role.USE: _REGISTERS | _CONSTANTS,
    Role.DEF: _REGISTERS,
    Role.USE_DEF: _REGISTERS,
    Role.CONSTANT: _CONSTANTS,
    Role.NUMBER: _NUMBER,
    Role.FLAGS: _NUMBER,
    Role.ARITY: _NUMBER,
    Role.LIVE: _NUMBER,
    Role.STACK: _NUMBER,
    Role.HEAP: frozenset((int, Allocation)),
    Role.SIZE: _REGISTERS | _CONSTANTS | _NUMBER,
    Role.LABEL: _NUMBER,
    Role.PLACE: frozenset((BeamLabel,)),
    Role.CALLEE: frozenset((BeamLabel,)),
    Role.JUMP: frozenset((BeamLabel,)),
    Role.FAIL: frozenset((BeamLabel,)),
    Role.MODE: frozenset((BeamLabel, Atom)),
    Role.IMPORT: frozenset((Import,)),
    Role.LAMBDA: frozenset((Lambda,)),
    Role.TAG: frozenset((Lambda, Atom)),
    Role.LINE: frozenset((Location, int)),
    Role.BITS: _NUMBER,
    Role.BYTES: _NUMBER,
    Role.STRING: frozenset((String,)),
    Role.COMMAND: _REGISTERS | _CONSTANTS | _NUMBER,
    Role.SEGMENT: _REGISTERS | _CONSTANTS | {String},
}
_RESOLVED = frozenset((Role.IMPORT, Role.LAMBDA, Role.TAG, Role.LINE, Role.STRING, Role.SEGMENT, Role.COMMAND))


#: The most that a number can be. No code is long enough to fill more words of heap.
_HIGHEST: Final = {Role.ARITY: MAX_ARG, Role.LIVE: MAX_REG, Role.STACK: MAX_REG, Role.HEAP: 1 << 26}


class Shape:
    """The operands of an operation: ``plain`` roles, then those of ``elements`` of a list if there is one.

    ``allowed`` are the types that each operand may have; ``resolved`` are the indices and roles of those that are
    numbers in the file and refer to a table, or need to be looked at more closely.
    """

    def __init__(self, opcode: Opcode) -> None:
        roles = opcode.roles or ()
        last = roles[-1] if roles else ()
        self.elements = last if isinstance(last, tuple) else ()
        self.plain = tuple(role for role in roles if isinstance(role, Role))
        self.limits = [(index, _HIGHEST[role]) for index, role in enumerate(self.plain) if role in _HIGHEST]
        self.allowed = [_ALLOWED[role] for role in self.plain] + ([frozenset((tuple,))] if self.elements else [])
        self.resolved = [(index, role) for index, role in enumerate((*self.plain, *self.elements)) if role in _RESOLVED]

    def misfit(self, operands: Sequence[Operand]) -> str | None:
        """What is wrong with the types of *operands*, None if nothing is."""
        for index, allowed in enumerate(self.allowed):
            if type(operands[index]) not in allowed:
                return f"operand {index + 1} cannot be {operand_text(operands[index]):.100}"
        for index, most in self.limits:
            if _amount(operands[index]) > most:
                return f"operand {index + 1} cannot be {operand_text(operands[index]):.100}: {most} is the most"
        if self.elements and isinstance(elements := operands[-1], tuple):
            if len(elements) % len(self.elements):
                return f"a list of {len(elements)} operands, which is no multiple of {len(self.elements)}"
            for element, role in zip(elements, cycle(self.elements)):
                if type(element) not in _ALLOWED[role]:
                    return f"{operand_text(element):.100} in a list where it cannot be"
        return None


def _amount(operand: Operand) -> int:
    """A number; words of heap are not counted exactly: the sizes of floats and funs are the VM's affair."""
    if isinstance(operand, Allocation):
        return operand.words + 8 * (operand.floats + operand.funs)
    return operand if isinstance(operand, int) else 0


#: The shape of each operation whose operands are known, by opcode.
SHAPES: Final = {number: Shape(opcode) for number, opcode in OPCODES.items() if opcode.roles is not None}
