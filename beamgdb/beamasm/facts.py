"""What is known at one point of the code, and what the abstract operations do to it.

A `Facts` maps a location to the value that it surely holds. A location is a host register (its name) or a word of
memory, `(region, offset)`. A value is a pair: a pointer `(region, offset)` - so that the value of a pointer is the
location it points at -, or an argument, a constant, the return address, the caller's frame pointer. What is not in the
map is unknown.

A pointer with offset None points somewhere into its region. Such a fact is a warning: a store through it may hit any
word there. It therefore survives joins; all other facts survive only where both sides agree.

Offsets are in bytes: STACK is relative to the CFA (where the frame of the caller begins on the Erlang stack), X to the
array of x registers, PROCESS to the `Process`, NATIVE to the thread's stack pointer at entry where that is another
stack than Erlang's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Optional, Union

STACK: Final = 0
X: Final = 1
PROCESS: Final = 2
NATIVE: Final = 3
ARGUMENT: Final = 4
"""`(ARGUMENT, i)`: what x register i held at entry. This and what follows are no pointers."""
CONSTANT: Final = 5
"""`(CONSTANT, n)`: the number n, 32 bits unsigned."""
CALLER_FRAME_POINTER: Final = 6
"""`(CALLER_FRAME_POINTER, 0)`: the frame pointer of the caller."""
RETURN_ADDRESS: Final = 7
"""`(RETURN_ADDRESS, 0)`: where the function returns to."""

WORD = 8
"""Bytes of a word, on each architecture that BeamAsm supports."""

Content = tuple[int, Optional[int]]
Cell = Union[str, Content]
Facts = dict[Cell, Content]
Change = tuple[Callable[..., None], tuple[Any, ...]]
"""One of the functions below, with what follows `facts`."""


def join(old: Facts, new: Facts) -> Facts:
    """What holds whether control came with `old` or with `new`."""
    if old == new:
        return old
    joined: Facts = {}
    for location, value in old.items():
        other = new.get(location)
        if value == other:
            joined[location] = value
        elif value[0] < ARGUMENT and isinstance(location, str):
            joined[location] = (value[0], None)
        elif other is not None and other[0] < ARGUMENT and isinstance(location, str):
            joined[location] = (other[0], None)
    for location, value in new.items():
        if location not in old and value[0] < ARGUMENT and isinstance(location, str):
            joined[location] = (value[0], None)
    return joined


def copy(facts: Facts, to: str, source: str) -> None:
    """Register to register."""
    value = facts.get(source)
    if value is None:
        facts.pop(to, None)
    else:
        facts[to] = value


def swap(facts: Facts, one: str, other: str) -> None:
    """Exchange two registers."""
    first, second = facts.pop(one, None), facts.pop(other, None)
    if second is not None:
        facts[one] = second
    if first is not None:
        facts[other] = first


def offset(facts: Facts, to: str, source: str, distance: int) -> None:
    """`to` = `source` + `distance`."""
    value = facts.get(source)
    if value is None or value[0] >= ARGUMENT:
        facts.pop(to, None)
    elif value[1] is not None:
        facts[to] = (value[0], value[1] + distance)
    else:
        facts[to] = value


def index(facts: Facts, to: str, *sources: str) -> None:
    """`to` = something computed from `sources`: a pointer into the region of the first that is one."""
    for source in sources:
        value = facts.get(source)
        if value is not None and value[0] < ARGUMENT:
            facts[to] = (value[0], None)
            return
    facts.pop(to, None)


def either(facts: Facts, to: str, source: str) -> None:
    """A conditional move."""
    one, other = facts.get(to), facts.get(source)
    if one != other:
        index(facts, to, to, source)


def constant(facts: Facts, to: str, number: int) -> None:
    facts[to] = (CONSTANT, number)


def clobber(facts: Facts, *registers: str) -> None:
    """Registers that get values we do not know."""
    for register in registers:
        facts.pop(register, None)


def load(facts: Facts, to: str, base: str, displacement: int) -> None:
    """A word from memory. What cannot be followed is unknown."""
    pointer = facts.get(base)
    value = None
    if pointer is not None and pointer[1] is not None:
        value = facts.get((pointer[0], pointer[1] + displacement))
    if value is None:
        facts.pop(to, None)
    else:
        facts[to] = value


def store(facts: Facts, base: str, displacement: int, source: str) -> None:
    """A word to memory."""
    pointer = facts.get(base)
    if pointer is None:
        return
    region, at = pointer
    if region >= ARGUMENT:
        return
    if at is None:
        forget(facts, region)
        return
    at += displacement
    if at % WORD:
        _spoil_words(facts, region, at, WORD)
        return
    value = facts.get(source)
    if value is None or value[0] == CONSTANT:
        facts.pop((region, at), None)
    else:
        facts[region, at] = value


def spoil(facts: Facts, base: str, displacement: int, size: int) -> None:
    """`size` bytes of memory get values we do not know."""
    pointer = facts.get(base)
    if pointer is None or pointer[0] >= ARGUMENT:
        return
    if pointer[1] is None:
        forget(facts, pointer[0])
    else:
        _spoil_words(facts, pointer[0], pointer[1] + displacement, size)


def spoil_indexed(facts: Facts, *registers: str) -> None:
    """A store to an address computed from `registers`: every word of a region that one of them points into may go."""
    for register in registers:
        pointer = facts.get(register)
        if pointer is not None and pointer[0] < ARGUMENT:
            forget(facts, pointer[0])


def fill(facts: Facts, base: str, count: str) -> None:
    """Store an unknown word `count` times from `base` upward; `base` ends after the last."""
    pointer, times = facts.get(base), facts.pop(count, None)
    if pointer is None or pointer[0] >= ARGUMENT:
        return
    region, at = pointer
    if at is None or times is None or times[0] != CONSTANT or times[1] is None or times[1] > 4096:
        forget(facts, region)
        facts[base] = (region, None)
        return
    _spoil_words(facts, region, at, times[1] * WORD)
    facts[base] = (region, at + times[1] * WORD)


def settle(facts: Facts, stack_pointer: str, stack: int = STACK) -> None:
    """After a move of the stack pointer of the region `stack`: words below it are no longer part of the stack."""
    pointer = facts.get(stack_pointer)
    if pointer is None or pointer[0] >= ARGUMENT:
        pointer = facts[stack_pointer] = (stack, None)
    if pointer[0] == stack and pointer[1] is not None:
        low = pointer[1]
        for gone in [at for at in facts if at[0] == stack and at[1] < low]:  # type: ignore[operator]
            del facts[gone]


def save_stack_pointer(facts: Facts, stack_cell: Content) -> None:
    """The stack pointer was put into another register: from now on that, not `stack_cell`, says where the stack is."""
    facts.pop(stack_cell, None)


def forget(facts: Facts, region: int) -> None:
    """All words of `region` are unknown."""
    for gone in [at for at in facts if at[0] == region]:
        del facts[gone]


def _spoil_words(facts: Facts, region: int, at: int, size: int) -> None:
    for word in range(at - at % WORD, at + size, WORD):
        facts.pop((region, word), None)
