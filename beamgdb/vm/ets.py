"""ETS tables and what is in them (erl_db.c, erl_db_util.h, erl_db_hash.c, erl_db_tree.c, erl_db_catree.c).

Each scheduler has the tables that were created on it in a ring; nothing else leads to all of them. What is a set, a bag
or a duplicate_bag is a hash table, linear hashing in segments; an ordered_set is a tree, with write_concurrency a tree
of such trees. An object lies in each as a tuple with all that belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records.chain import chain
from beamgdb.records.record import Record
from beamgdb.records.tree import in_order
from beamgdb.terms.source import Limits
from beamgdb.terms.values import ELIDED, Tuple, Value
from beamgdb.vm.allocators import size_in_use
from beamgdb.vm.model import Vm
from beamgdb.vm.schedulers import NORMAL
from jit.otp.tags import ARITY_SHIFT, ATOM, BOXED, HEADER, IMMED1_MASK, IMMED2_MASK, PID, PRIMARY_MASK

MAX_TABLES: Final = 1 << 20
"""Tables of one scheduler that are followed."""

MAX_OBJECTS: Final = 1 << 30
"""Objects of one table that are followed."""

MAX_OBJECT_BYTES: Final = 1 << 38
"""Of an object of a compressed table."""

MAX_SLOTS: Final = 1 << 31

FIRST_SEGMENT: Final = 256
OTHER_SEGMENTS: Final = 2048
"""Slots of the first segment of a hash table, and of each other one (`FIRST_SEGSZ`, `EXT_SEGSZ`)."""

KINDS: Final = {1 << 4: "set", 1 << 5: "bag", 1 << 6: "duplicate_bag", 1 << 7: "ordered_set", 1 << 8: "ordered_set"}
"""By their bits in `status`, as are the others here (`DB_SET` and so on)."""

CA_ORDERED_SET: Final = 1 << 8
PROTECTIONS: Final = {1 << 0: "private", 1 << 1: "protected", 1 << 2: "public"}
BEING_DELETED, BUSY = 1 << 3, 1 << 12
OPTIONS: Final = {
    1 << 9: "write_concurrency", 1 << 10: "read_concurrency", 1 << 11: "named_table", 1 << 14: "write_concurrency auto",
    BEING_DELETED: "being deleted", BUSY: "busy",
}  # fmt: skip

ITEMS, MEMORY = 0, 1
"""Which counter is which (`ERTS_DB_TABLE_NITEMS_COUNTER_ID`, `ERTS_DB_TABLE_MEM_COUNTER_ID`)."""

MAX_GROUPS: Final = 256
"""Groups of schedulers that have counters of their own (`ERTS_MAX_FLXCTR_GROUPS`)."""

CACHE_LINE: Final = 64
"""`ERTS_CACHE_LINE_SIZE`: counters of one group of schedulers lie apart from those of another."""


class PackedElement(NamedTuple):
    """An element of an object of a compressed table, its number, and where it is packed."""

    number: int
    address: int
    end: int


class PackedObject(NamedTuple):
    """An object of a compressed table, a tuple at `address`, whose header and elements are `words`; for those of them
    that are `packed` a header word stands there. The key, if it is no immediate, has memory from `key` to `key_end`."""

    address: int
    words: tuple[int, ...]
    key: int
    key_end: int
    packed: tuple[PackedElement, ...]


@dataclass(frozen=True)
class EtsTable:
    """A table. Terms that it refers to are words."""

    vm: Vm
    record: Record
    """Its `DbTableCommon`, with which every kind of table begins."""

    @property
    def address(self) -> int:
        return self.record.address

    @property
    def name(self) -> int:
        """The name that it was created with, an atom; only of a named table it is a name of that one table."""
        return self.record["the_name"]

    @property
    def owner(self) -> int:
        """The pid of its owner."""
        return self.record["owner"]

    @property
    def status(self) -> int:
        return self.record["status"]

    def kind(self) -> str | None:
        """As ets:info/2 says `type`; None where it is none of them."""
        return next((name for bit, name in KINDS.items() if self.status & bit), None)

    def protection(self) -> str | None:
        """public, protected or private."""
        return next((name for bit, name in PROTECTIONS.items() if self.status & bit), None)

    def options(self) -> list[str]:
        """What else it was created with, and what happens to it."""
        found = [name for bit, name in OPTIONS.items() if self.status & bit]
        if self.is_compressed:
            found.append("compressed")
        if self.record["counters.is_decentralized"]:
            found.append("decentralized_counters")
        if self.record["fixing_procs"]:
            found.append("fixed")
        return found

    def is_sound(self) -> bool:
        """Whether there is a table here: it has a name, an owner, and is of one kind."""
        try:
            return self.name & IMMED2_MASK == ATOM and self.owner & IMMED1_MASK == PID and self.kind() is not None
        except Unreadable:
            return False

    def reference(self) -> str | None:
        """Its identifier, as a term is written."""
        binary = self.record["btid"]
        try:
            numbers = binary + self.vm.layout.offset("ErtsMagicBinary", "refn")
        except KeyError:
            return None
        return self.vm.reference(numbers)

    def items(self) -> int | None:
        """How many objects it has, None where that is not known."""
        return self._counter(ITEMS)

    def memory(self) -> int | None:
        """Bytes that it takes, None where that is not known."""
        return self._counter(MEMORY)

    def _counter(self, which: int) -> int | None:
        memory, word = self.vm.memory, self.vm.memory.word_size
        if not self.record["counters.is_decentralized"]:
            return _signed(memory.word(self.record.field_address("counters.u.counters") + which * word), word)
        # For each group of schedulers a cache line. How many there are is told by the size of the block that they are
        # in, with a word before it, two words before them, and room to begin at a cache line (erl_flxctr.c).
        array = self.record["counters.u.counters_ptr"]
        start, block = array + 2 * word, memory.word(array)
        size = size_in_use(memory.word(block - word), word)
        lines = (size - 3 * word - CACHE_LINE) // CACHE_LINE
        if start % CACHE_LINE or not 0 < lines <= MAX_GROUPS + 1 or not block <= array <= block + CACHE_LINE:
            return None
        found = (memory.word(start + line * CACHE_LINE + which * word) for line in range(lines))
        return sum(_signed(one, word) for one in found)

    @property
    def is_compressed(self) -> bool:
        """Whether its objects are packed: see `objects`."""
        return bool(self.record["compress"])

    def objects(self) -> Iterator[int]:
        """Its objects, each a tuple as a term, in the order of the table. In a compressed one an element that is
        neither immediate nor the key is packed behind the tuple, and a header word stands for it, which has its
        distance from there: see `terms.packed`. Raises `Unreadable`
        where the table is damaged."""
        if self.is_forest:
            return self._of_forest()
        if self.kind() == "ordered_set":
            return self._of_tree(Record(self.vm.memory, self.vm.layout, "DbTableTree", self.address)["root"])
        return self._of_hash()

    def value(self, word: int, limits: Limits | None = None) -> Value:
        """One of its objects as a value. Raises `Unreadable` where it is none."""
        if not self.is_compressed:
            return self.vm.value(word, limits)
        memory, at = self.vm.memory, word - BOXED
        count = memory.word(at) >> ARITY_SHIFT
        shown = min(count, (limits or Limits()).width)
        elements = tuple(
            self.vm.value(one, limits)
            if one & PRIMARY_MASK != HEADER
            else self.vm.packed(*self._packed(word, one), limits)
            for one in memory.words(at + memory.word_size, shown)
        )
        return Tuple(elements, ELIDED if shown < count else None)

    def _packed(self, word: int, element: int) -> tuple[int, int]:
        """Where an element is packed for which a header word stands in a tuple of a compressed table, and what it ends
        before (erl_db_util.c, `elem2ext`)."""
        tuple_ = word - BOXED
        return tuple_ + element // (PRIMARY_MASK + 1), self._end(tuple_, self.vm.memory.word(tuple_) >> ARITY_SHIFT)

    def _end(self, tuple_: int, arity: int) -> int:
        """Where an object of a compressed table ends: behind the tuple stands how many bytes it has from its beginning
        on (erl_db_util.c, `db_alloced_size_comp`)."""
        memory = self.vm.memory
        kind = "TreeDbTerm" if self.kind() == "ordered_set" else "HashDbTerm"
        size = memory.word(tuple_ + (arity + 1) * memory.word_size)
        return tuple_ - self.vm.layout.offset(kind, "dbterm.tpl") + size

    def packed_objects(self) -> Iterator[PackedObject]:
        """The objects of a compressed table, by what is where. Raises `Unreadable` where it is damaged."""
        memory, word_size = self.vm.memory, self.vm.memory.word_size
        for word in self.objects():
            tuple_ = word - BOXED
            arity = memory.word(tuple_) >> ARITY_SHIFT
            end, behind = self._end(tuple_, arity), tuple_ + (arity + 2) * word_size
            if not behind <= end <= behind + MAX_OBJECT_BYTES:
                raise Unreadable(tuple_, word_size)
            words = memory.words(tuple_, arity + 1)
            found = [
                (number, tuple_ + one // (PRIMARY_MASK + 1))
                for number, one in enumerate(words) if number and one & PRIMARY_MASK == HEADER
            ]  # fmt: skip
            # They lie in the order of their numbers, behind the key.
            bounds = [at for _, at in found] + [end]
            if sorted(bounds) != bounds or bounds[0] < behind:
                raise Unreadable(tuple_, word_size)
            packed = tuple(PackedElement(number, at, until) for (number, at), until in zip(found, bounds[1:]))
            yield PackedObject(tuple_, words, behind, bounds[0], packed)

    def _of_hash(self) -> Iterator[int]:
        memory, layout, word = self.vm.memory, self.vm.layout, self.vm.memory.word_size
        table = Record(memory, layout, "DbTableHash", self.address)
        segments, active = table["segtab"], table["nactive"]
        if active > MAX_SLOTS:
            raise Unreadable(table.field_address("nactive"), word)
        following, tuple_ = layout.offset("HashDbTerm", "next"), layout.offset("HashDbTerm", "dbterm.tpl")
        deleted = layout.field("HashDbTerm", "pseudo_deleted")
        buckets = layout.offset("segment", "buckets")
        first, number = 0, 0
        while first < active:
            count = FIRST_SEGMENT if number == 0 else OTHER_SEGMENTS
            slots = memory.words(memory.word(segments + number * word) + buckets, count)
            if number:
                # The first slot of a segment stands where it would if the first segment were as large (`BUCKET`).
                slots = slots[FIRST_SEGMENT:] + slots[:FIRST_SEGMENT]
            for at in slots[: active - first]:
                for term in chain(memory, at, following, MAX_OBJECTS):
                    raw = memory.read(term + deleted.offset, deleted.width)
                    if not deleted.value(int.from_bytes(raw, memory.byteorder)):
                        yield term + tuple_ | BOXED
            first, number = first + count, number + 1

    def _of_tree(self, root: int) -> Iterator[int]:
        memory, layout = self.vm.memory, self.vm.layout
        left, right = layout.offset("TreeDbTerm", "left"), layout.offset("TreeDbTerm", "right")
        tuple_ = layout.offset("TreeDbTerm", "dbterm.tpl")
        for at in in_order(memory, root, left, right, MAX_OBJECTS):
            yield at + tuple_ | BOXED

    def _of_forest(self) -> Iterator[int]:
        for node in self.base_nodes():
            yield from self._of_tree(node["u.base.root"])

    @property
    def is_forest(self) -> bool:
        """Whether it is a tree of trees, each with a lock of its own: see `base_nodes`."""
        return bool(self.status & CA_ORDERED_SET)

    def base_nodes(self) -> Iterator[Record]:
        """The nodes (`DbTableCATreeNode`) of an ordered_set with write_concurrency that have its objects, in order.
        Raises `Unreadable`."""
        memory, layout = self.vm.memory, self.vm.layout
        pending = [Record(memory, layout, "DbTableCATree", self.address)["root"]]
        seen: set[int] = set()
        while pending:
            address = pending.pop()
            if address in seen or len(seen) > MAX_TABLES:
                raise Unreadable(address, layout.extent("DbTableCATreeNode"))
            seen.add(address)
            node = Record(memory, layout, "DbTableCATreeNode", address)
            if node["is_base_node"]:
                yield node
            else:
                pending += (node["u.route.right"], node["u.route.left"])


class EtsTables:
    """All tables of a VM; raises `Unavailable` as its parts do."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm

    def __iter__(self) -> Iterator[EtsTable | Unreadable]:
        """All that can be found, and what stands for what is damaged."""
        common = self._vm.layout.offset("DbTable", "common")
        for scheduler in self._vm.schedulers:
            if scheduler.kind != NORMAL:
                continue
            try:
                first = scheduler.record["u.ets_tables.clist"]
                yield from self._ring(first + common if first else 0)
            except Unreadable as error:
                yield error

    def _ring(self, first: int) -> Iterator[EtsTable]:
        at, seen = first, set[int]()
        while at:
            table = EtsTable(self._vm, Record(self._vm.memory, self._vm.layout, "DbTableCommon", at))
            if not table.is_sound() or len(seen) >= MAX_TABLES:
                raise Unreadable(at, self._vm.layout.extent("DbTableCommon"))
            seen.add(at)
            yield table
            at = table.record["all.next"]
            if at in seen:
                if at != first:
                    raise Unreadable(at, self._vm.layout.extent("DbTableCommon"))
                return


def _signed(value: int, size: int) -> int:
    return value - (1 << 8 * size) if value >> 8 * size - 1 else value
