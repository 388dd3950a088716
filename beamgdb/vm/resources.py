"""Resources of NIFs (erl_nif.c, global.h): objects of C code that terms lead to, of types that a library has made.

A resource lies in a magic binary, and a term for it is a magic reference, which is in the list of all that a heap or an
object of a table owns outside. All types are in a ring, but for those whose code was unloaded: these live only as long
as there are resources of them. So the ring and all terms together lead to all types that matter.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from itertools import groupby, islice
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable, array_code
from beamgdb.records import arrays
from beamgdb.records.chain import ring
from beamgdb.records.columns import Columns
from beamgdb.vm.heaps import Owner
from beamgdb.vm.model import Unavailable, Vm
from beamgdb.vm.off_heap import AT_ONCE, IS_MAGIC, Holding, OffHeap
from jit.otp.tags import ATOM, IMMED2_MASK, Kind

LIST: Final = "resource_type_list"
"""The variable: the head of the ring, which is no type itself."""

MAX_TYPES: Final = 1 << 16
"""Types in the ring that are followed."""


@dataclass
class ResourceType:
    """A type, whose `ErlNifResourceType` is at `address`. `module` and `name` are atoms as terms. `destructor` is the
    address of the C function, 0 without one. `resources` says how many the VM counts. `is_registered`: the code of the
    library is loaded for a module; else that was unloaded, and what is left of the library is there for its resources.
    `found` of them, of `size` bytes together, are held by terms."""

    address: int
    module: int
    name: int
    destructor: int
    resources: int
    is_registered: bool
    found: int = 0
    size: int = 0


@dataclass
class Resource(Holding):
    """A resource whose object, as the NIF has it, is at `data`, of `size` bytes, in the magic binary at `address`."""

    type: ResourceType
    address: int
    data: int
    size: int
    references: int
    found: int = 0
    holders: dict[str, int] = field(default_factory=dict)


class Resources:
    """The resources of a VM; raises `Unavailable` as its parts do, KeyError where it is not known where fields lie.
    `damaged` gets what cannot be read."""

    def __init__(self, vm: Vm, advance: Callable[[], None] = lambda: None) -> None:
        """`advance` is called for each process and table."""
        for name in ("next", "module", "name", "owner", "fn.dtor", "fn_real.dtor", "refc"):
            vm.layout.offset("ErlNifResourceType", name)
        self._vm = vm
        self._off_heap = OffHeap(vm, advance)
        self._behind = vm.layout.offset("ErtsMagicBinary", "u.unaligned.data") + vm.layout.offset(
            "ErtsResource", "data"
        )
        self._types: dict[int, ResourceType | None] = {}
        self.is_whole = True
        """Whether the ring of types was found."""
        self._read_ring()

    @property
    def damaged(self) -> list[Unreadable]:
        """What cannot be read."""
        return self._off_heap.damaged

    def types(self) -> list[ResourceType]:
        """Those that are known: all, when all resources have been gone through."""
        return [one for one in self._types.values() if one is not None]

    def _read_ring(self) -> None:
        head = self._vm.symbol(LIST)
        if head is None:
            self.is_whole = False
            return
        memory, following = self._vm.memory, self._vm.layout.offset("ErlNifResourceType", "next")
        try:
            for at in ring(memory, head, following, MAX_TYPES):
                if at != head:
                    self._types[at] = self._type(at, is_registered=True)
        except Unreadable as error:
            self.damaged.append(error)

    def type_at(self, address: int) -> ResourceType | None:
        """The type at an address, None where there is none. The word there may be anything."""
        if address not in self._types:
            try:
                self._types[address] = self._type(address, is_registered=False)
            except Unreadable:
                self._types[address] = None
        return self._types[address]

    def _type(self, address: int, is_registered: bool) -> ResourceType | None:
        if not address or address % self._vm.memory.word_size:
            return None
        record = self._vm.record("ErlNifResourceType", address)
        module, name, owner, count = record["module"], record["name"], record["owner"], record["refc"]
        if module & IMMED2_MASK != ATOM or name & IMMED2_MASK != ATOM or not owner:
            return None
        if not is_registered:
            following = record["next"]
            if following:
                # (Where the ring is not found, this leads into it.)
                back = self._vm.record("ErlNifResourceType", following)["prev"]
                if back != address:
                    return None
                is_registered = True
            elif not 0 < count < 1 << 31:
                return None
        # While a new version of the library takes it over, the first one is the VM's own.
        destructor = record["fn_real.dtor"] or record["fn.dtor"]
        # One is counted for the type itself while it is registered.
        return ResourceType(address, module, name, destructor, max(0, count - is_registered), is_registered)

    def every(self) -> Iterator[Resource]:
        """All that terms lead to, each when all who hold it are known."""
        yield from self._collect().values()

    def _collect(self) -> dict[int, Resource]:
        found: dict[int, Resource | None] = {}
        binaries = array(array_code(self._vm.memory.word_size))
        for holder, things in self._off_heap.everything():
            for kind, _, address in things:
                if kind is Kind.REF:
                    self._held(found, address, holder)
                elif kind is self._off_heap.binary:
                    binaries.append(address)
        parts = self._magic(binaries)
        # A binary that is a part of an object holds it too (`enif_make_resource_binary`). There are few such.
        damaged = len(self.damaged)
        for holder, things in self._off_heap.everything() if parts else ():
            for kind, _, address in things:
                if kind is self._off_heap.binary and address in parts:
                    self._held(found, address, holder)
        del self.damaged[damaged:]
        return {address: one for address, one in found.items() if one is not None}

    def _held(self, found: dict[int, Resource | None], address: int, holder: Owner) -> None:
        if address not in found:
            found[address] = known = self._readable(address)
            if known is not None:
                known.type.found += 1
                known.type.size += known.size
        one = found[address]
        if one is not None:
            one.held_by(holder.text)

    def _readable(self, address: int) -> Resource | None:
        try:
            return self.at(address)
        except Unreadable as error:
            self.damaged.append(error)
            return None

    def _magic(self, binaries: array[int]) -> set[int]:
        """Those of them that are objects of magic references."""
        columns = Columns(self._vm.memory, self._vm.layout, "Binary", ("intern.flags",))
        left = (at for at, _ in groupby(map(binaries.__getitem__, arrays.places_in_order(binaries))))
        found: set[int] = set()
        while some := list(islice(left, AT_ONCE)):
            rows = columns.of(some)
            found.update(at for at, row in zip(some, rows) if row is not None and (row[1] or 0) & IS_MAGIC)
        return found

    def of_object(self, data: int) -> Resource | None:
        """The resource whose object, as the NIF has it, is at an address, None where there is none. The word may be
        anything."""
        return self.in_binary(data - self._behind)

    def of_record(self, resource: int) -> Resource | None:
        """The same, by the address of its `ErtsResource`."""
        return self.of_object(resource + self._vm.layout.offset("ErtsResource", "data"))

    def in_binary(self, address: int) -> Resource | None:
        """As `at`, of a word that may be anything."""
        if address <= 0 or address % self._vm.memory.word_size:
            return None
        try:
            return self.at(address)
        except Unreadable:
            return None

    def at(self, address: int) -> Resource | None:
        """The resource in the magic binary at an address, None where something else is in it. Raises `Unreadable`."""
        binary = self._vm.record("ErtsMagicBinary", address)
        resource = self._vm.record("ErtsResource", binary.field_address("u.unaligned.data"))
        if not binary["destructor"]:
            return None
        kind = self.type_at(resource["type"])
        if kind is None:
            return None
        data, monitors = resource.field_address("data"), resource["monitors"]
        header = self._vm.record("Binary", address)
        end = header.field_address("orig_bytes") + header["orig_size"]
        # Behind the object is what tells who is monitored, if there is room for that.
        size = (monitors if data <= monitors <= end else end) - data
        if size < 0:
            return None
        return Resource(kind, address, data, size, binary["intern.refc"])


def type_named(vm: Vm, kind: ResourceType) -> str:
    """`module:name` of a type, as Erlang writes them."""
    return f"{vm.term(kind.module)}:{vm.term(kind.name)}"


def destroyed(vm: Vm, words: Iterable[int]) -> ResourceType | None:
    """The type of a resource whose destructor runs, by words of the stack: one of them leads to its magic binary, or to
    the object in that, and nobody refers to that any more. None where that is not seen, or several are."""
    try:
        found = Resources(vm)
    except (Unavailable, KeyError):
        return None
    types: dict[int, ResourceType] = {}
    for word in dict.fromkeys(words):
        for one in (found.in_binary(word), found.of_object(word)):
            if one is not None and not one.references and one.type.destructor:
                types[one.type.address] = one.type
    return next(iter(types.values())) if len(types) == 1 else None
