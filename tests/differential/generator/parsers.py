"""Functions that take binaries apart as parsers of formats and protocols do.

A clause has a layout: constants, fields, what one of them measures, and a tail. Fields are asked for in guards and in
other arguments, and used in what the clause gives. Binaries of these layouts are among the cases.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.differential.generator.writer import Signature, Variable, Writer
from tests.differential.tree import Node, expression, items, text

#: Sizes of fields in whole bytes, and in bits; of those that may be no immediate integers.
_BYTES = (8, 8, 8, 8, 16, 16, 24)
_BITS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 20, 23)
_LARGE = (27, 28, 29, 31, 32, 32, 33, 40, 48, 63, 64, 64, 64, 65, 128)
_FLAGS = ("", "", "", "", "/signed", "/little", "/signed-little", "/unsigned", "/native")
#: Comparisons of two integers, and what they are.
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt, ">": operator.gt, "=<": operator.le, ">=": operator.ge, "=:=": operator.eq, "/=": operator.ne,
}  # fmt: skip


@dataclass
class _Layout:
    """A clause in work. ``pattern``: its segments; ``example``: those of a binary that fits, as far as it goes."""

    w: Writer
    #: Sizes of small fields.
    sizes: Sequence[int]
    pattern: list[Node] = field(default_factory=list)
    example: list[str] = field(default_factory=list)
    integers: list[Variable] = field(default_factory=list)
    others: list[Variable] = field(default_factory=list)
    #: The values in the example, by name of the variable.
    values: dict[str, int] = field(default_factory=dict)
    tail: Variable | None = None

    def add(self, pattern: str, example: str) -> None:
        self.pattern.append(text(pattern))
        self.example.append(example)

    def integer(self, value: int) -> str:
        """A new variable for an integer, or `_`."""
        if self.w.chance(0.08):
            return "_"
        variable = self.w.bind("integer")
        self.integers.append(variable)
        self.values[variable.name] = value
        return variable.name

    def other(self, kind: str) -> str:
        variable = self.w.bind(kind)
        self.others.append(variable)
        return variable.name


def write_parser(w: Writer, name: str) -> tuple[Signature, Node]:
    """A function of a binary, and of up to two integers before or behind it."""
    kinds = list(w.pick(((), (), ("integer",), ("integer",), ("integer", "integer"), ("any",))))
    place = w.number(0, len(kinds))
    kinds.insert(place, "bitstring")
    clauses: list[Node] = []
    examples: list[tuple[str, ...]] = []
    for _ in range(w.pick((1, 1, 1, 2, 2, 3, 4))):
        with w.inner(), w.fresh_patterns(), w.repeated():
            w.in_pattern = []
            layout = _layout(w)
            heads, arguments = _heads(layout, kinds, place)
            guard = _guard(layout)
            w.in_pattern = []
            clauses.append(text(f"{name}(", items(heads, least=len(heads)), ")", guard, " ->\n    ", _body(layout)))
            examples += _examples(layout, arguments, place)
    if w.chance(0.6):
        clauses.append(text(f"{name}({', '.join('_' for _ in kinds)}) -> no"))
    signature = Signature(name, tuple(kinds), "any", True)
    signature.examples = tuple(examples)
    return signature, items(clauses, ";\n", 1)


def _layout(w: Writer) -> _Layout:
    layout = _Layout(w, w.pick((_BYTES, _BYTES, _BITS)))
    for number in range(w.pick((1, 2, 2, 3, 3, 4, 5, 6, 8))):
        begin = w.pick((_constant, _constant, _skip, _choose(w)))
        part = begin if number == 0 else _choose(w)
        part(layout)
    end = w.random.random()
    if end < 0.6:
        layout.tail = w.bind("bitstring")
        layout.pattern.append(text(layout.tail.name, w.pick(("/binary", "/bits"))))
    elif end < 0.7:
        layout.pattern.append(text(w.pick(("_/binary", "_/bits"))))
    return layout


def _choose(w: Writer) -> Callable[[_Layout], None]:
    return w.random.choices(tuple(_PARTS), tuple(_PARTS.values()))[0]


def _constant(layout: _Layout) -> None:
    w = layout.w
    if w.chance(0.2):
        segment = w.pick(('"ab"', '"GET "', '"\\r\\n"', '"é"/utf8', "<<1, 2>>/binary"))
        layout.add(segment, segment) if "<<" not in segment else layout.add("1, 2", "1, 2")
        return
    size = w.pick(layout.sizes if w.chance(0.9) else _LARGE)
    segment = f"{w.number(0, min(2**size - 1, 300))}:{size}{w.pick(('', '', '/little'))}"
    layout.add(segment, segment)


def _small(layout: _Layout) -> None:
    _integer(layout, layout.w.pick(layout.sizes))


def _large(layout: _Layout) -> None:
    _integer(layout, layout.w.pick(_LARGE))


def _integer(layout: _Layout, size: int) -> None:
    w, flags = layout.w, layout.w.pick(_FLAGS)
    most = 2 ** (size - ("/signed" in flags)) - 1
    value = w.pick((0, 1, 5, most, most - 1, most // 2 + 1, w.number(0, most)))
    if "/signed" in flags and w.chance(0.5):
        value = -1 - value
    value = max(value, 0) if "/signed" not in flags else value
    layout.add(f"{layout.integer(value)}:{size}{flags}", f"{value}:{size}{flags}")


def _skip(layout: _Layout) -> None:
    size = layout.w.pick((*layout.sizes, 32, 40))
    layout.add(f"_:{size}", f"{layout.w.number(0, 2**size - 1)}:{size}")


def _float(layout: _Layout) -> None:
    size = layout.w.pick(("", ":64", ":32", ":16")) + "/float" + layout.w.pick(("", "-little"))
    layout.add(layout.other("float") + size, layout.w.pick(("1.5", "-0.25", "0.0")) + size)


def _character(layout: _Layout) -> None:
    code = layout.w.pick(("/utf8", "/utf8", "/utf16", "/utf32", "/utf16-little"))
    value = layout.w.pick((97, 233, 8364, 128512))
    layout.add(layout.integer(value) + code, f"{value}{code}")


def _bytes(layout: _Layout) -> None:
    size = layout.w.number(0, 4)
    data = layout.w.random.getrandbits(8 * size)
    layout.add(f"{layout.other('binary')}:{size}/binary", f"{data}:{8 * size}")


def _bits(layout: _Layout) -> None:
    size = layout.w.number(0, 20)
    layout.add(f"{layout.other('bitstring')}:{size}/bits", f"{layout.w.random.getrandbits(size) if size else 0}:{size}")


def _measured(layout: _Layout) -> None:
    """A length, perhaps something between, and so many bytes or bits."""
    w = layout.w
    length, prefix = w.number(0, 5), w.pick((8, 8, 16, 4, 32))
    variable = w.bind("integer")
    layout.integers.append(variable)
    layout.values[variable.name] = length
    layout.add(f"{variable.name}:{prefix}", f"{length}:{prefix}")
    if w.chance(0.3):
        _small(layout)
    if w.chance(0.7):
        data = w.random.getrandbits(8 * length + 1) >> 1
        layout.add(f"{layout.other('binary')}:{variable.name}/binary", f"{data}:{8 * length}")
    else:
        unit = w.pick((1, 2, 7, 8, 16))
        value = w.random.getrandbits(unit * length + 1) >> 1
        layout.add(f"{layout.integer(value)}:{variable.name}/unit:{unit}", f"{value}:{unit * length}")


_PARTS: dict[Callable[[_Layout], None], int] = {
    _small: 14, _large: 6, _constant: 2, _skip: 2, _float: 1, _character: 1, _bytes: 2, _bits: 1, _measured: 2,
}  # fmt: skip


def _heads(layout: _Layout, kinds: list[str], place: int) -> tuple[list[Node], list[str]]:
    """Patterns of the arguments, and arguments beside the binary that fit: a field of it may be asked for again."""
    w, heads, arguments = layout.w, [], []
    fields = list(layout.integers)
    for number, kind in enumerate(kinds):
        if number == place:
            heads.append(text("<<", items([*layout.pattern]), ">>"))
        elif kind == "integer" and fields and w.chance(0.4):
            same = w.pick(fields)
            heads.append(text(same.name))
            arguments.append(str(layout.values[same.name]))
        else:
            variable = w.bind(kind)
            (layout.integers if kind == "integer" else layout.others).append(variable)
            heads.append(text(variable.name))
            arguments.append(str(w.pick((0, 1, 7, 255, 1 << 27, 1 << 64))))
    return heads, arguments


def _guard(layout: _Layout) -> Node:
    """Mostly of integers that the clause perhaps does not use otherwise; what fits the pattern mostly passes it."""
    w = layout.w
    if not layout.integers or w.chance(0.5):
        return w.when(0.1)
    tests = [text(_test(layout)) for _ in range(w.pick((1, 1, 2)))]
    return items([text(" when ", items(tests, w.pick((", ", "; ")), 1))], "")


def _test(layout: _Layout) -> str:
    w = layout.w
    one, other = w.pick(layout.integers).name, w.pick(layout.integers).name
    value = layout.values.get(one, 0)
    if w.chance(0.2):
        return w.pick((f"is_integer({one})", f"{one} band {w.pick((1, 128))} =:= 0", f"{one} + {other} >= 0"))
    constant = w.pick((0, 1, 5, 255))
    other, second = (other, layout.values.get(other, 0)) if w.chance(0.6) else (str(constant), constant)
    fit = [sign for sign, holds in _COMPARISONS.items() if holds(value, second) or w.chance(0.1)]
    return f"{one} {w.pick(fit)} {other}"


def _body(layout: _Layout) -> Node:
    """What comes of the fields: few of them at once, so that others are dead early."""
    w = layout.w
    if w.chance(0.2):
        return w.body("any")
    return expression("any", *_value(layout))


def _value(layout: _Layout) -> tuple[str | Node, ...]:
    w, integers = layout.w, [one.name for one in layout.integers]
    rest = [one.name for one in (*layout.others, *([layout.tail] if layout.tail else ()))]
    if not integers:
        return ("{", items([text(name) for name in rest]), "}") if rest else ("yes",)
    one, other, end = w.pick(integers), w.pick(integers), w.pick(rest) if rest else "[]"
    return (text(w.pick((
        end, end, f"{one} + {other}", f"{one} + {other}", f"{one} - {other}", f"{one} * 3", f"{{{one}, {end}}}",
        f"[{one} + 1 | {end}]", f"{one} bxor {other}", f"({one} + 1) * {other}", f"{one} + {integers[0]} * {other}",
        f"[{', '.join(integers)} | {end}]", f"{{{other} bxor {one}, {end}}}", f"<<{one}:16, {other}:32/little>>",
        f"{{{one} bsl 3, {other}, {end}}}", f"#{{{one} => {other}, a => {end}}}", f"[{end}, {one}]", one,
        f"case {one} > {other} of true -> {end}; false -> {one} - {other} end", f"opaque({one}) + {other}",
    ))),)  # fmt: skip


def _examples(layout: _Layout, arguments: list[str], place: int) -> list[tuple[str, ...]]:
    """What fits, and what nearly does."""
    w = layout.w
    rest = w.pick(("", "88", "1, 2, 3", '"abc"', "5:3", f"{w.number(0, 255)}"))
    whole = layout.example + ([rest] if rest and layout.pattern and w.chance(0.8) else [])
    binaries = [whole, whole]
    if len(whole) > 1:
        binaries.append(whole[:-1])
        if w.chance(0.5):
            binaries.append([w.pick(("0", "1", "255")), *whole[1:]])
    found = []
    for number, segments in enumerate(binaries):
        others = list(arguments) if number != 1 else [w.pick(("0", "1", one)) for one in arguments]
        found.append((*others[:place], f"<<{', '.join(segments)}>>", *others[place:]))
    return found
