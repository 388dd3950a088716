"""The macro operations that emitters are made of: what a processor's package gives.

Registers: ``args`` are four that calls change, of which the first has results; what is in one of them need not be moved
to be the argument of a C function that has the same number, where the processor allows that. ``saved`` are three that
keep their values in calls. Beside these a processor has registers of its own for the context, the JIT
state, the primitives, the module's index and the place of the code, which hold that everywhere between two entries,
and some that its macro operations use up. A number is given as it is; words of memory are counted from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol, TypeVar

from jit.codegen.native import Fragment
from jit.codegen.processor import Assembler, Label, MachineCode, Processor, Register
from jit.codegen.unwinding import Stretch

R = TypeVar("R", bound=Register)


class Condition(Enum):
    """How two words compare; the first four of numbers with a sign, ``BELOW`` and ``ABOVE`` of those without."""

    LESS = auto()
    LESS_EQUAL = auto()
    GREATER = auto()
    GREATER_EQUAL = auto()
    EQUAL = auto()
    DIFFERENT = auto()
    BELOW = auto()
    ABOVE = auto()


class Special(Enum):
    """What a C function is given beside registers and numbers."""

    CONTEXT = auto()
    STATE = auto()


CONTEXT, STATE = Special.CONTEXT, Special.STATE


@dataclass(frozen=True)
class Wide:
    """An integer of 64 bits, as an argument of a C function."""

    value: int


#: An argument: registers are those of the processor.
Argument = Any


class Macros(Protocol[R]):
    """The code of a module on a processor."""

    processor: Processor
    args: Sequence[R]
    saved: Sequence[R]
    #: A register that has the stack pointer, as the context does; None if there is none.
    stack: R | None

    @property
    def a(self) -> Assembler[R]:
        """The assembler."""
        ...

    # Words

    def constant(self, into: R, value: int) -> None:
        """A register = a number."""
        ...

    def load(self, into: R, base: R, word: int) -> None:
        """A register = a word of memory."""
        ...

    def store(self, source: R, base: R, word: int) -> None:
        """A word of memory = a register."""
        ...

    def load_of(self, into: R, term: R, tag: int, word: int) -> None:
        """A register = a word of memory that a term with a tag points to."""
        ...

    def load_at(self, into: R, base: R, index: R, word: int) -> None:
        """A register = the word of memory that the sum of *index* and *word* counts."""
        ...

    def store_at(self, source: R, base: R, index: R, word: int) -> None:
        """That word of memory = a register."""
        ...

    def load_context(self, into: R, offset: int) -> None:
        """A register = the word at an offset in bytes of the context."""
        ...

    def store_context(self, source: R, offset: int) -> None:
        """That word = a register."""
        ...

    def add(self, into: R, one: R, other: R | int) -> None:
        """A sum."""
        ...

    def subtract(self, into: R, one: R, other: R | int) -> None:
        """A difference."""
        ...

    def and_(self, into: R, one: R, other: R | int) -> None:
        """Bits that both have."""
        ...

    def or_(self, into: R, one: R, other: R | int) -> None:
        """Bits that one of them has."""
        ...

    def shift_left(self, into: R, one: R, by: int) -> None:
        """Bits moved up."""
        ...

    def shift_right(self, into: R, one: R, by: int, *, sign: bool = False) -> None:
        """Bits moved down, with zeros or the sign coming in."""
        ...

    def xor(self, into: R, one: R, other: R | int) -> None:
        """Bits that only one of them has."""
        ...

    def multiply(self, into: R, one: R, by: R | int, overflow: Label) -> None:
        """A product of a signed word; to *overflow* if it has no place in one."""
        ...

    def multiply_low(self, into: R, one: R, by: int) -> None:
        """The lower word of a product."""
        ...

    def add_smalls(self, into: R, one: R, other: R | int, slow: Label, *, checked: tuple[bool, bool]) -> None:
        """The sum of two terms, if they and it are small integers, else to *slow*, with nothing changed.

        *checked* tells of each whether it need not be looked at. A number is that of a term.
        """
        ...

    def subtract_smalls(self, into: R, one: R, other: R | int, slow: Label, *, checked: tuple[bool, bool]) -> None:
        """The same of the difference."""
        ...

    # Branches

    def branch_if(self, condition: Condition, one: R, other: R | int, target: Label) -> None:
        """To *target* if two words compare so."""
        ...

    def branch_if_bits(self, condition: Condition, one: R, mask: int, value: int, target: Label) -> None:
        """To *target* if the bits of a word under *mask*, below 256, are EQUAL to *value*, or DIFFERENT."""
        ...

    def branch_if_any(self, one: R, mask: int, target: Label) -> None:
        """To *target* if a word has one of the bits of a mask."""
        ...

    def branch_if_false(self, result: R, target: Label) -> None:
        """To *target* if a C function has given false."""
        ...

    # What functions share

    def shared(self, name: str, emit: Callable[[], None]) -> None:
        """Call code with a name that stands once in a module: *emit* appends it if need be. It calls nothing."""
        ...

    # C functions

    def call(self, primitive: str, *arguments: Argument) -> None:
        """Call a primitive; its result is in the first of ``args``. Arguments may be registers of any kind."""
        ...

    def call_pointer(self, pointer: R, *arguments: Argument) -> None:
        """Call the function that a register points to."""
        ...

    def compare(self, one: R, other: R, options: int) -> None:
        """Let the VM compare two terms: the first two of ``args`` then compare so; the second is ``MIDDLE``."""
        ...

    def call_bif(self, index: int, live: int | None, count: int, *, may_fail: bool) -> None:
        """Call an imported function with *count* terms, which are in ``saved``; its result is in the first of ``args``.

        If it *may_fail*, there is none then, else an error. One that may collect garbage is told how many x registers
        are *live*.
        """
        ...

    def tail(self, primitive: str, *arguments: Argument) -> None:
        """Go on with a primitive, whose result is that of native code; it has context and state before *arguments*."""
        ...

    def fail(self, primitive: str, *arguments: Argument, reason: int | None = None) -> None:
        """The same with a primitive that is told this place, which is that of the error that it raises, or may raise.

        Behind that it has the reason, the term of an atom, if there is one, and *arguments*."""
        ...

    def go_out(self, primitive: str, *arguments: Argument) -> None:
        """The same with a primitive that calls a function, which is told of this place before *arguments*; the running
        function is to return to what follows, where the VM comes in."""
        ...

    def raise_function_clause(self, function: int, arity: int) -> None:
        """Raise the error of a function, whose name is an atom with this index, that no clause matches."""
        ...

    def call_ext(self, import_: int, arity: int, words: int) -> None:
        """Call an imported function; *words* as ``call_ext`` has them. It may come back as from ``go_out``."""
        ...

    def return_unless_context(self, context: R) -> None:
        """Leave native code with another context, if it is another one."""
        ...

    def keep(self, register: R) -> None:
        """Keep a register on the C stack."""
        ...

    def take(self, register: R) -> None:
        """A register = what ``keep`` has kept last."""
        ...

    # The stack and the heap

    def allocate(self, stack: int, heap: int, live: int) -> None:
        """A frame of so many words, and so many words of heap; what is not in so many x registers may be collected."""
        ...

    def test_heap(self, words: int, live: int) -> None:
        """So many words of heap."""
        ...

    def deallocate(self, words: int, *, returns: bool) -> None:
        """Give up the frame, and let the function return to where its caller is to; or return to there."""
        ...

    # Ways in and out

    def begin(self, label_count: int, places: Mapping[int, Label], ways: Mapping[int, Label]) -> None:
        """Emit what stands before all functions: the table of labels, of which the VM enters those of *places*.

        *ways* are those of functions: see ``function``."""
        ...

    def function(self, way: Label, body: Label) -> None:
        """A function begins: where the VM comes in, and, for all, where a reduction is counted."""
        ...

    def entry(self) -> None:
        """A place where the VM comes in: the label of an entry is to be bound before it."""
        ...

    def set_return(self, place: Label) -> None:
        """The running function is to return to an entry of this module."""
        ...

    def set_continuation(self, place: Label) -> None:
        """The VM is to go on at an entry of this module."""
        ...

    def set_continuation_label(self, label: int) -> None:
        """The VM is to go on at a label of the bytecode, which is one of those it enters."""
        ...

    def return_(self) -> None:
        """Return from the running function."""
        ...

    def catch_term(self, into: R, label: int) -> None:
        """The term of a handler of exceptions."""
        ...

    def finish(self, tables: Callable[[], bytes]) -> list[Fragment]:
        """Emit what functions share, and at the end the tables; tells the parts, also those of ``begin``."""
        ...

    def code(self) -> MachineCode:
        """The finished code."""
        ...

    # For debuggers

    def stretches(self) -> Iterator[Stretch]:
        """All code, by the frames with which it begins."""
        ...


def in_order(moves: Mapping[R, R], spare: R) -> Iterator[tuple[R, R]]:
    """Moves, as (into, source), that do what all of *moves* do at once; *spare* is used where they go in a circle."""
    left = {into: source for into, source in moves.items() if into is not source}
    while left:
        free = next((into for into in left if all(source is not into for source in left.values())), None)
        if free is not None:
            yield free, left.pop(free)
            continue
        circle = next(iter(left))
        yield spare, circle
        left = {into: spare if source is circle else source for into, source in left.items()}


def in_place(
    places: Sequence[R], arguments: Sequence[Argument], special: Mapping[Special, R], spare: R
) -> Iterator[tuple[R, R | int]]:
    """Moves, as (into, source), that put arguments where a C function has them if each has a register of its own."""
    registers: dict[R, R] = {}
    numbers: dict[R, int] = {}
    for into, one in zip(places, arguments):
        if isinstance(one, int | Wide):
            numbers[into] = one if isinstance(one, int) else one.value
        else:
            registers[into] = special[one] if isinstance(one, Special) else one
    yield from in_order(registers, spare)
    yield from numbers.items()
