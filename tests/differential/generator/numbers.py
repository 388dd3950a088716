"""Integers, floats, truth values and atoms."""

from __future__ import annotations

from tests.differential.generator.writer import Writer, matches, produces
from tests.differential.tree import Node, expression


@produces("integer", weight=24)
def arithmetic(w: Writer) -> Node:
    operator = w.pick(("+", "+", "+", "-", "-", "*", "div", "rem", "band", "bor", "bxor"))
    one, other = w.make("integer"), w.make("integer")
    if operator in ("div", "rem") and w.chance(0.85):
        return expression("integer", "(", one, f" {operator} ", _not_zero(other), ")")
    return expression("integer", "(", one, f" {operator} ", other, ")")


def _not_zero(node: Node) -> Node:
    return expression("integer", "(", node, " bor 1)")


@produces("integer", weight=12)
def with_constant(w: Writer) -> Node:
    operator, constant = w.pick(("+", "-", "*", "band", "bor", "bxor", "div", "rem")), w.leaf("integer")
    if operator in ("div", "rem"):
        constant = expression("integer", str(w.pick((1, 2, 3, 7, 8, 16, 1000, -1, -3, 134217727, 4294967296))))
    parts = (w.make("integer"), f" {operator} ", constant)
    return expression("integer", "(", *(parts if w.chance(0.7) or operator in ("div", "rem") else parts[::-1]), ")")


@produces("integer", weight=6)
def shift(w: Writer) -> Node:
    count = w.pick((str(w.number(-3, 75)), None, None))
    amount = expression("integer", count) if count else expression("integer", "(", w.make("integer"), " band 63)")
    return expression("integer", "(", w.make("integer"), w.pick((" bsl ", " bsr ")), amount, ")")


@produces("integer", weight=3)
def unary(w: Writer) -> Node:
    return expression("integer", w.pick(("(- ", "(bnot ", "abs(")), w.make("integer"), ")")


@produces("integer", weight=6)
def size(w: Writer) -> Node:
    function, kind = w.pick(
        (("length", "list"), ("length", "string"), ("tuple_size", "tuple"), ("byte_size", "binary"),
         ("byte_size", "bitstring"), ("bit_size", "bitstring"), ("map_size", "map"), ("tuple_size", "record"),
         ("lists:sum", "integers"))
    )  # fmt: skip
    return expression("integer", function, "(", w.make(kind), ")")


@produces("integer", weight=3)
def rounded(w: Writer) -> Node:
    return expression("integer", w.pick(("trunc", "round", "floor", "ceil")), "(", w.make("float"), ")")


@produces("integer", "float", weight=3)
def extreme(w: Writer) -> Node:
    kind = w.pick(("integer", "integer", "float"))
    return expression(kind, w.pick(("min", "max")), "(", w.make("integer"), ", ", w.make(kind), ")")


@produces("integer", weight=3)
def from_text(w: Writer) -> Node:
    return expression("integer", "list_to_integer(integer_to_list(", w.make("integer"), "))")


@produces("float", weight=15)
def float_arithmetic(w: Writer) -> Node:
    one, other = w.make(w.pick(("float", "float", "float", "integer"))), w.make(w.pick(("float", "float", "integer")))
    return expression("float", "(", one, f" {w.pick(('+', '-', '*', '*', '/'))} ", other, ")")


@produces("float", weight=6)
def float_chain(w: Writer) -> Node:
    """Operations whose results between stay in float registers."""
    values = [w.leaf("float") for _ in range(3)]
    return expression("float", "((", values[0], f" {w.pick('+-*')} ", values[1], f") {w.pick('+-*/')} ", values[2], ")")


@produces("float", weight=3)
def to_float(w: Writer) -> Node:
    before, kind, after = w.pick(
        (("float(", "integer", ")"), ("(- ", "float", ")"), ("math:floor(", "float", ")"), ("abs(", "float", ")"),
         ("math:sqrt(1.0 + abs(", "float", "))"), ("(1 / (0.5 + ", "integer", "))"))
    )  # fmt: skip
    return expression("float", before, w.make(kind), after)


@produces("boolean", weight=12)
def compare(w: Writer) -> Node:
    kind = w.pick(("integer", "integer", "float", "atom", "tuple", "list", "binary", "any"))
    operator = w.pick(("=:=", "=/=", "==", "/=", "<", ">", "=<", ">="))
    # The order of funs is that of the code's addresses: only data is put in order.
    one, other = w.make(kind), w.make("integer" if kind == "any" else kind)
    return expression("boolean", "(", one, f" {operator} ", other, ")")


@produces("boolean", weight=9)
def connect(w: Writer) -> Node:
    operator = w.pick(("andalso", "orelse", "and", "or", "xor"))
    return expression("boolean", "(", w.make("boolean"), f" {operator} ", w.make("boolean"), ")")


@produces("boolean", weight=3)
def negate(w: Writer) -> Node:
    return expression("boolean", "(not ", w.make("boolean"), ")")


@produces("boolean", weight=6)
def type_test(w: Writer) -> Node:
    test = w.pick(("is_integer", "is_float", "is_number", "is_atom", "is_boolean", "is_list", "is_tuple", "is_binary",
                   "is_bitstring", "is_map", "is_function", "is_pid", "is_reference"))  # fmt: skip
    return expression("boolean", test, "(", w.make("any"), ")")


@produces("boolean", weight=3)
def member(w: Writer) -> Node:
    return expression("boolean", "lists:member(", w.make("integer"), ", ", w.make("integers"), ")")


@produces("atom", weight=3)
def atom(w: Writer) -> Node:
    if w.chance(0.3):
        return expression("atom", "list_to_existing_atom(atom_to_list(", w.make("atom"), "))")
    return w.leaf("atom")


@matches("integer", "atom", "float", "boolean")
def constant(w: Writer) -> Node:
    kind = w.pick(("integer", "atom", "boolean"))
    return expression("pattern", str(w.pick((0, 1, 2, 3, 8, 255))) if kind == "integer" else w.pick(("a", "b", "true", "ok")))
