"""Expressions in guards, where what fails is only not true."""

from __future__ import annotations

from tests.differential.generator.samples import DATA, KINDS
from tests.differential.generator.writer import Writer, guards
from tests.differential.tree import Node, expression

_TESTS = (
    "is_integer", "is_float", "is_number", "is_atom", "is_boolean", "is_list", "is_tuple", "is_binary", "is_bitstring",
    "is_map", "is_function", "is_pid", "is_reference", "is_port",
)  # fmt: skip


@guards("boolean", weight=4)
def compare(w: Writer) -> Node:
    kind = w.pick(DATA)
    operator = w.pick(("=:=", "=/=", "==", "/=", "<", ">", "=<", ">="))
    one, other = (w.guard_expression(kind) for _ in range(2))
    return expression("guard", "(", one, f" {operator} ", other, ")")


@guards("boolean", weight=2)
def compare_mixed(w: Writer) -> Node:
    operator = w.pick(("=:=", "==", "/=", "<", ">", "=<", ">="))
    one, other = (w.guard_expression(w.pick(("integer", "float", "any"))) for _ in range(2))
    return expression("guard", "(", one, f" {operator} ", other, ")")


@guards("boolean", weight=4)
def type_test(w: Writer) -> Node:
    return expression("guard", w.pick(_TESTS), "(", w.leaf(w.pick(("any", *KINDS))), ")")


@guards("boolean")
def is_function2(w: Writer) -> Node:
    return expression("guard", "is_function(", w.leaf(w.pick(("fun1", "fun2", "any"))), f", {w.number(0, 3)})")


@guards("boolean")
def is_record(w: Writer) -> Node:
    return expression("guard", "is_record(", w.leaf(w.pick(("record", "tuple", "any"))), ", rec)")


@guards("boolean")
def is_map_key(w: Writer) -> Node:
    return expression("guard", "is_map_key(", w.leaf(w.pick(("atom", "integer"))), ", ", w.leaf("map"), ")")


@guards("boolean", weight=3)
def connect(w: Writer) -> Node:
    one, other = (w.guard_expression("boolean") for _ in range(2))
    return expression("guard", "(", one, f" {w.pick(('andalso', 'orelse', 'andalso', 'and', 'or', 'xor'))} ", other, ")")


@guards("boolean")
def negate(w: Writer) -> Node:
    return expression("guard", "(not ", w.guard_expression("boolean"), ")")


@guards("integer", weight=3)
def arithmetic(w: Writer) -> Node:
    operator = w.pick(("+", "-", "*", "div", "rem", "band", "bor", "bxor"))
    return expression("integer", "(", w.guard_expression("integer"), f" {operator} ", w.guard_expression("integer"), ")")


@guards("integer")
def shift(w: Writer) -> Node:
    operator = w.pick(("bsl", "bsr"))
    return expression("integer", "(", w.guard_expression("integer"), f" {operator} ", str(w.number(0, 70)), ")")


@guards("integer")
def unary(w: Writer) -> Node:
    return expression("integer", w.pick(("(- ", "(bnot ", "abs(")), w.guard_expression("integer"), ")")


@guards("integer", weight=3)
def size(w: Writer) -> Node:
    function, kind = w.pick(
        (("length", "list"), ("length", "string"), ("tuple_size", "tuple"), ("tuple_size", "record"),
         ("byte_size", "binary"), ("byte_size", "bitstring"), ("bit_size", "bitstring"), ("map_size", "map"),
         ("size", "tuple"), ("size", "binary"))
    )  # fmt: skip
    return expression("integer", function, "(", w.guard_expression(kind), ")")


@guards("integer")
def rounded(w: Writer) -> Node:
    return expression("integer", w.pick(("trunc", "round", "floor", "ceil")), "(", w.guard_expression("float"), ")")


@guards("float")
def float_arithmetic(w: Writer) -> Node:
    one, other = w.guard_expression(w.pick(("float", "float", "integer"))), w.guard_expression("float")
    return expression("float", "(", one, f" {w.pick('+-*/')} ", other, ")")


@guards("float")
def to_float(w: Writer) -> Node:
    return expression("float", "float(", w.guard_expression("integer"), ")")


@guards("integer", "atom", "list", "tuple")
def inner(w: Writer) -> Node:
    which = w.number(0, 3)
    if which == 0:
        return expression("any", f"element({w.number(0, 4)}, ", w.guard_expression("tuple"), ")")
    if which == 1:
        return expression("any", "hd(", w.guard_expression("list"), ")")
    if which == 2:
        return expression("any", "map_get(", w.leaf(w.pick(("atom", "integer"))), ", ", w.leaf("map"), ")")
    return expression("any", "element(", w.guard_expression("integer"), ", ", w.guard_expression("record"), ")")


@guards("list")
def tail(w: Writer) -> Node:
    return expression("list", "tl(", w.guard_expression("list"), ")")


@guards("list")
def built_list(w: Writer) -> Node:
    return expression("list", "[", w.guard_expression("any" if w.chance(0.1) else "integer"), " | ", w.leaf("list"), "]")


@guards("tuple")
def built_tuple(w: Writer) -> Node:
    return expression("tuple", "{", w.guard_expression("integer"), ", ", w.leaf("any"), "}")


@guards("binary", "bitstring")
def part(w: Writer) -> Node:
    return expression("binary", "binary_part(", w.leaf("binary"), f", {w.number(0, 3)}, {w.number(-1, 3)})")
