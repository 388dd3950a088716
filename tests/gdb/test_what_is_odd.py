"""What beam-why and beam-waits tell of a node that has not crashed: deadlocks, and what processes do that run."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import gdb_facts
from tests.harness.erl import running_node
from tests.harness.gdb import Gdb

WORK = "Overdue.work/1"


@pytest.fixture(scope="module")
def gdb(ebin: Path) -> Iterator[Gdb]:
    """Stopped where the server of Elixir.Overdue.erl works, in a node with a deadlock."""
    with running_node(ebin, "waiting:start(), 'Elixir.Overdue':start()") as node, Gdb() as session:
        session.attach(node.pid)
        yield session


def test_a_live_node_has_not_crashed(gdb: Gdb) -> None:
    assert gdb.cmd("beam-why").startswith("It has not crashed: it was stopped by SIGSTOP in thread ")


def test_sentences_go_on_in_the_next_line(gdb: Gdb) -> None:
    """Where rows are cut: of a sentence each half says nothing."""
    told = gdb.cmd("beam-why").splitlines()
    gdb.cmd("set width 50")
    lines = gdb.cmd("beam-why").splitlines()
    gdb.cmd("set width 0")
    # (A word may be longer than a line.)
    assert all(len(line) < 50 or " " not in line.strip() for line in lines)
    for start in ("It has not crashed", "Heaps and messages", "  1. a deadlock"):
        (whole,) = (line for line in told if line.startswith(start))
        assert whole.strip() in " ".join(map(str.strip, lines))
        assert whole not in lines
    assert any(line.startswith("#0 ") and line.endswith("...") for line in lines)


def test_a_deadlock_is_a_suspect(gdb: Gdb) -> None:
    told = json.loads(gdb.cmd("beam-why -json"))
    (cycle,) = told["deadlocks"]
    names = {row["pid"]: row["name"] for row in json.loads(gdb.cmd("beam-ps -json"))}
    assert {names[pid] for pid in cycle} == {"w_a", "w_b"}
    assert told["suspects"] == [f"a deadlock: {' waits for '.join([*cycle, cycle[0]])} (see `beam-waits`)"]
    assert f"Suspects:\n  1. {told['suspects'][0]}\n" in gdb.cmd("beam-why")


def test_no_deadlock_of_those_that_serve(ebin: Path) -> None:
    with running_node(ebin, "peers:start()") as node, Gdb() as session:
        session.attach(node.pid)
        told = session.cmd("beam-waits")
        assert "Deadlock" not in told
        assert re.search(r"^\(sure=no: <\S+> and 1 other may take other messages too\)$", told, re.M)
        assert len(json.loads(_array(session.cmd("beam-waits -where sure=no -json")))) == 2
        assert json.loads(session.cmd("beam-why -json"))["suspects"] == []


def test_a_deadlock_by_stopping(ebin: Path) -> None:
    """One server stops another, and waits in a function of its own for that; it is asked by that first."""
    with running_node(ebin, "stopping:start()") as node, Gdb() as session:
        session.attach(node.pid)
        (cycle,) = json.loads(session.cmd("beam-why -json"))["deadlocks"]
        places = {row["pid"]: row["current"] for row in json.loads(session.cmd("beam-ps -json"))}
        assert {places[pid] for pid in cycle} == {"proc_lib:stop/3", "gen:do_call/4"}


@pytest.mark.skipif(shutil.which("elixir") is None, reason="not installed: elixir")
def test_a_deadlock_of_tasks(ebin: Path) -> None:
    """The one that waits for all of them keeps their references in a map."""
    command = ["elixir", "-e", "IO.write(:code.lib_dir(:elixir, :ebin))"]
    elixir = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    with running_node(ebin, "stuck:task()", "-pa", elixir) as node, Gdb() as session:
        session.attach(node.pid)
        rows = json.loads(_array(session.cmd("beam-waits -json")))
        (waiter,) = {row["pid"] for row in rows if row["called"] == "e_waits"}
        tasks = [row["for"] for row in rows if row["pid"] == waiter]
        assert len(tasks) == 2
        ((first, second),) = json.loads(session.cmd("beam-why -json"))["deadlocks"]
        assert waiter in (first, second)
        assert {first, second} - {waiter} < {*tasks}


@pytest.fixture(scope="module")
def near(ebin: Path) -> Iterator[tuple[Gdb, str]]:
    """A node that has asked another one, and what it has printed. No epmd is asked for the port of the other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = ("-start_epmd", "false", "-erl_epmd_port", str(port), "-setcookie", "stuck")
    listens = ("-name", "far@127.0.0.1", "-kernel", "inet_dist_use_interface", "{127,0,0,1}")
    asks = ("-name", "near@127.0.0.1", "-dist_listen", "false")
    asking = running_node(ebin, "stuck:near('far@127.0.0.1')", *both, *asks)
    with running_node(ebin, "stuck:far()", *both, *listens), asking as node, Gdb() as session:
        session.attach(node.pid)
        yield session, node.said


