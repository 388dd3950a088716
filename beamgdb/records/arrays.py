"""Columns of numbers as arrays of NumPy, where GDB's Python has it: what is asked of a million structures takes a
fraction of the time then. It is needed nowhere, and nothing else knows it: a formula of operators holds for numbers and
for arrays alike. Numbers in arrays are words without a sign, which `tolist` makes numbers of Python again.
"""

from __future__ import annotations

import heapq
import signal
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

FEW: Final = 1 << 11
"""Of fewer numbers no arrays are made: NumPy takes a tenth of a second to be loaded, and its time with each step."""

AT_ONCE: Final = 1 << 16
"""Numbers that Python's own sort has as objects at a time, where there is no NumPy."""

MOST: Final = 1 << 56
"""What is larger is no address, and no size of anything: sums and multiples of such words would not fit into a word."""

Array = Any
"""An array: NumPy, and so its types, may not be there."""

Column = Any
"""What structures have in a field: an array, or a sequence of numbers, or of None where they have no such field."""


@contextmanager
def _without_signals() -> Iterator[None]:
    """Threads that are started meanwhile leave all signals to GDB's own, which wait for them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@lru_cache(maxsize=1)
def _numpy() -> Any:
    """The package; None where it is missing, or is one for another Python."""
    try:
        with _without_signals():
            import numpy
    except Exception:  # (One that does not fit raises whatever it comes upon.)
        return None
    return numpy


def is_array(column: Column) -> bool:
    """Whether it is one, and no sequence of Python's."""
    return not isinstance(column, Sequence)


def of(numbers: Column) -> Array | None:
    """These words as an array; None without NumPy, of few, and where some are none."""
    if len(numbers) < FEW or (numpy := _numpy()) is None:
        return None
    if is_array(numbers):
        return numbers
    try:
        return numpy.array(numbers, dtype=numpy.uint64)
    except (OverflowError, TypeError, ValueError):
        return None


def numbers(column: Column) -> Sequence[Any]:
    """A column as numbers of Python."""
    return column.tolist() if is_array(column) else column  # type: ignore[no-any-return]


def lists(column: Column) -> list[Any]:
    """The same as a list, which is the column itself if that is one."""
    found = numbers(column)
    return found if isinstance(found, list) else list(found)


def are_sizes(columns: Sequence[Array], most: int = MOST) -> bool:
    """Whether nothing in them is larger than `most`."""
    return not any((column > most).any() for column in columns)


def order(column: Array) -> Array | None:
    """The places of its numbers in ascending order; None where they are in it."""
    return None if (column[1:] >= column[:-1]).all() else column.argsort(kind="stable")


def places_in_order(words: array[int]) -> array[int]:
    """The places of words in ascending order of these, equal ones in their own; no more memory than a few times that of
    the words."""
    if len(words) >= FEW and (numpy := _numpy()) is not None:
        kind = f"u{words.itemsize}"
        found = numpy.frombuffer(words, dtype=kind).argsort(kind="stable").astype(kind)
        return array(words.typecode, found.tobytes())
    key, size = words.__getitem__, len(words)
    parts = (range(start, min(start + AT_ONCE, size)) for start in range(0, size, AT_ONCE))
    return array(
        words.typecode, heapq.merge(*(array(words.typecode, sorted(part, key=key)) for part in parts), key=key)
    )


def groups(in_order: Array, gap: int, most: int) -> Iterator[Array]:
    """The same numbers in parts between which they are further apart than `gap`, and which span less than `most`."""
    numpy, start = _numpy(), 0
    far = numpy.flatnonzero(in_order[1:] - in_order[:-1] > gap) + 1
    for end in (*far.tolist(), len(in_order)):
        while start < end:
            stop = start + max(1, int(in_order[start:end].searchsorted(in_order[start] + numpy.uint64(most))))
            yield in_order[start:stop]
            start = stop


def put_back(column: Array, places: Array) -> Array:
    """What was at these places, in ascending order, where it was before."""
    found = _numpy().empty_like(column)
    found[places] = column
    return found


def places(column: Array) -> Array:
    """Its numbers as places in other arrays."""
    return column.astype(_numpy().intp, copy=False)


def joined(parts: Sequence[Array]) -> Array:
    """One behind the other."""
    return parts[0] if len(parts) == 1 else _numpy().concatenate(parts)


def used(column: Array) -> Array:
    """The places of what is not 0, or is true."""
    return column.nonzero()[0]


def added(totals: Array, places: Array, amounts: Array | None = None) -> Array:
    """The totals, with these amounts, of less than 2^53 together, added at their places; without any with 1."""
    return totals + _numpy().bincount(places, weights=amounts, minlength=len(totals)).astype(totals.dtype)


def runs(columns: Sequence[Array]) -> list[int]:
    """Where in them values begin that are not those before, in any of them."""
    numpy = _numpy()
    changes = numpy.zeros(len(columns[0]), dtype=bool)
    changes[:1] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return numpy.flatnonzero(changes).tolist()  # type: ignore[no-any-return]


_KINDS: Final = {"B": "u1", "H": "u2", "I": "u4", "Q": "u8"}
"""What NumPy calls the kinds of `struct`."""

Values = Sequence[tuple[str, int]]
"""For each value its kind as `struct` has it, of "B", "H", "I" and "Q", and its offset."""


def taken(data: bytes, byteorder: str, starts: Array, values: Values) -> list[Array]:
    """Of structures that begin at these places of the data, in ascending order, the values, each as an array."""
    numpy = _numpy()
    step = 1 if (starts & 7).any() else 8
    places = (starts // step).astype(numpy.intp)
    count = int(places[-1]) + 1
    return [
        numpy.ndarray(count, byteorder + kind, data, offset, (step,))[places].astype(numpy.uint64, copy=False)
        for kind, offset in ((_KINDS[kind], offset) for kind, offset in values)
    ]
