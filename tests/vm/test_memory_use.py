"""What memory is for, as the VM counts it in memory that is built by hand."""

from __future__ import annotations

from beamgdb.vm.memory_use import COUNTED, uses
from tests.vm.image import LAYOUT, Image

SLOTS = 1 << 10
FIXED, HEAPS = 2, 3
"""Numbers of allocators here."""

OF_A_PROCESS, PROCESSES = 1000, 7
"""Bytes of a structure of fixed size, and how many of them there are."""


def with_allocators(image: Image) -> dict[str, int]:
    """Make a table of processes and two allocators, each of which has a block of 100 bytes of its own kind; addresses
    of their instances by name."""
    image.symbols["erts_proc"] = image.struct("ErtsPTab", {"r.o.max": SLOTS, "r.o.dix_cl_mask": 15}).address
    step = LAYOUT.size("ErtsAllocatorInfo_t")
    table = image.block(step * (1 + (LAYOUT.field("Allctr_t", "cpool.stat.no_blocks").elements or 0)))
    image.symbols["erts_allctrs_info"] = table
    fixed = image.struct("ErtsAlcFixList_t", {}, image.block(16 * LAYOUT.size("ErtsAlcFixList_t")))
    image.struct("ErtsAlcFixList_t", {"type_size": OF_A_PROCESS, "u.nocpool.allocated": PROCESSES}, fixed.address)
    found = {}
    others = sorted(COUNTED - {"fix_alloc", "eheap_alloc"})
    for number, kind in enumerate(others, HEAPS + 1):
        prefix = image.bytes(kind.removesuffix("alloc").encode().ljust(64, b"\0"))
        other = image.struct("Allctr_t", {"alloc_no": number, "name_prefix": prefix, "fix": 0})
        known = {"enabled": 1, "alloc_util": 1, "extra": other.address}
        image.struct("ErtsAllocatorInfo_t", known, table + number * step)
    for number, name, fix in ((FIXED, "fix_", fixed.address), (HEAPS, "eheap_", 0)):
        one = image.struct(
            "Allctr_t", {"alloc_no": number, "name_prefix": image.bytes(name.encode().ljust(64, b"\0")), "fix": fix}
        )
        used = one.field_address("mbcs.blocks") + (number - 1) * LAYOUT.size("BlockStats_t")
        image.struct("BlockStats_t", {"curr.size": 100}, used)
        image.struct("StatValues_t", {"no": 1, "size": 4096}, one.field_address("mbcs.carriers"))
        image.struct(
            "ErtsAllocatorInfo_t", {"enabled": 1, "alloc_util": 1, "extra": one.address}, table + number * step
        )
        found[name] = one.address
    return found


def sizes(image: Image) -> dict[str, int | None]:
    image.memory.forget()
    return {one.kind: one.size for one in uses(image.node())[0]}


def test_the_table_of_processes_counts() -> None:
    """With its free identifiers, of which there are none with `+P legacy` (erl_ptab.c, `erts_ptab_mem_size`)."""
    image = Image()
    with_allocators(image)
    assert sizes(image)["processes"] == 100 + OF_A_PROCESS * PROCESSES + SLOTS * (8 + 4)
    image.struct("ErtsPTab", {"r.o.dix_cl_mask": 0}, image.symbols["erts_proc"])
    assert sizes(image)["processes"] == 100 + OF_A_PROCESS * PROCESSES + SLOTS * 8


def test_a_table_of_processes_that_is_not_there() -> None:
    image = Image()
    with_allocators(image)
    image.symbols["erts_proc"] = 0xDEAD_0000
    found = {one.kind: one for one in uses(image.node())[0]}
    assert (found["processes"].size, found["processes"].without) == (7100, "the table of processes")
    assert (found["system"].size, found["system"].without) == (None, "the table of processes")


def test_counts_that_cannot_be() -> None:
    """They are told as damaged, and not added to others."""
    image = Image()
    instances = with_allocators(image)
    counts = instances["eheap_"] + LAYOUT.offset("Allctr_t", "mbcs.blocks")
    image.struct("BlockStats_t", {"curr.size": 1 << 60}, counts)
    image.memory.forget()
    found, damaged = uses(image.node())
    assert [one.address for one in damaged] == [instances["eheap_"]]
    assert {one.kind: one.size for one in found}["total"] == 100


def test_an_instance_that_is_damaged() -> None:
    """All others are counted, and what has been read of it."""
    image = Image()
    instances = with_allocators(image)
    image.struct("Allctr_t", {"fix": 0xDEAD_0000}, instances["fix_"])
    image.memory.forget()
    found, damaged = uses(image.node())
    assert [one.address & ~0xFFF for one in damaged] == [0xDEAD_0000]
    assert {one.kind: one.size for one in found}["processes"] == 100 + SLOTS * 12
    assert {one.kind: one.size for one in found}["total"] == 200