def test_a_call_of_one_with_the_same_name(near: tuple[Gdb, str]) -> None:
    """Which is on another node: it does not wait for itself."""
    session, _ = near
    (row,) = json.loads(session.cmd("beam-waits -where called=namesake -json"))
    assert (row["for"], row["for_called"], row["for_status"]) == ("{namesake,'far@127.0.0.1'}", None, None)
    assert json.loads(session.cmd("beam-why -json"))["deadlocks"] == []
    states = {row["node"]: row["state"] for row in json.loads(session.cmd("beam-nodes -json"))}
    assert (states["'near@127.0.0.1'"], states["'far@127.0.0.1'"]) == ("this node", "connected")
    (monitor,) = json.loads(session.cmd("beam-process namesake -json"))["monitors"]["shown"]
    assert monitor.startswith("{namesake,'far@127.0.0.1'} by #Ref<")


def test_memory_of_what_another_node_has_sent(near: tuple[Gdb, str]) -> None:
    """It is as large as when it is decoded; who has not been asked for that does not know it either."""
    session, said = near
    rows = {row["name"]: row for row in json.loads(_array(session.cmd("beam-ps -json"))) if row["name"]}
    (memory,) = re.findall(r"^near \{memory,(\d+)\}$", said, re.M)
    # (The question itself was a signal, and the links are not in it.)
    assert abs(rows["heard"]["memory"] - int(memory)) < 200
    assert {rows[name]["queue"] for name in ("heard", "unheard")} == {201}
    largest = {row["pid"]: row for row in json.loads(session.cmd("beam-why -json"))["largest"]}
    assert not largest[rows["heard"]["pid"]]["is_estimated"]
    unheard = largest[rows["unheard"]["pid"]]
    assert unheard["is_estimated"]
    # Numbers below 256 in lists are a byte each, other ones some.
    assert 100 * 500 + 40000 * 3 < unheard["amount"] < int(memory)


TGKILL = {"x86_64": 234, "aarch64": 131}
"""The number of that system call."""


@pytest.mark.parametrize(("name", "to_a_thread"), [("SIGABRT", False), ("SIGSEGV", False), ("SIGABRT", True)])
def test_a_signal_that_was_sent(ebin: Path, name: str, to_a_thread: bool) -> None:
    """As by `kill -ABRT`, or a watchdog, which may choose a thread: the VM has not ended itself."""
    with running_node(ebin, "ok") as node, Gdb() as session:
        session.attach(node.pid)
        if to_a_thread:
            ctypes.CDLL(None).syscall(TGKILL[platform.machine()], node.pid, node.pid, signal.Signals[name])
        else:
            os.kill(node.pid, signal.Signals[name])
        assert session.go("continue").results["signal-name"] == name
        told = json.loads(session.cmd("beam-why -json"))
        assert told["stop"]["sender"] == {"pid": os.getpid(), "user": os.getuid()}
        sent = f"{name} was sent by process {os.getpid()} of user {os.getuid()}: the node did not crash"
        assert told["suspects"] == [sent]


