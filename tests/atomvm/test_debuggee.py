"""A real AtomVM under GDB with the extension, which the environment variable ATOMVM names: one that is built with debug
information, for one of the processors. What is shown of a program is the same interpreted and native."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jit.__main__ import main as jit
from jit.object.elf_constants import EM
from tests.atomvm import host
from tests.atomvm.test_real_vm import ATOMVM, TARGETS
from tests.codegen.native_node import erlc
from tests.harness.gdb import Gdb, GdbError, one_line_error
from tests.harness.patience import PATIENCE

pytestmark = pytest.mark.skipif(not ATOMVM, reason="ATOMVM names no AtomVM to look at")

SOURCE = Path(__file__).with_name("debuggee.erl")
LINES = {number: text.strip() for number, text in enumerate(SOURCE.read_text().splitlines(), 1)}
#: What the first process is in when it prints: function, and what stands in that line.
STACK = [
    ("inner/2", "erlang:display(Shown),"),
    ("middle/2", "Result = inner({seen, id(3)}, Terms),"),
    ("outer/1", "Result = middle(terms(), Pids),"),
    ("again/1", "_ = outer(Pids),"),
]
#: Tells whether an AtomVM shows native code to debuggers.
SHOWN = "info symbol &__jit_debug_descriptor"
#: Where that is in C.
PRINTS = "nif_erlang_display_1"


def target() -> str:
    """What the executable is for."""
    return TARGETS[EM(int.from_bytes(Path(ATOMVM).read_bytes()[18:20], "little"))]


@pytest.fixture(scope="module")
def beam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """debuggee.beam, with bytecode. qemu's stub hangs where two threads come to a breakpoint at once."""
    options = ["-DSCHEDULERS=1"] if host.TOOLS[target()][1] else []
    return erlc(SOURCE, tmp_path_factory.mktemp("debuggee"), *options)


