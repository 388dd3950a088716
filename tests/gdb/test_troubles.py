"""What people have trouble with in public, on a real node with a stripped library of NIFs: see troubles.erl."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from beamgdb.views.purging import HOLDS, UNCOPIED
from tests.gdb.stages import Frame, read_backtrace, read_frames
from tests.harness import erl, gdb_facts
from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE
from tests.harness.targets import Target, session


@pytest.fixture(scope="module")
def stripped(ebin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the modules, with a library of NIFs of which only the entry has a name."""
    folder = tmp_path_factory.mktemp("stripped")
    shutil.copytree(ebin, folder, dirs_exist_ok=True)
    subprocess.run(["strip", str(folder / "troubles_nif.so")], check=True)
    return folder


@pytest.fixture(scope="module")
def hung(stripped: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gdb, str, str]]:
    """GDB with a node in which native functions hang on schedulers of each kind, and the pids of a killed process, and
    of one in old code."""
    now = tmp_path_factory.mktemp("hung") / "now"
    with erl.running_node(stripped, f'troubles:start("{now}")', "+S", "2", "+SDcpu", "2") as node, Gdb() as gdb:
        now.touch()
        killed, holder = node.said.split()[1:3]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            gdb.attach(node.pid)
            is_hung = "running" in gdb.cmd("beam-ps -where name=t_normal") and "ended" in gdb.cmd(f"beam-bt {killed}")
            is_hung &= "t_queues" in gdb.cmd("beam-waits")
            if is_hung and "keeps a scheduler" in gdb.cmd("beam-purge"):
                break
            gdb.cmd("detach")
            time.sleep(0.1)
        yield gdb, killed, holder


def thread_of(gdb: Gdb, process: str) -> list[Frame]:
    """Select the thread that runs a process; its frames."""
    heading = read_backtrace(gdb.cmd(f"beam-bt {process}")).heading
    number = re.search(r" on thread (\d+)", heading)
    assert number, heading
    gdb.cmd(f"thread {number[1]}")
    return read_frames(gdb.cmd("bt"))


def test_a_stripped_nif_on_a_normal_scheduler(hung: tuple[Gdb, str, str]) -> None:
    gdb, _, _ = hung
    shown = read_backtrace(gdb.cmd("beam-bt t_normal"))
    assert shown.names()[:2] == ["troubles:hang/2", "troubles:calls/1"]
    assert shown.functions[0].registers == {"x0": "{argument,3}", "x1": '[<<"second">>]'}
    frames = thread_of(gdb, "t_normal")
    call = next(frame for frame in frames if frame.note == "troubles:hang/2")
    assert call.arguments == {"x0": "{argument,3}", "x1": '[<<"second">>]'}
    assert gdb.cmd("beam-bt").splitlines()[1:] == gdb.cmd("beam-bt t_normal").splitlines()[1:]


def test_a_stripped_nif_on_a_dirty_scheduler(hung: tuple[Gdb, str, str]) -> None:
    gdb, _, _ = hung
    shown = read_backtrace(gdb.cmd("beam-bt t_dirty"))
    assert shown.names()[:2] == ["troubles:dirty_hang/2", "troubles:calls/1"]
    assert shown.functions[0].registers == {"x0": "{argument,4}", "x1": '[<<"third">>]'}
    frames = thread_of(gdb, "t_dirty")
    at = next(number for number, frame in enumerate(frames) if frame.note == "troubles:dirty_hang/2")
    assert frames[at].function == "erts_dirty_process_main"
    assert frames[at].arguments == shown.functions[0].registers
    assert [frame.function for frame in frames[at + 1 :]] == ["troubles:calls/1", "erts_beamasm:normal_exit/0"]


