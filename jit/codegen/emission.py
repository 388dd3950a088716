"""The native code of one function under construction: bookkeeping for emitters, whatever processor and runtime.

It follows where x registers are, so that no value is lost, and where the code of each operation is, for who describes
it. How BEAM registers are loaded and stored, and what functions call, a runtime adds in a subclass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from jit.beam.effects import Effects
from jit.beam.operands import Integer, Operand, Typed, X, Y
from jit.beam.operations import Function, Operation
from jit.beam.terms import NIL, Atom
from jit.beam.types import ANY, Type, TypeKind
from jit.codegen.cache import Cache, Held, Keeps, Mistake, locations
from jit.codegen.processor import Assembler, Label, R


class Unsupported(Exception):
    """No native code for an operation: the function stays interpreted. The message says what is missing."""


class Broken(Unsupported):
    """An emitter has failed: a mistake of the compiler, or operands that no compiler makes. The message says where."""


@dataclass(frozen=True)
class Cold(Generic[R]):
    """Code that is rarely run, of the operation at *index*; what the cache has on the way there.

    ``collects``: it collects garbage with so many x registers in use. ``comes_back``: control comes there from outside.
    """

    index: int
    held: dict[R, Held]
    unsaved: int
    lost: int
    emit: Callable[[], None]
    collects: int | None
    comes_back: bool


@dataclass(frozen=True)
class Analysis:
    """A function, what each of its operations does, and what is known before each.

    ``live`` are the x registers that are wanted, ``unwritten`` the y registers that may hold anything: bit masks.
    """

    function: Function
    operations: Sequence[Operation]
    effects: Sequence[Effects]
    live: Sequence[int]
    unwritten: Sequence[int]


@dataclass(kw_only=True)
class FunctionEmission(ABC, Generic[R]):
    """One function. ``index`` is that of the operation in work."""

    analysis: Analysis
    cache: Cache[R]
    index: int = 0
    #: Native places of labels of the bytecode.
    labels: dict[int, Label] = field(default_factory=dict)
    #: For each operation, and for what is cold of it, offset and index.
    places: list[tuple[int, int]] = field(default_factory=list)
    cold_places: list[tuple[int, int]] = field(default_factory=list)
    #: From which offset on x registers are where, up to the next: in memory if not in a CPU register.
    locations: list[tuple[int, dict[int, R | None]]] = field(default_factory=list)
    #: Operations without code of their own, by index: one before them does what they do.
    done: set[int] = field(default_factory=set)
    #: Where the operation in work began to overwrite what it reads, in bytes.
    overwrites: int | None = None
    _cold: list[Cold[R]] = field(default_factory=list)
    _branches: int = 0
    #: The cold code in work, and whether the cache is to be loaded again in it.
    _in: Cold[R] | None = None
    _moved: bool = False

    @property
    def function(self) -> Function:
        """The function in the bytecode."""
        return self.analysis.function

    @property
    def operations(self) -> Sequence[Operation]:
        """Its operations."""
        return self.analysis.operations

    @property
    def effects(self) -> Sequence[Effects]:
        """What each of them reads, writes and goes to."""
        return self.analysis.effects

    @property
    def live(self) -> Sequence[int]:
        """Before each, the x registers that are wanted."""
        return self.analysis.live

    # What a runtime adds

    @property
    @abstractmethod
    def a(self) -> Assembler[R]:
        """The assembler."""

    @abstractmethod
    def fetch(self, into: R, register: Operand) -> None:
        """A CPU register = what memory has of a BEAM register. Raises Unsupported for what cannot be loaded."""

    @abstractmethod
    def put(self, source: R, register: Operand) -> None:
        """What memory has of a BEAM register = a CPU register. Raises Unsupported for what cannot be stored."""

    @abstractmethod
    def constant(self, into: R, operand: Operand) -> None:
        """A CPU register = the word of a constant. Raises Unsupported for what is none."""

    @abstractmethod
    def call_shared(self, name: str) -> None:
        """The call itself of what ``call`` is asked for."""

    @abstractmethod
    def is_apart(self, name: str) -> bool:
        """Whether what ``call`` is asked for comes back, and lets nobody look at x registers in memory meanwhile.

        It does not collect garbage or call what may do so, and the registers of the cache stay.
        """

    # Operations

    def begin(self, index: int) -> None:
        """The operation at *index* comes next."""
        self.index = index
        self.places.append((self.a.offset, index))
        self.cache.begin(index)
        self._branches, self.overwrites = self.a.branches, None
        self._locate(locations(self.live[index], self.cache.only()))

    def end(self) -> None:
        """The operation in work is complete. Raises Mistake."""
        self.cache.end()

    @property
    def keeps(self) -> Keeps:
        """What the operation in work leaves in the cache."""
        return self.cache.keeps[self.index]

    def _locate(self, where: dict[int, R | None]) -> None:
        if self.locations and self.locations[-1][0] == self.a.offset:
            self.locations.pop()
        if not self.locations or self.locations[-1][1] != where:
            self.locations.append((self.a.offset, where))

    # Operands

    def load(self, operand: Operand, into: R) -> R:
        """The word of a register or constant, in the CPU register *into*, which may be changed."""
        self.a.move(into, self.value(operand, into, copy=False))
        return into

    def value(self, operand: Operand, into: R, *, copy: bool = True) -> R:
        """A CPU register that holds the word of an operand: *into*, or another that must not be changed.

        With *copy*, the cache may have what is loaded.
        """
        if isinstance(operand, Typed):
            operand = operand.register
        if isinstance(operand, X):
            return self._load_x(operand, into, copy)
        if isinstance(operand, Y):
            self.fetch(into, operand)
        else:
            self.constant(into, operand)
        return into

    def _load_x(self, x: X, into: R, copy: bool) -> R:
        if self._in:
            if self.keeps is Keeps.ALL:
                raise Mistake("x registers are to be loaded before code goes to where it is cold")
            self.cache.check_read(1 << x.number)
            self.fetch(into, x)
            return into
        register = self.cache.register(x.number)
        if register is not None:
            return register
        self.cache.check_read(1 << x.number)
        # What comes after a branch may not be executed: later operations cannot rely on it.
        if copy and self.keeps is not Keeps.NOTHING and self.a.branches == self._branches:
            after = self.index + 1
            if x not in self.effects[self.index].defines and self.cache.fate(x.number, after).read:
                register = self.cache.free()
                if register is not None:
                    self.cache.hold(register, x.number)
        self.fetch(register or into, x)
        return register or into

    def target(self, destination: Operand, otherwise: R, *, last: R | None = None) -> R:
        """The CPU register in which to make what ``store`` then stores; not one that ``value`` has given before.

        It may be changed also where the operation then fails. But *last* is given if the instruction that writes it is
        the last to read that one, and nothing fails from there on.
        """
        if isinstance(destination, X) and self.keeps is not Keeps.NOTHING:
            after = self.index + 1
            if self.cache.fate(destination.number, after).read:
                return self.cache.free() or self.cache.give_up(last, destination.number, after) or otherwise
        return otherwise

    def store(self, source: R, operand: Operand) -> None:
        """A BEAM register = a CPU register."""
        if isinstance(operand, X | Y):
            self._overwrite(operand)
        if isinstance(operand, X):
            self._store_x(source, operand)
        else:
            self.put(source, operand)

    def _overwrite(self, register: X | Y) -> None:
        if self.overwrites is None and register in self.effects[self.index].uses:
            self.overwrites = self.a.offset

    def _store_x(self, source: R, x: X) -> None:
        if self._in:
            raise Mistake("x registers are not to be stored where code is cold")
        if self.locations:
            self._locate({number: where for number, where in self.locations[-1][1].items() if number != x.number})
        self.cache.drop(x.number)
        read, needs_memory, register = False, True, None
        if self.keeps is not Keeps.NOTHING:
            fate = self.cache.fate(x.number, self.index + 1)
            read, needs_memory = fate.read, fate.needs_memory or self.cache.collects_later
        if read and source in self.cache.registers and source not in self.cache.held:
            register = source  # that ``target`` has given
        elif read and not needs_memory:
            register = self.cache.free()
            if register is not None:
                self.a.move(register, source)
        if needs_memory or read and register is None:
            self.put(source, x)
            self.cache.save(x.number)
        if register is not None:
            self.cache.hold(register, x.number)

    def store_behind(self, source: R, number: int) -> None:
        """The x register of this number = a CPU register, in memory: one behind those in use, for the VM to look at."""
        self._overwrite(X(number))
        self.cache.drop(number)
        self.put(source, X(number))
        self.cache.save(number)

    def call(self, name: str, *, live: int | None = None) -> None:
        """Call what functions share, or the runtime has for them: nothing else collects garbage or calls the VM.

        Unless it is apart, somebody looks at x registers in memory, and may change them there: the collector, if that
        is told how many are *live*, else whoever. Raises Mistake if memory does not have them.
        """
        if self.is_apart(name):
            self.call_shared(name)
            return
        if self._in:
            if live is None or self._in.collects != live:
                raise Mistake(f"{name} where code is cold that does not say that it collects garbage")
            self._moved = True
        elif live is None:
            self.cache.check_saved()
        else:
            self.cache.collected(live)
        self.call_shared(name)
        if not self._in:
            self.cache.forget()

    def reload(self) -> None:
        """On a cold path, when memory has other words now: the cache is as where that path began. Raises Mistake."""
        assert self._in
        for register, held in self._in.held.items():
            if held.only:
                raise Mistake(f"x{held.x} would be loaded again from memory, which does not have it")
            self.fetch(register, X(held.x))
        self._moved = False

    def type(self, operand: Operand) -> Type:
        """What is known of an operand."""
        if isinstance(operand, Typed):
            return operand.type
        if isinstance(operand, Integer):
            return Type(TypeKind.INTEGER, operand.value, operand.value)
        if isinstance(operand, Atom):
            return Type(TypeKind.ATOM)
        return Type(TypeKind.NIL) if operand == NIL else ANY

    # Places

    def label(self, number: int) -> Label:
        """The native place of a label of this function. Raises Mistake if a value is wanted there that is lost here."""
        self.cache.check_elsewhere()
        return self.labels.setdefault(number, Label())

    def cold(self, emit: Callable[[], None], *, collects: int | None = None, comes_back: bool = False) -> None:
        """Let code that is rarely run be emitted behind the function's own.

        It finds x registers in memory only, and none at all if the emitter keeps those that memory does not have. If it
        *collects* garbage, with so many x registers in use, others have no value from here on; those that are in the
        cache are to be loaded again. So they are if control *comes back* there from outside, where what memory did not
        have has been stored. Raises Mistake.
        """
        if collects is not None:
            self.cache.collected(collects)
        held, unsaved = dict(self.cache.held), self.cache.unsaved
        if comes_back:
            held, unsaved = {register: Held(one.x, only=False) for register, one in held.items()}, 0
        self._cold.append(Cold(self.index, held, unsaved, self.cache.lost, emit, collects, comes_back))

    def finish(self) -> None:
        """Emit what is cold. Raises Mistake."""
        for cold in self._cold:
            self.index, self._in, self._moved = cold.index, cold, cold.comes_back
            self.cache.held, self.cache.unsaved, self.cache.lost = dict(cold.held), cold.unsaved, cold.lost
            self.cold_places.append((self.a.offset, self.index))
            elsewhere = {held.x for held in cold.held.values() if held.only}
            self._locate({x: None for x in locations(self.live[self.index], {}) if x not in elsewhere})
            cold.emit()
            if self._moved and cold.held:
                raise Mistake("the cache is to be loaded again")
        self._cold = []


EmissionT = TypeVar("EmissionT", bound=FunctionEmission[Any])
