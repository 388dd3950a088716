"""The VM's allocators: their instances, carriers and blocks (erl_alloc.h, erl_alloc_util.h, erl_alloc_util.c).

Each allocator has one instance, or one for each scheduler and one for all other threads. An instance has carriers,
which it gets from the system: of many blocks each, or of a single large one. A carrier of which little is used goes
into a pool, from which other instances take it, also those of other allocators: so an instance may have carriers that
another one has made, with blocks of both. Each block begins with a word that has its size and flags, and of one that is
in use also where its carrier begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.records.allocator_table import VARIABLE, instances, numbers
from beamgdb.records.chain import chain
from beamgdb.records.record import Record
from beamgdb.vm.model import Unavailable, Vm

MAX_CARRIERS: Final = 1 << 24
"""Of one list."""

MAX_SIZE: Final = 1 << 48
"""Bytes of a carrier."""

NAME: Final = 64
"""Bytes of an allocator's name at most."""

THIS_FREE, PREVIOUS_FREE, LAST = 1, 2, 4
SINGLE: Final = THIS_FREE | PREVIOUS_FREE | LAST
BLOCK_FLAGS: Final = 7
"""Of the word before a block (`THIS_FREE_BLK_HDR_FLG` and so on): all of them is what the block of a single block
carrier has. So is the highest bit a flag."""

OFFSET_BITS: Final = {4: 8, 8: 23}
"""By bytes of a word: how many bits below the highest one say where the carrier of a block that is in use begins; then
comes its size (`MBC_ABLK_OFFSET_BITS` and `MBC_ABLK_OFFSET_SHIFT`)."""

UNIT_BITS: Final = {4: 18, 8: 14}
"""Carriers of many blocks begin at multiples of that (erl_mmap.h, `ERTS_MMAP_SUPERALIGNED_BITS`)."""

UNIT: Final = 8
"""Sizes of blocks and carriers are multiples of that (`ERTS_ALLOC_ALIGN_BYTES`)."""

FROM_MSEG, SINGLE_BLOCK = 1, 2
"""Flags in the first word of a carrier (`MSEG_CARRIER_HDR_FLAG`, `SBC_CARRIER_HDR_FLAG`)."""

PIECE: Final = 1 << 18
"""Bytes of a carrier that are read at a time."""

FIRST_FIT: Final = "ERTS_ALC_S_FIRSTFIT"
"""The strategy by which carriers note their largest free block (erl_ao_firstfit_alloc.c)."""

MARKS: Final = 3
"""Bits of links in the pool that are no address (`ERTS_ALC_CPOOL_PTR_MRKS`)."""


def size_in_use(header: int, word: int) -> int:
    """Bytes of a block that is in use and has this word before it."""
    return header & (1 << 8 * word - 1 - OFFSET_BITS[word]) - 1 & ~BLOCK_FLAGS


class Usage(NamedTuple):
    """How many carriers there are of which kind, their bytes, and how many blocks of how many bytes are in use there.
    What is in the pool is of the instance that made it, and among those of many blocks."""

    many: int = 0
    single: int = 0
    pooled: int = 0
    size: int = 0
    blocks: int = 0
    used: int = 0

    def can_be(self, word: int) -> bool:
        """Whether there may be so much in an address space. (A thread may have stopped while it counts: some blocks may
        be counted that are in no carrier, or in two.)"""
        fits = self.size < 1 << (48 if word == 8 else 32) and self.used <= 2 * self.size
        return fits and self.blocks * word <= self.size and (self.many + self.single) * word <= self.size

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(*(one + another for one, another in zip(self, other)))


class Block(NamedTuple):
    """A block: where its header word is, its bytes with that, and whether it is in use. `wrong` says what is wrong with
    it, empty for nothing."""

    address: int
    size: int
    is_used: bool
    wrong: str = ""


