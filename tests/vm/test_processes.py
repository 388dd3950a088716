"""The process table, by a table in memory laid out as the VM does (erl_ptab.h)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beamgdb.records.record import Record
from beamgdb.vm.backtrace import saved_arguments
from beamgdb.vm.process_list import Noted, ProcessList
from beamgdb.vm.processes import Process, ProcessTable
from jit.otp.code import MAX_ARG
from jit.otp.tags import IMMED1_BITS, NIL, PID
from jit.otp.vm_flags import ERTS_PSFLG
from tests.vm.image import LAYOUT, TAGS, Image

INVALID = 0xBAD0
LINES, PER_LINE = 4, 8
"""A table of 32 slots: consecutive numbers go to different cache lines, of 8 pointers each (erl_ptab.h)."""

SLOTS = LINES * PER_LINE


def slot(number: int) -> int:
    """Where the process with this number lies: its cache line by the low bits, its place in the line by those above."""
    return number % LINES * PER_LINE + number // LINES % PER_LINE


def pid(number: int, serial: int = 0) -> int:
    """A pid's term: 15 bits of number, then the serial (erl_term.h, OTP 25, 64 bits)."""
    return (serial << 15 | number) << IMMED1_BITS | PID


def table(image: Image, numbers: dict[int, int]) -> ProcessTable:
    """A table of processes, number to serial."""
    return ProcessTable(process_table(image, numbers, {}), TAGS)


def process_table(image: Image, numbers: dict[int, int], fields: dict[str, int]) -> Record:
    """The structure of a table of processes that have these fields."""
    slots = [0] * SLOTS
    slots[-1] = INVALID
    for number, serial in numbers.items():
        slots[slot(number)] = process(image, {"common.id": pid(number, serial), **fields}).address
    return image.struct(
        "ErtsPTab",
        {
            "r.o.tab": image.words(*slots), "r.o.max": SLOTS, "r.o.invalid_element": INVALID,
            "r.o.pix_mask": SLOTS - 1, "r.o.pix_cl_mask": LINES - 1, "r.o.pix_cl_shift": 3,
            "r.o.pix_cli_mask": PER_LINE - 1, "r.o.pix_cli_shift": 2, "vola.tile.count": len(numbers),
        },
    )  # fmt: skip


def process(image: Image, fields: dict[str, int]) -> Process:
    """A process with these fields."""
    return Process(image.struct("Process", fields), TAGS)


@given(st.dictionaries(st.integers(0, SLOTS - 2), st.integers(0, 30), max_size=6))
def test_every_process_is_found_by_its_pid_and_no_other(numbers: dict[int, int]) -> None:
    image = Image()
    processes = table(image, numbers)
    assert processes.count() == len(numbers)
    assert [one.id for one in processes] == [pid(n, numbers[n]) for n in sorted(numbers, key=slot)]
    for number in range(SLOTS - 1):
        for serial in {0, 1, numbers.get(number, 0)}:
            found = processes.lookup(number, serial)
            assert (found.id if found else None) == (pid(number, serial) if numbers.get(number) == serial else None)


def test_a_number_of_an_earlier_round_is_not_taken_for_the_process_in_its_slot() -> None:
    processes = table(Image(), {5: 0})
    assert processes.lookup(5, 0) is not None
    assert processes.lookup(5 + SLOTS, 0) is None


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ((), "waiting"),
        (("IN_RUNQ",), "runnable"),
        (("IN_RUNQ", "SUSPENDED"), "suspended"),
        (("RUNNING", "SUSPENDED"), "running"),
        (("RUNNING_SYS",), "running"),
        (("DIRTY_RUNNING",), "running"),
        (("GC", "RUNNING"), "garbage_collecting"),
        (("EXITING", "GC", "RUNNING"), "exiting"),
        (("FREE", "EXITING"), "free"),
    ],
)
def test_status(flags: tuple[str, ...], status: str) -> None:
    state = sum(ERTS_PSFLG[flag] for flag in flags)
    assert process(Image(), {"state": state}).status() == status


def test_flags_are_those_of_erl_process_h() -> None:
    """Three priorities of two bits lie below bit 6; then bits 10, 11, .. of the VM's numbering."""
    assert {name: bits.bit_length() - 1 for name, bits in ERTS_PSFLG.items()} == {
        "FREE": 10, "EXITING": 11, "IN_RUNQ": 14, "RUNNING": 15, "SUSPENDED": 16, "GC": 17, "RUNNING_SYS": 21,
        "DIRTY_RUNNING": 29, "DIRTY_RUNNING_SYS": 30,
    }  # fmt: skip


