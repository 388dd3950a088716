"""Constants as text: arguments of the functions, and what stands in their code."""

from __future__ import annotations

import random
from typing import Final

#: Kinds of values. "integers" are lists of them, "string" lists of characters, "fun1" takes one argument.
KINDS: Final = (
    "integer", "float", "atom", "boolean", "list", "integers", "string", "tuple", "record", "binary", "bitstring",
    "map", "fun1", "fun2",
)  # fmt: skip

#: Kinds whose values can be arguments: funs are made by the code.
DATA: Final = tuple(kind for kind in KINDS if not kind.startswith("fun"))

#: What an expression may be asked for: of a kind, or whatever it is.
ASKED: Final = (*KINDS, "any")

_SMALL: Final = (0, 1, 2, 3, -1, 5, 7, 8, 10, 13, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, -128, 1000, 65535, 65536)
#: Where a small integer of a 32-bit VM, a word, a word of the bit syntax, and a small one of 64 bits end.
_EDGES: Final = (1 << 26, 1 << 27, 1 << 28, 1 << 31, 1 << 32, 1 << 59, 1 << 60, 1 << 63, 1 << 64, 1 << 100)
_ATOMS: Final = ("a", "b", "c", "ok", "error", "true", "false", "undefined", "'A b'", "none", "'é'")
_FLOATS: Final = (
    "0.0", "-0.0", "1.0", "-1.5", "3.25", "0.1", "1.0e10", "-2.5e-7", "1.0e300", "134217728.0", "4294967296.0",
    "9007199254740993.0", "1.7976931348623157e308", "5.0e-324",
)  # fmt: skip
_STRINGS: Final = ('""', '"a"', '"abc"', '"hello world"', "[8364, 960]", '"x1y2z3"')

#: Operators and tests, in guards and elsewhere.
COMPARISONS: Final = ("=:=", "=/=", "==", "/=", "<", ">", "=<", ">=")
TESTS: Final = (
    "is_integer", "is_float", "is_number", "is_atom", "is_boolean", "is_list", "is_tuple", "is_binary", "is_bitstring",
    "is_map", "is_function", "is_pid", "is_reference",
)  # fmt: skip

#: Names of fields, of the record ``rec``.
FIELDS: Final = ("one", "two", "three")


def sample(rng: random.Random, kind: str, *, pattern: bool = False, depth: int = 2) -> str:
    """A constant of a kind, as Erlang text; with *pattern* one that may stand in a pattern."""
    if kind == "any":
        kind = rng.choice(DATA)
    if kind == "integer":
        return str(_integer(rng))
    if kind == "float":
        # A pattern 0.0 matches -0.0 in some releases, and compilers warn.
        return rng.choice(_FLOATS[2:] if pattern else _FLOATS)
    if kind == "boolean":
        return rng.choice(("true", "false"))
    if kind == "atom":
        return rng.choice(_ATOMS)
    if kind == "string":
        return rng.choice(_STRINGS)
    if kind == "fun1":
        return rng.choice(("fun erlang:abs/1", "fun is_atom/1", "fun erlang:hd/1", "fun(_) -> ok end"))
    if kind == "fun2":
        return rng.choice(("fun erlang:'+'/2", "fun erlang:max/2", "fun(_, A) -> A end"))
    if kind in ("binary", "bitstring"):
        return _bits(rng, kind)
    return _compound(rng, kind, pattern, depth - 1)


def _integer(rng: random.Random) -> int:
    which = rng.random()
    if which < 0.7:
        return rng.choice(_SMALL)
    if which < 0.8:
        return rng.randint(-1000, 1000)
    return rng.choice((1, -1)) * (rng.choice(_EDGES) + rng.choice((-1, 0, 1)))


def _bits(rng: random.Random, kind: str) -> str:
    size = rng.choice((0, 1, 2, 3, 4, 5, 8, 9, 16, 30, 63, 64, 65, 100))
    if rng.random() < 0.2:
        segments = [rng.choice(('"abc"', '"grün"/utf8', '"1,2;x"'))]
    else:
        segments = [str(rng.randint(0, 255)) for _ in range(min(size, 12))]
        if size > 12:
            segments.append(f"0:{8 * (size - 12)}")
    if kind == "bitstring" and rng.random() < 0.7:
        bits = rng.randint(1, 7)
        segments.append(f"{rng.randint(0, (1 << bits) - 1)}:{bits}")
    return f"<<{', '.join(segments)}>>"


def _compound(rng: random.Random, kind: str, pattern: bool, depth: int) -> str:
    def some(inner: str, most: int) -> list[str]:
        inner = inner if depth > 0 else rng.choice(("integer", "atom"))
        return [sample(rng, inner, pattern=pattern, depth=depth) for _ in range(rng.randint(0, most))]

    if kind == "integers":
        return f"[{', '.join(some('integer', 6))}]"
    if kind == "list":
        elements = some("any", 4)
        improper = f" | {sample(rng, 'atom')}" if elements and rng.random() < 0.1 else ""
        return f"[{', '.join(elements)}{improper}]"
    if kind == "tuple":
        return f"{{{', '.join(some('any', 4))}}}"
    if kind == "record":
        values = [sample(rng, inner, pattern=pattern, depth=depth) for inner in ("integer", "any", "list")]
        return f"{{rec, {', '.join(values)}}}"
    if kind == "map":
        return _map(rng, pattern, depth)
    raise ValueError(kind)


def _map(rng: random.Random, pattern: bool, depth: int) -> str:
    if not pattern and rng.random() < 0.03:  # more keys than a flat map has
        return "#{" + ", ".join(f"{key} => {key * key}" for key in range(rng.randint(31, 40))) + "}"
    arrow = ":=" if pattern else "=>"
    keys = dict.fromkeys(sample(rng, rng.choice(("atom", "integer", "atom"))) for _ in range(rng.randint(0, 4)))
    return "#{" + ", ".join(f"{key} {arrow} {sample(rng, 'any', pattern=pattern, depth=depth)}" for key in keys) + "}"
