"""Locks, in states that no program reaches on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from beamgdb.node import Node
from beamgdb.records.record import Record
from beamgdb.views.locks import LockColumns
from beamgdb.views.threads import number_in_namespace
from beamgdb.vm import locks, waits
from beamgdb.vm.locks import Locks
from jit.otp.layouts.layout import for_identity
from jit.otp.tags import IMMED1_BITS, PORT
from jit.otp.vm_flags import PORT_HAS_LOCK
from tests.vm.image import IDENTITY, LAYOUT, Image
from tests.vm.test_processes import process_table

STEP = LAYOUT.size("ErtsAlignedSchedulerData")
OTP_27 = replace(IDENTITY, otp_release="27", erts_version="15.2.7")
RELEASES = ("erts_release_code_mod_permission", "erts_release_code_stage_permission")
USERS = ("erts_try_seize_code_mod_permission", "erts_try_seize_code_stage_permission")


def shown(node: Node, column: str) -> list[object]:
    """What is in a column of each lock."""
    found = LockColumns(node, lambda lock: None, lambda: None)
    (value,) = (one.value for one in found.columns if one.name == column)
    return [value(one) for one in found.items()]


@pytest.mark.parametrize(
    ("array", "counter", "holder"),
    [
        ("erts_aligned_scheduler_data", "erts_no_schedulers", "<0.5.0>, scheduler 1"),
        # It has given the lock up, while somebody else may have it (`erts_call_dirty_nif`).
        ("erts_aligned_dirty_cpu_scheduler_data", "erts_no_dirty_cpu_schedulers", "not known"),
    ],
)
def test_the_main_lock_of_who_runs(array: str, counter: str, holder: str) -> None:
    image = Image()
    table = process_table(image, {5: 0}, {"lock.flags": 1})
    image.symbols["erts_proc"] = table.address
    (process,) = image.node().processes
    data = image.block(STEP)
    image.struct("ErtsSchedulerData", {"current_process": process.address}, data)
    image.symbols[array], image.symbols[counter] = image.words(data), image.words(1)
    assert shown(image.node(), "holder") == [holder]


def port_table(image: Image, ports: Sequence[Record]) -> int:
    """The structure of a table that has these ports."""
    fields = {
        "r.o.tab": image.words(*(one.address for one in ports)), "r.o.max": len(ports), "r.o.invalid_element": 0xBAD0,
        "vola.tile.count": len(ports),
    }  # fmt: skip
    return image.struct("ErtsPTab", fields).address


def with_ports(state: int, lock: int) -> Node:
    """A VM with two ports of one driver, of which both have one lock in this state, or the second one its own."""
    image = Image()
    image.symbols["erts_proc"] = process_table(image, {5: 0}, {}).address
    driver = image.struct("erts_driver_t", {"name": image.bytes(b"a_driver\0")})
    mutex = image.block(LAYOUT.size("erts_mtx_t"))
    at = mutex + LAYOUT.offset("erts_mtx_t", "mtx.pt_mtx")
    image.write(at, lock.to_bytes(4, "little"))
    image.write(at + locks.MUTEX_OWNER, (4711).to_bytes(4, "little"))
    fields = {"lock": mutex, "drv_ptr": driver.address, "state": state}
    ports = [image.struct("Port", {"common.id": number << IMMED1_BITS | PORT, **fields}) for number in (1, 2)]
    image.symbols["erts_port"] = port_table(image, ports)
    return image.node()


def test_the_lock_of_a_driver() -> None:
    """Any of its ports may be in use, so it is none of them that is named."""
    assert shown(with_ports(0, 1), "lock") == ["driver"]
    assert shown(with_ports(0, 1), "of") == ["a_driver"]
    assert shown(with_ports(PORT_HAS_LOCK, 1), "lock") == ["port"]


def test_a_mutex_that_somebody_has_waited_for() -> None:
    """It stays marked after the last one of those has got it (`lll_lock` of glibc)."""
    assert shown(with_ports(0, 2), "waits") == ["perhaps somebody"]
    assert shown(with_ports(0, 1), "waits") == [None]
    assert shown(with_ports(0, 0), "waits") == []


def with_permissions(held: Sequence[dict[str, int]]) -> Node:
    """A VM of OTP 27, of which only the code of functions tells where the permissions are. Of each that is held it is
    said by whom (0 for process 5), and what it has done for whom; for each one a process waits."""
    image = Image(OTP_27, for_identity(OTP_27))
    image.symbols["erts_proc"] = process_table(image, {5: 0}, {}).address
    node = image.node()
    (process,) = (one for one in node.processes)
    id_ = node.processes.word_of(5, 0)
    assert id_ is not None
    image.poke(process.record.field_address("common.id"), id_)
    item = image.struct("code_permission_queue_item", {"p": process.address}).address
    both = [
        image.struct("code_permission", {"owner": process.address, "seized": 1, "queue": item, **one}).address
        for one in held
    ]
    code = image.block(2048)
    for number, name in enumerate((*RELEASES, *USERS)):
        # lea rdi, [rip + ...]; the functions are 16 bytes long, and follow each other.
        at = code + 16 * number
        image.write(at, b"\x48\x8d\x3d" + (both[number % 2] - at - 7).to_bytes(4, "little", signed=True))
        image.symbols[name] = at
    return image.node()


def test_which_permission_it_is() -> None:
    """OTP 27 does not note that in them: the two are told apart by who releases them."""
    found = list(locks.permissions(with_permissions([{}, {}]), []))
    assert [one.what for one in found] == ["permission to change code", "permission to load code"]
    found = list(locks.permissions(with_permissions([{"seized": 0}, {}]), []))
    assert [one.what for one in found] == ["permission to load code"]


def test_a_permission_that_a_job_of_the_vm_has() -> None:
    """No process owns it then, and who waits does so all the same."""
    node = with_permissions([{"owner": 0, "aux_arg": 0x1000}, {"seized": 0}])
    (found,) = locks.permissions(node, [])
    assert (found.by_vm, found.holder, [node.term(one) for one in found.waiting]) == (True, None, ["<0.5.0>"])
    assert shown(node, "holder") == ["a job of the VM"]
    assert [(node.term(one.waiter), one.target) for one in waits.of_permission(node, [])] == [("<0.5.0>", None)]
    assert list(Locks(with_permissions([{"owner": 0}, {"seized": 0}]))) == []


def test_the_number_of_a_thread_in_its_own_namespace() -> None:
    assert number_in_namespace("Name:\tbeam.smp\nNSpid:\t4711\t12\nVmPeak:\t1 kB\n") == 12
    assert number_in_namespace("NSpid:\t4711\n") == 4711
    assert number_in_namespace("Name:\tbeam.smp\n") is None
