"""Cores that are cut off, or whose memory is damaged: what can be read is shown, what cannot is said, in bounds."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.gdb import every_command
from tests.gdb.test_hidden_symbols import API, without
from tests.harness.erl import Release
from tests.harness.gdb import Gdb

#: Names of what a session with the sound core tells of it, and the expressions for that. `damaged` is a process that
#: waits; registrations are what BeamAsm has registered, whose sizes GDB 13 itself believes.
FACTS = {
    "table": "node.processes._table['r.o.tab']",
    "hend": "damaged.record.field_address('hend')",
    "stop": "damaged.record.field_address('stop')",
    "heap": "damaged.record['heap']",
    "locks": "damaged.record.field_address('lock.flags')",
    "off_heap": "damaged.record.field_address('off_heap.first')",
    "fragments": "damaged.record.field_address('msg_frag')",
    "name": "damaged.record.field_address('common.u.alive.reg')",
    "state": "node.processes.lookup(0, 0).address",
    "config": "node.symbol('erts_build_flags_CONFIG_H')",
}
REGISTERED = "[(e.address, e.symfile, e.size) for e in entries(node.memory, node.symbol('__jit_debug_descriptor'))]"

OTHER_QUESTIONS = (
    "info locals", "p y0", "bt 20", "beam-break lists:map/2", "p $_xreg(0)", "complete beam-bt ",
    "complete beam-break li",
)  # fmt: skip
"""Besides what all commands are asked that look."""

LONGEST = 4 << 20
"""Characters of an answer: 40 processes, each of which may be damaged."""


@dataclass
class Core:
    """A copy of a core file in memory, to be damaged."""

    data: bytearray
    facts: dict[str, int]
    registered: set[int]
    """Pages of BeamAsm's registrations."""
    loads: list[tuple[int, int, int, int]]
    """Offset in the file, size, address, and where the program header is."""

    def offset(self, address: int) -> int:
        return next(at + address - start for at, size, start, _ in self.loads if start <= address < start + size)

    def set_word(self, address: int, word: int) -> None:
        at = self.offset(address)
        self.data[at : at + 8] = word.to_bytes(8, "little")

    def drop(self, address: int) -> None:
        """Have the core lack the memory that holds the address."""
        header = next(at for _, size, start, at in self.loads if start <= address < start + size)
        self.data[header : header + 4] = bytes(4)


def pages_of(registered: Iterable[tuple[int, ...]]) -> set[int]:
    """Numbers of the pages that hold registrations: their entries, and what those point to with its size."""
    pages = set()
    for entry, file, size in registered:
        pages |= {entry >> 12, *range(file >> 12, (file + size >> 12) + 1)}
    return pages


@pytest.fixture(scope="module")
def facts(terms_core: Path, release: Release) -> tuple[dict[str, int], set[int]]:
    with Gdb(str(release.beam), str(terms_core)) as gdb:
        gdb.cmd("beam-info")
        gdb.cmd(
            "python from beamgdb.gdbext import session; from beamgdb.views import process_named; "
            "from beamgdb.code.jit_interface import entries; "
            "node = session.require().node; damaged = process_named.find(node, 'terms_holder', int)"
        )
        found = {name: int(gdb.cmd(f"python print({text})")) for name, text in FACTS.items()}
        registered = re.findall(r"\((\d+), (\d+), (\d+)\)", gdb.cmd(f"python print({REGISTERED})"))
        return found, pages_of(tuple(map(int, entry)) for entry in registered)


@pytest.fixture
def core(terms_core: Path, facts: tuple[dict[str, int], set[int]]) -> Core:
    with terms_core.open("rb") as stream:
        elf = ELFFile(stream)
        start, size = elf["e_phoff"], elf["e_phentsize"]
        loads = [
            (one["p_offset"], one["p_filesz"], one["p_vaddr"], start + number * size)
            for number, one in enumerate(elf.iter_segments())
            if one["p_type"] == "PT_LOAD" and one["p_filesz"]
        ]
    return Core(bytearray(terms_core.read_bytes()), *facts, loads)


