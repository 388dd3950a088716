"""The operation bs_match of OTP 26 and later: all commands of a match of fixed sizes at once."""

from __future__ import annotations

from collections.abc import Sequence

from jit.arm32.conditions import NE
from jit.arm32.registers import R0, R3, Register
from jit.beam.matching import MatchCommand, match_commands
from jit.beam.operands import Operand
from jit.codegen.cache import Keeps
from jit.codegen.emission import Unsupported
from jit.erts.arm32.bs import get_binary, get_tail
from jit.erts.arm32.bs_context import (
    PART_WORDS,
    check_left,
    check_unit,
    field_flags,
    is_behind,
    load_left,
    load_position,
    match_failure,
    within_memory,
)
from jit.erts.arm32.bs_integer import MOST_READ, advance, compare_bits, get_integer, read_bits, store_field, words_for
from jit.erts.arm32.common import check_room
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.otp import vm_flags


@emits("bs_match", keeps=Keeps.COPIES)
def bs_match(e: Emission, fail: Operand, source: Operand, operands: Operand) -> None:
    """Fields of up to 32 bits together are read at once, as the interpreter has it (emu/generators.tab, bs_match)."""
    commands = match_commands(operands)
    words = sum(map(_words, commands))
    register: Register | None = None  # of the context, while r2 is the position
    while commands:
        together = _read_together(commands)
        if words:
            together, live = _before_room(together, commands[0])
            if live is not None:
                _make_room(e, words, live, source)
                words, register = 0, None
        e.cache.collects_later = words > 0
        if register is None and (together or commands[0].name in ("integer", "skip")):
            register = e.value(source, R0)
            load_position(e, register)
        if together and register:
            _read(e, fail, register, together)
        else:
            register = _command(e, fail, source, register, commands[0])
        del commands[: len(together) or 1]


def _before_room(together: list[MatchCommand], first: MatchCommand) -> tuple[list[MatchCommand], int | None]:
    """What to read at once while there is no room yet, and with how many x registers to make room before; None: later.

    Garbage is collected behind comparisons that come before the first command that tells how many are in use: others
    may still be wanted where a comparison fails.
    """
    telling = next((at for at, command in enumerate(together or [first]) if _live(command) is not None), None)
    if telling is None:
        return together, None
    if not any(command.name == "=:=" for command in together[:telling]):
        return together, _live((together or [first])[telling])
    if not sum(map(_words, together)):
        return together, None
    return _without_skips(together[:telling]), None


def _make_room(e: Emission, words: int, live: int, source: Operand) -> None:
    if is_behind(source, live):
        raise Unsupported("bs_match of a context that the collector is not told of")
    check_room(e, words, live)


def _live(command: MatchCommand) -> int | None:
    """X registers that are in use at a command that may need room on the heap."""
    first = command.operands[0]
    return first if command.name in ("binary", "integer", "get_tail", "=:=") and isinstance(first, int) else None


def _words(command: MatchCommand) -> int:
    """Words of heap for what a command reads."""
    if command.name in ("binary", "get_tail"):
        return PART_WORDS
    return words_for(_bits(command), field_flags(command.operands[1])) if command.name == "integer" else 0


def _bits(command: MatchCommand) -> int:
    """The size of the field of a command."""
    match command.name, command.operands:
        case (("integer" | "binary"), (_, _, int(size), int(unit), _)):
            return size * unit
        case "=:=", (_, int(size), _):
            return size
        case "skip", (int(size),):
            return size
    raise Unsupported(f"{command.name} in bs_match")


def _read_together(commands: Sequence[MatchCommand]) -> list[MatchCommand]:
    """The first commands, as far as they are for big-endian fields of few bits. To skip alone needs no reading."""
    together: list[MatchCommand] = []
    total = 0
    for command in commands:
        if command.name not in ("integer", "=:=", "skip"):
            break
        flags = field_flags(command.operands[1]) if command.name == "integer" else 0
        total += _bits(command)
        if total > MOST_READ or flags & vm_flags.BSF_LITTLE or not _bits(command):
            break
        together.append(command)
    return _without_skips(together)


def _without_skips(commands: list[MatchCommand]) -> list[MatchCommand]:
    """Without those at the end."""
    while commands and commands[-1].name == "skip":
        commands = commands[:-1]
    return commands


def _read(e: Emission, fail: Operand, register: Register, commands: Sequence[MatchCommand]) -> None:
    """First compare, then store. The position is in r2, also afterwards."""
    total = sum(map(_bits, commands))
    width = read_bits(e, register, total)
    for begin, bits, value in _comparisons(commands):
        compare_bits(e, width, begin, bits, value, match_failure(e, fail))
    advance(e, register, total)
    begin = 0
    for command in commands:
        bits = _bits(command)
        if command.name == "integer":
            store_field(e, width, begin, bits, field_flags(command.operands[1]), command.operands[4])
        begin += bits


def _comparisons(commands: Sequence[MatchCommand]) -> list[tuple[int, int, int]]:
    """Begin, bits and value of constant fields, those that touch each other as one."""
    found: list[tuple[int, int, int]] = []
    begin = 0
    for command in commands:
        bits = _bits(command)
        if command.name == "=:=":
            value = command.operands[2]
            assert isinstance(value, int)
            if found and sum(found[-1][:2]) == begin:
                before, size, upper = found.pop()
                found.append((before, size + bits, upper << bits | value))
            else:
                found.append((begin, bits, value))
        begin += bits
    return found


def _command(
    e: Emission, fail: Operand, source: Operand, register: Register | None, command: MatchCommand
) -> Register | None:
    """One command by itself. *register* has the context and r2 the position, if it says so; the same is given."""
    match command.name, command.operands:
        case "ensure_at_least", (int(bits), int(unit)):
            register = check_left(e, source, bits, match_failure(e, fail)) if bits else load_left(e, source)
            if unit > 1:
                e.a.add_constant(R3, R3, -bits)
                check_unit(e, unit, match_failure(e, fail))
            return register
        case "ensure_exactly", (int(bits),):
            register = load_left(e, source)
            e.a.cmp_constant(R3, within_memory(bits))
            e.a.b(match_failure(e, fail), NE)
            return register
        case "integer", (_, flags, _, _, destination) if register:
            get_integer(e, register, _bits(command), field_flags(flags), None, destination)
        case "binary", (_, _, _, _, destination):
            get_binary(e, e.value(source, R0), _bits(command), destination)
        case "get_tail", (_, _, destination):
            get_tail(e, e.value(source, R0), destination)
        case "skip", (int(bits),) if register:
            advance(e, register, bits)
            return register
        case _:
            raise Unsupported(f"{command.name} in bs_match")
    return None
