"""Machine code of a module as text: what a runtime gives to who lists it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from jit.beam.operations import Operation


@dataclass(frozen=True)
class Instruction:
    """An instruction, or data amidst code, ``offset`` bytes from the start. ``code`` is what a listing has as bytes."""

    offset: int
    code: str
    text: str


@dataclass(frozen=True)
class Part:
    """Code that is neither of a function nor of a fragment."""

    title: str
    begin: int
    end: int


class Disassembly(Protocol):
    """The code of one module."""

    @property
    def about(self) -> Sequence[str]:
        """What a listing begins with: what the code is for, and what CPU registers hold."""
        ...

    @property
    def code(self) -> Sequence[Instruction]:
        """All of it, in the order of offsets."""
        ...

    @property
    def names(self) -> Mapping[int, str]:
        """Of places, by offset: where code branches to, and what parts are made of."""
        ...

    @property
    def parts(self) -> Sequence[Part]:
        """What is of no function and no fragment, but literals at the end."""
        ...

    def returns(self, function: int) -> Sequence[tuple[int, str]]:
        """Places to which control comes back, and their headings; the function is told by its entry's label."""
        ...

    def comments(self, code: Sequence[Instruction], operation: Operation | None) -> Iterator[str]:
        """A comment on each instruction, or nothing, of the code of an operation, or of what belongs to none."""
        ...