@pytest.fixture
def opened(tmp_path: Path, release: Release, start_gdb: Callable[..., Gdb]) -> Iterator[Callable[[Core], Gdb]]:
    """A session with a damaged core."""
    path = tmp_path / "core"

    def open_core(core: Core) -> Gdb:
        path.write_bytes(core.data)
        return start_gdb(str(release.beam), str(path))

    yield open_core
    path.unlink(missing_ok=True)


def test_a_stack_whose_bounds_are_damaged(core: Core, opened: Callable[[Core], Gdb]) -> None:
    """The words of the heap are no y registers."""
    core.set_word(core.facts["stop"], core.facts["heap"])
    core.set_word(core.facts["hend"], 1 << 46)
    gdb = opened(core)
    said = gdb.cmd("beam-bt terms_holder")
    assert len(said) < 100_000
    why = "words up to the next return address: they are no y registers, but damaged"
    assert re.search(rf"^ +\(\d{{4,}} {why}\)$", said, re.M)
    assert "terms:hold/1" in said
    for process in re.split(r"\n(?=Process )", gdb.cmd("beam-bt all")):
        assert len(process) < 1_100_000


def test_more_text_than_a_process_may_print(core: Core, opened: Callable[[Core], Gdb]) -> None:
    gdb = opened(core)
    whole = gdb.cmd("beam-bt terms_holder")
    for limit in ("depth", "width", "bytes"):
        gdb.cmd(f"set beam-{limit} 1000000")
    gdb.cmd("python from beamgdb.views import stack; stack.ROOM_PER_FRAME = 4")
    said = gdb.cmd("beam-bt terms_holder")
    assert len(said) < 4500
    left = re.search(r"^\((\d+) lines of this frame and (\d+) more frames? are left out: .*-limit N", said, re.M)
    assert left
    shown = said.count("\n") - 1
    assert shown + int(left[1]) + int(left[2]) >= whole.count("\n#") + shown
    assert "damaged" not in said


def test_frames_that_are_not_shown_are_counted(core: Core, opened: Callable[[Core], Gdb]) -> None:
    gdb = opened(core)
    frames = len(re.findall(r"^#\d", gdb.cmd("beam-bt terms_holder"), re.M))
    assert f"({frames} more frames: -limit 0)" in gdb.cmd("beam-bt -limit 0 terms_holder")
    assert f"(1 more frame: -limit {frames - 1})" in gdb.cmd(f"beam-bt -limit {frames - 1} terms_holder")


def test_a_table_of_processes_that_is_missing(core: Core, opened: Callable[[Core], Gdb]) -> None:
    core.drop(core.facts["table"])
    said = opened(core).cmd("beam-bt all")
    assert re.search(r"^The process table: cannot read \d+ bytes at 0x\w+; processes there are missing$", said, re.M)


def test_a_core_that_is_cut_off(
    core: Core, opened: Callable[[Core], Gdb], start_gdb: Callable[..., Gdb], release: Release, tmp_path: Path
) -> None:
    """What is there is shown, process by process, also where the table of processes is what is not there; and of a
    program that hides its symbols, as Debian's OTP 29 does."""
    whole = {row["pid"]: row for row in json.loads(opened(core).cmd("beam-ps -json"))}
    cut = core.offset(core.facts["table"])
    places = {pid: core.offset(row["address"]) for pid, row in whole.items()}
    size = len(core.data)
    del core.data[cut:]
    gdb = opened(core)
    text = gdb.cmd("beam-ps -json")
    found = {row["pid"]: row for row in json.JSONDecoder().raw_decode(text)[0]}
    assert set(found) == {pid for pid, at in places.items() if at < cut}
    for column in ("status", "queue", "memory", "address"):
        assert {pid: row[column] for pid, row in found.items()} == {pid: whole[pid][column] for pid in found}
    assert "(missing: what lies at " in text
    first = next(iter(found))
    assert gdb.cmd(f"beam-bt {first}").startswith(f"Process {first}")
    assert f"Process {first}" in gdb.cmd("beam-bt all")
    said = gdb.cmd("beam-why")
    assert re.search(r"^The core file is cut off: \d+ \w+ of \d+ \w+ are there;", said, re.M)
    assert json.loads(gdb.cmd("beam-why -json"))["stop"]["cut_off"] == [cut, size]
    without(release.beam, tmp_path / "beam.smp", lambda name: not API.match(name))
    text = start_gdb(str(tmp_path / "beam.smp"), str(tmp_path / "core")).cmd("beam-ps -json")
    assert {row["pid"] for row in json.JSONDecoder().raw_decode(text)[0]} == set(found)


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_what_was_cut_off_is_not_wrong(core: Core, opened: Callable[[Core], Gdb], part: float) -> None:
    """Nobody can tell what was in memory that is not in the core file: nobody is accused of having freed it."""
    del core.data[int(part * len(core.data)) :]
    *said, summary = opened(core).cmd("beam-verify").splitlines()
    assert [line for line in said if not line.startswith("(")] == []
    missing = r"; in (?:one place|\d+ places) it cannot be told: what lies there is not in the core file"
    # Of what is at the end of a core file it depends on the GDB that has written it if anything leads there.
    optional = "?" if part > 0.5 else ""
    assert re.fullmatch(rf"nothing wrong in \d+ heaps, \d+ bytes(?:{missing}){optional}", summary)


