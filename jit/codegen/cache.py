"""X registers that are in CPU registers as well as in memory, or instead of it, in straight code.

A value that is read again before control comes to a label or leaves the function is kept in r10 or r11. Memory has it
too, unless nobody can look for it there before it is dead: not the collector, not a place that control branches to,
not an operation whose emitter has not said that it keeps such values. So there is never anything to be stored late,
but where the interpreter goes on before an operation that reads such a value (``Emission.to_interpreter``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import reduce
from operator import or_
from typing import Final

from jit.arm32.registers import R10, R11, Register
from jit.beam.effects import Effects
from jit.beam.operations import Operation
from jit.codegen.liveness import mask

REGISTERS: Final = (R10, R11)

#: Operations to look ahead for what becomes of a value.
_AHEAD: Final = 24


class Keeps(Enum):
    """What an emitter leaves in the CPU registers of the cache: what all do, what memory has too, everything."""

    NOTHING = auto()
    COPIES = auto()
    ALL = auto()


@dataclass(frozen=True, slots=True)
class Held:
    """What a register of the cache has. ``only``: memory does not have it."""

    x: int
    only: bool


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a value: whether it is read while the cache can have it, and whether memory must have it."""

    read: bool
    needs_memory: bool


@dataclass
class Cache:
    """``held`` by register of the cache. ``keeps`` has an entry for each operation."""

    operations: Sequence[Operation]
    effects: Sequence[Effects]
    live: Sequence[int]
    keeps: Sequence[Keeps]
    held: dict[Register, Held] = field(default_factory=dict)
    #: Registers whose values the operation in work may be using.
    taken: set[Register] = field(default_factory=set)

    def __post_init__(self) -> None:
        places = {
            operation.operands[0]: index for index, operation in enumerate(self.operations) if operation.name == "label"
        }
        self._uses = [mask(effects.uses) for effects in self.effects]
        self._defines = [mask(effects.defines) for effects in self.effects]
        #: What is live at labels to which control may go.
        self._live_elsewhere = [
            reduce(or_, (self.live[places[label]] for label in effects.labels if label in places), 0)
            for effects in self.effects
        ]

    def begin(self, index: int) -> None:
        """Before an operation: forget what is of no more use."""
        for register, held in list(self.held.items()):
            if not self.live[index] >> held.x & 1 or not held.only and not self.fate(held.x, index).read:
                del self.held[register]
        self.taken = {register for register, held in self.held.items() if held.only}

    def register(self, x: int) -> Register | None:
        """The register that has an x register."""
        return next((register for register, held in self.held.items() if held.x == x), None)

    def free(self) -> Register | None:
        """A register that the operation in work may change; it is not free again before the next one."""
        for register in REGISTERS:
            if register not in self.held and register not in self.taken:
                self.taken.add(register)
                return register
        return None

    def give_up(self, register: Register | None, x: int, index: int) -> Register | None:
        """The register, if what it has is in memory too, and is not read from *index* on, or that x is to change."""
        held = self.held.get(register) if register else None
        if held is None or held.only or held.x != x and self.fate(held.x, index).read:
            return None
        self.drop(held.x)
        return register

    def drop(self, x: int) -> None:
        """The x register gets another value."""
        register = self.register(x)
        if register is not None:
            del self.held[register]
            self.taken.add(register)

    def only(self) -> dict[Register, int]:
        """The x registers that memory does not have, by register."""
        return {register: held.x for register, held in self.held.items() if held.only}

    def fate(self, x: int, index: int) -> Fate:
        """What becomes of the value that an x register has before the operation at *index*."""
        bit, read, needs_memory = 1 << x, False, False
        for at in range(index, min(index + _AHEAD, len(self.operations))):
            if not self.live[at] & bit:
                break
            keeps = self.keeps[at]
            read = read or bool(self._uses[at] & bit)
            if keeps is not Keeps.ALL or self._live_elsewhere[at] & bit:
                needs_memory = True
            if keeps is Keeps.NOTHING or self._defines[at] & bit or not self.effects[at].falls_through:
                break
            if read and needs_memory:
                break
        else:
            needs_memory = True
        return Fate(read, needs_memory)


def locations(live: int, only: Mapping[Register, int]) -> dict[int, Register | None]:
    """Where each x register of the mask is: a CPU register, or None for memory."""
    where: dict[int, Register | None] = {x: None for x in range(live.bit_length()) if live >> x & 1}
    return where | {x: register for register, x in only.items() if x in where}