def test_a_process_by_its_registered_name() -> None:
    image = Image()
    name = image.atoms("one", "two")
    processes = table(image, {1: 0, 2: 0})
    for number, registered in ((1, "one"), (2, "two")):
        entry = image.struct("RegProc", {"name": name[registered]})
        found = processes.lookup(number, 0)
        assert found is not None
        image.poke(found.record.field_address("common.u.alive.reg"), entry.address)
    image.memory.forget()
    two = processes.registered(name["two"])
    assert two is not None
    assert two.id == pid(2)
    assert processes.registered(0) is None


def test_a_freed_process_has_no_name() -> None:
    """Its place is used for something else then."""
    image = Image()
    fields = {"common.u.alive.reg": image.words(1, 2, 3, 4, 5), "state": ERTS_PSFLG["FREE"]}
    assert process(image, fields).registered_name() is None


def test_calls_as_the_vm_noted_them() -> None:
    image = Image()
    name = image.atoms("m", "f", "g")
    current = image.struct("ErtsCodeMFA", {"module": name["m"], "function": name["g"], "arity": 3})
    one = process(
        image,
        {"u.initial.module": name["m"], "u.initial.function": name["f"], "u.initial.arity": 2,
         "current": current.address},
    )  # fmt: skip
    assert one.initial_call() == (name["m"], name["f"], 2)
    assert one.current_call() == (name["m"], name["g"], 3)
    assert process(image, {}).current_call() is None


@pytest.mark.parametrize(
    ("fields", "sound"),
    [
        ({}, True),
        ({"common.id": 0}, False),
        ({"stop": 0x8FF8}, False),
        ({"stop": 0xA008}, False),
        ({"stop": 0xA000}, True),
    ],
)
def test_whether_memory_can_be_a_process(fields: dict[str, int], sound: bool) -> None:
    image = Image()
    good = {"common.id": pid(7), "heap": 0x9000, "stop": 0x9F00, "hend": 0xA000}
    one = process(image, good | fields)
    assert one.has_sound_stack() is sound
    assert table(image, {}).is_process(one) is sound


def test_a_process_of_the_table_is_one_also_while_its_stack_moves() -> None:
    image = Image()
    processes = table(image, {7: 0})
    one = processes.lookup(7, 0)
    assert one is not None
    for field, value in (("heap", 0x9000), ("stop", 0xB000), ("hend", 0xA000)):
        image.poke(one.record.field_address(field), value)
    image.memory.forget()
    assert not one.has_sound_stack()
    assert processes.is_process(one)


def test_a_slot_behind_the_last_one_has_no_process() -> None:
    image = Image()
    processes = table(image, {5: 0})
    one = processes.lookup(5, 0)
    assert one is not None
    image.poke(one.record.field_address("stop"), 1)  # its stack moves: only the table tells
    found = {}
    for slots in (slot(5) + 1, slot(5)):
        image.poke(processes._table.field_address("r.o.max"), slots)
        image.memory.forget()
        found[slots] = (processes.lookup(5, 0) == one, processes.is_process(one))
    assert found == {slot(5) + 1: (True, True), slot(5): (False, False)}


def test_unreadable_memory_is_no_process() -> None:
    processes = table(Image(), {})
    assert not processes.is_process(processes.at(0xDEAD_0000))


def test_flags_are_those_of_the_release() -> None:
    """Of one whose flags are not known, nothing is told."""
    image = Image()
    record = image.struct("Process", {"state": ERTS_PSFLG["EXITING"]})
    assert Process(record, TAGS).status() == "exiting"
    with pytest.raises(LookupError):
        Process(record, replace(TAGS, release=39)).has("EXITING")


@pytest.mark.parametrize("noted", [MAX_ARG, MAX_ARG + 1])
def test_saved_arguments_are_no_more_than_a_function_has(noted: int) -> None:
    image = Image()
    saved = image.words(*[NIL] * (noted + 8))
    one = process(image, {"arity": noted, "arg_reg": saved})
    assert len(saved_arguments(one) or ()) == MAX_ARG


def test_memory_of_messages_before_damage() -> None:
    """Of two messages, one with a fragment, the second leads to nowhere."""
    image = Image()
    image.symbols["erts_proc"] = image.struct("ErtsPTab", {}).address
    fragment = image.struct("ErlHeapFragment", {"used_size": 5}).address
    last = image.struct("ErtsMessage", {"next": 0xDEAD_0000}).address
    first = image.struct("ErtsMessage", {"next": last, "data.attached": fragment, "m": 31}).address
    fields = {"common.id": PID, "heap": 8, "hend": 8, "sig_qs.first": first, "sig_qs.len": 3}
    node = image.node()
    found = ProcessList(node).of(node.processes.at(image.struct("Process", fields).address))
    assert isinstance(found, Noted)
    assert ProcessList(node).memory(found) == LAYOUT.size("Process") + 2 * LAYOUT.size("ErtsMessage") + 5 * 8