def test_one_process_that_is_missing(core: Core, opened: Callable[[Core], Gdb]) -> None:
    """All others are shown, and how far its own words tell something of it."""
    core.set_word(core.facts["name"], 0xDEAD_0000)
    core.set_word(core.facts["stop"], 0xDEAD_0000)
    core.set_word(core.facts["hend"], 0xDEAD_1000)
    said = opened(core).cmd("beam-bt all")
    assert " init, spawned as" in said
    assert "(the stack is damaged here or missing: cannot read 8 bytes at 0xdead0000)" in said
    assert "terms_holder" not in said
    assert "spawned as terms:hold/1" in said


def test_a_process_of_the_table_that_is_no_process(core: Core, opened: Callable[[Core], Gdb]) -> None:
    for slot in range(4000):
        address = core.facts["table"] + 8 * slot
        at = core.offset(address)
        if int.from_bytes(core.data[at : at + 8], "little") == core.facts["state"]:
            core.set_word(address, 0xDEAD_0000)
    said = opened(core).cmd("beam-bt all")
    assert re.search(r"^Process at 0xdead0000: cannot read \d+ bytes at 0x", said, re.M)
    assert "code_server" in said


def test_fragments_in_a_circle(core: Core, opened: Callable[[Core], Gdb]) -> None:
    """What they hold is not counted over and over."""
    heap = core.facts["heap"]
    core.data[core.offset(heap) : core.offset(heap) + 256] = bytes(256)
    core.set_word(heap, heap)
    core.set_word(core.facts["fragments"], heap)
    said = opened(core).cmd("beam-binaries")
    assert f"(missing: what lies at {heap:#x}, 8 bytes, cannot be read" in said


def test_a_process_that_is_just_made(core: Core, opened: Callable[[Core], Gdb]) -> None:
    """It is in the table already, and the thread that makes it has all its locks: what it has may be anything."""
    core.set_word(core.facts["off_heap"], 0xDEAD_0008)
    at = core.offset(core.facts["locks"])
    assert core.data[at : at + 4] == bytes(4)
    gdb = opened(core)
    assert "list of what is outside: 0xdead0008 leads out of its heap" in gdb.cmd("beam-verify")
    assert "(missing: what lies at 0xdead" in gdb.cmd("beam-binaries")
    core.data[at] = 0x1F
    gdb = opened(core)
    *_, summary = gdb.cmd("beam-verify").splitlines()
    assert summary.startswith("nothing wrong in ")
    assert summary.endswith("; one process is being collected, made or ended, and passed over")
    assert "(missing: " not in gdb.cmd("beam-binaries")


OF_PROCESS = """
import json
from beamgdb.gdbext import session
from beamgdb.views import process_named
from beamgdb.vm.heap_walk import Walker
node = session.require().node
walker = Walker(node.memory, node.tags)
names = ("terms_holder", "init", "application_controller", "code_server", "kernel_sup", "logger", "erl_prim_loader")
fields = ("htop", "hend", "heap", "stop", "off_heap.first")
told = {}
for name in names:
    record = process_named.find(node, name, int).record
    values = {field: record[field] for field in fields}
    things = walker.everything(record["heap"], record["htop"])
    told[name] = {
        "pid": node.term(record["common.id"]), **values, **{"at " + one: record.field_address(one) for one in fields},
        "tuples": [(one.address, one.size) for one in things if one.form and one.form.kind.value == "tuple"],
    }
print(json.dumps(told))
"""


