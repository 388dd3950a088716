"""Allocators, their carriers and blocks, as `beam-allocators` and `beam-block` show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.terms.quoting import bare
from beamgdb.views.errors import one_line
from beamgdb.views.listing import Column, Readable, damaged_lines, known
from beamgdb.views.typed import brief
from beamgdb.vm.allocators import Allocators, Block, Carrier, Instance, Usage
from beamgdb.vm.model import Unavailable

ALL = "all"
"""What the last row is called, which has the sums of the others."""


class Used(NamedTuple):
    """An allocator, or one `instance` of it, and what it has."""

    allocator: str
    instance: int | None
    instances: int
    usage: Usage
    address: int | None


class AllocatorColumns(Readable[Used]):
    """What is shown of each allocator; of each instance where `apart`, or of those of the one that is `named`."""

    def __init__(self, node: Node, named: str | None = None, apart: bool = False) -> None:
        self._apart = apart or named is not None
        super().__init__(self._rows(node, named))

    @property
    def columns(self) -> Sequence[Column[Used]]:
        return (
            Column("allocator", str, lambda one: bare(one.allocator), "ALLOCATOR", names=True),
            Column("instance", int, lambda one: one.instance, "INST" if self._apart else ""),
            Column("instances", int, lambda one: one.instances, "" if self._apart else "INST"),
            Column("multiblock", int, lambda one: one.usage.many, "MULTI"),
            Column("singleblock", int, lambda one: one.usage.single, "SINGLE"),
            Column("pooled", int, lambda one: one.usage.pooled, "POOL"),
            Column("size", int, lambda one: one.usage.size, "SIZE"),
            Column("blocks", int, lambda one: one.usage.blocks, "BLOCKS"),
            Column("used", int, lambda one: one.usage.used, "USED"),
            Column("unused", int, lambda one: one.usage.size - one.usage.used),
            Column("usage", int, lambda one: percent(one.usage.used, one.usage.size), "USE%"),
            Column("address", int, lambda one: one.address),
        )

    def _rows(self, node: Node, named: str | None) -> Iterator[Used | Unreadable]:
        allocators = Allocators(node)
        check(allocators, named)
        together: dict[str, Used] = {}
        total = Used(ALL, None, 0, Usage(), None)
        for one in allocators.instances():
            if isinstance(one, Unreadable):
                yield one
                continue
            if named is not None and one.allocator != named:
                continue
            try:
                usage = one.usage()
            except Unreadable as error:
                yield error
                continue
            total = total._replace(instances=total.instances + 1, usage=total.usage.plus(usage))
            if self._apart:
                yield Used(one.allocator, one.number, 1, usage, one.address)
                continue
            before = together.get(one.allocator, Used(one.allocator, None, 0, Usage(), None))
            together[one.allocator] = before._replace(instances=before.instances + 1, usage=before.usage.plus(usage))
        yield from together.values()
        yield total


class CarrierColumns(Readable[Carrier]):
    """What is shown of each carrier, or of those of the allocator that is `named`. `walked` is called for each that is
    walked through."""

    def __init__(self, node: Node, named: str | None, walked: Callable[[], None]) -> None:
        super().__init__(carriers(node, named))
        self._walked = walked

    @property
    def columns(self) -> Sequence[Column[Carrier]]:
        return (
            Column("carrier", str, lambda one: f"{one.address:#x}", "CARRIER", names=True),
            Column("allocator", str, lambda one: bare(one.instance.allocator), "ALLOCATOR", names=True),
            Column("instance", int, lambda one: one.instance.number, "INST"),
            Column("kind", str, known(lambda one: "single" if one.is_single else "multi"), "KIND"),
            Column("state", str, known(state), "STATE"),
            Column("memory", str, known(lambda one: "mseg" if one.is_mapped else "malloc")),
            Column("size", int, known(lambda one: one.size), "SIZE", is_everywhere=True),
            Column("blocks", int, known(lambda one: one.counted()[0]), "BLOCKS", is_everywhere=True),
            Column("used", int, known(lambda one: one.counted()[1]), "USED", is_everywhere=True),
            Column("usage", int, known(lambda one: percent(one.counted()[1], one.size)), "USE%"),
            Column("largest", int, known(self._largest), "LARGEST"),
            Column("address", int, lambda one: one.address),
        )

    def _largest(self, carrier: Carrier) -> int | None:
        """Bytes of the largest block that is free."""
        if carrier.is_single:
            return None
        noted = known(Carrier.largest_free)(carrier)
        if noted is not None:
            return noted
        self._walked()
        return max((one.size for one in carrier.blocks() if not one.is_used), default=0)


class WrongBlock(NamedTuple):
    """A carrier, and what is wrong with a block of it, or with it where that is None."""

    carrier: Carrier
    block: Block | None
    wrong: str


class WrongBlocks:
    """What is wrong with carriers: their blocks do not follow each other, or are not as many as the VM counts."""

    def __init__(self, node: Node, named: str | None, walked: Callable[[], None]) -> None:
        self._every = carriers(node, named)
        self._walked = walked
        self._damaged: list[Unreadable] = []
        self._carriers = self._blocks = 0

    @property
    def columns(self) -> Sequence[Column[WrongBlock]]:
        return (
            Column("carrier", str, lambda one: f"{one.carrier.address:#x}", "CARRIER", names=True),
            Column("allocator", str, lambda one: bare(one.carrier.instance.allocator), "ALLOCATOR", names=True),
            Column("instance", int, lambda one: one.carrier.instance.number, "INST"),
            Column("block", str, lambda one: f"{one.block.address:#x}" if one.block else None, "BLOCK", names=True),
            Column("wrong", str, lambda one: one.wrong, "WRONG"),
        )

    def items(self) -> Iterator[WrongBlock]:
        """All, carrier by carrier."""
        for carrier in self._every:
            if isinstance(carrier, Unreadable):
                self._damaged.append(carrier)
                continue
            self._carriers += 1
            self._walked()
            try:
                yield from self._of(carrier)
            except Unreadable as error:
                yield WrongBlock(carrier, None, one_line(error))

    def _of(self, carrier: Carrier) -> Iterator[WrongBlock]:
        number = size = largest = 0
        wrong = False
        for block in carrier.blocks():
            self._blocks += 1
            number += block.is_used
            size += block.size if block.is_used else 0
            largest = max(largest, 0 if block.is_used else block.size)
            if block.wrong:
                wrong = True
                yield WrongBlock(carrier, block, block.wrong)
        counted = carrier.counted()
        if not wrong and counted != (number, size):
            said = f"{number} blocks are in use in it, with {size} bytes, but it counts {counted[0]} with {counted[1]}"
            yield WrongBlock(carrier, None, said)
        noted = known(Carrier.largest_free)(carrier)
        if not wrong and noted not in (None, largest):
            yield WrongBlock(carrier, None, f"its largest free block has {largest} bytes, but it notes {noted}")

    def notes(self) -> Iterator[str]:
        """What was gone through."""
        yield from damaged_lines(self._damaged)
        yield f"({self._blocks} blocks in {self._carriers} carriers)"


def carriers(node: Node, named: str | None) -> Iterable[Carrier | Unreadable]:
    """All carriers, or those of an allocator. Raises `Unavailable` if there is none of that name."""
    found = Allocators(node)
    check(found, named)
    every = found.carriers()
    return (one for one in every if named is None or isinstance(one, Unreadable) or one.instance.allocator == named)


def names(found: Allocators) -> list[str]:
    """The names of all allocators."""
    return list(dict.fromkeys(one.allocator for one in found.instances() if isinstance(one, Instance)))


def check(found: Allocators, named: str | None) -> None:
    """Raises `Unavailable` if there is no allocator of that name."""
    if named is not None and named not in (there := names(found)):
        raise Unavailable(f"there is no allocator {brief(named)}: there are {', '.join(map(bare, there))}")


def state(carrier: Carrier) -> str | None:
    """Where it is, if not with the instance that made it."""
    if carrier.is_pooled:
        return "in pool"
    if carrier.is_discarded:
        return "to be freed"
    return "taken over" if carrier.maker != carrier.instance.address else None


def percent(part: int, whole: int) -> int | None:
    """How much one is of another; None of nothing."""
    return 100 * part // whole if whole else None


@dataclass(frozen=True)
class HeldRow:
    """What an address lies in. Numbers are addresses and bytes; None for what is not there. `damage` says what is wrong
    before that, by which the block may be another one, or cannot be told; empty for nothing."""

    address: int
    allocator: str
    instance: int
    carrier: int
    carrier_size: int
    kind: str
    state: str | None
    block: int | None
    size: int | None
    is_used: bool | None
    wrong: str
    damage: str


def held(node: Node, address: int) -> HeldRow:
    """What an address lies in. Raises `Unavailable` for what no allocator has."""
    found, damaged = Allocators(node).holding(address)
    if found is None and damaged:
        more = f", and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        raise Unavailable(
            f"{address:#x} is in no carrier of the VM's allocators that can be found, but not all can: "
            f"{one_line(damaged[0])}{more}"
        )
    if found is None:
        raise Unavailable(
            f"{address:#x} is in no carrier of the VM's allocators: it may be the program's, a library's, of code, of "
            "a stack, or malloc's (`info symbol`, `info proc mappings`)"
        )
    carrier, block, damage = found
    return HeldRow(
        address, bare(carrier.instance.allocator), carrier.instance.number, carrier.address, carrier.size,
        "single" if carrier.is_single else "multi", state(carrier), block.address if block else None,
        block.size if block else None, block.is_used if block else None, block.wrong if block else "",
        _damage(damage, node.memory.word_size),
    )  # fmt: skip


def _damage(damage: Block | Unreadable | None, word: int) -> str:
    if damage is None:
        return ""
    if isinstance(damage, Unreadable):
        return one_line(damage)
    return f"of the block at {damage.address + word:#x}, before it: {damage.wrong}"


def held_lines(row: HeldRow, word: int) -> Iterator[str]:
    """The text of that; `word` is how many bytes the header of a block has."""
    if row.block is None and row.damage:
        yield f"{row.address:#x} is in a carrier; in which of its blocks cannot be told, for one before it is damaged"
    elif row.block is None or row.size is None:
        yield f"{row.address:#x} is in the header of a carrier, or behind its last block"
    elif row.address < row.block + word:
        yield f"{row.address:#x} is in the header of a block that is {'in use' if row.is_used else 'free'}"
    else:
        offset = row.address - row.block - word
        yield f"{row.address:#x} is byte {offset} of a block that is {'in use' if row.is_used else 'free'}"
    if row.block is not None:
        yield f"block:      {row.block + word:#x}, {row.size} bytes with its header"
        if row.wrong:
            yield f"wrong:      {row.wrong}"
    if row.damage:
        yield f"damage:     {row.damage}"
    kind = "many blocks" if row.kind == "multi" else "a single block"
    yield f"carrier:    {row.carrier:#x}, {row.carrier_size} bytes, for {kind}{f', {row.state}' if row.state else ''}"
    yield f"allocator:  {row.allocator}, instance {row.instance}"
