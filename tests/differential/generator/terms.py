"""Lists, tuples, records and comprehensions: made, taken apart, and matched."""

from __future__ import annotations

from tests.differential.generator.samples import FIELDS, KINDS
from tests.differential.generator.writer import LOOP, Writer, matches, produces
from tests.differential.tree import Node, expression, items, text

# Lists


@produces("list", weight=9)
def cons(w: Writer) -> Node:
    return w.form("list", "[@any | @list]")


@produces("list", weight=6)
def built(w: Writer) -> Node:
    return expression("list", "[", items([w.make("any") for _ in range(w.number(1, 4))]), "]")


@produces("integers", weight=6)
def built_integers(w: Writer) -> Node:
    return expression("integers", "[", items([w.make("integer") for _ in range(w.number(1, 4))]), "]")


@produces("integers", weight=6)
def cons_integers(w: Writer) -> Node:
    return w.form("integers", "[@integer | @integers]")


@produces("list", "integers", "string", weight=6)
def append(w: Writer) -> Node:
    kind = w.pick(("list", "integers", "string"))
    return w.form(kind, f"(@{kind} {w.pick(('++', '++', '--'))} @{kind})")


@produces("list", "integers", weight=6)
def library(w: Writer) -> Node:
    kind = w.pick(("list", "integers"))
    return w.form(kind, w.pick((
        f"lists:reverse(@{kind})", f"lists:sort(@{kind})", f"tl([x | @{kind}])", f"lists:sublist(@{kind}, 3)",
        f"lists:usort(@{kind})", f"lists:nthtail(1, [x | @{kind}])", f"lists:droplast([y | @{kind}])",
    )))  # fmt: skip


@produces("integer", weight=2)
def long_list(w: Writer) -> Node:
    """Longer than what is done in one go."""
    size = w.pick((100, 1000, 4500, 9000))
    one = f"lists:seq(1, {size})"
    long = w.pick((one, f"lists:reverse({one})", f"({one} -- lists:seq(5, {size}, 7))"))
    function = w.pick(("length", "lists:sum", "hd", "lists:last", "erlang:phash2"))
    return w.form("integer", f"{function}([@integer | {long}])")


@produces("list", weight=2)
def passed_through(w: Writer) -> Node:
    """By functions of the VM that take a while or need much room."""
    return w.form("list", w.pick((
        "binary_to_term(term_to_binary(@list))", "lists:flatten(@list)", "ordsets:from_list(@list)",
        "element(1, lists:split(0, @list))", "lists:duplicate(300, @list)",
    )))  # fmt: skip


@produces("integers", weight=3)
def sequence(w: Writer) -> Node:
    return expression("integers", f"lists:seq({w.number(-2, 3)}, {w.number(2, 9)})")


@produces("list", weight=3)
def of_tuple(w: Writer) -> Node:
    return w.form("list", "tuple_to_list(@tuple)")


@produces("string", weight=3)
def to_text(w: Writer) -> Node:
    return w.form("string", w.pick((
        "integer_to_list(@integer)", "atom_to_list(@atom)", "binary_to_list(@binary)", "lists:reverse(@string)",
    )))  # fmt: skip


@produces("integer", "any", weight=3)
def head(w: Writer) -> Node:
    return w.form("any", w.pick(("hd([@integer | @integers])", "hd([@any | @list])", "hd(@list)")))


@matches("list", "integers", "string", weight=3)
def match_cons(w: Writer) -> Node:
    return w.form("pattern", "[@any | @list]")


@matches("integers", "string", weight=2)
def match_integer(w: Writer) -> Node:
    return w.form("pattern", "[@integer | @integers]")


@matches("list", "integers")
def match_length(w: Writer) -> Node:
    return expression("pattern", "[", items([w.part_pattern("integer") for _ in range(w.number(1, 3))]), "]")


@matches("string")
def match_prefix(w: Writer) -> Node:
    return w.form("pattern", f"{w.pick(_PREFIXES)} ++ @string")


_PREFIXES = ('"a"', '"hello"', '"x1"')

# Tuples and records


