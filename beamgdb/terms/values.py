"""Erlang values as a debugger sees them: terms, and the words found where terms are expected.

An integer is a Python int and a float a Python float; everything else is a small frozen class. A container that was
not followed to its end says so in `rest` (or `tail`): usually `ELIDED`, else the trouble that ended it.
"""

from __future__ import annotations

from dataclasses import field
from typing import Final, Union

from beamgdb.late import dataclass
from jit.otp.tags import Kind


@dataclass(frozen=True)
class Atom:
    """`index` into the atom table; `name` is its text, None when the table does not tell."""

    index: int
    name: str | None


@dataclass(frozen=True)
class List:
    """`tail` is None for a proper list; for an improper list the term after the bar."""

    elements: tuple[Value, ...]
    tail: Value | None = None


@dataclass(frozen=True)
class Tuple:
    elements: tuple[Value, ...]
    rest: Value | None = None


@dataclass(frozen=True)
class Map:
    """`size` is what the map says of itself, also when not all `pairs` were followed."""

    pairs: tuple[tuple[Value, Value], ...]
    size: int
    rest: Value | None = None


@dataclass(frozen=True)
class NativeRecord:
    """A record of OTP 29, defined by `module`. `fields` are names and values in the order of its definition."""

    module: Atom
    name: Atom
    fields: tuple[tuple[Atom, Value], ...]
    rest: Value | None = None


@dataclass(frozen=True)
class Bitstring:
    """`bits` in all, the first of them in `data` (left-aligned; unused low bits of the last byte are zero).

    `storage` is where the bytes live: heap, refc, writable, or sub (a part of another one).
    """

    data: bytes
    bits: int
    storage: str

    @property
    def elided(self) -> bool:
        return 8 * len(self.data) < self.bits


@dataclass(frozen=True)
class MatchContext:
    """A binary being matched: `rest` is what is left from bit `position` of the underlying bytes on."""

    rest: Bitstring
    position: int


@dataclass(frozen=True)
class HugeInteger:
    """A bignum too long to print: `bits` long at most."""

    negative: bool
    bits: int


@dataclass(frozen=True)
class NodeOfTerm:
    """The node of an external identifier."""

    name: Atom
    creation: int


@dataclass(frozen=True)
class Pid:
    """`node` is None for a pid of this node."""

    number: int
    serial: int
    node: NodeOfTerm | None = None


@dataclass(frozen=True)
class Port:
    number: int
    node: NodeOfTerm | None = None


@dataclass(frozen=True)
class Reference:
    """`numbers` lowest first, as stored. `magic` is the address of the magic binary of a magic reference."""

    numbers: tuple[int, ...]
    node: NodeOfTerm | None = None
    magic: int | None = None


@dataclass(frozen=True)
class Fun:
    """A local fun. `index` and `uniq` are the ones `fun_to_list/1` prints; `free` counts its environment. `name` is
    that of the function that has its code, such as `-price/1-fun-0-`, None where that is not loaded or not known."""

    module: Atom
    index: int
    uniq: int
    arity: int
    free: int
    name: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ExternalFun:
    """`fun module:function/arity`."""

    module: Atom
    function: Atom
    arity: int


@dataclass(frozen=True)
class Catch:
    """A catch tag on a stack: an index into the catch table. `where` describes the handler's code."""

    index: int
    where: str | None


@dataclass(frozen=True)
class ContinuationPointer:
    address: int
    where: str | None


@dataclass(frozen=True)
class Header:
    """A header word met where a term was expected."""

    word: int
    kind: Kind
    arity: int


@dataclass(frozen=True)
class Internal:
    """An object that only the VM sees, such as a binary ref."""

    kind: Kind
    address: int


@dataclass(frozen=True)
class NonValue:
    """THE_NON_VALUE: an empty slot, or the mark of a function that failed or trapped."""


@dataclass(frozen=True)
class Moved:
    """The object at `address` has been moved by a garbage collection that is under way; `target` is the new term."""

    address: int
    target: int


@dataclass(frozen=True)
class UnreadableTerm:
    """Memory at `address` cannot be read."""

    address: int


@dataclass(frozen=True)
class UnknownWord:
    """A word that is no term of this release."""

    word: int


@dataclass(frozen=True)
class UnknownBoxed:
    """A boxed pointer to something that is no object of this release, or a broken one: `why` says what is wrong."""

    address: int
    header: int
    why: str


@dataclass(frozen=True)
class LayoutUnknown:
    """A `kind` of object at `address` that leads to C structures whose layout is not known."""

    kind: Kind
    address: int


@dataclass(frozen=True)
class UnresolvedId:
    """A local pid or port whose number cannot be told, the process or port table being unknown."""

    word: int
    is_pid: bool


@dataclass(frozen=True)
class Elided:
    """Something left out because of a limit. `string`: it is the rest of a list that is a string so far."""

    string: bool = False


Term = Union[
    int, float, Atom, List, Tuple, Map, NativeRecord, Bitstring, HugeInteger, Pid, Port, Reference, Fun, ExternalFun
]  # fmt: skip
NotTerm = Union[
    MatchContext, Catch, ContinuationPointer, Header, Internal, NonValue, Moved,
    UnreadableTerm, UnknownWord, UnknownBoxed, LayoutUnknown, UnresolvedId, Elided,
]  # fmt: skip
Value = Union[Term, NotTerm]

NIL: Final = List(())
NON_VALUE: Final = NonValue()
ELIDED: Final = Elided()
ELIDED_STRING: Final = Elided(string=True)
