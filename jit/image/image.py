"""The program's file at the addresses that it has in memory: what is surely the same there, and where the rest lies."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from jit.object.target import ByteOrder


def occurrences(wanted: bytes, content: bytes, start: int = 0, stop: int | None = None) -> Iterator[int]:
    """Where bytes stand in others, between `start` and `stop`."""
    at = content.find(wanted, start, stop)
    while at >= 0:
        yield at
        at = content.find(wanted, at + 1, stop)


class Recovered(NamedTuple):
    """A variable of the VM that was found without a symbol: its C name, its address, and how it was found."""

    name: str
    address: int
    how: str


@dataclass(frozen=True)
class Part:
    """Bytes of the file, at an address in memory."""

    start: int
    content: bytes

    @property
    def stop(self) -> int:
        return self.start + len(self.content)


@dataclass(frozen=True)
class Function:
    """A function of C code, without the bit for Thumb in its addresses."""

    start: int
    stop: int


@dataclass(frozen=True)
class Image:
    """A program. All addresses are those in memory: `bias` is what was added to those in the file.

    `fixed` are its parts that are never written, `code` those of them that may be run, `writable` start and end of what
    may be written, as far as it is no table of the dynamic linker; `initial` is what the file has of the parts that may
    be written, before pointers in them are relocated.
    """

    arch: str
    word_size: int
    byteorder: ByteOrder
    bias: int
    fixed: tuple[Part, ...]
    code: tuple[Part, ...]
    writable: tuple[tuple[int, int], ...]
    initial: tuple[Part, ...]
    exported: Mapping[str, int]
    pointers: Mapping[int, int]
    """Places in the program's data that point into the program, and where they point once it is relocated."""
    table: int
    """The global offset table."""
    _functions: tuple[Function, ...]
    referred: dict[Function, frozenset[int]] = field(default_factory=dict, compare=False, repr=False)
    """What `references.referred` has read of it so far: code stays as it is however often a variable is looked for."""
    candidates: dict[tuple[int, int], frozenset[Function]] = field(default_factory=dict, compare=False, repr=False)
    """The same of `references.candidates`, by the range of addresses."""
    adrps: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)
    """Where instructions form the address of a page of memory, by where a part of the code starts, and its number."""

    def read(self, address: int, size: int) -> bytes | None:
        """Exactly these bytes, None where the file does not have them or they may have changed."""
        for part in self.fixed:
            if part.start <= address and address + size <= part.stop:
                return part.content[address - part.start : address - part.start + size]
        return None

    @property
    def functions(self) -> Sequence[Function]:
        """All that the tables for unwinding tell of, sorted; none where they do not tell of all."""
        return self._functions

    def is_code(self, address: int) -> bool:
        return any(part.start <= address < part.stop for part in self.code)

    def is_writable(self, address: int) -> bool:
        return any(start <= address < stop for start, stop in self.writable)

    def is_inside(self, address: int) -> bool:
        """Whether this is an address of the program at all."""
        return self.fixed[0].start <= address < self.writable[-1][1] if self.fixed and self.writable else False

    @cached_property
    def _starts(self) -> list[int]:
        return [function.start for function in self._functions]

    def function_at(self, address: int) -> Function | None:
        """The function with this address in it."""
        i = bisect_right(self._starts, address) - 1
        found = self._functions[i] if i >= 0 else None
        return found if found is not None and address < found.stop else None

    def bytes_of(self, function: Function) -> bytes:
        return self.read(function.start, function.stop - function.start) or b""
