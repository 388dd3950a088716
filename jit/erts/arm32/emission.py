"""The native code of one function for stock Erlang/OTP: its ways out to the interpreter, and where registers live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import AL, Condition
from jit.arm32.operands import Address, at
from jit.arm32.registers import R0, Register
from jit.beam.module import Module
from jit.beam.operands import BeamLabel, Import, Integer, Literal, Location, Operand, X, Y
from jit.beam.operations import Function, Operation
from jit.beam.terms import NIL, Atom
from jit.codegen.cache import Keeps, Mistake
from jit.codegen.emission import FunctionEmission, Unsupported
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions, symbols
from jit.erts.arm32.conventions import REGISTERS, SMALLS, WORD, X_ARRAY, E
from jit.erts.arm32.fragments import APART, Fragments
from jit.erts.bif_names import is_bif
from jit.erts.layout import NativeLayout
from jit.otp import tags

#: The highest registers that an instruction reaches.
_LAST_X: Final = (4095 - X_ARRAY) // WORD
_LAST_Y: Final = 4095 // WORD - 1


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
    layout: NativeLayout
    assembler: Assembler
    fragments: Fragments
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


@dataclass(kw_only=True)
class Emission(FunctionEmission[Register]):
    """One function."""

    shared: Shared
    #: Labels to put into the bytecode, by the index of the operation that they come before.
    resumes: dict[int, int] = field(default_factory=dict)
    continuations: list[tuple[Continuation, Label]] = field(default_factory=list)
    errors: list[BadArithmetic] = field(default_factory=list)
    #: Labels to put in place of handlers' labels into ``try`` and ``catch``, by index of the operation.
    handlers: dict[int, int] = field(default_factory=dict)
    #: Where returns go that native code does not do.
    returning: Label | None = None
    _leaving: dict[int, Label] = field(default_factory=dict)
    #: What the last of them is told of beside those that are live.
    _beside: int = 0

    @property
    def a(self) -> Assembler:
        """The assembler."""
        return self.shared.assembler

    def fetch(self, into: Register, register: Operand) -> None:
        """A CPU register = what memory has of a BEAM register: also what the interpreter has written there."""
        self.a.ldr(into, _memory(register))

    def put(self, source: Register, register: Operand) -> None:
        """What memory has of a BEAM register = a CPU register."""
        self.a.str(source, _memory(register))

    def constant(self, into: Register, operand: Operand) -> None:
        """A CPU register = the word of a constant."""
        if (word := immediate(operand)) is not None:
            self.a.mov_constant(into, word)
        elif isinstance(operand, Atom):
            self.a.ldr_literal(into, symbols.atom(self.shared.atoms[operand.name]))
        elif isinstance(operand, Literal):
            self.a.ldr_literal(into, symbols.literal(operand.index))
        elif isinstance(operand, Integer):
            self.a.ldr_literal(into, symbols.literal(self.shared.big_integer(operand.value).index))
        else:
            raise Unsupported(f"operand {operand}")

    def call_shared(self, name: str) -> None:
        """Call a fragment."""
        self.a.bl(self.shared.fragments[name])

    def is_apart(self, name: str) -> bool:
        """Whether a fragment is declared so."""
        return name in APART

    def end(self) -> None:
        """The operation in work is complete. Raises Mistake."""
        super().end()
        place = self._leaving.get(self.index)
        if place and self.overwrites is not None and any(at > self.overwrites for at, _, _ in place.waiting):
            raise Mistake("it would be done again with its own results")

    # Ways out

    def go(self, fragment: str, condition: Condition = AL) -> None:
        """Leave the function by a shared fragment: x registers are in memory. Raises Mistake if they are not."""
        self.cache.check_saved()
        self.a.b(self.shared.fragments[fragment], condition)

    def failure(self, operand: Operand) -> Label:
        """Where an operation goes that fails: a place in the function, or the interpreter, which raises."""
        if not isinstance(operand, BeamLabel):
            raise Unsupported(f"fail label {operand}")
        return self.label(operand.number) if operand.number else self.to_interpreter()

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
            self._leaving[self.index], self._beside = place, beside

            def cold() -> None:
                self.a.bind(place)
                leave()

            self.cold(cold)
        elif beside & ~self._beside:
            raise Mistake("the interpreter would be told of more x registers than are kept for it")
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
        unwritten = self.analysis.unwritten[self.index]
        if live.bit_length() > conventions.MOST_LIVE:
            raise Unsupported("more than 32 live x registers")
        self.cache.check_read(live & ~sum(1 << x for x in only.values()))
        if self.cache.overwritten & live:
            raise Mistake("it would be done again with its own results")

        def emit() -> None:
            for register, x in only.items():
                self.put(register, X(x))
            self._clear(unwritten)
            if self.shared.stress:
                self.a.mov(conventions.FCALLS, 0)
            self.a.together(3)
            self.a.bl(self.shared.fragments["to_interpreter"])  # which ``only`` is stored for
            self.a.word(symbols.label(resume))
            self.a.word(live)
            self.a.unreachable()

        return emit

    def _clear(self, unwritten: int) -> None:
        """Write NIL to y registers: garbage may be collected on the way out, where the interpreter does not do it."""
        if unwritten:
            self.a.mov_constant(R0, tags.NIL)
        for number in range(unwritten.bit_length()):
            if unwritten >> number & 1:
                self.put(R0, Y(number))

    def continuation(self, *, reloads: bool = False) -> tuple[int, Label]:
        """A new continuation after the operation in work: its label in the bytecode, and the native place, unbound.

        There x registers are in memory only. Raises Mistake for an operation that keeps others, unless it *reloads*
        them there: in ``cold`` code that control comes back to.
        """
        if self.keeps is not Keeps.NOTHING and not reloads:
            raise Mistake("control would come back to where x registers are taken to be in CPU registers")
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


def _memory(register: Operand) -> Address:
    """Where memory has a BEAM register. Raises Unsupported."""
    if isinstance(register, X):
        if register.number > _LAST_X:
            raise Unsupported(f"x{register.number}")
        return at(REGISTERS, X_ARRAY + WORD * register.number)
    if isinstance(register, Y):
        if register.number > _LAST_Y:
            raise Unsupported(f"y{register.number}")
        return at(E, WORD * (register.number + 1))
    raise Unsupported(f"destination {register}")


def immediate(operand: Operand) -> int | None:
    """The word of a constant that is the same everywhere; None for others and registers."""
    if isinstance(operand, Integer) and operand.value in SMALLS:
        return conventions.small(operand.value)
    return tags.NIL if operand == NIL else None
