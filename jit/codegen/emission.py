"""The native code of one function under construction: what emitters work on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from jit.arm32.assembler import Assembler
from jit.arm32.labels import Label
from jit.arm32.operands import at
from jit.arm32.registers import R0, Register
from jit.beam.effects import Effects
from jit.beam.module import Module
from jit.beam.operands import Import, Integer, Literal, Location, Operand, Typed, X, Y
from jit.beam.operands import Label as BeamLabel
from jit.beam.operations import Function, Operation
from jit.beam.terms import NIL, Atom
from jit.beam.types import ANY, Kind, Type
from jit.codegen import machine, symbols
from jit.codegen.bif_names import is_bif
from jit.codegen.cache import REGISTERS as CACHE
from jit.codegen.cache import Cache, Held, Keeps, locations
from jit.codegen.machine import REGISTERS, WORD, E
from jit.erts.layout import Layout

_LAST_X = (4095 - machine.X_ARRAY) // WORD
_LAST_Y = 4095 // WORD - 1


class Unsupported(Exception):
    """No native code for an operation: the function stays interpreted. The message says what is missing."""


@dataclass(frozen=True)
class Continuation:
    """Where an interpreted callee returns to: a function of its own in the bytecode, which native code takes over.

    ``label`` is its entry, ``after`` the label of the same place in the function's own bytecode. ``location`` is that
    of the call, ``after_location`` of what comes next: if a BIF without a frame fails, the VM takes that for the call.
    """

    label: int
    after: int
    location: Location
    after_location: Location
    function: Function


@dataclass(frozen=True)
class BadArithmetic:
    """Where the interpreter raises badarith for an operation that native code has done: a function of its own too."""

    label: int
    location: Location
    function: Function


@dataclass
class Shared:
    """What all functions of a module share."""

    module: Module
    layout: Layout
    assembler: Assembler
    fragments: Mapping[str, Label]
    #: Entries from native code, by label of the bytecode: functions that have native code.
    entries: Mapping[int, Label]
    atoms: Mapping[str, int]
    imports: Mapping[object, int]
    next_label: int
    #: For tests: collect garbage at every heap test; give up all reductions in calls, and when leaving in mid-function.
    stress: bool = False
    _big_integers: dict[int, Literal] = field(default_factory=dict)

    def new_label(self) -> int:
        """A label of the bytecode that is not used yet."""
        self.next_label += 1
        return self.next_label - 1

    def big_integer(self, value: int) -> Literal:
        """The literal of an integer that is no immediate term, as the loader makes one too."""
        if value not in self._big_integers:
            same = (one for one in self.module.literals.literals if type(one.value) is int and one.value == value)
            self._big_integers[value] = next(same, None) or self.module.literals.add(value)
        return self._big_integers[value]


@dataclass
class Emission:
    """One function. ``index`` is that of the operation in work.

    Before each, ``live`` are the x registers that are wanted, ``unwritten`` the y registers that may hold anything.
    """

    shared: Shared
    function: Function
    operations: Sequence[Operation]
    effects: Sequence[Effects]
    live: Sequence[int]
    unwritten: Sequence[int]
    cache: Cache
    index: int = 0
    labels: dict[int, Label] = field(default_factory=dict)
    #: Labels to put into the bytecode, by the index of the operation that they come before.
    resumes: dict[int, int] = field(default_factory=dict)
    continuations: list[tuple[Continuation, Label]] = field(default_factory=list)
    errors: list[BadArithmetic] = field(default_factory=list)
    #: Labels to put in place of handlers' labels into ``try`` and ``catch``, by index of the operation.
    handlers: dict[int, int] = field(default_factory=dict)
    #: For each operation, and for what is cold of it, offset and index.
    places: list[tuple[int, int]] = field(default_factory=list)
    cold_places: list[tuple[int, int]] = field(default_factory=list)
    #: From which offset on x registers are where, up to the next: in memory if not in a CPU register.
    locations: list[tuple[int, dict[int, Register | None]]] = field(default_factory=list)
    #: Operations without code of their own, by index: one before them does what they do.
    done: set[int] = field(default_factory=set)
    #: Where returns go that native code does not do.
    returning: Label | None = None
    _cold: list[tuple[int, dict[Register, Held], Callable[[], None]]] = field(default_factory=list)
    _leaving: dict[int, Label] = field(default_factory=dict)
    _branches: int = 0
    _is_cold: bool = False
    _held_before: dict[Register, Held] = field(default_factory=dict)

    @property
    def a(self) -> Assembler:
        """The assembler."""
        return self.shared.assembler

    # Operations

    def begin(self, index: int) -> None:
        """The operation at *index* comes next."""
        self.index = index
        self.places.append((self.a.offset, index))
        self.cache.begin(index)
        self._branches = self.a.branches
        self._locate(locations(self.live[index], self.cache.only()))

    def end(self) -> None:
        """The operation in work is complete."""
        if self.keeps is Keeps.NOTHING or not self.effects[self.index].falls_through:
            self.forget()

    @property
    def keeps(self) -> Keeps:
        """What the operation in work leaves in the cache."""
        return self.cache.keeps[self.index]

    def _locate(self, where: dict[int, Register | None]) -> None:
        if self.locations and self.locations[-1][0] == self.a.offset:
            self.locations.pop()
        if not self.locations or self.locations[-1][1] != where:
            self.locations.append((self.a.offset, where))

    # Operands

    def load(self, operand: Operand, into: Register) -> Register:
        """The word of a register or constant, in the CPU register *into*, which may be changed."""
        self.move(into, self.value(operand, into, copy=False))
        return into

    def move(self, into: Register, source: Register) -> None:
        """A CPU register = another one, or the same."""
        if into is not source:
            self.a.mov(into, source)

    def value(self, operand: Operand, into: Register, *, copy: bool = True) -> Register:
        """A CPU register that holds the word of an operand: *into*, or another that must not be changed.

        With *copy*, the cache may have what is loaded.
        """
        if isinstance(operand, Typed):
            operand = operand.register
        if isinstance(operand, X):
            return self._load_x(operand, into, copy)
        if isinstance(operand, Y):
            self.a.ldr(into, at(E, self._y(operand)))
        elif (word := immediate(operand)) is not None:
            self.a.mov_constant(into, word)
        elif isinstance(operand, Atom):
            self.a.ldr_literal(into, symbols.atom(self.shared.atoms[operand.name]))
        elif isinstance(operand, Literal):
            self.a.ldr_literal(into, symbols.literal(operand.index))
        elif isinstance(operand, Integer):
            self.a.ldr_literal(into, symbols.literal(self.shared.big_integer(operand.value).index))
        else:
            raise Unsupported(f"operand {operand}")
        return into

    def _load_x(self, x: X, into: Register, copy: bool) -> Register:
        place = at(REGISTERS, self._x(x))
        if self._is_cold:
            if self.keeps is Keeps.ALL:
                raise AssertionError("x registers are to be loaded before code goes to where it is cold")
            self.a.ldr(into, place)
            return into
        register = self.cache.register(x.number)
        if register is not None:
            return register
        # What comes after a branch may not be executed: later operations cannot rely on it.
        if copy and self.keeps is not Keeps.NOTHING and self.a.branches == self._branches:
            after = self.index + 1
            if x not in self.effects[self.index].defines and self.cache.fate(x.number, after).read:
                register = self.cache.free()
                if register is not None:
                    self.cache.held[register] = Held(x.number, False)
        self.a.ldr(register or into, place)
        return register or into

    def target(self, destination: Operand, otherwise: Register, *, last: Register | None = None) -> Register:
        """The CPU register in which to make what ``store`` then stores; not one that ``value`` has given before.

        It may be changed also where control then goes to ``failure`` or ``to_interpreter``. But *last* is given if the
        instruction that writes it is the last to read that one, and nothing fails from there on.
        """
        if isinstance(destination, X) and self.keeps is not Keeps.NOTHING:
            after = self.index + 1
            if self.cache.fate(destination.number, after).read:
                return self.cache.free() or self.cache.give_up(last, destination.number, after) or otherwise
        return otherwise

    def store(self, source: Register, operand: Operand) -> None:
        """A BEAM register = a CPU register."""
        if isinstance(operand, Y):
            self.a.str(source, at(E, self._y(operand)))
        elif isinstance(operand, X):
            self._store_x(source, operand)
        else:
            raise Unsupported(f"destination {operand}")

    def _store_x(self, source: Register, x: X) -> None:
        if self._is_cold:
            raise AssertionError("x registers are not to be stored where code is cold")
        if self.locations:
            self._locate({number: where for number, where in self.locations[-1][1].items() if number != x.number})
        self.cache.drop(x.number)
        if self.keeps is Keeps.NOTHING:
            self.a.str(source, at(REGISTERS, self._x(x)))
            return
        fate = self.cache.fate(x.number, self.index + 1)
        register: Register | None = None
        if fate.read and source in CACHE and source not in self.cache.held:
            register = source  # that ``target`` has given
        elif fate.read and not fate.needs_memory:
            register = self.cache.free()
            if register is not None:
                self.a.mov(register, source)
        if register is not None:
            self.cache.held[register] = Held(x.number, not fate.needs_memory)
        if fate.needs_memory or fate.read and register is None:
            self.a.str(source, at(REGISTERS, self._x(x)))

    def reload(self) -> None:
        """On a cold path, after garbage has been collected: let the cache be as where that path began."""
        for register, held in self._held_before.items():
            self.a.ldr(register, at(REGISTERS, self._x(X(held.x))))

    def forget(self) -> None:
        """From here on x registers are in memory only, as the VM may have changed them there."""
        self.cache.held.clear()

    def type(self, operand: Operand) -> Type:
        """What is known of an operand."""
        if isinstance(operand, Typed):
            return operand.type
        if isinstance(operand, Integer):
            return Type(Kind.INTEGER, operand.value, operand.value)
        if isinstance(operand, Atom):
            return Type(Kind.ATOM)
        return Type(Kind.NIL) if operand == NIL else ANY

    def _x(self, register: X) -> int:
        if register.number > _LAST_X:
            raise Unsupported(f"x{register.number}")
        return machine.X_ARRAY + WORD * register.number

    def _y(self, register: Y) -> int:
        if register.number > _LAST_Y:
            raise Unsupported(f"y{register.number}")
        return WORD * (register.number + 1)

    # Places

    def label(self, number: int) -> Label:
        """The native place of a label of this function."""
        return self.labels.setdefault(number, Label())

    def failure(self, operand: Operand) -> Label:
        """Where an operation goes that fails: a place in the function, or the interpreter, which raises."""
        if not isinstance(operand, BeamLabel):
            raise Unsupported(f"fail label {operand}")
        return self.label(operand.number) if operand.number else self.to_interpreter()

    def cold(self, emit: Callable[[], None]) -> None:
        """Let code that is rarely run be emitted behind the function's own.

        It finds x registers in memory only, and none at all if the emitter keeps those that memory does not have.
        """
        self._cold.append((self.index, dict(self.cache.held), emit))

    def finish(self) -> None:
        """Emit what is cold."""
        self._is_cold = True
        for index, held, emit in self._cold:
            self.index, self._held_before = index, held
            self.cold_places.append((self.a.offset, self.index))
            elsewhere = {held.x for held in self._held_before.values() if held.only}
            self._locate({x: None for x in locations(self.live[self.index], {}) if x not in elsewhere})
            emit()
        self._cold = []

    # Ways out

    def resume_label(self, index: int) -> int:
        """The label in the bytecode before an operation."""
        if index not in self.resumes:
            self.resumes[index] = self.shared.new_label()
        return self.resumes[index]

    def to_interpreter(self, beside: int = 0) -> Label:
        """A place that lets the interpreter go on before the operation in work.

        *beside*: a bit for each x register that it wants there beside those that are live on every way to here.
        """
        if self.index not in self._leaving:
            place, resume = Label(), self.resume_label(self.index)
            leave = self._way_out(resume, beside)
            self._leaving[self.index] = place

            def cold() -> None:
                self.a.bind(place)
                leave()

            self.cold(cold)
        return self._leaving[self.index]

    def bad_arithmetic(self) -> Label:
        """A place that lets the interpreter raise badarith, for an operation that it cannot do again.

        On the way there another process may come in between, which changes the float registers.
        """
        error = BadArithmetic(self.shared.new_label(), self.operations[self.index].location, self.function)
        self.errors.append(error)
        place, leave = Label(), self._way_out(error.label)

        def cold() -> None:
            self.a.bind(place)
            leave()

        self.cold(cold)
        return place

    def fails(self, operand: Operand) -> Callable[[], None]:
        """What emits, where code is cold, the code that goes to ``failure``."""
        if isinstance(operand, BeamLabel) and not operand.number:
            return self._way_out(self.resume_label(self.index))
        failure = self.failure(operand)
        return lambda: self.a.b(failure)

    def leave(self, target: int | None = None) -> None:
        """Let the interpreter go on before the operation in work, or at a label of the bytecode."""
        self._way_out(self.resume_label(self.index) if target is None else target)()

    def _way_out(self, resume: int, beside: int = 0) -> Callable[[], None]:
        """What emits the code that leaves native code for a label of the bytecode, with x registers as they are now."""
        live, only = self.live[self.index] | beside, self.cache.only()
        unwritten = self.unwritten[self.index]
        if live.bit_length() > machine.MOST_LIVE:
            raise Unsupported("more than 32 live x registers")

        def emit() -> None:
            for register, x in only.items():
                self.a.str(register, at(REGISTERS, self._x(X(x))))
            self._clear(unwritten)
            if self.shared.stress:
                self.a.mov(machine.FCALLS, 0)
            self.a.together(3)
            self.a.bl(self.shared.fragments["to_interpreter"])
            self.a.word(symbols.label(resume))
            self.a.word(live)
            self.a.unreachable()

        return emit

    def _clear(self, unwritten: int) -> None:
        """Write NIL to y registers: garbage may be collected on the way out, where the interpreter does not do it."""
        if unwritten:
            self.a.mov_constant(R0, machine.NIL_WORD)
        for number in range(unwritten.bit_length()):
            if unwritten >> number & 1:
                self.a.str(R0, at(E, self._y(Y(number))))

    def continuation(self) -> tuple[int, Label]:
        """A new continuation after the operation in work: its label in the bytecode, and the native place, unbound."""
        resume, location = self.resume_label(self.index + 1), self.operations[self.index].location
        stub = Continuation(self.shared.new_label(), resume, location, self._location_after(), self.function)
        place = Label()
        self.continuations.append((stub, place))
        return stub.label, place

    def _location_after(self) -> Location:
        """The location that the loader gives to the instruction behind the operation in work.

        It puts a line before a move to x0 that it follows, but drops it before a tail call (emu/ops.tab).
        """
        behind = (self.operations[index] for index in range(self.index + 1, len(self.operations)))
        rest = (one for one in behind if one.name != "label")
        one = next((one for one in rest if one.name != "line"), None)
        if one is None:
            raise Unsupported("a function that goes on beyond its end")
        line, call = next(rest, None), next(rest, None)
        if one.name != "move" or one.operands[1] != X(0) or line is None or line.name != "line":
            return one.location
        return one.location if call and self._is_tail_call(call) else line.location

    def _is_tail_call(self, call: Operation) -> bool:
        """Of what is no BIF."""
        if call.name not in ("call_last", "call_only", "call_ext_last", "call_ext_only"):
            return False
        callee = call.operands[1]
        return not isinstance(callee, Import) or not is_bif(callee, self.shared.layout.otp)

    def handler(self, number: int) -> None:
        """Let exceptions that the operation in work catches come to the native place of a label."""
        location = self.operations[self.index].location
        stub = Continuation(self.shared.new_label(), number, location, location, self.function)
        self.handlers[self.index] = stub.label
        self.continuations.append((stub, self.label(number)))


def immediate(operand: Operand) -> int | None:
    """The word of a constant that is the same everywhere; None for others and registers."""
    if isinstance(operand, Integer) and machine.is_small(operand.value):
        return machine.small(operand.value)
    return machine.NIL_WORD if operand == NIL else None