def test_a_process_that_was_killed_while_its_native_code_runs(hung: tuple[Gdb, str, str]) -> None:
    gdb, killed, _ = hung
    text = gdb.cmd(f"beam-bt {killed}")
    shown = read_backtrace(text)
    assert re.search(r": ended, but its native code still runs on thread \d+", shown.heading)
    # (Its arguments the VM has forgotten when it was killed.)
    assert shown.names()[:2] == ["troubles:dirty_io_hang/1", "troubles:calls/1"]
    assert "troubles:calls/1" in [frame.function for frame in thread_of(gdb, killed)]
    assert gdb.cmd("beam-bt") == text
    assert text in gdb.cmd("beam-bt all")


def test_a_thread_that_a_nif_has_made(hung: tuple[Gdb, str, str]) -> None:
    """Its name, and its library, tell whose it is."""
    gdb, _, _ = hung
    number = re.search(r"^[* ] +(\d+) .*\"troubles_work\"", gdb.cmd("info threads"), re.M)
    assert number
    gdb.cmd(f"thread {number[1]}")
    said = gdb.cmd("beam-why")
    assert "stopped by SIGSTOP in thread" in said
    assert "(troubles_work)" in said
    assert "troubles_nif.so" in said
    assert "The thread works for no Erlang process." in said


def test_a_purge_that_waits(hung: tuple[Gdb, str, str]) -> None:
    """For a scheduler that is in a native function; who is in old code of another module is told too."""
    gdb, _, holder = hung
    rows = {row["pid"]: row for row in json.JSONDecoder().raw_decode(gdb.cmd("beam-purge -json"))[0]}
    pids = {name: json.loads(gdb.cmd(f"beam-ps -json -where name={name}"))[0]["pid"]
            for name in ("t_normal", "t_purges", "erts_code_purger")}  # fmt: skip
    assert {pid for pid, row in rows.items() if row["module"]} == {pids["t_normal"], holder}
    waited = rows[pids["t_normal"]]
    assert [waited[name] for name in ("called", "module", "how", "status", "current")] == [
        "t_normal", "later", "keeps a scheduler", "running", "troubles:hang/2",
    ]  # fmt: skip
    assert [rows[holder][name] for name in ("module", "how", "place")] == ["aged", "goes on there", "aged:waits/1"]
    said = f"A purge of later, asked for by {pids['t_purges']}, waits for {pids['t_normal']} to let a scheduler go on"
    text = gdb.cmd("beam-purge")
    assert f"\n{said}.\n" in text
    assert re.search(r"\nModules with old code: (aged, later|later, aged)\n", text)
    assert f"a{said[1:]}; {pids['t_normal']} is in troubles:hang/2 (see `beam-purge`)" in gdb.cmd("beam-why")
    waits = {row["pid"]: row["for"] for row in json.loads(gdb.cmd("beam-waits -json"))}
    assert waits[pids["t_purges"]] == pids["erts_code_purger"]
    assert waits[pids["erts_code_purger"]] == pids["t_normal"]


def keeps_a_literal(gdb: Gdb, how: str) -> None:
    """What is told of a literal of purged code, which a process has whose native code runs."""
    (keeper,) = json.loads(gdb.cmd("beam-ps -json -where name=t_literal"))
    text = gdb.cmd("beam-purge -json")
    (row,) = (row for row in json.JSONDecoder().raw_decode(text)[0] if row["module"] is None)
    assert [row[name] for name in ("pid", "called", "how", "status", "current")] == [
        keeper["pid"], "t_literal", how, "running", "troubles:dirty_hang/2",
    ]  # fmt: skip
    said = re.search(
        r"^Literals of purged code(?: \((\d+) bytes\))? are not freed: (<\S+>) waits for (<\S+>) to ", text, re.M
    )
    assert said
    assert (said[1] is None) is (how == UNCOPIED)
    assert said[3] == keeper["pid"]
    suspects = re.findall(r"^  \d\. (.*)$", gdb.cmd("beam-why"), re.M)
    assert any(
        one.startswith(f"l{said[0][1:]}") and f"; {said[3]} is in troubles:dirty_hang/2 " in one for one in suspects
    )
    (waits,) = json.loads(gdb.cmd(f"beam-waits -json -where pid={said[2]}"))
    assert [waits["called"], waits["for"]] == ["erts_literal_area_collector:start/0", keeper["pid"]]


