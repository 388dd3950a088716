"""What people have trouble with in public, on a real node with a stripped library of NIFs: see troubles.erl."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gdb.stages import Frame, read_backtrace, read_frames
from tests.harness import erl
from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE


@pytest.fixture(scope="module")
def stripped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the modules, with a library of NIFs of which only the entry has a name."""
    folder = tmp_path_factory.mktemp("stripped")
    erl.compile_beams(folder)
    erl.compile_nifs(folder)
    subprocess.run(["strip", str(folder / "troubles_nif.so")], check=True)
    return folder


@pytest.fixture(scope="module")
def hung(stripped: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gdb, str]]:
    """GDB with a node in which native functions hang on schedulers of each kind, and the pid of a killed process."""
    now = tmp_path_factory.mktemp("hung") / "now"
    with erl.running_node(stripped, f'troubles:start("{now}")', "+S", "2", "+SDcpu", "2") as node, Gdb() as gdb:
        now.touch()
        killed = node.said.split()[1]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            gdb.attach(node.pid)
            if "running" in gdb.cmd("beam-ps -where name=t_normal") and "ended" in gdb.cmd(f"beam-bt {killed}"):
                break
            gdb.cmd("detach")
            time.sleep(0.1)
        yield gdb, killed


def thread_of(gdb: Gdb, process: str) -> list[Frame]:
    """Select the thread that runs a process; its frames."""
    heading = read_backtrace(gdb.cmd(f"beam-bt {process}")).heading
    number = re.search(r" on thread (\d+)", heading)
    assert number, heading
    gdb.cmd(f"thread {number[1]}")
    return read_frames(gdb.cmd("bt"))


def test_a_stripped_nif_on_a_normal_scheduler(hung: tuple[Gdb, str]) -> None:
    gdb, _ = hung
    shown = read_backtrace(gdb.cmd("beam-bt t_normal"))
    assert shown.names()[:2] == ["troubles:hang/2", "troubles:calls/1"]
    assert shown.functions[0].registers == {"x0": "{argument,3}", "x1": '[<<"second">>]'}
    frames = thread_of(gdb, "t_normal")
    call = next(frame for frame in frames if frame.note == "troubles:hang/2")
    assert call.arguments == {"x0": "{argument,3}", "x1": '[<<"second">>]'}
    assert gdb.cmd("beam-bt").splitlines()[1:] == gdb.cmd("beam-bt t_normal").splitlines()[1:]


def test_a_stripped_nif_on_a_dirty_scheduler(hung: tuple[Gdb, str]) -> None:
    gdb, _ = hung
    shown = read_backtrace(gdb.cmd("beam-bt t_dirty"))
    assert shown.names()[:2] == ["troubles:dirty_hang/2", "troubles:calls/1"]
    assert shown.functions[0].registers == {"x0": "{argument,4}", "x1": '[<<"third">>]'}
    frames = thread_of(gdb, "t_dirty")
    at = next(number for number, frame in enumerate(frames) if frame.note == "troubles:dirty_hang/2")
    assert frames[at].function == "erts_dirty_process_main"
    assert frames[at].arguments == shown.functions[0].registers
    assert [frame.function for frame in frames[at + 1 :]] == ["troubles:calls/1", "erts_beamasm:normal_exit/0"]


def test_a_process_that_was_killed_while_its_native_code_runs(hung: tuple[Gdb, str]) -> None:
    gdb, killed = hung
    text = gdb.cmd(f"beam-bt {killed}")
    shown = read_backtrace(text)
    assert re.search(r": ended, but its native code still runs on thread \d+", shown.heading)
    # (Its arguments the VM has forgotten when it was killed.)
    assert shown.names()[:2] == ["troubles:dirty_io_hang/1", "troubles:calls/1"]
    assert "troubles:calls/1" in [frame.function for frame in thread_of(gdb, killed)]
    assert gdb.cmd("beam-bt") == text
    assert text in gdb.cmd("beam-bt all")


def test_a_thread_that_a_nif_has_made(hung: tuple[Gdb, str]) -> None:
    """Its name, and its library, tell whose it is."""
    gdb, _ = hung
    number = re.search(r"^[* ] +(\d+) .*\"troubles_work\"", gdb.cmd("info threads"), re.M)
    assert number
    gdb.cmd(f"thread {number[1]}")
    said = gdb.cmd("beam-why")
    assert "stopped by SIGSTOP in thread" in said
    assert "(troubles_work)" in said
    assert "troubles_nif.so" in said
    assert "The thread works for no Erlang process." in said


def test_a_resource_that_is_released_too_often(hung: tuple[Gdb, str]) -> None:
    """Two references are on the heap, and its count was one more: the NIF's own, which it has given up twice."""
    gdb, _ = hung
    pid = re.search(r"^<\S+>", gdb.cmd("beam-ps -where name=t_released"), re.M)
    assert pid
    wrong, *more, summary = gdb.cmd("beam-verify").splitlines()
    said = r"resource: counts one reference, but 2 were found: it is freed while it is held, at 0x[0-9a-f]+"
    assert re.fullmatch(re.escape(f"{pid[0]} ") + said, wrong)
    assert all(line.startswith("(") for line in more)
    assert summary.startswith("one thing wrong in ")


def stopped(gdb: Gdb, node: erl.Node, now: Path, *commands: str) -> str:
    """What `beam-why` says where a node stops soon after the file `now` is there."""
    gdb.attach(node.pid)
    gdb.cmd("handle all nostop noprint pass")
    for command in commands:
        gdb.cmd(command)
    now.touch()
    gdb.go("continue", timeout=PATIENCE)
    return gdb.cmd("beam-why")


def test_a_destructor_of_a_resource_that_crashes(stripped: Path, tmp_path: Path) -> None:
    """The VM calls it for no process: its library tells whose it is."""
    start = f'spawn(fun() -> troubles:destroy("{tmp_path}/now") end)'
    with erl.running_node(stripped, start) as node, Gdb() as gdb:
        said = stopped(gdb, node, tmp_path / "now", "handle SIGSEGV stop print")
        assert said.startswith("SIGSEGV in thread ")
        assert re.search(r"^#0 .* from \S*/troubles_nif\.so$", said, re.M)
        assert "The thread works for no Erlang process." in said
        (suspect,) = re.findall(r"^  1\. (.*)$", said, re.M)
        assert re.fullmatch(
            r"\S+/troubles_nif\.so: C code in it, called for no Erlang process, as destructors of resources are, "
            "ran when SIGSEGV came",
            suspect,
        )


def test_memory_that_runs_out(stripped: Path, tmp_path: Path) -> None:
    """The node ends without a signal."""
    start = f'spawn(fun() -> troubles:run_out("{tmp_path}/now") end)'
    with erl.running_node(stripped, start) as node, Gdb() as gdb:
        said = stopped(gdb, node, tmp_path / "now", "break -function erts_exit")
        (suspect,) = re.findall(r"^  1\. (.*)$", said, re.M)
        assert re.fullmatch(
            r"memory ran out: the VM could not allocate what it needed while it worked for <\S+>, and ends the node",
            suspect,
        )
        assert "troubles:run_out/1" in said
