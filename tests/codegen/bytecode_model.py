"""A small BEAM: runs the bytecode of a module as the instruction set defines it, and tells what registers hold.

It knows nothing of native code. Terms are Python's integers, ``Atom``, tuples and, for lists, ``Cons`` and ``NIL``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jit.beam.module import Module
from jit.beam.operands import BeamLabel, Integer, Literal, Typed, X, Y
from jit.beam.operations import Function, Operation
from jit.beam.terms import Atom, List

NIL: Final = List(())
#: What is in a register, but is not told: a raw stack trace, or the tag of a catch.
UNKNOWN: Final = ("unknown",)

Term = Any
Register = X | Y


@dataclass(frozen=True)
class Cons:
    head: Term
    tail: Term


@dataclass
class Step:
    """Before an operation: the function, the operation's index, its arguments once given, and all registers.

    ``wanted`` are x registers whose values are read later on before they are written.
    """

    function: Function
    index: int
    arguments: tuple[Term, ...]
    x: dict[int, Term]
    y: dict[int, Term]
    wanted: set[int] = field(default_factory=set)


@dataclass
class _Frame:
    """``y`` of a function that has allocated; where its caller goes on."""

    function: Function
    arguments: tuple[Term, ...]
    after: int
    y: dict[int, Term] | None


class Raised(Exception):
    """An exception of the class error."""


_ARITHMETIC: Final[Mapping[str, Callable[[int, int], int]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul,
}  # fmt: skip


class Model:
    """Run a function without arguments of a module; ``steps`` are all operations on the way."""

    def __init__(self, module: Module) -> None:
        self.places = {
            operation.operands[0]: (function, at)
            for function in module.functions
            for at, operation in enumerate(function.operations)
            if operation.name == "label"
        }
        self.x: dict[int, Term] = {}
        self.y: dict[int, Term] | None = None
        self.callers: list[_Frame] = []
        self.catches: list[tuple[int, int]] = []  # depth of callers, label
        self.steps: list[Step] = []
        self._unread: dict[int, list[Step]] = {}

    def run(self, function: Function) -> list[Step]:
        """All steps up to the call of another module, or the last return."""
        self._enter(function, 0)
        while self.index >= 0:
            operation = self.function.operations[self.index]
            self._note()
            self.index += 1
            try:
                getattr(self, f"_{operation.name}")(*operation.operands)
            except Raised:
                self._raise(Atom("badarith"))
        return self.steps

    def _note(self) -> None:
        step = Step(self.function, self.index, self.arguments, dict(self.x), dict(self.y or {}))
        self.steps.append(step)
        for number in self.x:
            self._unread.setdefault(number, []).append(step)

    # Registers

    def _get(self, operand: Any) -> Term:
        if isinstance(operand, Typed):
            operand = operand.register
        if isinstance(operand, X):
            for step in self._unread.pop(operand.number, ()):
                step.wanted.add(operand.number)
            return self.x[operand.number]
        if isinstance(operand, Y):
            assert self.y is not None
            return self.y[operand.number]
        if isinstance(operand, Integer):
            return operand.value
        return literal(operand.value) if isinstance(operand, Literal) else literal(operand)

    def _set(self, register: Register, value: Term) -> None:
        if isinstance(register, X):
            self._unread.pop(register.number, None)
            self.x[register.number] = value
        else:
            assert self.y is not None
            self.y[register.number] = value

    def _keep(self, live: int) -> None:
        """X registers from there on have no value any more."""
        for number in [number for number in self.x if number >= live]:
            del self.x[number]
            self._unread.pop(number, None)

    # Calls

    def _enter(self, function: Function, arity: int) -> None:
        self._keep(arity)
        self.function = function
        self.arguments = tuple(self._get(X(number)) for number in range(arity))
        self.index = self.places[function.entry][1]
        self.y = None

    def _call_only(self, arity: int, callee: BeamLabel) -> None:
        self._enter(self.places[callee.number][0], arity)

    def _call(self, arity: int, callee: BeamLabel) -> None:
        self.callers.append(_Frame(self.function, self.arguments, self.index, self.y))
        self._call_only(arity, callee)

    def _call_last(self, arity: int, callee: BeamLabel, stack: int) -> None:
        self._deallocate(stack)
        self._call_only(arity, callee)

    def _return(self) -> None:
        self._get(X(0))
        self._keep(1)
        if not self.callers:
            self.index = -1
            return
        self._back_to(self.callers.pop())

    def _back_to(self, frame: _Frame) -> None:
        self.function, self.arguments, self.index, self.y = frame.function, frame.arguments, frame.after, frame.y

    def _raise(self, reason: Term) -> None:
        depth, label = self.catches[-1]
        if depth < len(self.callers):
            self._back_to(self.callers[depth])
            del self.callers[depth:]
        self._keep(0)
        for number, value in enumerate((UNKNOWN, reason, UNKNOWN, Atom("error"))):
            self._set(X(number), value)
        self.index = self.places[label][1]

    def _try(self, tag: Y, handler: BeamLabel) -> None:
        self._set(tag, UNKNOWN)
        self.catches.append((len(self.callers), handler.number))

    def _try_end(self, tag: Y) -> None:
        self.catches.pop()
        self._set(tag, NIL)

    def _try_case(self, tag: Y) -> None:
        self._try_end(tag)
        self._keep(4)
        self._set(X(0), self._get(X(3)))
        self._keep(3)

    # Frames and heap

    def _allocate(self, stack: int, live: int) -> None:
        self._keep(live)
        self.y = {}

    def _allocate_heap(self, stack: int, heap: Any, live: int) -> None:
        self._allocate(stack, live)

    def _test_heap(self, heap: Any, live: int) -> None:
        self._keep(live)

    def _deallocate(self, stack: int) -> None:
        self.y = None

    def _trim(self, count: int, left: int) -> None:
        assert self.y is not None
        self.y = {number - count: value for number, value in self.y.items() if number >= count}

    def _init_yregs(self, registers: tuple[Y, ...]) -> None:
        for register in registers:
            self._set(register, NIL)

    # Control

    def _label(self, number: int) -> None: ...

    def _line(self, *_operands: Any) -> None: ...

    def _jump(self, label: BeamLabel) -> None:
        self.index = self.places[label.number][1]

    def _unless(self, condition: bool, label: BeamLabel) -> None:
        if not condition:
            self._jump(label)

    def _select_val(self, source: Any, fail: BeamLabel, pairs: tuple[Any, ...]) -> None:
        value = self._get(source)
        chosen = [target for choice, target in zip(pairs[::2], pairs[1::2]) if self._get(choice) == value]
        self._jump(chosen[0] if chosen else fail)

    def _select_tuple_arity(self, source: Any, fail: BeamLabel, pairs: tuple[Any, ...]) -> None:
        size = len(self._get(source))
        self._jump(next((target for choice, target in zip(pairs[::2], pairs[1::2]) if choice == size), fail))

    def _is_nonempty_list(self, fail: BeamLabel, source: Any) -> None:
        self._unless(isinstance(self._get(source), Cons), fail)

    def _is_nil(self, fail: BeamLabel, source: Any) -> None:
        self._unless(self._get(source) == NIL, fail)

    def _is_atom(self, fail: BeamLabel, source: Any) -> None:
        self._unless(isinstance(self._get(source), Atom), fail)

    def _is_integer(self, fail: BeamLabel, source: Any) -> None:
        self._unless(isinstance(self._get(source), int), fail)

    def _is_tuple(self, fail: BeamLabel, source: Any) -> None:
        self._unless(isinstance(self._get(source), tuple), fail)

    def _test_arity(self, fail: BeamLabel, source: Any, arity: int) -> None:
        self._unless(len(self._get(source)) == arity, fail)

    def _is_tagged_tuple(self, fail: BeamLabel, source: Any, arity: int, tag: Any) -> None:
        value = self._get(source)
        self._unless(isinstance(value, tuple) and len(value) == arity and value[0] == self._get(tag), fail)

    def _is_eq_exact(self, fail: BeamLabel, one: Any, other: Any) -> None:
        self._unless(self._get(one) == self._get(other), fail)

    def _is_lt(self, fail: BeamLabel, one: Any, other: Any) -> None:
        one, other = self._get(one), self._get(other)
        self._unless(isinstance(one, int) and (not isinstance(other, int) or one < other), fail)

    def _is_ge(self, fail: BeamLabel, one: Any, other: Any) -> None:
        one, other = self._get(one), self._get(other)
        self._unless(not isinstance(one, int) or isinstance(other, int) and one >= other, fail)

    # Values

    def _move(self, source: Any, target: Register) -> None:
        self._set(target, self._get(source))

    def _swap(self, one: Register, other: Register) -> None:
        first, second = self._get(one), self._get(other)
        self._set(one, second)
        self._set(other, first)

    def _gc_bif2(self, _fail: BeamLabel, live: int, bif: Any, one: Any, other: Any, target: Register) -> None:
        values = self._get(one), self._get(other)
        if not all(isinstance(value, int) for value in values):
            raise Raised
        self._keep(live)
        self._set(target, _ARITHMETIC[bif.function](*values))

    def _get_list(self, source: Any, head: Register, tail: Register) -> None:
        value = self._get(source)
        self._set(head, value.head)
        self._set(tail, value.tail)

    def _get_hd(self, source: Any, head: Register) -> None:
        self._set(head, self._get(source).head)

    def _get_tl(self, source: Any, tail: Register) -> None:
        self._set(tail, self._get(source).tail)

    def _get_tuple_element(self, source: Any, index: int, target: Register) -> None:
        self._set(target, self._get(source)[index])

    def _put_list(self, head: Any, tail: Any, target: Register) -> None:
        self._set(target, Cons(self._get(head), self._get(tail)))

    def _put_tuple2(self, target: Register, elements: tuple[Any, ...]) -> None:
        self._set(target, tuple(self._get(element) for element in elements))


def literal(term: Any) -> Term:
    """A term of a .beam file as the model has it."""
    if isinstance(term, List):
        value: Term = NIL if term.tail is None else literal(term.tail)
        for element in reversed(term.elements):
            value = Cons(literal(element), value)
        return value
    return tuple(literal(element) for element in term.elements) if hasattr(term, "elements") else term


def operation_of(step: Step) -> Operation:
    return step.function.operations[step.index]
