"""Which Erlang function an address belongs to."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional

from beamgdb.code.module import Module, Range
from beamgdb.late import dataclass

if TYPE_CHECKING:
    from beamgdb.code.native_code import NativeCode


class Place(NamedTuple):
    """Code at an address."""

    module: Module
    code: Range

    @property
    def is_fragment(self) -> bool:
        """Shared fragments, and a module's own trampolines to them, run on behalf of the function that calls them."""
        return self.code.arity is None

    @property
    def is_internal(self) -> bool:
        """Whether this is where the VM itself enters and leaves Erlang code: an entry point, not a function."""
        return self.module.of_vm


@dataclass(frozen=True)
class Where:
    """Source position of an address; `file` as the module's line table names it."""

    file: str
    line: int


Text = Callable[[str, str], Optional[Sequence[str]]]
"""From a module and a file name in its line table to the lines of that file, None where it is not found."""

MAX_PLACES = 1 << 14
"""Addresses whose code is kept: a million processes wait in a few functions."""


def _without_entry(code: Range) -> Range:
    """A function without the line of its first instruction, which is not executed there."""
    return code._replace(lines=tuple(line for line in code.lines if line[0] != code.start))


class LoadedCode:
    """Loaded code by address: that of the VM, over which one can iterate, and native code made for the interpreter."""

    def __init__(self, modules: Iterable[Module] = (), native: NativeCode | None = None) -> None:
        """`modules` newest first. One that overlaps a newer one has been unloaded, and its memory used again: OTP 25
        does not take back the registrations of code that it purges."""
        self._native = native
        self._starts: list[int] = []
        self._modules: list[Module] = []
        self._ranges: dict[int, tuple[list[int], tuple[Range, ...]]] = {}
        self._places: dict[int, Place | None] = {}
        self.text: Text = lambda _module, _file: None
        """What tells of sources, if anything does."""
        for module in modules:
            self._insert(module)

    def _insert(self, module: Module) -> None:
        position = bisect_right(self._starts, module.base)
        if position and self._modules[position - 1].stop > module.base:
            return
        if position < len(self._starts) and self._starts[position] < module.stop:
            return
        self._starts.insert(position, module.base)
        self._modules.insert(position, module)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def native_at(self, address: int) -> Place | None:
        """The native code at `address`."""
        found = self._native.find(address) if self._native else None
        return Place(*found) if found else None

    def native_modules(self, name: str) -> Iterator[Module]:
        """Native code of versions of a module."""
        return self._native.of_module(name) if self._native else iter(())

    def goes_on(self, address: int) -> int:
        """Where code goes on that the interpreter has at `address`: there, or in native code."""
        return self._native.goes_on(address) if self._native else address

    def functions(self, module: Module) -> Iterator[Range]:
        """Functions of a module as they are interpreted. Beside native code others of the same names follow, which
        only stand for places in that."""
        names: set[str] = set()
        for code in module.ranges:
            if code.arity is not None and code.name not in names:
                names.add(code.name)
                yield code

    def entries(self, module: Module, name: str) -> Iterator[int]:
        """Where calls of a function of the module come by: in native code if it has some."""
        return (self.goes_on(code.start) for code in self.functions(module) if code.name == name)

    def lined(self, module: Module) -> Iterator[Range]:
        """Functions and fragments of a module that run, with native code for it. What only leads to native code has no
        lines here."""
        if not self._native or module.name not in self._native.names():
            yield from module.ranges
            return
        for code in self.functions(module):
            yield code if self.is_interpreted(code) else _without_entry(code)
        for native in self.native_modules(module.name):
            yield from (code for code in native.ranges if code.arity is not None)

    def bytecode_start(self, code: Range) -> int:
        """Where the instructions of a function begin that are the interpreter's: behind what leads to native code."""
        return code.start if self._native is None or self.is_interpreted(code) else self._native.behind(code.start)

    def is_interpreted(self, code: Range) -> bool:
        """Whether a function's calls run its own code, and no native code instead."""
        return self.goes_on(code.start) == code.start

    def find(self, address: int) -> Place | None:
        """The code at `address`, None where no module is."""
        try:
            return self._places[address]
        except KeyError:
            if len(self._places) >= MAX_PLACES:
                self._places.clear()
            place = self._places[address] = self._find(address)
            return place

    def _find(self, address: int) -> Place | None:
        position = bisect_right(self._starts, address) - 1
        if position < 0 or address >= self._modules[position].stop:
            return self.native_at(address)
        module = self._modules[position]
        cached = self._ranges.get(module.base)
        if cached is None:
            cached = self._ranges[module.base] = ([code.start for code in module.ranges], module.ranges)
        starts, ranges = cached
        at = bisect_right(starts, address) - 1
        return Place(module, ranges[at]) if at >= 0 and address < ranges[at].stop else None

    def of_frame(self, pc: int, calling: bool) -> Place | None:
        """The code of a frame that goes on at `pc`; `calling`: that is the return address of a call.

        The byte before a return address tells it, for the call may be the last instruction; but BeamAsm also makes
        stacks that return to the beginning of its own entry points, and native code ones that return to the beginning
        of functions made for that.
        """
        place = self.find(pc)
        if not calling or (place is not None and place.is_internal):
            return place
        before = self.find(pc - 1)
        return place if before is None and place is not None and place.code.start == pc else before

    def describe(self, address: int) -> str | None:
        """`module:function/arity+offset` of an address inside code, else None."""
        place = self.find(address)
        if place is None:
            return None
        offset = address - place.code.start
        return f"{place.code.name}+{offset}" if offset else place.code.name

    def where(self, address: int) -> Where | None:
        """Source position of the instruction at `address`, None where the module does not tell."""
        place = self.find(address)
        if place is None or not place.code.lines or address < place.code.lines[0][0]:
            return None
        at = bisect_left(place.code.lines, (address + 1,)) - 1
        _, file, number = place.code.lines[at]
        return Where(file, number) if number else None