def test_a_literal_of_purged_code(hung: tuple[Gdb, str, str]) -> None:
    keeps_a_literal(hung[0], HOLDS)


def test_a_literal_of_purged_code_in_a_vm_that_hides_its_symbols() -> None:
    """Which literals are collected is one of them."""
    target = Target("amd64", 29)
    with session(target, "attached", target.ebin, "troubles:keep_literal()") as one:
        keeps_a_literal(one.gdb, UNCOPIED)


def test_who_waits_for_code_to_be_loaded(hung: tuple[Gdb, str, str]) -> None:
    """One has the permission, and waits for the scheduler; another one waits for the permission."""
    gdb, _, _ = hung
    rows = json.JSONDecoder().raw_decode(gdb.cmd("beam-locks -json"))[0]
    queues, hangs = (
        json.loads(gdb.cmd(f"beam-ps -json -where name={name}"))[0]["pid"] for name in ("t_queues", "t_normal")
    )
    # (From OTP 26 on there are two, to change code and to load it: one needs both, and waits for one.)
    permissions = [row for row in rows if row["lock"].startswith("permission to ")]
    assert [(row["state"], row["waits"]) for row in permissions if row["waits"]] == [("held", queues)]
    assert len({row["holder"] for row in permissions}) == 1
    (main,) = (row for row in rows if row["of"] == hangs)
    assert [main["lock"], main["state"], main["holder"]] == ["main", "held", f"{hangs}, scheduler 1"]
    assert f" on thread {main['thread']} " in gdb.cmd("beam-bt t_normal")
    (waits,) = json.loads(gdb.cmd(f"beam-waits -json -where pid={queues}"))
    # (OTP 25 does not note who has it.)
    assert waits["for_called"] == "t_loads" or waits["for"] == "(who changes code)"


def test_a_resource_that_is_released_too_often(hung: tuple[Gdb, str, str]) -> None:
    """Two references are on the heap, and its count was one more: the NIF's own, which it has given up twice."""
    gdb, _, _ = hung
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
    """The VM calls it for no process: its library tells whose it is, and the resource that is being destroyed its
    type. So on the core file."""
    start = f'spawn(fun() -> troubles:destroy("{tmp_path}/now") end)'
    with erl.running_node(stripped, start) as node, Gdb() as gdb:
        alive = stopped(gdb, node, tmp_path / "now", "handle SIGSEGV stop print")
        types = gdb.cmd("beam-resources -types -where module=troubles")
        gdb.cmd(f"gcore {tmp_path}/core")
        with Gdb() as dead:
            dead.cmd(f"file {node.release.beam}")
            dead.cmd(f"core-file {tmp_path}/core")
            said = (alive, dead.cmd("beam-why"))
    destructor = re.search(r"troubles  fragile .* (0x[0-9a-f]+) .*troubles_nif\.so", types)
    assert destructor, types
    for text in said:
        assert text.startswith("SIGSEGV in thread ")
        assert re.search(r"^#0 .* from \S*/troubles_nif\.so$", text, re.M)
        assert "The thread works for no Erlang process." in text
        (suspect,) = re.findall(r"^  1\. (.*)$", text, re.M)
        assert re.fullmatch(
            rf"\S+/troubles_nif\.so: C code in it, a destructor \({destructor[1]}\) of a resource of the type fragile "
            "of troubles, ran when SIGSEGV came",
            suspect,
        )


@pytest.mark.parametrize("where", ["break -function erts_exit", "catch syscall exit_group"])
def test_memory_that_runs_out(where: str, stripped: Path, tmp_path: Path) -> None:
    """The node ends without a signal, as one does that ends itself."""
    with erl.running_node(stripped, run_out(tmp_path)) as node, Gdb() as gdb:
        says_that_memory_ran_out(stopped(gdb, node, tmp_path / "now", where))


