"""Where static variables of a stripped beam.smp lie: named by no symbol, but by the code of functions that have one.

Whatever in a function's code could be a reference to a variable is taken for one (`machine_code.references`); an
address that several functions refer to is a candidate, and whoever asks knows the variable by what it must hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Optional

from beamgdb.machine_code.references import REFERENCES
from beamgdb.memory import CachedMemory, Unreadable

Symbol = Callable[[str], Optional[int]]
"""The address of a C symbol, None without one."""

FUNCTION_BYTES = 512
"""Bytes of code that are looked at from the start of a function. If it ends before, another one of the same C file
follows, whose references do no harm."""

LOWEST, ALIGNMENT = 0x1000, 4
"""No variable lies on the first page of memory, nor where its first field would not be aligned."""

CODE_BITS = {"arm32": ~1}
"""By architecture: bits of a function's address that tell where its code is. On 32-bit ARM, bit 0 says how to run it,
if it is there: GDB leaves it out."""


def by_users(functions: Iterable[str]) -> str:
    """How a variable was found that these functions refer to."""
    return f"from the code of {', '.join(functions)}"


def referred(
    memory: CachedMemory, symbol: Symbol, arch: str | None, functions: Iterable[str], size: int = FUNCTION_BYTES
) -> frozenset[int]:
    """Addresses that the first `size` bytes of each of these exported functions may refer to. Empty where that cannot
    be told: on another architecture, without one of the symbols, or when code is unreadable."""
    references = REFERENCES.get(arch or "")
    if references is None:
        return frozenset()
    common: set[int] | None = None
    for name in functions:
        start = symbol(name)
        if start is None:
            return frozenset()
        start &= CODE_BITS.get(arch or "", -1)
        try:
            code = memory.read(start, size)
        except Unreadable:
            return frozenset()
        found = {address for address in references(code, start) if address >= LOWEST and address % ALIGNMENT == 0}
        common = found if common is None else common & found
    return frozenset(common or ())