@dataclass(frozen=True)
class Instance:
    """An instance of an allocator; 0 is that of all threads, or of those that are no schedulers."""

    allocator: str
    number: int
    record: Record
    """Its `Allctr_t`."""

    @property
    def address(self) -> int:
        return self.record.address

    def usage(self) -> Usage:
        """What it has, as it counts itself. Raises `Unreadable` also for what cannot be."""
        many, many_size = self._sums("mbcs.carriers", "StatValues_t", "no", "size")
        single, single_size = self._sums("sbcs.carriers", "StatValues_t", "no", "size")
        counts = [self._sums(path, "BlockStats_t", "curr.no", "curr.size") for path in ("mbcs.blocks", "sbcs.blocks")]
        pooled, pooled_size = self.record["cpool.stat.no_carriers"], self.record["cpool.stat.carriers_size"]
        counts.append((sum(self._words("cpool.stat.no_blocks")), sum(self._words("cpool.stat.blocks_size"))))
        found = Usage(
            many + pooled, single, pooled, many_size + single_size + pooled_size,
            sum(number for number, _ in counts), sum(size for _, size in counts),
        )  # fmt: skip
        if not found.can_be(self.record.memory.word_size):
            raise Unreadable(self.address, self.record.layout.extent("Allctr_t"))
        return found

    def used_by_allocator(self) -> list[int]:
        """How many bytes are in blocks of which allocator, by its number less one."""
        of_carriers = [self._columns(path, "BlockStats_t", "curr.size")[0] for path in ("mbcs.blocks", "sbcs.blocks")]
        return [sum(sizes) for sizes in zip(*of_carriers, self._words("cpool.stat.blocks_size"))]

    def fixed(self, types: Iterable[int]) -> int:
        """How many bytes it keeps for blocks of these types, which are of one size; by their numbers among such."""
        lists = self.record["fix"]
        if not lists:
            return 0
        # (In a union: which one is used depends on whether its carriers go into the pool.)
        path = "u.cpool.allocated" if self.record["cpool.util_limit"] else "u.nocpool.allocated"
        first = Record(self.record.memory, self.record.layout, "ErtsAlcFixList_t", lists)
        return sum(one["type_size"] * one[path] for one in map(first.element, types))

    def _columns(self, path: str, struct: str, *fields: str) -> list[tuple[int, ...]]:
        """Of an array of structures fields that are words, each of all."""
        layout, word = self.record.layout, self.record.memory.word_size
        field = layout.field("Allctr_t", path)
        step = field.width // word
        words = self.record.memory.words(self.record.field_address(path), (field.elements or 0) * step)
        return [words[layout.offset(struct, one) // word :: step] for one in fields]

    def _sums(self, path: str, struct: str, number: str, size: str) -> tuple[int, int]:
        """Of an array of structures the sums of two of their fields, which are words."""
        numbers_of, sizes = self._columns(path, struct, number, size)
        return sum(numbers_of), sum(sizes)

    def _words(self, path: str) -> tuple[int, ...]:
        """An array of words; it may be one of atomics."""
        field, memory = self.record.layout.field("Allctr_t", path), self.record.memory
        return memory.words(self.record.field_address(path), field.elements or 0)


@dataclass(frozen=True)
class Carrier:
    """A carrier, of the instance that has it, or that made it if none has it."""

    instance: Instance
    record: Record
    """Its `Carrier_t`."""
    is_pooled: bool = False
    is_discarded: bool = False
    """Whether it is to be given back."""

    @property
    def address(self) -> int:
        return self.record.address

    @property
    def size(self) -> int:
        """Its bytes, with its own header."""
        return self.record["chdr"] & ~BLOCK_FLAGS

    @property
    def is_single(self) -> bool:
        """Whether it has a single block."""
        return bool(self.record["chdr"] & SINGLE_BLOCK)

    @property
    def is_mapped(self) -> bool:
        """Whether it is from mseg_alloc; else it is from malloc."""
        return bool(self.record["chdr"] & FROM_MSEG)

    @property
    def maker(self) -> int:
        """The address of the instance that made it."""
        return self.instance.address if self.is_single else self.record["cpool.orig_allctr"]

    def largest_free(self) -> int | None:
        """Bytes of its largest block that is free, None where it does not note that."""
        layout = self.record.layout
        if self.is_single or self.is_pooled or self.instance.record["alloc_strat"] != layout.constant(FIRST_FIT):
            return None
        return Record(self.record.memory, layout, "AOFF_Carrier_t", self.address)["rbt_node.hdr.bhdr"]

    def counted(self) -> tuple[int, int]:
        """How many blocks are in use in it, and their bytes, as the VM counts them."""
        memory = self.record.memory
        if self.is_single:
            return 1, memory.word(self._first) & ~BLOCK_FLAGS & (1 << 8 * memory.word_size - 1) - 1
        elements = self.record.layout.field("Carrier_t", "cpool.blocks").elements or 0
        number = sum(memory.words(self.record.field_address("cpool.blocks"), elements))
        return number, self.record["cpool.total_blocks_size"]

    @property
    def _first(self) -> int:
        """Where the header word of its first block is, so that what follows it is aligned (`SBC_HEADER_SIZE`)."""
        word = self.record.memory.word_size
        if not self.is_single:
            return self.address + self.instance.record["mbc_header_size"]
        return self.address + -(-(self.record.layout.offset("Carrier_t", "cpool") + word) // UNIT) * UNIT - word

    def blocks(self) -> Iterator[Block]:
        """Its blocks, one behind the other, up to the first one whose size cannot be. Raises `Unreadable`."""
        memory, word = self.record.memory, self.record.memory.word_size
        at, end = self._first, self.address + self.size
        if not 0 < self.size <= MAX_SIZE:
            raise Unreadable(self.address, word)
        window, base, previous_free = b"", 0, False
        number = int.from_bytes
        while True:
            if not base <= at <= base + len(window) - word:
                base, window = at, self._piece(at, end)
            header = number(window[at - base : at - base + word], memory.byteorder)
            block = self._block(at, header, end, previous_free)
            yield block
            if self.is_single or header & LAST or not 0 < block.size <= end - at - word:
                return
            previous_free = not block.is_used
            at += block.size

    def _piece(self, at: int, end: int) -> bytes:
        memory = self.record.memory
        size = min(PIECE, end - at)
        return memory.try_read(at, size) or memory.read(at, memory.word_size)

    def _block(self, at: int, header: int, end: int, previous_free: bool) -> Block:
        """What a header word tells."""
        word = self.record.memory.word_size
        if self.is_single:
            size = header & ~BLOCK_FLAGS & (1 << 8 * word - 1) - 1
            return Block(at, size, True, "" if header & SINGLE == SINGLE else f"its header {header:#x} is of none")
        used = not header & THIS_FREE
        size = size_in_use(header, word) if used else header & ~BLOCK_FLAGS & (1 << 8 * word - 1) - 1
        return Block(at, size, used, self._wrong(at, header, size, end, previous_free))

    def _wrong(self, at: int, header: int, size: int, end: int, previous_free: bool) -> str:
        memory, word, used = self.record.memory, self.record.memory.word_size, not header & THIS_FREE
        if not 0 < size <= end - at or header & SINGLE == SINGLE:
            return f"its header {header:#x} is of none: {size} bytes, with {end - at} left"
        if bool(header & PREVIOUS_FREE) is not previous_free:
            return f"it says that the block before it is {'in use' if previous_free else 'free'}, which is not so"
        if header & LAST and end - at - size >= UNIT:
            return f"it says that it is the last one, with {end - at - size} bytes left"
        if used:
            distance = header >> 8 * word - 1 - OFFSET_BITS[word] & (1 << OFFSET_BITS[word]) - 1
            begins = (at >> UNIT_BITS[word]) - distance << UNIT_BITS[word]
        else:
            begins = memory.word(at + word)
            if not header & LAST and memory.word(at + size - word) != size:
                return f"it is free, with {size} bytes, but another size at its end"
        return "" if begins == self.address else f"it says that its carrier is {begins:#x}"


class Holding(NamedTuple):
    """What an address lies in: a carrier, and a block of it, None for what is before the first one, behind the last
    one, or cannot be told. `damage`: what is wrong on the way from the first block to there, a block or what cannot be
    read: where a block begins is known from the one before it alone."""

    carrier: Carrier
    block: Block | None
    damage: Block | Unreadable | None = None


class Allocators:
    """All allocators that have carriers; raises `Unavailable` where they cannot be found, KeyError where it is not
    known where fields lie."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        vm.layout.offset("Allctr_t", "alloc_no")
        address = vm.symbol(VARIABLE)
        if address is None:
            raise Unavailable(f"the allocators cannot be found: no symbol {VARIABLE} (see `beam-info`)")
        self._table = vm.record("ErtsAllocatorInfo_t", address)

    def instances(self) -> Iterator[Instance | Unreadable]:
        """All instances, and what stands for those that are damaged."""
        for number in numbers(self._vm.layout):
            try:
                for index, one in instances(self._table, number):
                    yield self._instance(index, one)
            except Unreadable as error:
                yield error

    def _instance(self, index: int, record: Record) -> Instance | Unreadable:
        try:
            name = self._vm.memory.cstring(record["name_prefix"], NAME).decode("latin-1")
        except Unreadable:
            return Unreadable(record.address, self._vm.layout.extent("Allctr_t"))
        return Instance(f"{name}alloc", index, record)

    def carriers(self) -> Iterator[Carrier | Unreadable]:
        """The carriers of all instances, and of the pools."""
        by_address: dict[int, Instance] = {}
        pools: list[int] = []
        for one in self.instances():
            if isinstance(one, Unreadable):
                yield one
                continue
            by_address[one.address] = one
            try:
                pools.append(one.record["cpool.sentinel"])
                yield from self._of_lists(one)
            except Unreadable as error:
                yield error
        for pool in dict.fromkeys(pools):
            try:
                yield from self._pooled(pool, by_address)
            except Unreadable as error:
                yield error

    def _of_lists(self, one: Instance) -> Iterator[Carrier]:
        memory, layout = self._vm.memory, self._vm.layout
        following = layout.offset("Carrier_t", "next")
        for path in ("mbc_list.first", "sbc_list.first", "cpool.dc_list.first"):
            for at in chain(memory, one.record[path], following, MAX_CARRIERS):
                yield Carrier(one, self._vm.record("Carrier_t", at), is_discarded=path.startswith("cpool"))

    def _pooled(self, sentinel: int, makers: dict[int, Instance]) -> Iterator[Carrier]:
        """Those in the ring of a pool, each of which lies in a carrier."""
        memory, layout = self._vm.memory, self._vm.layout
        member = layout.offset("Carrier_t", "cpool")
        following = layout.offset("Carrier_t", "cpool.next") - member
        if not sentinel:
            return
        at, seen = memory.word(sentinel + following) & ~MARKS, {sentinel}
        while at != sentinel:
            if not at or at in seen or len(seen) > MAX_CARRIERS:
                raise Unreadable(at, memory.word_size)
            seen.add(at)
            record = self._vm.record("Carrier_t", at - member)
            maker = makers.get(record["cpool.orig_allctr"])
            if maker is None:
                raise Unreadable(record.address, memory.word_size)
            yield Carrier(maker, record, is_pooled=True)
            at = memory.word(at + following) & ~MARKS

    def holding(self, address: int) -> tuple[Holding | None, list[Unreadable]]:
        """What an address lies in, None for what no carrier has that can be found; and why some may not be."""
        damaged: list[Unreadable] = []
        for one in self.carriers():
            if isinstance(one, Unreadable):
                damaged.append(one)
                continue
            try:
                if one.address <= address < one.address + one.size:
                    return within(one, address), damaged
            except Unreadable as error:
                damaged.append(error)
        return None, damaged


def within(carrier: Carrier, address: int) -> Holding:
    """What an address in a carrier lies in."""
    damage = None
    try:
        for block in carrier.blocks():
            if block.address <= address < block.address + block.size:
                return Holding(carrier, block, damage)
            if block.address > address:
                break
            if block.wrong and damage is None:
                damage = block
    except Unreadable as error:
        return Holding(carrier, None, damage or error)
    return Holding(carrier, None, damage)
