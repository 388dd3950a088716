"""Which operations native code was made from: the section `.beam.operations` of its ELF object.

For each function it has the label of its entry, the word at which its code begins, the count of rows, and the rows. A
row is the count of instructions from the row before, and by how much the index of the operation is higher, the first of
them against -1. All are LEB128 (DWARF 5, 7.6), the last of a row signed.
"""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.late import dataclass
from jit.otp.native_abi import WORD


@dataclass(frozen=True)
class Piece:
    """Native code from `offset` into the code on belongs to the operation with this index; -1: to what native callers
    run before the first."""

    offset: int
    index: int


def pieces(table: bytes, start: int) -> tuple[int, list[Piece]]:
    """The label of the entry, and the pieces, of the function whose code begins at `start`; none if `table` does not
    tell."""
    try:
        return next((entry, found) for entry, begin, found in functions(table) if begin == start)
    except (IndexError, StopIteration):
        return 0, []


def functions(table: bytes) -> Iterator[tuple[int, int, list[Piece]]]:
    """Of each function the label of its entry, the offset at which its code begins, and its pieces. Raises IndexError
    where the table is cut off."""
    numbers = _Numbers(table)
    while numbers.left:
        entry, begin, count = (numbers.unsigned() for _ in range(3))
        yield entry, WORD * begin, list(_rows(numbers, WORD * begin, count))


def _rows(numbers: _Numbers, at: int, count: int) -> Iterator[Piece]:
    index = -1
    for _ in range(count):
        at += WORD * numbers.unsigned()
        index += numbers.signed()
        yield Piece(at, index)


class _Numbers:
    """Reads LEB128, one number after another. Raises IndexError at the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> bool:
        return self._at < len(self._data)

    def unsigned(self) -> int:
        """The next number, which has no sign."""
        value, _ = self._next()
        return value

    def signed(self) -> int:
        """The next number, which has a sign."""
        value, bits = self._next()
        return value - (1 << bits) if value >> bits - 1 else value

    def _next(self) -> tuple[int, int]:
        value = bits = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << bits
            bits += 7
            if not byte & 0x80:
                return value, bits
