"""The native code of one function under construction: what emitters work on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from jit.arm32.assembler import Assembler
from jit.arm32.labels import Label
from jit.arm32.operands import at
from jit.arm32.registers import R0, R1, Register
from jit.beam.module import Module
from jit.beam.operands import Integer, Literal, Location, Operand, Typed, X, Y
from jit.beam.operands import Label as BeamLabel
from jit.beam.operations import Function, Operation
from jit.beam.terms import NIL, Atom
from jit.codegen import machine, symbols
from jit.codegen.machine import REGISTERS, WORD, E
from jit.erts.layout import Layout

_LAST_X = (4095 - machine.X_ARRAY) // WORD
_LAST_Y = 4095 // WORD - 1
_MOST_LIVE = 32


class Unsupported(Exception):
    """No native code for an operation: the function stays interpreted. The message says what is missing."""


@dataclass(frozen=True)
class Continuation:
    """Where an interpreted callee returns to: a function of its own in the bytecode, which native code takes over.

    ``label`` is its entry, ``after`` the label of the same place in the function's own bytecode.
    """

    label: int
    after: int
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

    def new_label(self) -> int:
        """A label of the bytecode that is not used yet."""
        self.next_label += 1
        return self.next_label - 1


@dataclass
class Emission:
    """One function. ``index`` is that of the operation in work; ``live`` the x registers before each."""

    shared: Shared
    function: Function
    operations: Sequence[Operation]
    live: Sequence[int]
    index: int = 0
    labels: dict[int, Label] = field(default_factory=dict)
    #: Labels to put into the bytecode, by the index of the operation that they come before.
    resumes: dict[int, int] = field(default_factory=dict)
    continuations: list[tuple[Continuation, Label]] = field(default_factory=list)
    #: Labels to put in place of handlers' labels into ``try`` and ``catch``, by index of the operation.
    handlers: dict[int, int] = field(default_factory=dict)
    _cold: list[Callable[[], None]] = field(default_factory=list)
    _leaving: dict[int, Label] = field(default_factory=dict)

    @property
    def a(self) -> Assembler:
        """The assembler."""
        return self.shared.assembler

    # Operands

    def load(self, operand: Operand, into: Register) -> Register:
        """The word of a register or constant, in a CPU register."""
        if isinstance(operand, Typed):
            operand = operand.register
        if isinstance(operand, X):
            self.a.ldr(into, at(REGISTERS, self._x(operand)))
        elif isinstance(operand, Y):
            self.a.ldr(into, at(E, self._y(operand)))
        elif (word := immediate(operand)) is not None:
            self.a.mov_constant(into, word)
        elif isinstance(operand, Atom):
            self.a.ldr_literal(into, symbols.atom(self.shared.atoms[operand.name]))
        elif isinstance(operand, Literal):
            self.a.ldr_literal(into, symbols.literal(operand.index))
        else:
            raise Unsupported(f"operand {operand}")
        return into

    def store(self, source: Register, operand: Operand) -> None:
        """A BEAM register = a CPU register."""
        if isinstance(operand, X):
            self.a.str(source, at(REGISTERS, self._x(operand)))
        elif isinstance(operand, Y):
            self.a.str(source, at(E, self._y(operand)))
        else:
            raise Unsupported(f"destination {operand}")

    def value(self, operand: Operand, into: Register) -> Register:
        """A CPU register that holds the word of an operand: *into*, or another that must not be changed."""
        return self.load(operand, into)

    def spill(self) -> None:
        """Let the x registers in memory be right, as the VM is going to read them there."""

    def forget(self) -> None:
        """From here on x registers are in memory only, as the VM may have changed them there."""

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
        """Let code that is rarely run be emitted behind the function's own."""
        self._cold.append(emit)

    def finish(self) -> None:
        """Emit what is cold."""
        for emit in self._cold:
            emit()
        self._cold = []

    # Ways out

    def resume_label(self, index: int) -> int:
        """The label in the bytecode before an operation."""
        if index not in self.resumes:
            self.resumes[index] = self.shared.new_label()
        return self.resumes[index]

    def to_interpreter(self, index: int | None = None, target: int | None = None) -> Label:
        """A place that lets the interpreter go on before an operation, by default the one in work.

        *target* is a label of the bytecode to use instead of a new one.
        """
        index = self.index if index is None else index
        if index not in self._leaving:
            live = self.live[index]
            if live.bit_length() > _MOST_LIVE:
                raise Unsupported("more than 32 live x registers")
            resume = self.resume_label(index) if target is None else target
            place = self._leaving[index] = Label()
            self.cold(lambda: self._leave(place, resume, live))
        return self._leaving[index]

    def _leave(self, place: Label, resume: int, live: int) -> None:
        self.a.bind(place)
        if self.shared.stress:
            self.a.mov(machine.FCALLS, 0)
        self.a.ldr_literal(R0, symbols.label(resume))
        self.a.mov_constant(R1, live)
        self.a.b(self.shared.fragments["to_interpreter"])

    def continuation(self) -> tuple[int, Label]:
        """A new continuation after the operation in work: its label in the bytecode, and the native place, unbound."""
        location = self.operations[self.index].location
        stub = Continuation(self.shared.new_label(), self.resume_label(self.index + 1), location, self.function)
        place = Label()
        self.continuations.append((stub, place))
        return stub.label, place

    def handler(self, number: int) -> None:
        """Let exceptions that the operation in work catches come to the native place of a label."""
        stub = Continuation(self.shared.new_label(), number, self.operations[self.index].location, self.function)
        self.handlers[self.index] = stub.label
        self.continuations.append((stub, self.label(number)))


def immediate(operand: Operand) -> int | None:
    """The word of a constant that is the same everywhere; None for others and registers."""
    if isinstance(operand, Integer) and machine.is_small(operand.value):
        return machine.small(operand.value)
    return machine.NIL_WORD if operand == NIL else None
