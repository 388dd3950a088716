"""Scheduler threads, from the VM's arrays in memory."""

from __future__ import annotations

import pytest

from beamgdb.memory import CachedMemory
from beamgdb.node import Node
from beamgdb.records.record import Record
from beamgdb.views.schedulers import SchedulerColumns
from beamgdb.vm.schedulers import KINDS, MAX_SCHEDULERS, Schedulers
from jit.otp import vm_flags
from tests.harness.work import calls
from tests.vm.image import IDENTITY, LAYOUT, Image

STEP = LAYOUT.size("ErtsAlignedSchedulerData")


def schedulers(image: Image, counts: dict[str, int]) -> Schedulers:
    """As many schedulers of each kind; each runs a process at an address that tells its place."""
    for kind, array, counter in KINDS:
        if kind not in counts:
            continue
        data = image.block(max(1, min(counts[kind], 100)) * STEP)
        for index in range(min(counts[kind], 100)):
            at = data + index * STEP
            image.struct("ErtsSchedulerData", {"current_process": at + 1, "registers": at + 2, "tid": at + 3}, at)
        image.symbols[array] = image.words(data)
        image.symbols[counter] = image.bytes(counts[kind].to_bytes(4, "little"))
    return Schedulers(lambda struct, address: Record(image.memory, LAYOUT, struct, address), image.symbols.get)


def test_all_kinds_in_order() -> None:
    found = list(schedulers(Image(), {"normal": 3, "dirty CPU": 2, "dirty I/O": 1}))
    assert [(one.kind, one.number) for one in found] == [
        ("normal", 1), ("normal", 2), ("normal", 3), ("dirty CPU", 1), ("dirty CPU", 2), ("dirty I/O", 1),
    ]  # fmt: skip
    for one in found:
        at = one.record.address
        assert (one.current_process, one.registers, one.thread) == (at + 1, at + 2, at + 3)


def test_a_vm_without_dirty_schedulers() -> None:
    some = schedulers(Image(), {"normal": 1, "dirty CPU": 0})
    assert [one.kind for one in some] == ["normal"]
    assert [some.count(kind) for kind in ("normal", "dirty CPU", "dirty I/O", "no such kind")] == [1, 0, None, None]


@pytest.mark.parametrize("count", [MAX_SCHEDULERS + 1, 0xFFFF_FFFF])
def test_an_absurd_count_is_none(count: int) -> None:
    some = schedulers(Image(), {"normal": count})
    assert some.count("normal") is None
    assert list(some) == []


def test_an_unreadable_count_is_none() -> None:
    image = Image()
    some = schedulers(image, {"normal": 1})
    image.symbols["erts_no_schedulers"] = 0xDEAD_0000
    assert some.count("normal") is None


def migrating(count: int) -> SchedulerColumns:
    """So many schedulers, each of which gives processes of normal priority to the next one."""
    image = Image()
    size = LAYOUT.size("ErtsRunQueue")
    start = image.block(count * size)
    queues = [start + number * size for number in range(count)]
    step, paths = LAYOUT.size("ErtsMigrationPath"), LAYOUT.offset("ErtsMigrationPaths", "mpath")
    first = image.block(paths + count * step)
    image.symbols["erts_migration_paths"] = image.words(first)
    normal = vm_flags.PRIORITIES.index("normal")
    for number, one in enumerate(schedulers(image, {"normal": count})):
        image.struct("ErtsSchedulerData", {"run_queue": queues[number]}, one.record.address)
        path = image.struct(
            "ErtsMigrationPath", {"flags": 1 << vm_flags.EMIGRATE + normal}, first + paths + number * step
        )
        other = path.field_address("prio.runq") + normal * LAYOUT.width("ErtsMigrationPath", "prio")
        image.poke(other, queues[(number + 1) % count])
    node = Node(CachedMemory(image.snapshot()), image.symbols.get, IDENTITY, LAYOUT)
    return SchedulerColumns(node, lambda _: None)


def test_names_of_others_are_made_once() -> None:
    def emigrates(shown: SchedulerColumns) -> list[object]:
        (column,) = (one for one in shown.columns if one.name == "emigrates")
        return list(map(column.value, shown.items()))

    few, many = migrating(3), migrating(30)
    assert emigrates(few) == ["normal: 2", "normal: 3", "normal: 1"]
    assert calls(lambda: emigrates(many)) < 15 * calls(lambda: emigrates(few))
