"""A module's code that is loaded: its functions, where each lies, and its lines, whichever source tells of it."""

from __future__ import annotations

from typing import NamedTuple

from beamgdb.late import dataclass
from jit.otp.code import MAX_ARG

GLOBAL = "global"
"""Module name under which the shared fragments are registered."""

CODE_INFO = "-CodeInfoPrologue"
"""Suffix of the range before each function: its `ErtsCodeInfo`, and the instructions that tracing and NIFs patch."""

NO_CODE = ("::codeHeader", "::codeFooter")
"""Suffixes of ranges that hold data."""

Line = tuple[int, str, int]
"""Address, file name, line number."""


class Range(NamedTuple):
    """Machine code of one function or shared fragment, `start` up to but not including `stop`.

    `lines` holds `(address, file name, line)`, by address: each is valid until the next one. The first is the line of
    the function's head, at `start`.
    """

    start: int
    stop: int
    name: str
    lines: tuple[Line, ...]

    @property
    def arity(self) -> int | None:
        """Arity in a function's name, `module:function/arity`; None for a shared fragment."""
        digits = self.name.rpartition("/")[2]
        arity = int(digits) if len(digits) <= len(str(MAX_ARG)) and digits.isdecimal() else None
        return arity if arity is None or arity <= MAX_ARG else None


@dataclass(frozen=True)
class Module:
    """Code of one module: `base` is the address of its `BeamCodeHeader`, `size` in bytes.

    `of_vm`: it is no Erlang module but the VM's own entry points, such as `normal_exit`. Their name does not tell: an
    Erlang module may have the same.
    """

    name: str
    base: int
    size: int
    ranges: tuple[Range, ...]
    of_vm: bool = False

    def __hash__(self) -> int:
        """Quick: there are as many ranges as functions."""
        return hash((self.name, self.base, self.size))

    @property
    def stop(self) -> int:
        """Address after the last byte of code."""
        return self.base + self.size


def fault(module: Module, word_size: int) -> str | None:
    """Why the code of a module cannot lie as it says, None where it can: ranges by address, inside of the module, which
    is inside of memory; and so the lines of each range."""
    if not module.ranges or module.stop >= 1 << 8 * word_size:
        return f"there cannot be {module.size} bytes of code at {module.base:#x}"
    end = module.base
    for code in module.ranges:
        if not end <= code.start <= code.stop <= module.stop:
            return f"{code.name or 'a function'} is not between its neighbours"
        end = code.stop
        addresses = [line[0] for line in code.lines]
        if addresses and not (code.start <= addresses[0] <= addresses[-1] <= end and addresses == sorted(addresses)):
            return f"the lines of {code.name or 'a function'} are in disorder"
    return None if end > module.base else "it has no code"
