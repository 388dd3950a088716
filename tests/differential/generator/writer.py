"""What all families write with: random choices, variables in scope, and how deep and how costly it gets."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from tests.differential.generator.samples import ASKED, DATA, KINDS, sample
from tests.differential.tree import Node, expression, items, text

T = TypeVar("T")

#: How often an expression is of another kind than wanted, in an expression and in a guard.
_WRONG: Final = 0.015
_WRONG_IN_GUARD: Final = 0.12
#: Calls that one case may come to, about.
_MOST_COST: Final = 2500
#: How often a loop runs, about.
LOOP: Final = 4

_PLACES: Final = re.compile(r"([@~]\w+)")

Producer = Callable[["Writer"], Node]

#: By kind: how often each is chosen, and the function that writes it.
PRODUCERS: Final[dict[str, list[tuple[int, Producer]]]] = {kind: [] for kind in ASKED}
GUARD_PRODUCERS: Final[dict[str, list[tuple[int, Producer]]]] = {kind: [] for kind in KINDS}
PATTERNS: Final[dict[str, list[tuple[int, Producer]]]] = {kind: [] for kind in KINDS}


def produces(*kinds: str, weight: int = 1) -> Callable[[Producer], Producer]:
    """Declare a function that writes expressions of these kinds."""
    return _declare(PRODUCERS, kinds, weight)


def guards(*kinds: str, weight: int = 1) -> Callable[[Producer], Producer]:
    """Declare a function that writes expressions allowed in guards."""
    return _declare(GUARD_PRODUCERS, kinds, weight)


def matches(*kinds: str, weight: int = 1) -> Callable[[Producer], Producer]:
    """Declare a function that writes patterns of these kinds."""
    return _declare(PATTERNS, kinds, weight)


def _declare(
    table: dict[str, list[tuple[int, Producer]]], kinds: Sequence[str], weight: int
) -> Callable[[Producer], Producer]:
    def declare(producer: Producer) -> Producer:
        for kind in kinds:
            table[kind].append((weight, producer))
        return producer

    return declare


@dataclass(frozen=True)
class Variable:
    """A bound variable, and the kind of its value, mostly."""

    name: str
    kind: str


@dataclass
class Signature:
    """A function that can be called: kinds of its parameters and of its result. ``cost``: calls that one comes to.

    ``examples``: arguments that are of use to it, as Erlang text.
    """

    name: str
    parameters: tuple[str, ...]
    result: str
    exported: bool
    cost: int = 1
    examples: tuple[tuple[str, ...], ...] = ()


class Writer:
    """The state of writing one function."""

    def __init__(self, rng: random.Random, callable_functions: Sequence[Signature]) -> None:
        self.random = rng
        self.functions = callable_functions
        self.scope: list[Variable] = []
        self.depth = 0
        #: Expressions that may still be written before only variables and constants are.
        self.budget = 0
        self.cost = 1
        self._repeated = 1
        self._names = 0
        #: Whether what is written is a test; in how many patterns it is.
        self.in_guard = False
        self.pattern_depth = 0
        #: Whether a pattern may ask for the value of a bound variable, and the variables of the pattern in work.
        self.may_reuse = True
        self.in_pattern: list[Variable] = []

    # Choices

    def chance(self, share: float) -> bool:
        """True so often."""
        return self.random.random() < share

    def pick(self, choices: Sequence[T]) -> T:
        """One of them."""
        return self.random.choice(choices)

    def number(self, low: int, high: int) -> int:
        """An integer from *low* to *high*."""
        return self.random.randint(low, high)

    def _choose(self, table: list[tuple[int, Producer]]) -> Producer:
        return self.random.choices([producer for _, producer in table], [weight for weight, _ in table])[0]

    # Expressions

    def make(self, kind: str) -> Node:
        """An expression."""
        if self.chance(_WRONG):
            kind = "any"
        self.budget -= 1
        if self.depth <= 0 or self.budget <= 0 or self.chance(0.2):
            return self.leaf(kind)
        if kind == "any" and self.chance(0.85):
            kind = self.pick(DATA)
        with self.deeper():
            return self._choose(PRODUCERS[kind])(self)

    def form(self, kind: str, template: str) -> Node:
        """An expression by a template, in which ``@kind`` is an expression and ``~kind`` a variable or a constant.

        In a guard they are what is allowed there, in a pattern ``@kind`` is a pattern.
        """
        parts: list[str | Node] = []
        for number, part in enumerate(_PLACES.split(template)):
            if number % 2:
                parts.append(self.leaf(part[1:]) if part[0] == "~" else self._part(part[1:]))
            elif part:
                parts.append(part)
        return Node(kind, tuple(parts))

    def _part(self, kind: str) -> Node:
        if self.in_guard:
            return self.guard_expression(kind)
        return self.part_pattern(kind) if self.pattern_depth else self.make(kind)

    def leaf(self, kind: str) -> Node:
        """A variable, or else a constant."""
        known = [variable for variable in self.scope if variable.kind == kind or kind == "any"]
        if known and self.chance(0.9):
            # Those bound last are most likely not used yet.
            place = max(self.number(0, len(known) - 1), self.number(0, len(known) - 1))
            return expression(kind, known[place].name)
        if self.in_guard and kind in ("fun1", "fun2"):
            kind = "atom"
        constant = sample(self.random, kind)
        if not self.in_guard and self.chance(0.3):  # what the compiler does not know
            constant = f"opaque({constant})"
        return expression(kind, constant)

    def guard_expression(self, kind: str) -> Node:
        """An expression that is allowed in guards."""
        if self.chance(_WRONG_IN_GUARD):
            kind = self.pick(KINDS)
        if kind == "boolean" and self.depth <= 0:
            return expression("boolean", self.pick(("is_integer(", "is_list(", "is_tuple(")), self.leaf("any"), ")")
        if self.depth <= 0 or self.chance(0.05 if kind == "boolean" else 0.4) or not GUARD_PRODUCERS.get(kind):
            return self.leaf(kind)
        with self.deeper():
            return self._choose(GUARD_PRODUCERS[kind])(self)

    def guard(self) -> Node:
        """A guard: tests, of which one or all must be true."""
        tests = [self.test() for _ in range(self.pick((1, 1, 1, 2, 2, 3)))]
        return items(tests, self.pick((", ", ", ", "; ")), 1)

    def test(self) -> Node:
        """A test of a guard, or a filter of a comprehension."""
        kept, self.depth, self.in_guard = self.depth, min(self.depth, 3), True
        node = self.guard_expression("boolean")
        self.depth, self.in_guard = kept, False
        return node

    def when(self, share: float = 0.3) -> Node:
        """Sometimes a guard, with its keyword."""
        return items([text(" when ", self.guard())], "") if self.chance(share) else text()

    # Patterns

    def pattern(self, kind: str, depth: int = 2) -> Node:
        """A pattern, whose variables come into scope."""
        (node,) = self.patterns((kind,), depth)
        return node

    def patterns(self, kinds: Sequence[str], depth: int = 2) -> list[Node]:
        """Patterns that are matched together, as in the head of a clause."""
        kept, self.depth = self.depth, depth
        self.in_pattern = []
        self.pattern_depth += 1
        nodes = [self.part_pattern(kind) for kind in kinds]
        self.pattern_depth -= 1
        self.in_pattern = []
        self.depth = kept
        return nodes

    def part_pattern(self, kind: str) -> Node:
        """A pattern within a pattern."""
        if kind == "any":
            kind = self.pick(KINDS)
        if self.depth <= 0 or self.chance(0.35) or not PATTERNS[kind]:
            return self._plain_pattern(kind)
        with self.deeper():
            inner = self._choose(PATTERNS[kind])(self)
        if self.chance(0.08):
            return expression("pattern", inner, " = ", self.bind(kind).name)
        return inner

    def _plain_pattern(self, kind: str) -> Node:
        which = self.random.random()
        if which < 0.1:
            return expression("pattern", "_")
        if which < 0.2 and kind not in ("fun1", "fun2"):
            return expression("pattern", sample(self.random, kind, pattern=True))
        same = [variable for variable in self.in_pattern if variable.kind == kind]
        if which < 0.24 and same:
            return expression("pattern", self.pick(same).name)
        bound = [variable for variable in self.scope if variable.kind == kind]
        if which < 0.3 and bound and self.may_reuse:
            return expression("pattern", self.pick(bound).name)
        return expression("pattern", self.bind(kind).name)

    def bind(self, kind: str) -> Variable:
        """A new variable of the pattern in work."""
        variable = self.variable(kind)
        self.in_pattern.append(variable)
        return variable

    def variable(self, kind: str) -> Variable:
        """A new variable, in scope from here on."""
        variable = self.fresh(kind)
        self.scope.append(variable)
        return variable

    def fresh(self, kind: str) -> Variable:
        """A new variable that is not in scope yet."""
        self._names += 1
        return Variable(f"V{self._names}", kind)

    # Bodies

    def body(self, kind: str, statements: int | None = None) -> Node:
        """Some statements, then an expression."""
        count = self.pick((0, 0, 1, 2)) if statements is None else statements
        with self.inner():
            parts = [self.statement() for _ in range(count)]
            return items([*parts, self.make(kind)], ",\n        ", 1)

    def statement(self) -> Node:
        """A match of a variable or a pattern."""
        kind = self.pick(KINDS if self.chance(0.3) else DATA)
        if PATTERNS[kind] and self.chance(0.12):
            value = self.make(kind)
            return text(self.pattern(kind, 1), " = ", value)
        value = self.make(kind)
        variable = self.variable(kind)
        return text(variable.name, " = ", value)

    @contextmanager
    def inner(self) -> Iterator[None]:
        """A scope of its own."""
        kept = list(self.scope)
        try:
            yield
        finally:
            self.scope = kept

    @contextmanager
    def fresh_patterns(self) -> Iterator[None]:
        """Patterns in heads of funs and in generators: their variables are new."""
        kept, self.may_reuse = self.may_reuse, False
        try:
            yield
        finally:
            self.may_reuse = kept

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """An inner expression."""
        self.depth -= 1
        try:
            yield
        finally:
            self.depth += 1

    @contextmanager
    def repeated(self, times: int = LOOP) -> Iterator[None]:
        """What runs several times."""
        self._repeated *= times
        try:
            yield
        finally:
            self._repeated //= times

    def callee(self, kind: str) -> Signature | None:
        """A function of the module that gives this kind, if there is one and a call of it is not too costly."""
        fit = [
            one
            for one in self.functions
            if one.result in (kind, "any") and self.cost + self._repeated * one.cost <= _MOST_COST
        ]
        if not fit:
            return None
        chosen = self.pick(fit)
        self.cost += self._repeated * chosen.cost
        return chosen