def test_words_on_heaps_that_are_overwritten(
    core: Core, opened: Callable[[Core], Gdb], terms_core: Path, release: Release, tmp_path: Path
) -> None:
    """Of each process the first one that is bad is told, by what is wrong with it; of others nothing."""
    script = tmp_path / "told.py"
    script.write_text(OF_PROCESS)
    with Gdb(str(release.beam), str(terms_core)) as gdb:
        gdb.cmd("beam-info")
        told = json.loads(gdb.cmd(f"source {script}"))
        assert re.search(r"^nothing wrong in \d{3,} heaps, \d{6,} bytes\n", gdb.cmd("beam-verify"), re.M)
    expected = []

    def overwrite(name: str, area: str, address: int, word: int, what: str) -> None:
        core.set_word(address, word)
        expected.append(f"{told[name]['pid']} {area}: {word:#x} {what}, at {address:#x}")

    def element(name: str) -> int:
        """The address of an element of a tuple of that process, the last one on its heap."""
        return int(next(at for at, size in reversed(told[name]["tuples"]) if size > 2) + 16)

    holder, init = told["terms_holder"], told["init"]
    elsewhere = f"leads to what is no term of it, in the heap of {holder['pid']}"
    overwrite("init", "heap", element("init"), holder["heap"] | 2, elsewhere)
    overwrite("terms_holder", "heap", holder["tuples"][0][0], 99 << 40, "begins a term that cannot be")
    overwrite("application_controller", "heap", element("application_controller"), 0xDEAD_0000_0002, "leads to nowhere")
    overwrite("code_server", "stack", told["code_server"]["hend"] - 8, 0xDEAD_0000, "is no return address")
    overwrite("kernel_sup", "process", told["kernel_sup"]["at htop"], told["kernel_sup"]["hend"] + 8, "the heap from")
    overwrite("logger", "heap", element("logger"), 0x1B, "is no term")
    at = told["erl_prim_loader"]["at off_heap.first"]
    core.set_word(at, init["heap"])
    leads = f"list of what is outside: {init['heap']:#x} leads out of its heap"
    expected.append(f"{told['erl_prim_loader']['pid']} {leads}")

    gdb = opened(core)
    said = gdb.cmd("beam-verify")
    *lines, last = [line for line in said.splitlines() if not line.startswith("(")]
    for one in expected:
        text, _, where = one.partition(", at ")
        assert [line for line in lines if line.startswith(text) and f"at {where}" in line], (one, said)
    # (What lies behind the end of a heap that goes too far is no heap either, and what leads to a bad term is bad.)
    others = [line for line in lines if not any(line.startswith(one.split(", at ")[0]) for one in expected)]
    assert all(line.startswith((told["kernel_sup"]["pid"], holder["pid"])) for line in others), said
    assert re.fullmatch(rf"{len(lines)} things wrong in \d+ heaps, \d+ bytes", last)
    assert ", word 2 of {" in next(line for line in lines if elsewhere in line)
    assert gdb.cmd("beam-verify init").count("\n") == 2
    assert gdb.cmd("beam-verify -limit 1").splitlines()[1] == f"({len(lines) - 1} more: -limit 1)"
    assert len(json.loads(gdb.cmd("beam-verify -json").splitlines()[0])) == len(lines)


def test_names_of_sections_that_are_no_text(core: Core, opened: Callable[[Core], Gdb]) -> None:
    """Those of the kernel's own library (vDSO) are in the core only: GDB prints them as they are, and Python takes no
    such text of it."""
    assert b".altinstructions\0" in core.data
    core.data[:] = core.data.replace(b".altinstructions\0", b".altinstruction\xc3\0")
    gdb = opened(core)
    told = gdb.cmd("python from beamgdb.gdbext import told; told.all_of('', ['info files'])")
    assert ".altinstruction\ufffd" in json.loads(told)["text"]
    for command in ("beam-why", "beam-info", "beam-bt", "bt 5"):
        said = gdb.cmd(command, check=False)
        assert "internal error" not in said, said


