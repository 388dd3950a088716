"""The commands of bs_match, which its operand list holds one after the other (genop.tab, beam_disasm.erl)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jit.beam.opcodes import Role
from jit.beam.operands import MAX_REGISTER, FloatRegister, Operand, Simple, Typed, X, Y
from jit.beam.terms import Atom
from jit.beam.text import operand_text

#: The operands of each command. Sizes and strides are in bits, or in units where there is one.
COMMANDS: Final[dict[str, tuple[Role, ...]]] = {
    "ensure_at_least": (Role.NUMBER, Role.NUMBER),  # stride, unit
    "ensure_exactly": (Role.NUMBER,),  # stride
    "binary": (Role.LIVE, Role.CONSTANT, Role.NUMBER, Role.NUMBER, Role.DEF),  # live, flags, size, unit, destination
    "integer": (Role.LIVE, Role.CONSTANT, Role.NUMBER, Role.NUMBER, Role.DEF),  # the same
    "skip": (Role.NUMBER,),  # stride
    "get_tail": (Role.LIVE, Role.NUMBER, Role.DEF),  # live, unit, destination
    "=:=": (Role.CONSTANT, Role.NUMBER, Role.NUMBER),  # [], size, value
}


@dataclass(frozen=True)
class MatchCommand:
    """A command of bs_match; ``operands`` are what ``COMMANDS`` says of its name."""

    name: str
    operands: tuple[Simple, ...]


def match_commands(operands: Operand) -> list[MatchCommand]:
    """The commands in the operand list of bs_match. Raises ValueError."""
    if not isinstance(operands, tuple):
        raise ValueError("a list of commands expected")
    commands: list[MatchCommand] = []
    at = 0
    while at < len(operands):
        head = operands[at]
        if not isinstance(head, Atom) or head.name not in COMMANDS:
            raise ValueError(f"a command of bs_match expected, not {operand_text(head):.100}")
        roles = COMMANDS[head.name]
        command = MatchCommand(head.name, operands[at + 1 : at + 1 + len(roles)])
        if len(command.operands) != len(roles) or not all(map(_fits, command.operands, roles)):
            what = f"{len(roles)} operands of {head.name} in bs_match, not {operand_text(command.operands):.100}"
            raise ValueError(what)
        commands.append(command)
        at += 1 + len(roles)
    return commands


def _fits(operand: Simple, role: Role) -> bool:
    is_register = isinstance(operand, (X, Y, FloatRegister, Typed))
    if role is Role.DEF:
        return is_register
    if role is Role.LIVE:
        return isinstance(operand, int) and operand <= MAX_REGISTER + 1
    return not is_register if role is Role.CONSTANT else isinstance(operand, int)
