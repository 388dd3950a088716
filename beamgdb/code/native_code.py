"""Native code that is loaded, and where the interpreter comes to it.

A function with native code begins with the words `[call_nif][way in][library][native place]`; and so does a
continuation, a function that stands for the place behind a call, to which interpreted callees return.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from beamgdb.code import jit_interface
from beamgdb.code.jit_interface import DESCRIPTOR
from beamgdb.code.module import Module, Range
from beamgdb.code.native_objects import NativeObject, find
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.statics import Symbol
from jit.otp.native_abi import ENTRY, PLACE, WAY_IN, WORDS


class NativeCode:
    """Native code by address. What an object holds is read when it is first asked for."""

    def __init__(self, memory: CachedMemory, objects: Iterable[NativeObject] = ()) -> None:
        self._memory = memory
        self.objects = sorted(objects, key=lambda one: one.base)
        self._starts = [one.base for one in self.objects]
        self._ranges: dict[int, list[int]] = {}

    def __iter__(self) -> Iterator[Module]:
        return (one.module for one in self.objects)

    def __len__(self) -> int:
        return len(self.objects)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NativeCode) and self.objects == other.objects

    __hash__ = None  # type: ignore[assignment]

    def of_module(self, name: str) -> Iterator[Module]:
        """The native code of the versions of a module."""
        return (one.module for one in self.objects if one.name == name)

    def names(self) -> list[str]:
        """Names of the modules."""
        return sorted({one.name for one in self.objects})

    def object_at(self, address: int) -> NativeObject | None:
        """The object whose code lies there."""
        position = bisect_right(self._starts, address) - 1
        found = self.objects[position] if position >= 0 else None
        return found if found is not None and address < found.stop else None

    def find(self, address: int) -> tuple[Module, Range] | None:
        """The code at an address; None also for what is between functions."""
        found = self.object_at(address)
        if found is None:
            return None
        ranges = found.module.ranges
        starts = self._ranges.get(found.base)
        if starts is None or len(starts) != len(ranges):
            starts = self._ranges[found.base] = [one.start for one in ranges]
        at = bisect_right(starts, address) - 1
        return (found.module, ranges[at]) if at >= 0 and address < ranges[at].stop else None

    def goes_on(self, address: int) -> int:
        """Where it goes on natively at an address of interpreted code; that address where it does not, or cannot be
        read."""
        if not self.objects or address % self._memory.word_size:
            return address
        try:
            words = self._memory.words(address, WORDS)
            found = self.find(words[PLACE]) if self.object_at(words[WAY_IN]) is not None else None
        except Unreadable:
            return address
        if found is None:
            return address
        # All come by where what is for native callers only ends.
        return found[1].stop if found[1].name.endswith(ENTRY) else words[PLACE]

    def behind(self, address: int) -> int:
        """The address behind the words by which the interpreter comes to native code."""
        return address + WORDS * self._memory.word_size


def newest(memory: CachedMemory, symbol: Symbol) -> int:
    """The address of the newest registration of native code, 0 without one."""
    descriptor = symbol(DESCRIPTOR)
    return jit_interface.newest(memory, descriptor) if descriptor is not None else 0


def registered(memory: CachedMemory, symbol: Symbol, before: NativeCode) -> NativeCode:
    """The native code that is registered. An object that was known `before` stays the same one."""
    descriptor = symbol(DESCRIPTOR)
    listed = jit_interface.entries(memory, descriptor) if descriptor is not None else ()
    known = {(one.entry, one.headers): one for one in before.objects}
    found = (find(memory, entry) for entry in listed)
    return NativeCode(memory, (known.get((one.entry, one.headers), one) for one in found if one is not None))
