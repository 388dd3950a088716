"""Erlang terms as a .beam file holds them: in its literals, its attributes, and as constants of operations.

An integer is a Python int and a float a Python float; everything else is a small frozen class. Note that Python finds
``1 == 1.0``, which are different terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Union


@dataclass(frozen=True)
class Atom:
    name: str


@dataclass(frozen=True)
class List:
    """``tail`` is None for a proper list; for an improper list the term after the bar."""

    elements: tuple[Term, ...]
    tail: Term | None = None


@dataclass(frozen=True)
class Tuple:
    elements: tuple[Term, ...]


@dataclass(frozen=True)
class Map:
    """``pairs`` in the order of the file, which is not Erlang's order of keys."""

    pairs: tuple[tuple[Term, Term], ...]


@dataclass(frozen=True)
class Bitstring:
    """``bits`` in all, left-aligned in ``data``; unused low bits of the last byte are zero."""

    data: bytes
    bits: int


@dataclass(frozen=True)
class ExternalFun:
    """``fun module:function/arity``."""

    module: Atom
    function: Atom
    arity: int


Term = Union[int, float, Atom, List, Tuple, Map, Bitstring, ExternalFun]

NIL: Final = List(())
