"""Native code of a module, as the code generator has made it. All offsets are in bytes from the start of the code."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from jit.beam.module import Module
from jit.beam.operations import Function
from jit.codegen.emission import EmissionT
from jit.codegen.processor import MachineCode, Register


@dataclass(frozen=True)
class NativeFunction(Generic[EmissionT]):
    """Native callers enter at ``start``, everyone comes to ``body``."""

    emission: EmissionT
    start: int
    body: int
    end: int

    @property
    def function(self) -> Function:
        """The function in the bytecode."""
        return self.emission.function

    @property
    def labels(self) -> list[tuple[int, int]]:
        """The labels of the bytecode that it has native places for, and where these are."""
        bound = [(number, label.offset) for number, label in self.emission.labels.items()]
        return [(number, offset) for number, offset in bound if offset is not None]

    @property
    def operations(self) -> list[tuple[int, int]]:
        """Where the code of each operation begins, and its index in the emission's operations."""
        return self.emission.places

    @property
    def cold(self) -> list[tuple[int, int]]:
        """The same of the parts of operations that are rarely run, behind the others."""
        return self.emission.cold_places

    @property
    def locations(self) -> list[tuple[int, dict[int, Register | None]]]:
        """From an offset on, up to the next: where each live x register is, None being its place in memory.

        A register that is not told of may be anywhere, or nowhere.
        """
        return self.emission.locations

    def located(self, offset: int) -> Mapping[int, Register | None]:
        """Where live x registers are at an offset, as ``locations`` tells."""
        row = bisect_right(self.locations, offset, key=itemgetter(0)) - 1
        return self.locations[row][1] if row >= 0 else {}


@dataclass(frozen=True, slots=True)
class Region:
    """Code of one operation. It may have a second one that is ``cold``. Index -1: of the entry."""

    begin: int
    end: int
    index: int
    cold: bool = False


def regions(function: NativeFunction[Any]) -> list[Region]:
    """All code of a function, in order of addresses."""
    places = [(function.start, -1, False)]
    places += [(begin, index, False) for begin, index in function.operations]
    places += [(begin, index, True) for begin, index in function.cold]
    ends = [place[0] for place in places[1:]] + [function.end]
    return [Region(begin, end, index, cold) for (begin, index, cold), end in zip(places, ends) if begin < end]


_ROOT: Final = Path(__file__).parents[2]
#: The folder that the compiler's own files are said to be in: GDB finds them after ``set substitute-path``.
_COMPILER_FOLDER: Final = "/beamgdb"


def source_of(maker: Callable[..., object]) -> tuple[str, int]:
    """File and line of a function of the compiler, as debuggers are told of them."""
    code = maker.__code__
    return f"{_COMPILER_FOLDER}/{Path(code.co_filename).relative_to(_ROOT).as_posix()}", code.co_firstlineno


@dataclass(frozen=True)
class Fragment:
    """Code that functions share, by its name in symbol tables; ``source``: file and line where the compiler makes it.

    ``inside``: CPU registers hold there what they hold in functions. One that ``stands_for_module`` is never run:
    to a debugger it is a function of the module's name.
    """

    name: str
    begin: int
    end: int
    source: tuple[str, int]
    inside: bool = True
    stands_for_module: bool = False


@dataclass(frozen=True, kw_only=True)
class Native(Generic[EmissionT]):
    """Native code of a module; ``interpreted`` is what each function lacks that has none."""

    module: Module
    code: MachineCode
    functions: list[NativeFunction[EmissionT]]
    fragments: list[Fragment]
    interpreted: dict[tuple[str, int], str]
    #: Those of them for which an emitter has failed.
    broken: frozenset[tuple[str, int]]


NativeT = TypeVar("NativeT", bound=Native[Any])
NativeT_co = TypeVar("NativeT_co", bound=Native[Any], covariant=True)
