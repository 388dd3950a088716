"""Where each point of `process_main` has the address of the instruction in progress, and the Erlang stack pointer.

The compiler uses the places of the roles for other things in handlers that do not need them for a while, so it takes
more than the roles to tell. Each handler is followed from its beginning, where the roles hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from beamgdb.interpreter.operations import Operation
from beamgdb.interpreter.roles import Roles
from beamgdb.interpreter.symbolic.paths import MAX_VISITS, Follower
from beamgdb.interpreter.symbolic.values import Initial, Loaded, Sum, SymbolicState, Value, initial, leaves
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from jit.otp.layouts.layout import Layout

CURRENT = "Process.current"
"""Where calls of NIFs and BIFs note the function (`call_nif` and `call_bif` in emu/bif_instrs.tab)."""

Spot = tuple[str, int]
"""A register, slot or `CURRENT`, and a number to be subtracted from what is there."""


@dataclass(frozen=True)
class Point:
    """A point of `process_main`: places that may have the address of the instruction, the best first. Where handlers
    share code, that is one for each. `stack` is the place of the Erlang stack pointer; None: it is in `Process.stop`,
    where it is stored before each call that may move the stack."""

    instructions: tuple[Spot, ...]
    stack: str | None


Points = dict[tuple[int, bool], Point]
"""By the distance from the start of `process_main`, and whether a C function was called that returns there."""


class Finder:
    """Finds the points of one build."""

    def __init__(self, roles: Roles, layout: Layout, lost: Iterable[str]) -> None:
        """`lost`: registers that a called function does not keep."""
        self._instruction = roles.instruction
        self._stack = roles.stack
        process = initial(roles.process)
        self._noted = Sum(process, layout.offset("Process", "current"))
        self._saved = Sum(process, layout.offset("Process", "stop"))
        self._lost = frozenset(lost)

    def find(self, operations: Iterable[Operation], follower: Follower[Any], start: int) -> Points:
        """All points that handlers reach."""
        visits: Counter[int] = Counter()
        places: dict[tuple[int, bool], list[list[tuple[int, Spot]]]] = {}
        stacks: dict[tuple[int, bool], bool] = {}
        copies: dict[tuple[int, bool], frozenset[str]] = {}
        # Code that goes straight on to another handler does so with the state that it expects.
        handlers = {operation.handler for operation in operations}
        exits, known = self._exits(handlers, follower), self._copies(handlers, follower)
        for handler in sorted(handlers):
            try:
                for pc, calling, state in follower.walk(handler, visits, handlers, self._begin(follower, known)):
                    key = (pc - start, calling)
                    places.setdefault(key, []).append(list(self._places(state, calling)))
                    stacks[key] = stacks.get(key, True) and self._has_stack(state)
                    held = self._held(state, known, self._lost if calling else frozenset())
                    copies[key] = copies.get(key, held) & held
            except Unreadable:
                continue
        open_ended = {pc - start for pc in self._behind_cuts(follower, visits, handlers)}
        found_stacks = {
            key: self._moved(follower, start + key[0], exits) if not key[1] else None for key in places if known
        }
        return {
            key: Point(
                self._settled(_best(found), key[0] in open_ended),
                found_stacks.get(key) or (self._stack if stacks[key] else min(copies[key], default=None)),
            )
            for key, found in places.items()
        }

    def _begin(self, follower: Follower[Any], copies: Iterable[str]) -> SymbolicState:
        """What handlers begin with, where these registers have the Erlang stack pointer too."""
        return SymbolicState(follower.architecture.SP, dict.fromkeys(copies, Initial(self._stack)))

    def _copies(self, handlers: Iterable[int], follower: Follower[Any]) -> frozenset[str]:
        """Registers that have the Erlang stack pointer too wherever a handler begins: each way out of one that has them
        so leaves them so. A compiler keeps such copies where each handler ends with the same moves."""
        found: frozenset[str] | None = None
        while True:
            before = found
            for handler in sorted(handlers):
                try:
                    for path in follower.paths(handler, self._begin(follower, found or ())):
                        state = path.state
                        same = (place for place, value in state.places.items() if value == state[self._stack])
                        registers = frozenset(place for place in same if place.isalnum() and place != self._stack)
                        if found is None and not registers:
                            continue
                        found = registers if found is None else found & registers
                except Unreadable:
                    continue
            if not found or found == before:
                return found or frozenset()

    def _exits(self, handlers: Iterable[int], follower: Follower[Any]) -> frozenset[int]:
        """Addresses of jumps to the handler of the next instruction."""
        found = set()
        for handler in handlers:
            try:
                end = follower.straight(handler)
            except Unreadable:
                continue
            own = Initial(self._instruction)
            if (
                end is not None
                and end[1].target is not None
                and any(isinstance(leaf, Loaded) and own in leaves(leaf.address) for leaf in leaves(end[1].target))
            ):
                found.add(end[0])
        return frozenset(found)

    def _moved(self, follower: Follower[Any], pc: int, exits: frozenset[int]) -> str | None:
        """The register from which the Erlang stack pointer will be moved to its place on the only way to the next
        instruction."""
        try:
            end = follower.straight(pc)
        except Unreadable:
            return None
        if end is None or end[0] not in exits:
            return None
        value = end[1].state[self._stack]
        return value.place if isinstance(value, Initial) and value.place.isalnum() else None

    def _held(self, state: SymbolicState, copies: frozenset[str], lost: frozenset[str]) -> frozenset[str]:
        """Which copies have the stack pointer that a handler began with, or have loaded it again."""
        exact = (Initial(self._stack), Loaded(self._saved))
        stored = next((stored for address, stored in reversed(state.stores) if address == self._saved), None)
        return frozenset(one for one in copies if one not in lost and state[one] in exact and state[one] != stored)

    def _behind_cuts(self, follower: Follower[Any], visits: Counter[int], handlers: set[int]) -> Iterator[int]:
        """Addresses to which more ways lead than were followed."""
        seen: Counter[int] = Counter()
        for cut in sorted(at for at, count in visits.items() if count > MAX_VISITS and at not in handlers):
            try:
                yield from (pc for pc, _, _ in follower.walk(cut, seen, handlers))
            except Unreadable:
                continue

    def _settled(self, places: tuple[Spot, ...], open_ended: bool) -> tuple[Spot, ...]:
        """At the end of many ways, loops or handlers, I may have moved on by any number of words within the
        instruction: then the next instruction back from there is it."""
        moved = any(place == self._instruction and offset for place, offset in places)
        return ((self._instruction, 0),) if open_ended and moved else places

    def _places(self, state: SymbolicState, calling: bool) -> Iterator[tuple[int, Spot]]:
        """Where the instruction's address is, and how sure that is: 0 for the instruction in progress; 1 for one that
        was noted for others to see; 2 and 3 for what may be the next one."""
        own = Initial(self._instruction)
        lost = self._lost if calling else ()
        exact = False
        for place in dict.fromkeys((self._instruction, *state.places)):
            base, offset = _split(state[place])
            if base == own and place not in lost:
                exact = True
                yield 0, (place, offset)
        if exact:
            return
        for address, value in reversed(state.stores):
            base, offset = _split(value)
            if address == self._noted and base == own:
                yield 1, (CURRENT, offset)
                return
        yield 2, (self._instruction, 0)
        for place, value in state.places.items():
            if place not in lost and own in leaves(value):
                yield 3, (place, 0)

    def _has_stack(self, state: SymbolicState) -> bool:
        """Whether the stack pointer is in its place: it was not stored since it changed last, and the place holds what
        was there at first, changed or not, or was loaded again."""
        value = state[self._stack]
        stored = next((stored for address, stored in reversed(state.stores) if address == self._saved), None)
        return stored != value and not {Initial(self._stack), Loaded(self._saved)}.isdisjoint(leaves(value))


def frame_size(follower: Follower[Any], start: int, pushed: int) -> int | None:
    """Bytes from the stack pointer of the function that begins at `start` to its CFA (DWARF 5, 6.4), once its prologue
    is done: at its first call. None where that is not known. `pushed`: bytes that a call puts onto the stack."""
    sp = follower.architecture.SP
    for _pc, calling, state in follower.walk(start, Counter(), ()):
        if calling:
            taken = state[sp]
            return pushed - taken.offset if isinstance(taken, Sum) and taken.base == Initial(sp) else None
    return None


def _best(visits: list[list[tuple[int, Spot]]]) -> tuple[Spot, ...]:
    """The places that ways to a point have told. One that holds on all of them, if there is: loops move others on."""
    first, *rest = visits
    for rank, place in first:
        if rank == 0 and all((rank, place) in found for found in rest):
            return (place,)
    # Of a way that leads to several exact places one will do.
    told = [one for found in visits for one in (found[:1] if found[0][0] == 0 else found)]
    return tuple(dict.fromkeys(place for _, place in sorted(told, key=_rank)))


def _rank(found: tuple[int, Spot]) -> tuple[int, int]:
    """The least number to be subtracted first: between its place and the right one are operands, where no instruction
    begins, while before the right one there is another instruction."""
    rank, (_, offset) = found
    return rank, offset if rank == 0 else 0


def _split(value: Value) -> tuple[Value, int]:
    """A value as another and a number."""
    return (value.base, value.offset) if isinstance(value, Sum) else (value, 0)
