"""What a processor gives to the code generator: an assembler, and what describes its code to a debugger.

An assembler appends instructions, each by a method of its own that emitters call; the code generator itself needs the
few of ``Assembler``. As it appends them, it records what they do to the C stack and where control goes (``Event``):
nobody has to read that in the code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from jit.object.target import Target

#: Gives the complete word from the incomplete one and the distance in bytes from it to the label.
Fill = Callable[[int, int], int]


class OperandError(ValueError):
    """An operand that the instruction cannot have. The text begins with the mnemonic."""


@dataclass(eq=False, slots=True)
class Label:
    """A place in the code of one assembler, which need not be known yet where it is used.

    A *name* makes it a symbol of the result. ``offset`` is the place, in bytes, once it is bound. ``waiting`` are the
    places to be filled then: where they are, from where the distance is counted, and how.
    """

    name: str = ""
    offset: int | None = None
    waiting: list[tuple[int, int, Fill]] = field(default_factory=list)

    def __str__(self) -> str:
        return self.name or ("a label without name" if self.offset is None else f"the label at {self.offset:#x}")


class Register(Protocol):
    """A register for integers and addresses; ``number`` is its number in DWARF."""

    @property
    def number(self) -> int:
        """Its number in DWARF for the processor."""
        ...

    @property
    def name(self) -> str:
        """As assemblers write it."""
        ...


R = TypeVar("R", bound=Register)
R_contra = TypeVar("R_contra", bound=Register, contravariant=True)


@dataclass(frozen=True, slots=True)
class Event:
    """What an instruction does beside computing; ``begin`` and ``end`` are its offsets in bytes.

    An instruction has an event for each thing that it does, in their order. Of those that are executed under a
    condition only branches and calls have events.
    """

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class StackMoved(Event):
    """The stack pointer is ``size`` bytes lower."""

    size: int


@dataclass(frozen=True, slots=True)
class RegisterSaved(Event):
    """A register's value is in memory, ``place`` bytes from the stack pointer; by its number in DWARF."""

    register: int
    place: int


@dataclass(frozen=True, slots=True)
class RegisterLoaded(Event):
    """A register has the word that is ``place`` bytes from the stack pointer."""

    register: int
    place: int


@dataclass(frozen=True, slots=True)
class Called(Event):
    """Control comes back to ``end``; ``target`` is None if it is in other code."""

    target: Label | None


@dataclass(frozen=True, slots=True)
class Jumped(Event):
    """Control goes elsewhere, if it goes there ``always``; ``target`` is None if the code does not tell where."""

    target: Label | None
    always: bool


class MachineCode(Protocol):
    """Finished code."""

    @property
    def data(self) -> bytes:
        """The code."""
        ...

    @property
    def events(self) -> Sequence[Event]:
        """In the order of offsets."""
        ...


class Assembler(Protocol[R_contra]):
    """Code under construction."""

    #: How many branches and calls have been appended.
    branches: int

    @property
    def offset(self) -> int:
        """Where the next instruction goes, in bytes from the beginning."""
        ...

    def bind(self, label: Label) -> None:
        """Let *label* be here."""
        ...

    def move(self, into: R_contra, source: R_contra) -> None:
        """A register = another one; nothing if they are the same."""
        ...

    def jump(self, target: Label) -> None:
        """Go on at *target*."""
        ...


@dataclass(frozen=True)
class Processor:
    """What describes code of a processor. Registers are told by their numbers in DWARF.

    ``name`` is what ``--target`` calls it, ``file`` what its object files look like; an instruction has a multiple of
    ``instruction`` bytes; on entry to a C function the address to return to is in the column ``return_address``.
    """

    name: str
    file: Target
    instruction: int
    stack_pointer: int
    return_address: int