@pytest.fixture(scope="module", params=["interpreted", "native", "native --dwarf"])
def program(request: pytest.FixtureRequest, beam: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, as it is to be run."""
    kind, *options = request.param.split()
    if kind == "interpreted":
        return beam
    folder = tmp_path_factory.mktemp("native")
    words = ["compile", "--runtime", "atomvm", "--target", target(), *options, "-o", str(folder), str(beam)]
    assert jit(words) == 0
    return folder / beam.name


@contextmanager
def debugged(program: Path, folder: Path) -> Iterator[Gdb]:
    """A GDB that has the program before it runs: live, or by qemu's stub."""
    emulator = host.TOOLS[target()][1]
    if not emulator:
        with Gdb("--args", ATOMVM, str(program)) as gdb:
            yield gdb
        return
    stub = folder / "stub"
    with (
        subprocess.Popen(
            [*emulator, "-g", stub, ATOMVM, program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as qemu,
        Gdb(ATOMVM) as gdb,
    ):
        try:
            gdb.cmd(f"target remote {stub}")
            yield gdb
        finally:
            qemu.kill()


def until(gdb: Gdb, place: str) -> None:
    """Run until a C function is called."""
    gdb.cmd(f"break {place}")
    gdb.go("continue" if host.TOOLS[target()][1] else "run")


@pytest.fixture(scope="module")
def gdb(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gdb]:
    """A session that stands where the first process prints."""
    with debugged(program, tmp_path_factory.mktemp("session")) as gdb:
        until(gdb, PRINTS)
        # The others may have something to do yet, when the first process has come here so soon.
        while [one["status"] for one in rows(gdb, "beam-ps -json")] != ["running", "waiting", "waiting"]:
            gdb.go("continue")
        yield gdb


def reached(gdb: Gdb, command: str) -> str:
    """What is told at the next stop: part of it comes when GDB has told its user interface."""
    return gdb.go(command).text + gdb.cmd("echo")


def rows(gdb: Gdb, command: str) -> list[Any]:
    """What a command prints in JSON."""
    found = json.loads(gdb.cmd(command))
    assert isinstance(found, list)
    return found


def stack(frames: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Functions, and the text of their lines."""
    return [(one["function"].removeprefix("debuggee:"), LINES[one["line"]]) for one in frames]


def looked_at(gdb: Gdb, beam: Path) -> None:
    """All that can be seen without letting the program go on."""
    said = gdb.cmd("beam-info")
    assert re.search(r"^AtomVM: +\d+\.\d+\.\d+", said, re.M)
    assert re.search(r"^processes: +3, 0 ports, 1 on threads$", said, re.M)
    first, server, idle = rows(gdb, "beam-ps -json")
    assert (first["status"], first["current"], first["queue"]) == ("running", "debuggee:inner/2", 0)
    assert (server["status"], server["name"], server["queue"]) == ("waiting", "shop", 2)
    assert (idle["status"], idle["current"], idle["name"]) == ("waiting", "debuggee:idle/1", None)
    assert [one["pid"] for one in rows(gdb, "beam-ps -json -where queue>0")] == [server["pid"]]
    assert stack([one for one in rows(gdb, "beam-bt -json") if one["row"] == "frame"]) == STACK
    shop = json.loads(gdb.cmd("beam-process -json shop"))
    assert shop["messages"]["shown"] == [f'{{hello,{idle["pid"]},<<"text">>}}', '"second"']
    assert shop["dictionary"]["shown"] == ["a_key = {its,value}"]
    every = gdb.cmd("beam-bt all")
    assert re.search(r"in debuggee:server/2.*\n +y0 = <0.1.0>\n +y1 = #\{count => 1\}\n", every)
    assert re.search(r"in debuggee:middle/2.*\n +y0 = \[" + f"{server['pid']},{idle['pid']}" + r"\]\n", every)
    assert "y0 = {kept,7}\n" in every
    assert gdb.cmd("xreg x0") == "x0   {seen,3}\n"
    assert re.match(r"y0   \[42,-42,", gdb.cmd("yreg"))
    assert "<catch debuggee:inner/2+" in gdb.cmd("yreg 1")
    gdb.cmd("set beam-bytes 1000")
    write = 'io:format("~0tp~n", [debuggee:terms()]), halt().'
    told = subprocess.run(
        ["erl", "-noinput", "-pa", beam.parent, "-eval", write],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert gdb.cmd("eterm y0") == told.stdout
    assert gdb.cmd("output $_eterm($_xreg(0))") == '"{seen,3}"'
    assert gdb.cmd("freg f0") == "f0   2.5\n"
    gdb.cmd("frame 0")
    assert gdb.cmd("output argv[0]") == "{seen,3}"
    assert "AtomVM" in one_line_error(gdb, "beam-ets")


def test_what_is_seen(gdb: Gdb, beam: Path) -> None:
    looked_at(gdb, beam)


def test_names_are_completed(gdb: Gdb) -> None:
    functions = gdb.cmd("complete beam-break debuggee:in").split()[1::2]
    assert functions == ["debuggee:inner/2"]
    assert "beam-process shop\n" in gdb.cmd("complete beam-process s")
    assert "beam-bt <0.2.0>\n" in gdb.cmd("complete beam-bt <")
    (line,) = (number for number, text in LINES.items() if text == STACK[0][1])
    assert f"beam-break debuggee.erl:{line}\n" in gdb.cmd("complete beam-break debuggee.erl:")


def test_frames_of_erlang_between_those_of_c(gdb: Gdb) -> None:
    names = re.findall(r"(debuggee:\w+/\d|nif_\w+|scheduler_\w+|\bmain\b)(?= \()", gdb.cmd("bt"))
    # Which thread runs the process is chance.
    assert names[:-1] == [PRINTS, *(f"debuggee:{name}" for name, _ in STACK), "scheduler_entry_point"]
    assert names[-1] in ("main", "scheduler_thread_entry_point")


def test_gdb_knows_native_code(gdb: Gdb, program: Path) -> None:
    """Also where an optimised build does not call what GDB waits for."""
    if ".debug_line" not in program.read_bytes().decode("latin-1") or "in section" not in gdb.cmd(SHOWN, check=False):
        pytest.skip("no debugging information of native code, or an AtomVM that does not show it")
    assert re.search(r'^Line \d+ of "debuggee.erl"', gdb.cmd("info line -function debuggee:inner/2"))


def test_a_core(gdb: Gdb, beam: Path, tmp_path: Path) -> None:
    if host.TOOLS[target()][1]:
        pytest.skip("GDB cannot write a core of what qemu runs")
    core = tmp_path / "core"
    gdb.cmd(f"generate-core-file {core}")
    with Gdb(ATOMVM, str(core)) as other:
        looked_at(other, beam)
        assert "core" in one_line_error(other, "beam-break debuggee:fib/1")


def test_breakpoints(program: Path, tmp_path: Path) -> None:
    with debugged(program, tmp_path) as gdb:
        assert "not loaded yet" in gdb.cmd("beam-break debuggee:inner/2")
        said = reached(gdb, "continue" if host.TOOLS[target()][1] else "run")
        assert "debuggee:inner/2 at " in said
        assert "x0 = {seen,3}\n" in said
        # It has no frame yet.
        frames = [one for one in rows(gdb, "beam-bt -json") if one["row"] == "frame"]
        assert [one["function"] for one in frames] == [f"debuggee:{name}" for name, _ in STACK]
        (line,) = (number for number, text in LINES.items() if text == STACK[0][1])
        gdb.cmd(f"beam-break debuggee.erl:{line}")
        assert f"debuggee.erl:{line}" in reached(gdb, "continue")
        gdb.cmd('beam-break -temporary debuggee:fib/1 if $_streq($_eterm($_xreg(0)), "14")')
        said = reached(gdb, "continue")
        assert "debuggee:fib/1 at " in said
        assert "x0 = 14\n" in said
        assert "no function" in one_line_error(gdb, "beam-break debuggee:nothing/1")
        if not program.parent.name.startswith("debuggee"):
            with pytest.raises(GdbError, match="no_such_name"):
                gdb.cmd("beam-break debuggee:idle/1 if no_such_name")
        gdb.cmd("beam-break later:on/0")
        listed = [(one["location"], one["hits"], len(one["places"])) for one in rows(gdb, "beam-breakpoints -json")]
        assert listed == [("debuggee:inner/2", 1, 1), (f"debuggee.erl:{line}", 1, 1), ("later:on/0", 0, 0)]
        table = gdb.cmd("beam-breakpoints")
        assert re.search(r"^\d+ +keep +y +1 +debuggee:inner/2 at \S*debuggee.erl:\d+$", table, re.M)