@produces("tuple", weight=9)
def tuple_(w: Writer) -> Node:
    count = w.pick((1, 2, 2, 3, 3, 4, 5, 9, 17))
    return expression("tuple", "{", items([w.make(w.pick(("any", "integer"))) for _ in range(count)]), "}")


@produces("tuple", weight=6)
def set_element(w: Writer) -> Node:
    """Several at once: the compiler makes one copy, or one update."""
    one = f"setelement({w.pick((1, 2, 3))}, {{x, @any, @integer}}, @any)"
    return w.form("tuple", w.pick((one, "setelement(1, setelement(2, {@any, y, z}, @any), @any)")))


@produces("any", "integer", weight=3)
def element(w: Writer) -> Node:
    forms = ("element(1, {@integer, @any})", "element(@integer, {@any, @integer})", "element(2, @tuple)")
    return w.form("any", w.pick(forms))


@produces("tuple", weight=3)
def of_list(w: Writer) -> Node:
    return w.form("tuple", "list_to_tuple(@list)")


@matches("tuple", weight=3)
def match_tuple(w: Writer) -> Node:
    return expression("pattern", "{", items([w.part_pattern("any") for _ in range(w.number(0, 4))]), "}")


@produces("record", weight=9)
def record(w: Writer) -> Node:
    return expression("record", "#rec{", items(_fields(w)), "}")


@produces("record", weight=9)
def update_record(w: Writer) -> Node:
    return expression("record", "(", w.make("record"), ")#rec{", items(_fields(w)), "}")


@produces("record", weight=3)
def update_same(w: Writer) -> Node:
    """With a value that it has already, perhaps."""
    variable, same = w.fresh("record").name, w.pick(FIELDS)
    updates = [text(f"{same} = {variable}#rec.{same}"), *_fields(w, [name for name in FIELDS if name != same])]
    before = text(f"{variable} = ", w.make("record"))
    return expression("record", "begin ", before, f", {variable}#rec{{", items(updates), "} end")


def _fields(w: Writer, names: list[str] | tuple[str, ...] = FIELDS) -> list[Node]:
    chosen = w.random.sample(names, w.number(0, len(names)))
    return [w.form("other", f"{name} = @{'integer' if name == 'one' else 'any'}") for name in chosen]


@produces("integer", "any", weight=6)
def field(w: Writer) -> Node:
    return w.form("any", f"(@record)#rec.{'one' if w.chance(0.7) else w.pick(FIELDS)}")


@matches("record", weight=3)
def match_record(w: Writer) -> Node:
    return expression("pattern", "#rec{", items(_fields(w, w.random.sample(FIELDS, 2))), "}")


# Comprehensions


@produces("list", "integers", weight=6)
def comprehension(w: Writer) -> Node:
    kind = w.pick(("any", "integer"))
    with w.inner():
        qualifiers = _qualifiers(w)
        with w.repeated(LOOP):
            value = w.make(kind)
    result = "list" if kind == "any" else "integers"
    return expression(result, "[", value, " || ", items(qualifiers, least=1), "]")


@produces("binary", "bitstring", weight=6)
def bit_comprehension(w: Writer) -> Node:
    with w.inner():
        qualifiers = _qualifiers(w)
        with w.repeated(LOOP):
            value = w.make("integer")
    size = w.pick((8, 8, 16, 7, 33))
    return expression("binary", "<< <<(", value, f"):{size}>> || ", items(qualifiers, least=1), " >>")


def _qualifiers(w: Writer) -> list[Node]:
    """Generators and filters, whose variables come into scope."""
    out = []
    for _ in range(w.pick((1, 1, 1, 2))):
        bits = w.chance(0.2)
        source = w.make("bitstring") if bits else w.make(w.pick(("integers", "integers", "list")))
        with w.fresh_patterns():
            if bits:
                out.append(text(f"<<{w.variable('integer').name}:{w.pick((3, 8, 16, 33))}>> <= ", source))
            else:
                out.append(text(w.pattern(w.pick(("integer", "integer", "any")), 1), " <- ", source))
        if w.chance(0.4):
            out.append(w.test())
    return out


@produces("any", weight=1)
def anything(w: Writer) -> Node:
    return w.make(w.pick(KINDS))
