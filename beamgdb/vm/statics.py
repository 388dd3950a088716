"""Where static variables of a stripped beam.smp lie: named by no symbol, but by the code of functions that have one.

Nothing is disassembled. Every place in a function's code that could be a reference to a variable is taken for one; an
address that several functions refer to is a candidate, and whoever asks knows the variable by what it must hold.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator

from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.vm.record import Record

Symbol = Callable[[str], int | None]

FUNCTION_BYTES = 512
"""Bytes of code that are looked at from the start of a function. If it ends before, another one of the same C file
follows, whose references do no harm."""

CODE_INDICES = 3
"""`ERTS_NUM_CODE_IX`: elements of every variable that has one for each code index (code_ix.h)."""


def code_index(memory: CachedMemory, symbol: Symbol, which: str) -> int | None:
    """The code index in use now (`which` is "active") or for the next load ("staging"); code_ix.h."""
    address = symbol(f"the_{which}_code_index")
    if address is None:
        return None
    try:
        index = memory.u32(address)
    except Unreadable:
        return None
    return index if index < CODE_INDICES else None


def element(first: Record, index: int) -> Record:
    """The structure at `index` of an array of which `first` is the element 0."""
    address = first.address + index * first.layout.size(first.struct)
    return Record(first.memory, first.layout, first.struct, address)


def referred(memory: CachedMemory, symbol: Symbol, arch: str | None, functions: Iterable[str]) -> frozenset[int]:
    """Addresses that the code of each of these exported functions may refer to. Empty where that cannot be told: on
    another architecture, without one of the symbols, or when code is unreadable."""
    references = _REFERENCES.get(arch or "")
    if references is None:
        return frozenset()
    common: set[int] | None = None
    for name in functions:
        start = symbol(name)
        if start is None:
            return frozenset()
        try:
            code = memory.read(start, FUNCTION_BYTES)
        except Unreadable:
            return frozenset()
        found = set(references(code, start))
        common = found if common is None else common & found
    return frozenset(common or ())


_RIP_RELATIVE_MASK, _RIP_RELATIVE = 0xC7, 0x05
"""A ModRM byte with mod 00 and r/m 101: a 32-bit displacement follows, from the end of the instruction (Intel SDM 2A,
2.2.1.6)."""

_X86_64_OPCODES = frozenset((0x89, 0x8B, 0x8D))
"""`mov` to and from memory, and `lea` (Intel SDM 2B): they have no immediate after the displacement."""


def _x86_64(code: bytes, start: int) -> Iterator[int]:
    """Operands relative to the instruction pointer, for a position independent beam.smp; and for one that is not, every
    32-bit number, as displacement or immediate."""
    for at in range(len(code) - 3):
        (number,) = struct.unpack_from("<i", code, at)
        if at > 1 and code[at - 1] & _RIP_RELATIVE_MASK == _RIP_RELATIVE and code[at - 2] in _X86_64_OPCODES:
            yield start + at + 4 + number
        if number > 0:
            yield number


_REFERENCES: dict[str, Callable[[bytes, int], Iterator[int]]] = {"x86_64": _x86_64}
"""By architecture as `Identity.arch` names it: the addresses that code, at its start address, may refer to."""
