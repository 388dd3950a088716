"""Whether what lies outside of the heaps is counted as often as it is held.

Binaries, the objects of magic references, such as resources of NIFs, and entries of funs are freed when their count
comes to nothing. Things on heaps and in ETS tables that count them are found one by one. If there are more of these
than the count says, somebody has given up what was not his, and the object is freed while it is in use. If there are
fewer, others hold it: C code, ports, literals, persistent terms; or somebody has forgotten to give it up.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import field
from itertools import groupby, islice
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable, array_code
from beamgdb.records import arrays
from beamgdb.records.columns import Columns
from beamgdb.vm import locks
from beamgdb.vm.ets import EtsTable
from beamgdb.vm.heaps import Owner
from beamgdb.vm.model import Vm
from beamgdb.vm.off_heap import IS_MAGIC, OffHeap
from beamgdb.vm.processes import Process
from jit.otp.tags import Kind

AT_ONCE: Final = 1 << 12
"""Counts that are read together."""

MOST: Final = 100
"""Wrong counts whose holders are looked for."""

MAX_OWNERS: Final = 4
"""Holders of an object that are named."""

NAMES: Final = {Kind.REF: "resource", Kind.FUN: "fun", Kind.FUN_REF: "fun"}
"""What is counted, by the kind of things that do; else it is a binary. Of a magic reference it may be another object
than a NIF's resource, such as an ETS table or a match specification."""


@dataclass
class Miscounted:
    """An object, a `kind` of thing holds it, that counts fewer references than the `found` ones; None where it is no
    such object any more, or there is no memory. `owners`: some of those that hold it."""

    kind: Kind
    address: int
    count: int | None
    found: int
    owners: list[Owner] = field(default_factory=list)


@dataclass
class Surplus:
    """Objects of one kind that count more references than were found: how many, and the largest ones of binaries, by
    bytes and address."""

    objects: int = 0
    bytes: int = 0
    largest: tuple[int, int] = (0, 0)


class ReferenceCounts:
    """Compares counts with what is found; raises `Unavailable` as its parts do. `advance` is called for each owner of
    such things."""

    def __init__(self, vm: Vm, advance: Callable[[], None] = lambda: None) -> None:
        self._vm = vm
        self._word = vm.memory.word_size
        self._off_heap = OffHeap(vm, advance)
        self._advance = advance
        self._code = array_code(self._word)
        self.surplus: dict[str, Surplus] = {}
        """By the names of kinds."""
        self.objects = 0
        """How many were looked at."""
        self.missing: list[Unreadable] = []
        """Those that cannot be compared: they are not in what is read, as in a core file that was cut off."""

    @property
    def damaged(self) -> list[Unreadable]:
        """What could not be read."""
        return self._off_heap.damaged

    def miscounted(self) -> list[Miscounted]:
        """All that count too few, with who holds them."""
        wrong: dict[int, Miscounted] = {}
        for kind, values in self._held().items():
            for one in islice(self._compared(kind, values), MOST - len(wrong)):
                wrong[one.address] = one
        if wrong:
            self._name(wrong)
        return list(wrong.values())

    def _held(self) -> dict[Kind, array[int]]:
        """The addresses of objects by the kind of things that hold them, each as often as it is held."""
        # As numbers, not as objects of Python: there may be millions.
        found: dict[Kind, array[int]] = {}
        for owner, things in self._off_heap.everything():
            if not self._is_moved(owner):
                for thing in things:
                    found.setdefault(thing.kind, array(self._code)).append(thing.value)
        return found

    def _is_moved(self, owner: Owner) -> bool:
        """Whether a collection is moving the things of a process, or a table is being changed: some may be in two
        places, or gone."""
        if isinstance(owner.item, EtsTable):
            try:
                return locks.is_changing(self._vm, owner.item)
            except Unreadable:
                return True
        return isinstance(owner.item, Process) and (owner.item.has("GC") or owner.item.has("FREE"))

    def _compared(self, kind: Kind, values: array[int]) -> Iterator[Miscounted]:
        is_fun, name = NAMES.get(kind) == "fun", NAMES.get(kind, "binary")
        struct = "ErlFunEntry" if is_fun else "Binary"
        paths = ("refc", "", "") if is_fun else ("intern.refc", "intern.flags", "orig_size")
        if not self._vm.layout.has(struct, paths[0]):
            return
        size = self._vm.layout.extent(struct)
        columns, surplus = Columns(self._vm.memory, self._vm.layout, struct, paths), Surplus()
        self.surplus[name] = surplus
        groups = groupby(map(values.__getitem__, arrays.places_in_order(values)))
        while many := [(address, sum(1 for _ in held)) for address, held in islice(groups, AT_ONCE)]:
            self._advance()
            self.objects += len(many)
            for (address, found), row in zip(many, columns.of([address for address, _ in many])):
                if row is None and self._vm.memory.lacks(address, size):
                    self.missing.append(Unreadable(address, size))
                    continue
                count = self._signed(row[1]) if row is not None and row[1] is not None else None
                if kind is Kind.REF and row is not None and row[2] is not None and not row[2] & IS_MAGIC:
                    count = None
                if count is None or count < found:
                    yield Miscounted(kind, address, count, found)
                elif count > found and not is_fun:  # the module has a fun too
                    large = (row[3] or 0) if row is not None else 0
                    surplus.objects += 1
                    surplus.bytes += large
                    surplus.largest = max(surplus.largest, (large, address))

    def _signed(self, word: int) -> int:
        return word - (1 << 8 * self._word) if word >> 8 * self._word - 1 else word

    def _name(self, wrong: dict[int, Miscounted]) -> None:
        """Note who holds these."""
        for owner, things in self._off_heap.everything():
            if self._is_moved(owner):
                continue
            for thing in things:
                one = wrong.get(thing.value)
                if one is not None and len(one.owners) < MAX_OWNERS and owner not in one.owners:
                    one.owners.append(owner)
