"""X registers that are in CPU registers as well as in memory, or instead of it, in straight code.

A value that is read again before control comes to a label or leaves the function is kept in a CPU register that C
functions keep. Memory has it too, unless nobody can look for it there before it is dead: not the collector, not a place
that control branches to, not an operation whose emitter has not said that it keeps such values. So there is never
anything to be stored late, but where the function is left before an operation that reads such a value.

What memory does not have is told by ``unsaved``. Who is about to look for it there, or to give up the register that has
it, finds a ``Mistake``: no value that is still to be read is lost, and no function goes on with another one instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache, reduce
from operator import or_
from typing import Final, Generic

from jit.beam.effects import Effects
from jit.beam.operands import MAX_REGISTER
from jit.beam.operations import Operation
from jit.codegen.liveness import mask
from jit.codegen.processor import R

#: Operations to look ahead for what becomes of a value.
_AHEAD: Final = 24
#: All x registers.
_ALL: Final = -1


class Mistake(Exception):
    """An emitter would lose the value of an x register, or take another one for it. The message says how."""


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
class Cache(Generic[R]):
    """``held`` by register of the cache. ``keeps`` has an entry for each operation."""

    registers: Sequence[R]
    operations: Sequence[Operation]
    effects: Sequence[Effects]
    live: Sequence[int]
    keeps: Sequence[Keeps]
    held: dict[R, Held] = field(default_factory=dict)
    #: Registers whose values the operation in work may be using.
    taken: set[R] = field(default_factory=set)
    #: A mask of x registers whose values memory does not have, be they in a register of the cache or nowhere.
    unsaved: int = 0
    #: A mask of those that have no value since the operation in work has collected garbage.
    lost: int = 0
    #: Whether the operation in work will collect garbage after it has stored something.
    collects_later: bool = False
    #: A mask of x registers that the operation in work has overwritten.
    overwritten: int = 0
    #: The operation in work.
    index: int = 0

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
        """Before an operation: forget what is of no more use. Raises Mistake."""
        self.index = index
        self.unsaved &= self.live[index]
        self.lost = self.overwritten = 0
        self.collects_later = False
        if self.held:
            for register, held in list(self.held.items()):
                if not self.live[index] >> held.x & 1 or not held.only and not self.fate(held.x, index).read:
                    del self.held[register]
        self.taken = {register for register, held in self.held.items() if held.only}
        if self.unsaved:
            self.check_saved(self._live_elsewhere[index] if self.keeps[index] is Keeps.ALL else _ALL)
            if nowhere := self.unsaved & ~sum(1 << x for x in self.only().values()):
                raise Mistake(f"{_names(nowhere)} had a value, which is nowhere")

    def end(self) -> None:
        """Behind the operation. Raises Mistake."""
        goes_on = self.effects[self.index].falls_through
        self.unsaved |= self.lost
        if self.keeps[self.index] is Keeps.NOTHING or not goes_on:
            self.forget()
        if not goes_on:
            self.unsaved = 0

    def check_saved(self, seen: int = _ALL) -> None:
        """Raise Mistake unless memory has the x registers of a mask: somebody is about to look for them there."""
        if missing := self.unsaved & seen:
            raise Mistake(f"{_names(missing)} would be looked for in memory, which does not have it")

    def check_read(self, seen: int) -> None:
        """As ``check_saved``, where none may be that has no value."""
        self.check_saved(seen)
        if missing := self.lost & seen:
            raise Mistake(f"{_names(missing)} has no value after a collection")

    def check_elsewhere(self) -> None:
        """Raise Mistake if a value has been lost by now that is wanted where the operation may branch to."""
        if missing := self.lost & self._live_elsewhere[self.index]:
            raise Mistake(f"{_names(missing)} has no value after a collection, and is wanted at a label")

    def forget(self) -> None:
        """From here on x registers are in memory only. Raises Mistake if one is not that is read after the operation.

        If the operation itself reads one, that is a mistake then.
        """
        if not self.held:
            return
        after, behind = self.index + 1, self._live_elsewhere[self.index]
        if self.effects[self.index].falls_through and after < len(self.live):
            behind |= self.live[after]
        for x in self.only().values():
            if behind >> x & 1:
                raise Mistake(f"x{x} would be forgotten, which memory does not have")
        self.held.clear()

    def collected(self, live: int) -> None:
        """The collector has looked at *live* x registers in memory: others have no value any more. Raises Mistake."""
        roots = (1 << live) - 1
        self.check_read(roots)
        if unknown := roots & ~(self.live[self.index] | self.overwritten):
            raise Mistake(f"the collector would look at {_names(unknown)}, which is not known to have a value")
        self.lost |= _ALL << live
        for register, held in list(self.held.items()):
            if held.x >= live:
                del self.held[register]
                self.taken.add(register)

    def register(self, x: int) -> R | None:
        """The register that has an x register."""
        return next((register for register, held in self.held.items() if held.x == x), None)

    def free(self) -> R | None:
        """A register that the operation in work may change; it is not free again before the next one."""
        for register in self.registers:
            if register not in self.held and register not in self.taken:
                self.taken.add(register)
                return register
        return None

    def give_up(self, register: R | None, x: int, index: int) -> R | None:
        """The register, if what it has is in memory too, and is not read from *index* on, or that x is to change."""
        held = self.held.get(register) if register else None
        if register is None or held is None or held.only or held.x != x and self.fate(held.x, index).read:
            return None
        self._release(register)
        return register

    def drop(self, x: int) -> None:
        """The x register gets another value, which is nowhere yet."""
        register = self.register(x)
        if register is not None:
            self._release(register)
        self.unsaved |= 1 << x
        self.lost &= ~(1 << x)
        self.overwritten |= 1 << x

    def save(self, x: int) -> None:
        """Memory has the value of the x register."""
        self.unsaved &= ~(1 << x)

    def hold(self, register: R, x: int) -> None:
        """The register has the value of the x register, from here on. Raises Mistake."""
        if register in self.held or self.register(x) is not None:
            raise Mistake(f"{register} or another register has a value already when x{x} comes to it")
        self.held[register] = Held(x, bool(self.unsaved >> x & 1))

    def _release(self, register: R) -> None:
        del self.held[register]
        self.taken.add(register)

    def only(self) -> dict[R, int]:
        """The x registers that memory does not have, by register."""
        return {register: held.x for register, held in self.held.items() if held.only} if self.held else {}

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
            if keeps is Keeps.NOTHING:
                break
            if self._defines[at] & bit or not self.effects[at].falls_through:
                # If nobody has read it, the collector is going to: it is live because that may look at it.
                needs_memory = needs_memory or not read
                break
            if read and needs_memory:
                break
        else:
            needs_memory = True
        return Fate(read, needs_memory)


def _names(xs: int) -> str:
    """The x registers of a mask, the first ones."""
    return ", ".join([f"x{x}" for x in range(MAX_REGISTER + 1) if xs >> x & 1][:4])


def locations(live: int, only: Mapping[R, int]) -> dict[int, R | None]:
    """Where each x register of the mask is: a CPU register, or None for memory."""
    where: dict[int, R | None] = dict(_in_memory(live))
    if only:
        where |= {x: register for register, x in only.items() if x in where}
    return where


@lru_cache(maxsize=1024)
def _in_memory(live: int) -> dict[int, None]:
    """Each x register of a mask, of which there are few in a program."""
    return {x: None for x in range(live.bit_length()) if live >> x & 1}
