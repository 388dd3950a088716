"""Bit syntax: construction and matching, aligned and not."""

from __future__ import annotations

from tests.differential.generator.writer import Writer, matches, produces
from tests.differential.tree import Node, expression, items, text

_SIZES = (
    1, 2, 3, 4, 5, 7, 8, 8, 8, 9, 12, 15, 16, 16, 17, 23, 24, 27, 28, 29, 31, 32, 32, 33, 48, 63, 64, 65, 100, 0,
)  # fmt: skip
_SIGNS = (
    "", "", "/signed", "/unsigned", "/little", "/big", "/signed-little", "/signed-big", "/native", "/signed-native",
)  # fmt: skip
_UTF = ("utf8", "utf8", "utf16", "utf16-little", "utf32", "utf32-little")


# Construction


@produces("bitstring", weight=15)
def construct(w: Writer) -> Node:
    return expression("bitstring", "<<", items([_segment(w) for _ in range(w.pick((1, 1, 2, 3, 4)))]), ">>")


@produces("binary", weight=15)
def construct_bytes(w: Writer) -> Node:
    return expression("binary", "<<", items([_byte_segment(w) for _ in range(w.pick((1, 2, 3, 4)))]), ">>")


@produces("binary", "bitstring", weight=4)
def append(w: Writer) -> Node:
    """To a binary that perhaps has room behind it."""
    segments = [_byte_segment(w) for _ in range(w.number(1, 2))]
    return expression("binary", "<<(", w.make("binary"), ")/binary, ", items(segments, least=1), ">>")


def _segment(w: Writer) -> Node:
    which = w.random.random()
    if which < 0.4:
        return w.form("other", f"(@integer):{w.pick(_SIZES)}{w.pick(_SIGNS)}")
    if which < 0.5:
        return w.form("other", f"(@integer):(@integer band {w.pick((7, 31, 63, 127))}){w.pick(_SIGNS)}")
    if which < 0.66:
        return w.form("other", f"(@bitstring){w.pick(('', f':{w.number(0, 20)}'))}/bitstring")
    if which < 0.7:
        return w.form("other", f"(@integer):{w.number(1, 5)}/unit:{w.pick((3, 7, 8, 13))}")
    return _byte_segment(w)


def _byte_segment(w: Writer) -> Node:
    which = w.random.random()
    if which < 0.3:
        return w.form("other", f"(@integer):{w.pick((8, 16, 24, 32, 64))}{w.pick(_SIGNS)}")
    if which < 0.4:
        return w.form("other", "(@integer)")
    if which < 0.6:
        return w.form("other", "(@binary)/binary")
    if which < 0.68:
        return w.form("other", f"(@binary):{w.pick(('(~integer)', w.number(0, 3), w.number(0, 3)))}/binary")
    if which < 0.78:
        size, order = w.pick(("", ":64", ":32", ":32", ":16")), w.pick(("", "-little", "-big"))
        return w.form("other", f"(@{w.pick(('float', 'float', 'integer'))}){size}/float{order}")
    if which < 0.9:
        return w.form("other", f"{w.pick(('(@integer band 16#7ff)', '(@integer)'))}/{w.pick(_UTF)}")
    return text(w.pick(('"abc"', '"key="', '"é€"/utf8', '"x"/utf16')))


@produces("binary", weight=6)
def convert(w: Writer) -> Node:
    return w.form("binary", w.pick((
        "integer_to_binary(@integer)", "atom_to_binary(@atom)", "list_to_binary(@string)",
        "unicode:characters_to_binary(@string)", "iolist_to_binary(@string)",
    )))  # fmt: skip


@produces("binary", weight=3)
def part(w: Writer) -> Node:
    return w.form("binary", f"binary_part(<<1, 2, (@binary)/binary>>, {w.number(0, 2)}, {w.number(-1, 2)})")


# Matching


@matches("bitstring", weight=6)
def match_bits(w: Writer) -> Node:
    start = len(w.in_pattern)
    parts = [_match_segment(w, start) for _ in range(w.pick((0, 1, 1, 2, 2, 3, 4)))]
    tail = w.random.random()
    if tail < 0.5:
        parts.append(text(w.bind("bitstring").name, w.pick(("/bits", "/bitstring"))))
    elif tail < 0.7:
        parts.append(text("_/bits"))
    return expression("pattern", "<<", items(parts), ">>")


@matches("binary", weight=6)
def match_bytes(w: Writer) -> Node:
    start = len(w.in_pattern)
    parts = [_match_byte_segment(w, start) for _ in range(w.pick((0, 1, 1, 2, 2, 3, 4)))]
    tail = w.random.random()
    if tail < 0.6:
        parts.append(text(w.bind("binary").name, "/binary"))
    elif tail < 0.75:
        parts.append(text("_/binary"))
    return expression("pattern", "<<", items(parts), ">>")


def _match_segment(w: Writer, start: int) -> Node:
    which = w.random.random()
    if which < 0.45:
        return text(_value(w, "integer"), f":{w.pick(_SIZES)}{w.pick(_SIGNS)}")
    if which < 0.55:
        return text(_value(w, "bitstring"), f":{w.pick((0, 1, 3, 5, 8, 11, 32))}/bitstring")
    if which < 0.7:
        size = _variable_size(w, start)
        return text(_value(w, "integer"), ":", size, w.pick(_SIGNS))
    if which < 0.75:
        return text("_:", str(w.number(0, 9)))
    if which < 0.8:
        return text(_value(w, "integer"), f":{w.number(1, 4)}/unit:{w.pick((2, 7, 8, 11))}")
    return _match_byte_segment(w, start)


def _match_byte_segment(w: Writer, start: int) -> Node:
    which = w.random.random()
    if which < 0.35:
        return text(_value(w, "integer"), f"{w.pick(('', '', ':16', ':32', ':24', ':64', ':128'))}{w.pick(_SIGNS)}")
    if which < 0.5:
        return text(_value(w, "binary"), f":{w.pick((0, 1, 2, 3, 8))}/binary")
    if which < 0.6:
        size = _variable_size(w, start)
        return text(_value(w, "binary"), ":", size, "/binary")
    if which < 0.68:
        return text(_value(w, "float"), w.pick((":64", ":32", ":16", "")), "/float", w.pick(("", "-little")))
    if which < 0.82:
        return text(_value(w, "integer"), w.pick(("/utf8", "/utf8", "/utf16", "/utf32", "/utf16-little")))
    if which < 0.9:
        return text(w.pick(("_", "_:2/binary", "_:16", "_:3/binary", "_/utf8", "_:64/float")))
    return text(w.pick(('"a"', '"abc"', "1", "0:16", "255", '"é"/utf8', "1:16/little")))


def _value(w: Writer, kind: str) -> str:
    if w.chance(0.12):
        return "_"
    if kind == "integer" and w.chance(0.12):
        return str(w.pick((0, 1, 2, 5, 97, 255, 7)))
    return w.bind(kind).name


def _variable_size(w: Writer, start: int) -> str:
    """A size that is bound before, perhaps in this binary, perhaps in an expression."""
    known = [variable.name for variable in w.in_pattern[start:] if variable.kind == "integer"]
    if w.may_reuse:
        known += [one.name for one in w.scope if one.kind == "integer" and one not in w.in_pattern]
    if not known:
        return str(w.pick(_SIZES))
    name = w.pick(known[:4])
    return w.pick((name, f"({name} band 15)", f"({name} rem 9)"))