def test_memory_that_is_estimated(ebin: Path) -> None:
    """All messages of a long queue are taken for such as its first ones, as they are here. Those of the second process
    have no room for a fragment, and some are the last in readable memory."""
    fill = (
        "Many = lists:seq(1, 60000), Start = fun(How) -> spawn_opt(timer, sleep, [infinity], How) end, "
        "Lists = Start([{message_queue_data, off_heap}]), [Lists ! lists:seq(1, 100) || _ <- Many], "
        "Numbers = Start([]), [Numbers ! N || N <- Many], timer:sleep(300), "
        '[io:format("~p ~w~n", [Pid, element(2, process_info(Pid, memory))]) || Pid <- [Lists, Numbers]]'
    )
    with running_node(ebin, fill) as node, Gdb() as session:
        session.attach(node.pid)
        memory = {pid: int(size) for pid, size in re.findall(r"^(<\S+>) (\d+)$", node.said, re.M)}
        assert len(memory) == 2
        rows = {row["pid"]: row["memory"] for row in json.loads(_array(session.cmd("beam-ps -json")))}
        # (The question itself was a signal, which is counted by the node.)
        assert all(abs(rows[pid] - size) < 200 for pid, size in memory.items()), (rows, memory)
        assert "(memory of 2 processes is estimated: " in session.cmd("beam-ps -limit 1 -sort memory")
        told = json.loads(session.cmd("beam-why -json"))
        estimated = {row["pid"]: row["amount"] for row in told["largest"] if row["is_estimated"]}
        assert estimated == {pid: rows[pid] for pid in memory}
        shown = re.findall(r"^  about (\d+) bytes  (<\S+>) ", session.cmd("beam-why"), re.M)
        assert {pid: int(size) for size, pid in shown} == estimated
        assert re.fullmatch(
            rf"{min(memory)} .* has about \d+ MB of heap and messages, most of all", told["suspects"][-1]
        )


def test_a_heap_that_a_nif_has_damaged(ebin: Path, tmp_path: Path) -> None:
    """It shows when garbage is collected: then the libraries are told of which one has done it."""
    now = tmp_path / "now"
    with running_node(ebin, f'overrun:start("{now}")') as node, Gdb() as session:
        session.attach(node.pid)
        now.touch()
        # (Which one it is for an address that none can be depends on the instruction.)
        name = session.go("continue").results["signal-name"]
        assert name in ("SIGSEGV", "SIGBUS")
        told = json.loads(session.cmd("beam-why -json"))
        library = str(ebin / "overrun_nif.so")
        assert told["stop"]["libraries"] == [library]
        assert f"is damaged: {name} came while its garbage was collected" in told["suspects"][0]
        assert told["suspects"][0].endswith(f"maybe long before; besides OTP's there are {library}")


def test_a_large_table(ebin: Path) -> None:
    """Without a large process or queue it is a table that has the memory."""
    fill = (
        "Self = self(), Keeper = spawn(fun() -> ets:new(cache, [named_table, public]), Self ! made, "
        "receive never -> ok end end), receive made -> ok end, "
        "[ets:insert(cache, {N, lists:duplicate(1000000, N)}) || N <- lists:seq(1, 6)], garbage_collect(), "
        'io:format("~w ~p~n", [8 * ets:info(cache, memory), Keeper])'
    )
    with running_node(ebin, fill) as node, Gdb() as session:
        session.attach(node.pid)
        size, owner = node.said.split()
        told = json.loads(session.cmd("beam-why -json"))
        assert told["tables"][0] == {"name": "cache", "owner": owner, "size": int(size)}
        (suspect,) = (one for one in told["suspects"] if "ETS" in one)
        assert suspect == f"the ETS table cache of {owner} has {int(size) >> 20} MB, most of all (see `beam-ets`)"
        assert f"\nLargest ETS tables:\n  {size} bytes  cache of {owner}\n" in session.cmd("beam-why")


