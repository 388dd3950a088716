"""What counts as a proof: one place, and observations that differ. Of processes in memory made by hand, as OTP 25 has
them, where something is added that makes it doubtful."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from beamgdb.evidence import processes
from beamgdb.evidence.findings import ENOUGH, Findings, NotProved, Seen, differ, most, only
from beamgdb.evidence.processes import Processes
from beamgdb.evidence.proof import no_image
from jit.otp.atoms import name_hash
from jit.otp.layouts.resolve import Field
from jit.otp.tags import ATOM, IMMED2_BITS
from tests.vm.image import LAYOUT, Image

NUMBER = 12
#: A word of the structure that is zero in all processes here.
FREE = LAYOUT.offset("Process", "sig_inq.nmsigs.next")


def made() -> tuple[Image, list[int]]:
    """Processes that differ in all that is looked for."""
    image = Image()
    image.atoms(*(f"atom{n}" for n in range(NUMBER)))
    addresses = []
    for n in range(NUMBER):
        size = 233 + 7 * n
        heap = image.block(8 * size)
        stop = heap + 8 * (size - 2 - n % 5)
        fields = {
            "heap": heap, "hend": heap + 8 * size, "heap_sz": size, "stop": stop, "htop": stop - 8 * (n + 1),
            "u.initial.module": n << IMMED2_BITS | ATOM, "u.initial.function": ATOM, "u.initial.arity": n % 4,
            "state": processes.PRIORITIES[(2, 2, 2, 1, 0)[n % 5]],
        }  # fmt: skip
        address = image.struct("Process", fields).address
        registers = address + LAYOUT.offset("Process", "def_arg_reg")
        image.poke(address + LAYOUT.offset("Process", "arg_reg"), registers)
        addresses.append(address)
    return image, addresses


def proved(image: Image, addresses: list[int]) -> Findings:
    """What is found."""
    seen = Seen(image.memory, image.symbols.get, "x86_64", False, LAYOUT, 1 << 10, no_image)
    found = Findings(processes=addresses)
    table = {name: LAYOUT.field("IndexTable", name) for name in ("entries", "seg_table")}
    found.add("IndexTable", "hand", table)
    image.memory.forget()
    processes.prove(seen, found)
    return found


def right(found: Findings) -> set[str]:
    """The names of the fields of processes that were found, all of them where they are."""
    for name, field in found.fields.get("Process", {}).items():
        assert field == LAYOUT.field("Process", name)
    return set(found.fields.get("Process", {}))


INITIAL = {"u.initial.module", "u.initial.function", "u.initial.arity"}
HEAPS = {"heap", "hend", "heap_sz"}
REGISTERS = {"arg_reg", "def_arg_reg"}


def test_what_differs_and_fits_is_proved() -> None:
    assert right(proved(*made())) == INITIAL | HEAPS | REGISTERS


def _same_sizes(image: Image, address: int) -> None:
    start = LAYOUT.offset("Process", "heap")
    heap = int.from_bytes(image.memory.read(address + start, 8), "little")
    image.poke(address + LAYOUT.offset("Process", "hend"), heap + 8 * 233)
    image.poke(address + LAYOUT.offset("Process", "heap_sz"), 233)


def _another_end(image: Image, address: int) -> None:
    end = image.memory.read(address + LAYOUT.offset("Process", "hend"), 8)
    image.write(address + FREE, end)


def _same_call(image: Image, address: int) -> None:
    image.poke(address + LAYOUT.offset("Process", "u.initial.module"), ATOM, ATOM, 1)


def _no_such_atom(image: Image, address: int) -> None:
    image.poke(address + LAYOUT.offset("Process", "u.initial.module"), NUMBER << IMMED2_BITS | ATOM)


def _another_pointer(image: Image, address: int) -> None:
    image.poke(address + FREE, address + FREE + 16)


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (_same_sizes, HEAPS),
        (_another_end, HEAPS),
        (_same_call, INITIAL),
        (_no_such_atom, INITIAL),
        (_another_pointer, REGISTERS),
    ],
)
def test_what_is_the_same_everywhere_or_in_two_places_is_unknown(
    change: Callable[[Image, int], None], lost: set[str]
) -> None:
    image, addresses = made()
    for address in addresses:
        change(image, address)
        image.memory.forget()
    found = proved(image, addresses)
    assert right(found) == (INITIAL | HEAPS | REGISTERS) - lost
    assert len(found.given_up) == 2


def test_some_processes_may_be_in_the_middle_of_something() -> None:
    image, addresses = made()
    image.poke(addresses[3] + LAYOUT.offset("Process", "hend"), 0)
    image.poke(addresses[3] + LAYOUT.offset("Process", "u.initial.module"), 0)
    assert right(proved(image, addresses)) == INITIAL | HEAPS | REGISTERS
    for address in addresses[:3]:
        image.poke(address + LAYOUT.offset("Process", "hend"), 0)
    assert right(proved(image, addresses)) == INITIAL | REGISTERS


def test_few_processes_prove_nothing() -> None:
    image, addresses = made()
    with pytest.raises(NotProved, match=f"there are {ENOUGH - 1} processes"):
        proved(image, addresses[: ENOUGH - 1])


def test_states_have_priorities_that_differ() -> None:
    image, addresses = made()
    seen = Seen(image.memory, image.symbols.get, "x86_64", False, LAYOUT, 1 << 10, no_image)
    at = LAYOUT.offset("Process", "state")
    assert processes.states(Processes(seen, Findings(processes=addresses))) == [at]
    for address in addresses:
        image.write(address + at, processes.NORMAL.to_bytes(4, "little"))
    image.memory.forget()
    assert processes.states(Processes(seen, Findings(processes=addresses))) == []


def test_what_code_names_outside_of_a_process_is_nothing() -> None:
    image, addresses = made()
    seen = Seen(image.memory, image.symbols.get, "x86_64", False, LAYOUT, 1 << 10, no_image)
    one = Processes(seen, Findings(processes=addresses))
    for place in (-8, 4, 1 << 20):
        with pytest.raises(NotProved, match="no word of a process"):
            one.at(place)


def test_one_place() -> None:
    assert only([8, 8], "Atom.name") == 8
    with pytest.raises(NotProved, match=r"no place for Atom\.name"):
        only([], "Atom.name")
    with pytest.raises(NotProved, match=r"2 places for Atom\.name"):
        only([8, 16], "Atom.name")


def test_enough() -> None:
    assert most([True] * 8)
    assert not most([True] * 7)
    assert most([True] * 14 + [False] * 2)
    assert not most([True] * 13 + [False] * 2)
    assert differ([1, 2, 2], 2)
    assert not differ([1, 1], 2)


def test_a_field_that_something_speaks_against_is_dropped() -> None:
    found = Findings()
    found.add("Process", "hand", {"htop": Field(80, 8), "stop": Field(88, 8)})
    found.drop("Process", "htop")
    assert found.has("Process", "stop")
    assert not found.has("Process", "htop")
    with pytest.raises(NotProved):
        found.offset("Process", "htop")
    assert found.how == {"Process": {"stop": "proved by hand"}}


@pytest.mark.parametrize(
    ("name", "number"), [(b"false", 0x6C8395), (b"\xc3\xa4", 0xE4), (b"\xe2\x82\xac", 0xE200 + 0x820 + 0xAC)]
)
def test_hashes_of_atoms(name: bytes, number: int) -> None:
    assert name_hash(name, 8) == number
