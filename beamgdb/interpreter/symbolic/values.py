"""Values, as formulas, and the state that instructions change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import NamedTuple, Union

from beamgdb.late import dataclass

SLOT = "sp+"
"""How the name of a stack slot begins; the offset from the stack pointer follows, in decimal."""


class Initial(NamedTuple):
    """What a place, a register or a slot of the stack frame, held at first."""

    place: str


class Constant(NamedTuple):
    value: int


class Sum(NamedTuple):
    """A value plus a number that is not 0."""

    base: Value
    offset: int


class Loaded(NamedTuple):
    """What is in memory at an address, outside of the stack frame."""

    address: Value


class Mixed(NamedTuple):
    """Anything that was computed from these."""

    parts: tuple[Value, ...]


Value = Union[Initial, Constant, Sum, Loaded, Mixed]

UNKNOWN = Mixed(())


def plus(value: Value, offset: int) -> Value:
    """The value plus a number."""
    if isinstance(value, Constant):
        return Constant(value.value + offset)
    if isinstance(value, Sum):
        return plus(value.base, value.offset + offset)
    return Sum(value, offset) if offset else value


def total(one: Value, other: Value) -> Value:
    """The sum of two values."""
    if isinstance(other, Constant):
        return plus(one, other.value)
    if isinstance(one, Constant):
        return plus(other, one.value)
    return Mixed((one, other))


def slot(offset: int) -> str:
    """The name of a slot of the stack frame."""
    return f"{SLOT}{offset}"


def split_place(place: str) -> tuple[str, int | None]:
    """The register of a place, and for a slot its distance from where that points."""
    for sign in "+-":
        register, found, distance = place.partition(sign)
        if found:
            return register, int(distance) * (1 if sign == "+" else -1)
    return place, None


def is_named(place: str) -> bool:
    """Whether a state knows the place by its name: a register, or a slot at a distance from the stack pointer."""
    return place.startswith(SLOT) or split_place(place)[1] is None


def initial(place: str) -> Value:
    """What a place held at first."""
    register, distance = split_place(place)
    return Initial(place) if distance is None or is_named(place) else Loaded(plus(Initial(register), distance))


def leaves(value: Value) -> Iterator[Value]:
    """The values that one was computed from, itself if it was not."""
    if isinstance(value, Mixed):
        for part in value.parts:
            yield from leaves(part)
    elif isinstance(value, Sum):
        yield value
        yield from leaves(value.base)
    else:
        yield value


@dataclass
class SymbolicState:
    """Places that have changed, by name, and what was stored outside of the stack frame."""

    sp: str
    places: dict[str, Value] = field(default_factory=dict)
    stores: list[tuple[Value, Value]] = field(default_factory=list)
    it_state: int = 0
    """ITSTATE of Thumb code (Arm Architecture Reference Manual ARMv7-A, A2.5.2); 0 where it is not used."""

    def __getitem__(self, place: str) -> Value:
        return self.places.get(place, Initial(place))

    def __setitem__(self, place: str, value: Value) -> None:
        self.places[place] = value

    def load(self, address: Value) -> Value:
        """What a load gives."""
        offset = self._offset(address)
        return Loaded(address) if offset is None else self[slot(offset)]

    def store(self, address: Value, value: Value) -> None:
        """Note a store."""
        offset = self._offset(address)
        if offset is None:
            self.stores.append((address, value))
        else:
            self[slot(offset)] = value

    def _offset(self, address: Value) -> int | None:
        """From the stack pointer at the start, for an address in the stack frame."""
        if address == Initial(self.sp):
            return 0
        if isinstance(address, Sum) and address.base == Initial(self.sp):
            return address.offset
        return None

    def copy(self) -> SymbolicState:
        return SymbolicState(self.sp, dict(self.places), list(self.stores), self.it_state)
