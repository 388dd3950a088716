"""Expressions in guards, where what fails is only not true."""

from __future__ import annotations

from tests.differential.generator.samples import COMPARISONS, DATA, KINDS, TESTS
from tests.differential.generator.writer import Writer, guards
from tests.differential.tree import Node

_TESTS = (*TESTS, "is_port")
_CONNECTIVES = ("andalso", "orelse", "andalso", "and", "or", "xor")


@guards("boolean", weight=4)
def compare(w: Writer) -> Node:
    kind = w.pick(DATA)
    return w.form("boolean", f"(@{kind} {w.pick(COMPARISONS)} @{kind})")


@guards("boolean", weight=2)
def compare_mixed(w: Writer) -> Node:
    one, other = (w.pick(("integer", "float", "any")) for _ in range(2))
    return w.form("boolean", f"(@{one} {w.pick(COMPARISONS)} @{other})")


@guards("boolean", weight=4)
def type_test(w: Writer) -> Node:
    return w.form("boolean", f"{w.pick(_TESTS)}(~{w.pick(('any', *KINDS))})")


@guards("boolean")
def is_function2(w: Writer) -> Node:
    return w.form("boolean", f"is_function(~{w.pick(('fun1', 'fun2', 'any'))}, {w.number(0, 3)})")


@guards("boolean")
def is_record(w: Writer) -> Node:
    return w.form("boolean", f"is_record(~{w.pick(('record', 'tuple', 'any'))}, rec)")


@guards("boolean")
def is_map_key(w: Writer) -> Node:
    return w.form("boolean", f"is_map_key(~{w.pick(('atom', 'integer'))}, ~map)")


@guards("boolean", weight=3)
def connect(w: Writer) -> Node:
    return w.form("boolean", f"(@boolean {w.pick(_CONNECTIVES)} @boolean)")


@guards("boolean")
def negate(w: Writer) -> Node:
    return w.form("boolean", "(not @boolean)")


@guards("integer", weight=3)
def arithmetic(w: Writer) -> Node:
    operator = w.pick(("+", "-", "*", "div", "rem", "band", "bor", "bxor"))
    return w.form("integer", f"(@integer {operator} @integer)")


@guards("integer")
def shift(w: Writer) -> Node:
    return w.form("integer", f"(@integer {w.pick(('bsl', 'bsr'))} {w.number(0, 70)})")


@guards("integer")
def unary(w: Writer) -> Node:
    return w.form("integer", f"{w.pick(('(- ', '(bnot ', 'abs('))}@integer)")


@guards("integer", weight=3)
def size(w: Writer) -> Node:
    return w.form("integer", w.pick((
        "length(@list)", "length(@string)", "tuple_size(@tuple)", "tuple_size(@record)", "byte_size(@binary)",
        "byte_size(@bitstring)", "bit_size(@bitstring)", "map_size(@map)", "size(@tuple)", "size(@binary)",
    )))  # fmt: skip


@guards("integer")
def rounded(w: Writer) -> Node:
    return w.form("integer", f"{w.pick(('trunc', 'round', 'floor', 'ceil'))}(@float)")


@guards("float")
def float_arithmetic(w: Writer) -> Node:
    return w.form("float", f"(@{w.pick(('float', 'float', 'integer'))} {w.pick('+-*/')} @float)")


@guards("float")
def to_float(w: Writer) -> Node:
    return w.form("float", "float(@integer)")


@guards("integer", "atom", "list", "tuple")
def inner(w: Writer) -> Node:
    key = w.pick(("atom", "integer"))
    places = (f"element({w.number(0, 4)}, @tuple)", "hd(@list)", f"map_get(~{key}, ~map)", "element(@integer, @record)")
    return w.form("any", w.pick(places))


@guards("list")
def tail(w: Writer) -> Node:
    return w.form("list", w.pick(("tl(@list)", "[@integer | ~list]", "[@any | ~list]")))


@guards("tuple")
def built_tuple(w: Writer) -> Node:
    return w.form("tuple", "{@integer, ~any}")


@guards("binary", "bitstring")
def part(w: Writer) -> Node:
    return w.form("binary", f"binary_part(~binary, {w.number(0, 3)}, {w.number(-1, 3)})")
