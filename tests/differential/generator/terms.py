"""Lists, tuples, records and maps: made, taken apart, and matched."""

from __future__ import annotations

from tests.differential.generator.samples import FIELDS, KINDS
from tests.differential.generator.writer import LOOP, Writer, matches, produces
from tests.differential.tree import Node, expression, items

# Lists


@produces("list", weight=9)
def cons(w: Writer) -> Node:
    return expression("list", "[", w.make("any"), " | ", w.make("list"), "]")


@produces("list", weight=6)
def built(w: Writer) -> Node:
    return expression("list", "[", items([w.make("any") for _ in range(w.number(1, 4))]), "]")


@produces("integers", weight=6)
def built_integers(w: Writer) -> Node:
    return expression("integers", "[", items([w.make("integer") for _ in range(w.number(1, 4))]), "]")


@produces("integers", weight=6)
def cons_integers(w: Writer) -> Node:
    return expression("integers", "[", w.make("integer"), " | ", w.make("integers"), "]")


@produces("list", "integers", "string", weight=6)
def append(w: Writer) -> Node:
    kind = w.pick(("list", "integers", "string"))
    return expression(kind, "(", w.make(kind), w.pick((" ++ ", " ++ ", " -- ")), w.make(kind), ")")


@produces("list", "integers", weight=6)
def library(w: Writer) -> Node:
    kind = w.pick(("list", "integers"))
    before, after = w.pick(
        (("lists:reverse(", ")"), ("lists:sort(", ")"), ("tl([x | ", "])"), ("lists:sublist(", ", 3)"),
         ("lists:usort(", ")"), ("lists:nthtail(1, [x | ", "])"), ("lists:droplast([y | ", "])"))
    )  # fmt: skip
    return expression(kind, before, w.make(kind), after)


@produces("integers", weight=3)
def sequence(w: Writer) -> Node:
    return expression("integers", f"lists:seq({w.number(-2, 3)}, {w.number(2, 9)})")


@produces("list", weight=3)
def of_tuple(w: Writer) -> Node:
    return expression("list", "tuple_to_list(", w.make("tuple"), ")")


@produces("string", weight=3)
def to_text(w: Writer) -> Node:
    function, kind = w.pick(
        (("integer_to_list", "integer"), ("atom_to_list", "atom"), ("binary_to_list", "binary"), ("lists:reverse", "string"))
    )  # fmt: skip
    return expression("string", function, "(", w.make(kind), ")")


@produces("integer", "any", weight=3)
def head(w: Writer) -> Node:
    return expression("any", "hd([", w.make("integer"), " | ", w.make("integers"), "])" if w.chance(0.8) else "] -- [1])")


@matches("list", "integers", "string", weight=3)
def match_cons(w: Writer) -> Node:
    return expression("pattern", "[", w.part_pattern("any"), " | ", w.part_pattern("list"), "]")


@matches("integers", "string", weight=2)
def match_integer(w: Writer) -> Node:
    return expression("pattern", "[", w.part_pattern("integer"), " | ", w.part_pattern("integers"), "]")


@matches("list", "integers")
def match_length(w: Writer) -> Node:
    return expression("pattern", "[", items([w.part_pattern("integer") for _ in range(w.number(1, 3))]), "]")


@matches("string")
def match_prefix(w: Writer) -> Node:
    return expression("pattern", w.pick(('"a"', '"hello"', '"x1"')), " ++ ", w.part_pattern("string"))


# Tuples and records


@produces("tuple", weight=9)
def tuple_(w: Writer) -> Node:
    return expression("tuple", "{", items([w.make(w.pick(("any", "integer"))) for _ in range(w.number(1, 5))]), "}")


@produces("tuple", weight=3)
def set_element(w: Writer) -> Node:
    place = w.pick(("1", "2", "3"))
    return expression("tuple", f"setelement({place}, {{x, ", w.make("any"), ", ", w.make("integer"), "}, ", w.make("any"), ")")


@produces("tuple", weight=3)
def set_elements(w: Writer) -> Node:
    """Several at once: the compiler makes one copy, or one update."""
    return expression("tuple", "setelement(1, setelement(2, {", w.make("any"), ", y, z}, ", w.make("any"), "), ", w.make("any"), ")")


@produces("any", "integer", weight=3)
def element(w: Writer) -> Node:
    place = expression("integer", str(w.number(1, 2))) if w.chance(0.8) else w.make("integer")
    return expression("any", "element(", place, ", {", w.make("integer"), ", ", w.make("any"), "})" if w.chance(0.8) else "} )")


@produces("tuple", weight=3)
def of_list(w: Writer) -> Node:
    return expression("tuple", "list_to_tuple(", w.make("list"), ")")


@matches("tuple", weight=3)
def match_tuple(w: Writer) -> Node:
    return expression("pattern", "{", items([w.part_pattern("any") for _ in range(w.number(0, 4))]), "}")


@produces("record", weight=9)
def record(w: Writer) -> Node:
    return expression("record", "#rec{", items(_fields(w)), "}")


def _fields(w: Writer) -> list[Node]:
    chosen = w.random.sample(FIELDS, w.number(0, 3))
    return [expression("other", f"{field} = ", w.make("integer" if field == "one" else "any")) for field in chosen]


@produces("record", weight=9)
def update_record(w: Writer) -> Node:
    return expression("record", "(", w.make("record"), ")#rec{", items(_fields(w)), "}")


@produces("integer", "any", weight=6)
def field(w: Writer) -> Node:
    return expression("any", "(", w.make("record"), f")#rec.{'one' if w.chance(0.7) else w.pick(FIELDS)}")


