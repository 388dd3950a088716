"""Integers, floats, truth values and atoms."""

from __future__ import annotations

from tests.differential.generator.samples import COMPARISONS, TESTS, sample
from tests.differential.generator.writer import Writer, matches, produces
from tests.differential.tree import Node, expression

#: Bounds of ranges: around those of small integers of 32 and 64 bits, too.
_BOUNDS = (0, 1, 7, 255, 1000, 65535, -1, -128, 134217727, -134217728, 134217728, 4294967295, 1 << 59, -(1 << 59))
_DIVISORS = (1, 2, 3, 7, 8, 16, 1000, -1, -3, 134217727, 4294967296)


@produces("integer", weight=24)
def arithmetic(w: Writer) -> Node:
    operator = w.pick(("+", "+", "+", "-", "-", "*", "div", "rem", "band", "bor", "bxor"))
    if operator == "*":  # a number that is squared again and again soon takes the VM hours
        return w.form("integer", "(@integer * (@integer rem 16#fffffffffffffffffff))")
    if operator in ("div", "rem") and w.chance(0.85):
        return w.form("integer", f"(@integer {operator} (@integer bor 1))")
    return w.form("integer", f"(@integer {operator} @integer)")


@produces("integer", weight=12)
def with_constant(w: Writer) -> Node:
    operator = w.pick(("+", "-", "*", "band", "bor", "bxor", "div", "rem"))
    if operator in ("div", "rem"):
        return w.form("integer", f"(@integer {operator} {w.pick(_DIVISORS)})")
    constant = sample(w.random, "integer")
    parts = ("@integer", constant) if w.chance(0.7) else (constant, "@integer")
    return w.form("integer", f"({parts[0]} {operator} {parts[1]})")


@produces("integer", weight=6)
def shift(w: Writer) -> Node:
    count = w.pick((str(w.number(-3, 75)), "(@integer band 63)", "(@integer band 63)"))
    return w.form("integer", f"(@integer {w.pick(('bsl', 'bsr'))} {count})")


@produces("integer", weight=3)
def unary(w: Writer) -> Node:
    return w.form("integer", f"{w.pick(('(- ', '(bnot ', 'abs('))}@integer)")


@produces("integer", weight=6)
def size(w: Writer) -> Node:
    return w.form("integer", w.pick((
        "length(@list)", "length(@string)", "tuple_size(@tuple)", "byte_size(@binary)", "byte_size(@bitstring)",
        "bit_size(@bitstring)", "map_size(@map)", "tuple_size(@record)", "lists:sum(@integers)",
    )))  # fmt: skip


@produces("integer", weight=3)
def rounded(w: Writer) -> Node:
    return w.form("integer", f"{w.pick(('trunc', 'round', 'floor', 'ceil'))}(@float)")


@produces("integer", "float", weight=3)
def extreme(w: Writer) -> Node:
    kind = w.pick(("integer", "integer", "float"))
    return w.form(kind, f"{w.pick(('min', 'max'))}(@integer, @{kind})")


@produces("integer", weight=3)
def from_text(w: Writer) -> Node:
    return w.form("integer", "list_to_integer(integer_to_list(@integer))")


@produces("integer", weight=3)
def of_known_type(w: Writer) -> Node:
    variable = w.fresh("integer").name
    test, then = w.pick((("is_float", "* 2.0"), ("is_integer", "+ 1"), ("is_number", "- 1"), ("is_integer", "bsr 3")))
    clause = f"{variable} when {test}({variable}) -> {variable} {then}"
    return w.form("integer", f"case @{w.pick(('integer', 'float', 'any'))} of {clause}; _ -> @integer end")


@produces("integer", weight=3)
def in_range(w: Writer) -> Node:
    """Arithmetic of integers whose range is known: the compiler says so, and no check may be needed."""
    low, high = sorted((w.pick(_BOUNDS), w.pick(_BOUNDS)))
    variable = w.fresh("integer").name
    operation = w.pick((
        "+ 1", "- 1", "* 3", "+ 100000000", "* 65536", "bsl 4", "band 255", "div 7", "rem 7", "bsr 2", "- 134217727",
    ))  # fmt: skip
    guard = f"is_integer({variable}), {variable} >= {low}, {variable} =< {high}"
    return w.form("integer", f"case @integer of {variable} when {guard} -> {variable} {operation}; _ -> @integer end")


@produces("float", weight=15)
def float_arithmetic(w: Writer) -> Node:
    one, other = w.pick(("float", "float", "float", "integer")), w.pick(("float", "float", "integer"))
    return w.form("float", f"(@{one} {w.pick(('+', '-', '*', '*', '/'))} @{other})")


@produces("float", weight=6)
def float_chain(w: Writer) -> Node:
    """Operations whose results between stay in float registers."""
    return w.form("float", f"((~float {w.pick('+-*')} ~float) {w.pick('+-*/')} ~float)")


@produces("float", weight=6)
def to_float(w: Writer) -> Node:
    return w.form("float", w.pick((
        "float(@integer)", "(- @float)", f"(- (~float {w.pick('+-*')} @float))", "math:floor(@float)", "abs(@float)",
        "math:sqrt(1.0 + abs(@float))", "(1 / (0.5 + @integer))",
    )))  # fmt: skip


@produces("boolean", weight=12)
def compare(w: Writer) -> Node:
    kind = w.pick(("integer", "integer", "float", "atom", "tuple", "list", "binary", "any"))
    other = "integer" if kind == "any" else kind  # no two funs: their order is that of addresses
    return w.form("boolean", f"(@{kind} {w.pick(COMPARISONS)} @{other})")


@produces("boolean", weight=9)
def connect(w: Writer) -> Node:
    return w.form("boolean", f"(@boolean {w.pick(('andalso', 'orelse', 'and', 'or', 'xor'))} @boolean)")


@produces("boolean", weight=3)
def negate(w: Writer) -> Node:
    return w.form("boolean", "(not @boolean)")


@produces("boolean", weight=6)
def type_test(w: Writer) -> Node:
    return w.form("boolean", f"{w.pick(TESTS)}(@any)")


@produces("boolean", weight=3)
def member(w: Writer) -> Node:
    return w.form("boolean", "lists:member(@integer, @integers)")


@produces("atom", weight=3)
def atom(w: Writer) -> Node:
    return w.form("atom", "list_to_existing_atom(atom_to_list(@atom))" if w.chance(0.3) else "~atom")


@matches("integer", "atom", "float", "boolean")
def constant(w: Writer) -> Node:
    return expression("pattern", w.pick(("0", "1", "2", "3", "8", "255", "a", "b", "true", "ok")))
