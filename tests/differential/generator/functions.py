"""Functions: with clauses, and those that loop over numbers, lists and binaries."""

from __future__ import annotations

from collections.abc import Callable

from tests.differential.generator.kernels import write_kernel
from tests.differential.generator.parsers import write_parser
from tests.differential.generator.samples import DATA, KINDS
from tests.differential.generator.writer import LOOP, Signature, Writer
from tests.differential.tree import Node, items, text

#: The share of functions that are of one thing each. They cost little.
_SMALL = 0.65
_RESULTS = (*KINDS, "any", "any")


def write_function(w: Writer, name: str, depth: int) -> tuple[Signature, Node]:
    """A function, by one of the templates, or a small one; ``cost`` of the signature is set."""
    w.depth, w.budget = depth, 25 * depth
    template = w.random.choices(tuple(_TEMPLATES), tuple(_TEMPLATES.values()))[0]
    signature, node = (write_kernel if w.chance(_SMALL) else template)(w, name)
    signature.cost = w.cost
    return signature, node


def _clauses(w: Writer, name: str) -> tuple[Signature, Node]:
    """Clauses with patterns."""
    arity = w.pick((0, 1, 2, 2, 3, 3, 4, 4, 5, 7, 12))
    kinds = tuple(w.pick(DATA if w.chance(0.85) else KINDS) for _ in range(arity))
    result = w.pick(_RESULTS)
    clauses = []
    for _ in range(w.pick((0, 1, 1, 2, 3))):
        with w.inner(), w.fresh_patterns():
            heads = w.patterns(kinds, w.number(0, 2))
            guard = w.when(0.4)
            w.may_reuse = True
            clauses.append(_clause(name, heads, guard, w.body(result)))
    if not clauses or w.chance(0.8):
        with w.inner():
            clauses.append(_clause(name, _variables(w, kinds), text(), w.body(result, w.number(0, 3))))
    return _signature(w, name, kinds, result), items(clauses, ";\n", 1)


def _clause(name: str, heads: list[Node], guard: Node, body: Node) -> Node:
    return text(name, "(", items(heads, least=len(heads)), ")", guard, " ->\n    ", body)


def _variables(w: Writer, kinds: tuple[str, ...]) -> list[Node]:
    return [text(w.variable(kind).name) for kind in kinds]


def _signature(w: Writer, name: str, kinds: tuple[str, ...], result: str) -> Signature:
    return Signature(name, kinds, result, w.chance(0.6))


#: Kinds of what loops carry.
_CARRIED = ("integer", "integer", "list", "binary", "map", "float", "tuple")


def _count(w: Writer, name: str) -> tuple[Signature, Node]:
    """Down to zero, with an accumulator or two; the public function passes the count."""
    kinds = tuple(w.pick(_CARRIED) for _ in range(w.number(1, 3)))
    rounds = w.number(0, 2 * LOOP) if w.chance(0.85) else 700  # with cheap steps: see Writer.repeated
    loop, result = f"{name}_loop", kinds[0]
    with w.inner():
        heads = _variables(w, kinds)
        last = _clause(loop, [text("0"), *heads], text(), w.body(result))
    with w.inner(), w.repeated(max(LOOP, rounds)):
        if rounds > 2 * LOOP:
            w.depth = 2
        count = w.variable("integer")
        heads = _variables(w, kinds)
        steps = [w.make(kind) for kind in kinds]
        again = text(f"{loop}(", items([text(f"{count.name} - 1"), *steps], least=len(kinds) + 1), ")")
        body = text(f"[{count.name} | ", again, "]") if w.chance(0.2) else again
        more = _clause(loop, [text(count.name), *heads], text(), body)
    with w.inner():
        heads = _variables(w, kinds)
        call = text(f"{loop}({rounds}, ", items([*heads], least=len(heads)), ")")
        public = _clause(name, heads, text(), call)
    return _signature(w, name, kinds, result), text(public, ".\n\n", items([last, more], ";\n", 1))


def _over_list(w: Writer, name: str) -> tuple[Signature, Node]:
    """A list, with an accumulator, or building a list on the way back."""
    element = w.pick(("integer", "any"))
    parameter = "integers" if element == "integer" else "list"
    kind = w.pick(("integer", "list", "map", "float", "binary", "tuple"))
    back = w.chance(0.4)
    with w.inner(), w.fresh_patterns(), w.repeated():
        head = w.pattern(element, 1)
        tail, accumulator = w.fresh("list"), w.variable(kind)
        guard = w.when(0.2)
        w.may_reuse = True
        step = w.make("any" if back else kind)
        heads: list[Node] = [text("[", head, f" | {tail.name}]"), text(accumulator.name)]
        body = (
            text("[", step, f" | {name}({tail.name}, {accumulator.name})]")
            if back
            else text(f"{name}({tail.name}, ", step, ")")
        )
        first = _clause(name, heads, guard, body)
    skip = text(f"{name}([_ | T], A) -> {name}(T, A)")
    end = text(f"{name}([], {'_' if back else 'A'}) -> {'[]' if back else 'A'}")
    clauses = [first, skip, end] if w.chance(0.8) else [first, end]
    return _signature(w, name, (parameter, kind), "list" if back else kind), items(clauses, ";\n", 1)


def _over_bits(w: Writer, name: str) -> tuple[Signature, Node]:
    """A binary, with an accumulator: the compiler keeps a match context."""
    kind = w.pick(("integer", "list", "binary", "bitstring"))
    size = w.pick((8, 8, 8, 16, 3, 7, 12, 32, 33))
    with w.inner(), w.repeated():
        value, tail, accumulator = w.variable("integer"), w.fresh("bitstring"), w.variable(kind)
        segment = value.name + w.pick((f":{size}", f":{size}/little", f":{size}/signed", "/utf8"))
        guard = w.when(0.2)
        step = w.make(kind)
        heads: list[Node] = [text(f"<<{segment}, {tail.name}/bits>>"), text(accumulator.name)]
        first = _clause(name, heads, guard, text(f"{name}({tail.name}, ", step, ")"))
    ends = (f"{name}(<<>>, A) -> A", f"{name}(<<_:1, T/bits>>, A) -> {name}(T, A)", f"{name}(R, A) -> {{R, A}}")
    clauses = [first, *map(text, w.random.sample(ends, w.number(1, 3)))]
    return _signature(w, name, ("bitstring" if w.chance(0.5) else "binary", kind), kind), items(clauses, ";\n", 1)


_TEMPLATES: dict[Callable[[Writer, str], tuple[Signature, Node]], int] = {
    _clauses: 7, _count: 2, _over_list: 2, _over_bits: 2, write_parser: 5,
}  # fmt: skip
