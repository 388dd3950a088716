"""Where control goes after an instruction."""

from __future__ import annotations

from typing import NamedTuple, Union

from beamgdb.interpreter.symbolic.values import Value


class Next(NamedTuple):
    """To the next instruction."""


class Goto(NamedTuple):
    """To an address."""

    address: int


class Fork(NamedTuple):
    """To an address or to the next instruction."""

    address: int


class Leave(NamedTuple):
    """To an address that was computed."""

    target: Value


class Call(NamedTuple):
    """Into a function, and then to the next instruction."""


class Stop(NamedTuple):
    """Nobody knows; or out of the function."""


Onward = Union[Next, Goto, Fork, Leave, Call, Stop]