def test_where_a_process_is_that_runs(gdb: Gdb) -> None:
    gdb.cmd("beam-break -temporary Overdue.work/1")
    assert gdb.go("continue").reason == "breakpoint-hit"
    # GDB tells of the stop before the extension prints where Erlang is.
    gdb.cmd("echo")
    (row,) = (one for one in json.loads(_array(gdb.cmd("beam-waits -json"))) if one["called"] == "customer")
    assert (row["for_called"], row["for_status"], row["for_current"]) == ("Server", "running", WORK)
    queues = {one["called"]: one["current"] for one in json.loads(gdb.cmd("beam-why -json"))["queues"]}
    assert queues["Server"] == WORK


def test_names_are_cut_where_the_terminal_is_narrow(gdb: Gdb) -> None:
    long = "erts_literal_area_collector:msg_loop/4"
    lists = [gdb.cmd("beam-ps")]
    for width in (80, 200):
        gdb.cmd(f"set width {width}")
        lists.append(gdb.cmd("beam-ps"))
    gdb.cmd("set width 0")
    assert [long in text for text in lists] == [True, False, True]


@pytest.mark.parametrize(("command", "said"), [("-where name=nobody", "(none)"), ("-limit 0", " more processes")])
def test_an_empty_list_says_so(gdb: Gdb, command: str, said: str) -> None:
    heading, note = gdb.cmd(f"beam-ps {command}").splitlines()
    assert heading.startswith("PID ")
    assert said in note


@pytest.mark.parametrize("spelt", ["Server", "Elixir.Server", "'Elixir.Server'"])
def test_a_process_by_a_name_of_elixir(gdb: Gdb, spelt: str) -> None:
    heading = gdb.cmd(f"beam-process {spelt}").splitlines()[0]
    assert " Server, spawned as " in heading
    assert gdb.cmd(f"beam-bt {spelt}").startswith(heading)
    assert "no process is registered" not in gdb.cmd(f"beam-break -process {spelt} Overdue.start/0")
    gdb.cmd("delete")


def test_a_process_as_elixir_writes_it(gdb: Gdb) -> None:
    """A pid as it prints one, and an atom."""
    heading = gdb.cmd("beam-process customer").splitlines()[0]
    pid = heading.split()[1]
    for spelt in (":customer", ':"customer"', f"#PID{pid}"):
        assert gdb.cmd(f"beam-process {spelt}").splitlines()[0] == heading
    gdb.cmd("beam-break -process :customer Overdue.start/0")
    gdb.cmd(f"beam-break -process #PID{pid} Overdue.start/0")
    listed = gdb.cmd("beam-breakpoints")
    assert ("process customer" in listed, f"process {pid}" in listed) == (True, True)
    gdb.cmd("delete")
    assert gdb.cmd(f"beam-refs #PID{pid}") == gdb.cmd(f"beam-refs {pid}")
    assert gdb.cmd("beam-refs :customer") == gdb.cmd("beam-refs customer")


@pytest.mark.parametrize(
    ("start", "word"),
    [("Serv", "Server"), ("'Elixir.Serv", "'Elixir.Server'"), (":cust", ":customer"), ("cust", "customer")],
)
def test_completion_of_names(gdb: Gdb, start: str, word: str) -> None:
    for command in ("beam-bt", "beam-process"):
        begun = f"{command} {start}"
        assert gdb.cmd(f"complete {begun}").splitlines() == [gdb_facts.completed(begun, f"{command} {word}")]


def _array(text: str) -> str:
    """Without the notes that follow."""
    return text[: text.rindex("]") + 1]