def test_names_of_libraries_that_are_no_text(core: Core, opened: Callable[[Core], Gdb]) -> None:
    """GDB says which ones it does not find, when it is told where the program was loaded: that it does not see itself
    by headers in memory that differ from those in the file."""
    headers = re.search(r"AT_PHDR .*(0x[0-9a-f]+)$", opened(core).cmd("info auxv"), re.M)
    assert headers
    name = b"/libtinfo.so.6\0"
    assert name in core.data
    core.data[:] = core.data.replace(name, b"/libtinfo.\xe0\xff.6\0")
    core.set_word(int(headers[1], 16) + 16, 0)
    assert "internal error" not in opened(core).cmd("beam", check=False)


def test_a_crash_dump_of_a_list_that_is_its_own_tail(core: Core, opened: Callable[[Core], Gdb], tmp_path: Path) -> None:
    """The viewer would follow it for ever: what leads back is left out."""
    heap, stop = core.facts["heap"], core.offset(core.facts["stop"])
    core.set_word(heap, 1 << 4 | 0xF)
    core.set_word(heap + 8, heap | 1)
    core.set_word(int.from_bytes(core.data[stop : stop + 8], "little") + 16, heap | 1)
    opened(core).cmd(f"beam-crashdump {tmp_path}/dump")
    dump = (tmp_path / "dump").read_text()
    assert f":H{heap:X}\n" in dump
    assert f"\n{heap:X}:lI1|H0\n" in dump


def test_what_is_offered_where_the_build_is_unknown(core: Core, opened: Callable[[Core], Gdb]) -> None:
    core.set_word(core.facts["config"], 0)
    gdb = opened(core)
    assert "no built-in table" in gdb.cmd("beam-info", check=False)
    assert gdb.cmd("complete beam-bt a") == "beam-bt all\n"
    for command in ("beam-bt", "beam-bt -limit 3", "beam-disas", "beam-break", "beam-break -process"):
        assert "Exception" not in gdb.cmd(f"complete {command} ")


def damaged_at_random(core: Core, seed: int) -> None:
    """Cut the core off, make pages zero, or put other words anywhere but into BeamAsm's registrations."""
    chance = random.Random(seed)
    if seed % 3 == 0:
        del core.data[chance.randrange(len(core.data) // 10, len(core.data)) :]
        return
    sizes = [size for _, size, _, _ in core.loads]
    for _ in range(chance.choice((100, 3000, 30000))):
        at, size, start, _ = chance.choices(core.loads, sizes if seed % 3 == 1 else None)[0]
        place = chance.randrange(0, size, 8)
        if (start + place) >> 12 in core.registered:
            continue
        if chance.random() < 0.05:
            core.data[at + (place & ~0xFFF) : at + (place & ~0xFFF) + min(4096, size)] = bytes(min(4096, size))
        word = chance.choice(
            (0, (1 << 64) - 1, chance.getrandbits(64), chance.randrange(1 << 20), chance.choice(core.loads)[2] | 2)
        )
        core.data[at + place : at + place + 8] = word.to_bytes(8, "little")


@pytest.mark.parametrize("seed", range(int(os.environ.get("BEAMGDB_TEST_DAMAGES", "6"))))
def test_damage_anywhere(core: Core, opened: Callable[[Core], Gdb], seed: int, tmp_path: Path) -> None:
    damaged_at_random(core, seed)
    gdb = opened(core)
    for thread in (1, 5, 6):
        gdb.cmd(f"thread {thread}", check=False)
        for command in (*every_command.lines(gdb, "terms_holder", tmp_path), *OTHER_QUESTIONS):
            if thread != 1 and command.startswith("beam-crashdump"):
                continue
            said = gdb.cmd(command, check=False)
            assert "Traceback" not in said, command
            assert "internal error" not in said, command
            assert "Python Exception" not in said, command
            assert len(said) < LONGEST, command
        gdb.cmd("delete")
