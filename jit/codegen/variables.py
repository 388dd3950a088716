"""Where the registers and arguments of a function are, instruction by instruction: location lists.

Variables are x and y registers, while they hold a value, and the function's arguments, while a register holds them.
Between two operations this is exact. Within one, a register that the operation writes has its old or its new value, an
argument in such a register is not shown any more, and what the operation loses is shown up to the first call that it
makes, as that may be what loses it. Of code that is rarely run, only what comes through the whole operation is told.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jit.beam.operands import X, Y
from jit.codegen.native import NativeFunction, Region, regions
from jit.codegen.processor import Register
from jit.codegen.values import X_MASK, Y_BIT, InMemory, lost, mask, values_before
from jit.object import dwarf_expression as expression
from jit.object.dwarf_ranges import ListedLocation


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of the function, counted from 0."""

    number: int


Variable = X | Y | Argument


#: Tells where memory has a BEAM register, as a location expression.
Place = Callable[[X | Y], bytes]


@cache
def _in_register(number: int) -> bytes:
    return expression.reg(number)


def locate(
    function: NativeFunction[Any], calls: Sequence[int], place: Place, instruction: int
) -> dict[Variable, list[ListedLocation]]:
    """The location list of each variable of a function; *calls* are the offsets of the module's calls, ascending.
    *instruction* is that of `Processor`."""
    return _Locator(function, calls, instruction).run(place)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is known at a place: BEAM registers in memory, x registers in CPU registers, holders of each argument."""

    memory: int
    cached: Mapping[int, Register]
    arguments: tuple[int, ...]

    def location(self, number: int, place: Place) -> bytes | None:
        """Where an argument is; y registers keep it longest."""
        holders = self.arguments[number]
        there = holders & self.memory
        if there >> Y_BIT:
            return place(Y(_lowest(there >> Y_BIT)))
        if there:
            return place(X(_lowest(there)))
        return next((_in_register(register.number) for x, register in self.cached.items() if holders >> x & 1), None)


_NOTHING: Final = _Shown(0, {}, ())


class _Lists:
    """Location lists that grow from lower addresses to higher."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.done: dict[Variable, list[ListedLocation]] = {}
        self._open: dict[Variable, tuple[int, bytes]] = {}
        self._shown = _NOTHING

    def show(self, begin: int, shown: _Shown) -> None:
        """From *begin* on, variables are there and nowhere else."""
        old, self._shown = self._shown, shown
        if shown == old:
            return
        for x in old.cached:
            self._change(X(x), begin, None)
        for number in _numbers(old.memory & ~shown.memory):
            self._change(_register(number), begin, None)
        for number in _numbers(shown.memory & ~old.memory):
            self._change(_register(number), begin, self.place(_register(number)))
        for x, register in shown.cached.items():
            self._change(X(x), begin, _in_register(register.number))
        for number, holders in enumerate(shown.arguments):
            if holders or number < len(old.arguments) and old.arguments[number]:
                self._change(Argument(number), begin, shown.location(number, self.place))
        for number in range(len(shown.arguments), len(old.arguments)):
            self._change(Argument(number), begin, None)

    def _change(self, variable: Variable, begin: int, place: bytes | None) -> None:
        since, old = self._open.get(variable, (begin, None))
        if place == old:
            return
        if old is not None and since < begin:
            self.done.setdefault(variable, []).append(ListedLocation(since, begin - since, old))
        if place is not None:
            self._open[variable] = begin, place
        else:
            del self._open[variable]


class _Locator:
    def __init__(self, function: NativeFunction[Any], calls: Sequence[int], instruction: int) -> None:
        self.function = function
        self.calls = calls
        self.instruction = instruction
        self.effects = function.emission.effects
        self.live = function.emission.live
        self.regions = regions(function)
        self.before = values_before(function.function, function.emission.operations, self.effects, self._in_memory())

    def run(self, place: Place) -> dict[Variable, list[ListedLocation]]:
        lists = _Lists(place)
        for region in self.regions:
            for begin, shown in self._pieces(region):
                lists.show(begin, shown)
        lists.show(self.function.end, _NOTHING)
        return lists.done

    def _in_memory(self) -> InMemory:
        stored = list(self.live)
        for region in self.regions:
            if region.index >= 0 and not region.cold:
                stored[region.index] = self._told(region.begin)[0]
        return InMemory(self.live, stored)

    def _told(self, offset: int) -> tuple[int, dict[int, Register]]:
        """What the code generator tells of live x registers: those in memory, as a mask, and those in CPU registers."""
        places = self.function.located(offset)
        stored = sum(1 << number for number, register in places.items() if register is None)
        return stored, {number: register for number, register in places.items() if register is not None}

    def _pieces(self, region: Region) -> Iterator[tuple[int, _Shown]]:
        """What is known of a region from its beginning on, and after each change in it."""
        if region.index < 0:
            known = (1 << self.function.function.arity) - 1
            yield region.begin, _Shown(known, {}, tuple(1 << number for number in range(known.bit_length())))
            return
        values = self.before[region.index]
        if values is None:
            yield region.begin, _NOTHING
            return
        stored, cached = self._told(region.begin)  # of registers that are live, the code generator tells
        memory, arguments = values.known & ~self.live[region.index] | stored, values.arguments
        losses = self._losses(region, memory, arguments)
        for cut, (variables, overwritten) in sorted(losses.items()):
            memory &= ~variables
            cached = {x: register for x, register in cached.items() if not variables >> x & 1}
            arguments = tuple(one & ~overwritten for one in arguments)
            if cut < region.end:
                yield cut, _Shown(memory, cached, arguments)

    def _losses(self, region: Region, memory: int, arguments: tuple[int, ...]) -> dict[int, tuple[int, int]]:
        """At which offsets which registers have no value any more, and which may have another one than before."""
        effect = self.effects[region.index]
        moved = memory & ~X_MASK if effect.frame or effect.trim else 0  # y registers are counted from another place
        overwritten = mask(effect.defines)
        by_calls = lost(effect.live)
        if region.cold:  # there, no x register is written; of several, one may have been before
            written = overwritten if len(effect.defines) > 1 else overwritten & ~X_MASK
            return {region.begin: (moved | by_calls, written)}
        losses = {region.begin: (0, 0)}
        if moved or any(one & overwritten for one in arguments):
            losses[region.begin + self.instruction] = moved, overwritten
        if by_calls:
            losses[self._within_first_call(region)] = by_calls, overwritten
        return losses

    def _within_first_call(self, region: Region) -> int:
        """A byte into the first call, or the end.

        Who is about to execute that instruction is before it; of who waits for it to return, GDB takes the place for
        one byte before the return address.
        """
        first = bisect_left(self.calls, region.begin)
        return self.calls[first] + 1 if first < len(self.calls) and self.calls[first] < region.end else region.end


def _register(number: int) -> X | Y:
    return X(number) if number < Y_BIT else Y(number - Y_BIT)


def _numbers(bits: int) -> Iterator[int]:
    while bits:
        number = _lowest(bits)
        yield number
        bits ^= 1 << number


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1