@matches("record", weight=3)
def match_record(w: Writer) -> Node:
    chosen = w.random.sample(FIELDS, w.number(0, 2))
    inner = [expression("other", f"{name} = ", w.part_pattern("integer" if name == "one" else "any")) for name in chosen]
    return expression("pattern", "#rec{", items(inner), "}")


# Maps


def _key(w: Writer) -> Node:
    kind = w.pick(("atom", "atom", "integer", "integer", "float", "string", "tuple"))
    return w.leaf(kind)


@produces("map", weight=9)
def map_(w: Writer) -> Node:
    return expression("map", "#{", items(_associations(w, " => ")), "}")


@produces("map", weight=12)
def put(w: Writer) -> Node:
    return expression("map", "(", w.make("map"), ")#{", items(_associations(w, " => ")), "}")


@produces("map", weight=3)
def update(w: Writer) -> Node:
    """Of a key that is there."""
    key, first, second = _key(w), w.make("any"), w.make("any")
    return expression("map", "(", w.make("map"), ")#{", key, " => ", first, "}#{", key, " := ", second, "}")


@produces("map", weight=3)
def may_fail(w: Writer) -> Node:
    return expression("map", "(", w.make("map"), ")#{", items(_associations(w, " := ")[:2]), "}")


def _associations(w: Writer, arrow: str) -> list[Node]:
    return [expression("other", _key(w), arrow, w.make("any")) for _ in range(w.pick((1, 1, 2, 3, 4)))]


@produces("map", weight=3)
def large_map(w: Writer) -> Node:
    """More keys than a flat map has."""
    value = w.pick(("X * X", "{X}", "[X | X]"))
    count = w.pick((30, 32, 33, 34, 50))
    return expression("map", "(maps:from_list([{X, ", value, f"}} || X <- lists:seq(1, {count})]))#{{", items(_associations(w, " => ")), "}")


@produces("map", weight=6)
def map_library(w: Writer) -> Node:
    which = w.number(0, 3)
    if which == 0:
        return expression("map", "maps:put(", _key(w), ", ", w.make("any"), ", ", w.make("map"), ")")
    if which == 1:
        return expression("map", "maps:remove(", _key(w), ", ", w.make("map"), ")")
    if which == 2:
        return expression("map", "maps:merge(", w.make("map"), ", ", w.make("map"), ")")
    return expression("map", "maps:map(fun(_, MV) -> {MV} end, ", w.make("map"), ")")


@produces("list", weight=3)
def sorted_map(w: Writer) -> Node:
    """Not in the order of the map, which may depend on the numbers of atoms."""
    function = w.pick(("maps:to_list", "maps:keys", "maps:values"))
    return expression("list", f"lists:sort({function}(", w.make("map"), "))")


@produces("any", "integer", weight=6)
def look_up(w: Writer) -> Node:
    which = w.number(0, 3)
    if which == 0:
        return expression("any", "maps:get(", _key(w), ", ", w.make("map"), ", ", w.make("integer"), ")")
    if which == 1:
        return expression("any", "map_get(", _key(w), ", ", w.make("map"), ")")
    if which == 2:
        return expression("any", "maps:find(", _key(w), ", ", w.make("map"), ")")
    key = _key(w)
    return expression("any", "map_get(", key, ", (", w.make("map"), ")#{", key, " => ", w.make("integer"), "})")


@produces("boolean", weight=3)
def has_key(w: Writer) -> Node:
    return expression("boolean", w.pick(("is_map_key", "maps:is_key")), "(", _key(w), ", ", w.make("map"), ")")


@matches("map", weight=4)
def match_map(w: Writer) -> Node:
    known = [variable for variable in w.scope if variable.kind in ("atom", "integer") and variable not in w.in_pattern]
    parts = []
    for _ in range(w.pick((0, 1, 1, 1, 2, 3))):
        key = w.pick(known).name if known and w.chance(0.3) else w.pick(("a", "b", "c", "ok", "1", "2", "33", '"k"', "{1}"))
        parts.append(expression("other", f"{key} := ", w.part_pattern("any")))
    return expression("pattern", "#{", items(parts), "}")


# Comprehensions


@produces("list", "integers", weight=6)
def comprehension(w: Writer) -> Node:
    kind = w.pick(("any", "integer"))
    with w.inner():
        qualifiers = _qualifiers(w)
        with w.repeated(LOOP):
            value = w.make(kind)
    return expression("list" if kind == "any" else "integers", "[", value, " || ", items(qualifiers, least=1), "]")


def _qualifiers(w: Writer) -> list[Node]:
    """Generators and filters, whose variables come into scope."""
    out = []
    for _ in range(w.pick((1, 1, 1, 2))):
        source = w.make("integers") if w.chance(0.6) else w.make("list")
        bits = w.chance(0.2)
        with w.fresh_patterns():
            if bits:
                source = w.make("bitstring")
                variable = w.variable("integer")
                out.append(expression("other", f"<<{variable.name}:{w.pick((3, 8, 16, 33))}>> <= ", source))
            else:
                out.append(expression("other", w.pattern(w.pick(("integer", "integer", "any")), 1), " <- ", source))
        if w.chance(0.4):
            out.append(w.guard_expression_alone())
    return out


@produces("binary", "bitstring", weight=6)
def bit_comprehension(w: Writer) -> Node:
    with w.inner():
        qualifiers = _qualifiers(w)
        with w.repeated(LOOP):
            value = w.make("integer")
    size = w.pick((8, 8, 16, 7, 33))
    return expression("binary", "<< <<(", value, f"):{size}>> || ", items(qualifiers, least=1), " >>")


@produces("any", weight=3)
def anything(w: Writer) -> Node:
    return w.make(w.pick(KINDS))