def test_memory_that_runs_out_in_a_vm_that_hides_its_symbols(stripped: Path, tmp_path: Path) -> None:
    with session(Target("amd64", 29), "attached", stripped, run_out(tmp_path)) as one:
        first = "from beamgdb.gdbext import c_calls; gdb.execute('break ' + c_calls.first_instruction('erts_exit'))"
        one.gdb.cmd("beam-info")
        one.gdb.cmd(f"python {first}")
        (tmp_path / "now").touch()
        one.gdb.go("continue", timeout=PATIENCE)
        says_that_memory_ran_out(one.gdb.cmd("beam-why"))


def run_out(folder: Path) -> str:
    return f'spawn(fun() -> troubles:run_out("{folder}/now") end)'


def says_that_memory_ran_out(said: str) -> None:
    (suspect,) = re.findall(r"^  1\. (.*)$", said, re.M)
    assert re.fullmatch(
        r"memory ran out: the VM could not allocate what it needed while it worked for <\S+>, and ends the node",
        suspect,
    )
    assert "troubles:run_out/1" in said


def test_an_assertion_in_a_nif_that_is_called_last(stripped: Path, tmp_path: Path) -> None:
    """Its message is told; and the process is in the NIF, of which no frame of Erlang is left, not where the VM has
    noted it before. The folder of the NIF, and the thread, have names of bytes that are no text to GDB's Python."""
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/gr\xf6\xdfe"))
    shutil.copytree(stripped, folder)
    start = f'spawn(troubles, fail, ["{tmp_path}/now"])'
    with erl.running_node(folder, start, "+fnl") as node, Gdb() as gdb:
        said = stopped(gdb, node, tmp_path / "now", "handle SIGABRT stop print")
        assert said.startswith("SIGABRT in thread ")
        (suspect,) = re.findall(r"^  1\. (.*)$", said, re.M)
        assert re.fullmatch(
            r"\S+/troubles_nif\.so: C code in it, called as troubles:make_sure/1, ran when SIGABRT came: "
            r"\S+: \S+/troubles_nif\.c:\d+: make_sure: Assertion `number == 4' failed\.",
            suspect,
        )
        shown = read_backtrace(gdb.cmd("beam-bt"))
        assert re.search(r" spawned as troubles:fail/1: running on thread \d+", shown.heading)
        assert shown.names() == ["troubles:make_sure/1"]
        assert shown.functions[0].registers == {"x0": "5"}
        assert "in make_sure from " in said or re.search(
            r"^#\d+ .* from \S*/gr\ufffd\ufffde/troubles_nif.so$", said, re.M
        )
        if not gdb_facts.writes_vector_registers():
            return  # GDB cannot call a function that gives the thread its name
        gdb.cmd('call (int) prctl(15, "gr\\366\\337er")')
        assert re.search(r"running on thread \d+ \(gr\ufffd\ufffder\)$", gdb.cmd("beam-bt"), re.M)
        assert gdb.cmd("beam-schedulers -where state=running").count("running") == 1


@pytest.mark.parametrize("how", ["[]", "[{flush,false}]"])
def test_a_node_that_halts_itself(how: str, stripped: Path, tmp_path: Path) -> None:
    start = f'spawn(troubles, halts, ["{tmp_path}/now", {how}])'
    with erl.running_node(stripped, start) as node, Gdb() as gdb:
        said = stopped(gdb, node, tmp_path / "now", "break -function erts_exit")
        (suspect,) = re.findall(r"^  1\. (.*)$", said, re.M)
        assert re.fullmatch(rf'<\S+> has ended the node: erlang:halt\("thrown out",{re.escape(how)}\)', suspect)


def test_a_node_that_is_stopped(stripped: Path, tmp_path: Path) -> None:
    """It ends when all that it has written is written, by a scheduler that works for no process."""
    start = f'spawn(fun() -> troubles:await("{tmp_path}/now"), init:stop() end)'
    with erl.running_node(stripped, start) as node, Gdb() as gdb:
        said = stopped(gdb, node, tmp_path / "now", "catch syscall exit_group")
        (suspect,) = re.findall(r"^  1\. (.*)$", said, re.M)
        assert suspect == "the node ends itself: <0.0.0> init has called erlang:halt/2"
