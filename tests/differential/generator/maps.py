"""Maps, flat and hashed."""

from __future__ import annotations

from tests.differential.generator.writer import Writer, matches, produces
from tests.differential.tree import Node, expression, items

_PATTERN_KEYS = ("a", "b", "c", "ok", "1", "2", "33", '"k"', "{1}")


def _key(w: Writer) -> Node:
    return w.leaf(w.pick(("atom", "atom", "integer", "integer", "float", "string", "tuple")))


def _associations(w: Writer, arrow: str) -> Node:
    count = w.pick((1, 1, 2, 3, 4))
    return items([expression("other", _key(w), f" {arrow} ", w.make("any")) for _ in range(count)])


@produces("map", weight=9)
def map_(w: Writer) -> Node:
    return expression("map", "#{", _associations(w, "=>"), "}")


@produces("map", weight=12)
def put(w: Writer) -> Node:
    return expression("map", "(", w.make("map"), ")#{", _associations(w, "=>"), "}")


@produces("map", weight=3)
def update(w: Writer) -> Node:
    """Of a key that is there."""
    key, first, second = _key(w), w.make("any"), w.make("any")
    return expression("map", "(", w.make("map"), ")#{", key, " => ", first, "}#{", key, " := ", second, "}")


@produces("map", weight=3)
def may_fail(w: Writer) -> Node:
    return expression("map", "(", w.make("map"), ")#{", _associations(w, ":="), "}")


@produces("map", weight=3)
def large_map(w: Writer) -> Node:
    """More keys than a flat map has."""
    pairs = f"{{X, {w.pick(('X * X', '{X}', '[X | X]'))}}} || X <- lists:seq(1, {w.pick((30, 32, 33, 34, 50))})"
    return expression("map", f"(maps:from_list([{pairs}]))#{{", _associations(w, "=>"), "}")


@produces("map", weight=6)
def library(w: Writer) -> Node:
    key = w.pick(("atom", "integer", "string"))
    return w.form("map", w.pick((
        f"maps:put(~{key}, @any, @map)", f"maps:remove(~{key}, @map)", "maps:merge(@map, @map)",
        "maps:map(fun(_, MV) -> {MV} end, @map)",
    )))  # fmt: skip


@produces("list", weight=3)
def sorted_map(w: Writer) -> Node:
    """Not in the order of the map, which may depend on the numbers of atoms."""
    return w.form("list", f"lists:sort({w.pick(('maps:to_list', 'maps:keys', 'maps:values'))}(@map))")


@produces("any", "integer", weight=6)
def look_up(w: Writer) -> Node:
    key = w.pick(("atom", "integer", "float"))
    if w.chance(0.25):
        known = w.leaf(key)
        put = (w.make("map"), ")#{", known, " => ", w.make("integer"), "})")
        return expression("any", "map_get(", known, ", (", *put)
    forms = (f"maps:get(~{key}, @map, @integer)", f"map_get(~{key}, @map)", f"maps:find(~{key}, @map)")
    return w.form("any", w.pick(forms))


@produces("boolean", weight=3)
def has_key(w: Writer) -> Node:
    return expression("boolean", w.pick(("is_map_key", "maps:is_key")), "(", _key(w), ", ", w.make("map"), ")")


@matches("map", weight=4)
def match_map(w: Writer) -> Node:
    known = [one.name for one in w.scope if one.kind in ("atom", "integer") and one not in w.in_pattern]
    parts = []
    for _ in range(w.pick((0, 1, 1, 1, 2, 3))):
        key = w.pick(known) if known and w.chance(0.3) else w.pick(_PATTERN_KEYS)
        parts.append(expression("other", f"{key} := ", w.part_pattern("any")))
    return expression("pattern", "#{", items(parts), "}")
