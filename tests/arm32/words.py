"""Words of all declared instructions, over the whole range of their fields."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain, islice

from jit.arm32.encoding import Encoding
from jit.arm32.text import encodings
from jit.codegen.processor import OperandError

_EACH_AT_MOST = 64  # values of one field, with its ends
_MIXED = 150  # words with all fields at random, of which few may be legal
_TRIES = 100 * _MIXED


def legal_words() -> Iterator[tuple[Encoding, int]]:
    """Each field's values in turn among random others, and random values of all, as far as they are legal."""
    chance = random.Random(32)
    for encoding in dict.fromkeys(encodings()):
        for name, (_, width) in encoding.fields.items():
            for value in _values(chance, width):
                yield from _legal(encoding, {**_mixed(chance, encoding), name: value})
        tries = (_legal(encoding, _mixed(chance, encoding)) for _ in range(_TRIES))
        yield from islice(chain.from_iterable(tries), _MIXED)


def _values(chance: random.Random, width: int) -> list[int]:
    size = 1 << width
    if size <= _EACH_AT_MOST:
        return list(range(size))
    return [0, 1, size // 2, size - 1, *(chance.randrange(size) for _ in range(_EACH_AT_MOST))]


def _mixed(chance: random.Random, encoding: Encoding) -> dict[str, int]:
    return {name: chance.randrange(1 << width) for name, (_, width) in encoding.fields.items()}


def _legal(encoding: Encoding, fields: dict[str, int]) -> Iterator[tuple[Encoding, int]]:
    if fields.get("cond") == 15:
        return
    try:
        yield encoding, encoding.encode(**fields)
    except OperandError:
        pass
