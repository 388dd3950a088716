"""32-bit ARM, Thumb-2 and A32: what `machine_code.arm32` tells of instructions, as formulas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from beamgdb.interpreter.symbolic.steps import Call, Fork, Goto, Leave, Next, Onward, Stop
from beamgdb.interpreter.symbolic.values import UNKNOWN, Constant, Mixed, SymbolicState, Value, plus, total
from beamgdb.machine_code.arm32 import (
    ALWAYS,
    CALL_CLOBBERED,
    GDB_NAMES,
    Arm32Instruction,
    Effect,
    Transfer,
    access,
    advanced,
    decode,
    registers_read,
)

_LONGEST = 4
"""Bytes of an instruction."""


class _Placed(NamedTuple):
    """An instruction, and where it is."""

    address: int
    size: int
    meaning: Arm32Instruction


class Arm32:
    """The instructions of Thumb-2 or A32 code."""

    SP = "sp"
    ARGUMENTS = tuple(GDB_NAMES.get(name, name) for name in CALL_CLOBBERED)

    def __init__(self, thumb: bool) -> None:
        self._thumb = thumb

    def instructions(self, code: bytes, address: int) -> Iterator[_Placed]:
        """The instructions of code at an address, to its end or to what is none."""
        at = 0
        while at < len(code):
            found = decode(code[at : at + _LONGEST], address + at, self._thumb)
            yield _Placed(address + at, found.size, found)
            at += found.size

    def step(self, instruction: _Placed, state: SymbolicState) -> Onward:
        """Apply an instruction to the state; what comes next."""
        meaning = instruction.meaning
        conditional = meaning.condition != ALWAYS or (state.it_state != 0 and state.it_state >> 4 != ALWAYS)
        state.it_state = meaning.it_state or advanced(state.it_state)
        if meaning.control is Transfer.CALL:
            return Call()
        if meaning.control is Transfer.JUMP and meaning.target is not None:
            target = instruction.address + meaning.target
            return Fork(target) if conditional else Goto(target)
        if meaning.control is Transfer.NEXT:
            _apply(instruction, state, conditional)
            return Next()
        return Stop() if conditional else _computed_jump(instruction, state)


def _computed_jump(instruction: _Placed, state: SymbolicState) -> Onward:
    stem, operands = instruction.meaning.stem, instruction.meaning.operands
    if stem in ("bx", "mov") and operands[-1] != "lr":
        return Leave(_register(operands[-1], state))
    address = _address(instruction, state) if stem == "ldr" else None
    return Leave(state.load(address)) if address is not None else Stop()


def _register(name: str, state: SymbolicState) -> Value:
    return state[GDB_NAMES.get(name, name)]


def _address(instruction: _Placed, state: SymbolicState) -> Value | None:
    """The address that a load or store uses."""
    operand = access(instruction.meaning)
    if operand is None:
        return None
    # What lies near the code is no part of the state.
    base = UNKNOWN if operand.base == "pc" else _register(operand.base, state)
    if not operand.index:
        return plus(base, operand.displacement)
    index = _register(operand.index, state)
    return total(base, Mixed((index,)) if operand.shifted else index)


def _apply(instruction: _Placed, state: SymbolicState, conditional: bool) -> None:
    meaning = instruction.meaning
    if conditional:
        # It may not happen: what it would change is not known, but not lost either.
        for name in (effect.to for effect in meaning.effects if effect.kind not in ("store", "compare")):
            name = GDB_NAMES.get(name, name)
            state[name] = Mixed((state[name], UNKNOWN))
        return
    # What takes long to find is found for those few that ask for it, before registers change.
    forgets = any(effect.kind == "forget" for effect in meaning.effects)
    address = _address(instruction, state) if forgets or meaning.stem == "str" else None
    stored = _register(meaning.operands[0], state) if meaning.stem == "str" else None
    mixed = _mixed(meaning, address, state) if forgets else UNKNOWN
    for effect in meaning.effects:
        _change(effect, instruction.address, mixed, state)
    if stored is not None and address is not None and not any(effect.kind == "store" for effect in meaning.effects):
        state.store(address, stored)


def _mixed(meaning: Arm32Instruction, address: Value | None, state: SymbolicState) -> Value:
    """What an instruction writes of which is not known how it computes that: of memory, if it has such an operand."""
    if address is None:
        return Mixed(tuple(_register(name, state) for name in registers_read(meaning)))
    loaded = state.load(address)
    return loaded if meaning.stem == "ldr" else Mixed((loaded,))


def _change(effect: Effect, here: int, mixed: Value, state: SymbolicState) -> None:
    """One effect; `mixed` is what registers get of which is not known more."""
    kind, to, source, amount, other = effect
    base = Constant(here) if source == "here" else _register(source, state) if source else Constant(0)
    name = GDB_NAMES.get(to, to)
    if kind == "set":
        state[name] = plus(base, amount)
    elif kind == "add":
        state[name] = total(base, _register(other, state))
    elif kind == "sub":
        number = _register(other, state)
        state[name] = plus(base, -number.value) if isinstance(number, Constant) else Mixed((base, number))
    elif kind == "top":
        state[name] = Mixed((state[name],))
    elif kind == "load":
        state[name] = state.load(plus(base, amount))
    elif kind == "entry":
        state[name] = state.load(total(plus(base, amount), Mixed((_register(other, state),))))
    elif kind == "store":
        state.store(plus(base, amount), state[name])
    elif kind == "forget":
        state[name] = mixed
