"""What somebody finds who does not know the extension: a line on what was found, help, completion, hints."""

from __future__ import annotations

import ctypes
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from beamgdb import __version__
from tests.gdb.every_command import registered
from tests.gdb.stages import TRIES
from tests.harness import gdb_facts
from tests.harness.erl import running_node
from tests.harness.gdb import Gdb, batch

COLUMNS = 80
#: Besides the commands.
TOPICS = (
    "set beam-depth", "set beam-width", "set beam-bytes", "set beam-debug", "set beam-syntax",
    "set beam-context", "set beam-context-sections", "set beam-elixir-names", "set beam-layout-from",
    "function _xreg", "function _yreg", "function _arg", "function _eterm", "function _beam_process",
    "function _beam_hit", "function _beam_before",
)  # fmt: skip


@pytest.fixture(scope="module")
def gdb(ebin: Path) -> Iterator[Gdb]:
    """A session with a node whose threads all wait, most of the time."""
    with running_node(ebin, "code:load_file('odd.Module'), code:load_file(walks)") as node, Gdb() as session:
        session.attach(node.pid)
        yield session


def completed(gdb: Gdb, command: str) -> list[str]:
    return gdb.cmd(f"complete {command}").splitlines()


def test_one_line_when_it_is_there(ebin: Path) -> None:
    with running_node(ebin, "ok") as node:
        said = batch("-ex", "echo seen\\n", "-p", str(node.pid), load="-ix")
    (line,) = [line for line in said.splitlines() if line.startswith("beamgdb ")]
    assert re.fullmatch(rf"beamgdb {re.escape(__version__)}: Erlang/OTP \d+, erts [\d.]+, JIT; .*`beam-bt all`.*", line)
    assert len(line) <= COLUMNS
    assert "beamgdb" not in batch("-ex", "file /bin/true", "-ex", "run", load="-ix")


def test_a_distribution_whose_name_is_before_the_version(ebin: Path) -> None:
    """As Fedora and Red Hat have it."""
    with running_node(ebin, "ok") as node:
        named = ("-iex", "python gdb.VERSION = 'Fedora Linux 18.2-3.fc40'")
        said = batch(*named, "-p", str(node.pid), "-ex", "beam-bt init", load="-ix")
    assert "Python Exception" not in said
    assert "Process <0.0.0> init" in said


def test_help(gdb: Gdb) -> None:
    for topic in (*sorted(registered(gdb)), *TOPICS):
        text = gdb.cmd(f"help {topic}")
        assert max(map(len, text.splitlines())) <= COLUMNS, text
    overview = gdb.cmd("help beam")
    assert gdb.cmd("beam").splitlines()[2:] == overview.splitlines()[3:]
    settings = gdb.cmd("complete set beam-").split("set ")
    assert len(settings) > 8
    assert [one for one in map(str.strip, settings) if one not in overview] == []
    for command in ("beam-info", "beam-bt", "beam-disas", "beam-break", "beam-step", "beam-finish", "xreg", "eterm"):
        assert command in overview
        assert command in gdb.cmd("apropos beam") or not command.startswith("beam")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("xreg -", "xreg -raw"),
        ("beam-bt -l", "beam-bt -limit"),
        ("beam-bt -limit 3 ini", "beam-bt -limit 3 init"),
        ("beam-bt <0.0", "beam-bt <0.0.0>"),
        ("beam-ps -w", "beam-ps -where"),
        ("beam-ps -sort red", "beam-ps -sort reductions"),
        ("beam-heap -sort lar", "beam-heap -sort largest"),
        ("beam-heap -where count>3 ini", "beam-heap -where count>3 init"),
        ("beam-refs -where owner~0 ini", "beam-refs -where owner~0 init"),
        ("beam-verify -limit 3 ini", "beam-verify -limit 3 init"),
        ("beam-exceptions -where state=over ini", "beam-exceptions -where state=over init"),
        ("beam-resources -where mod", "beam-resources -where module"),
        ("beam-process -limit 3 ini", "beam-process -limit 3 init"),
        ("beam-context sta", "beam-context stack"),
        ("beam-context stack reg", "beam-context stack registers"),
        ("set beam-context o", "set beam-context on"),
        ("beam-break -p", "beam-break -process"),
        ("beam-break -process ini", "beam-break -process init"),
        ("beam-break -process init walks:fac", "beam-break -process init walks:factorial/1"),
        ("beam-break walks.erl:3", "beam-break walks.erl:33"),
        ("beam-disas -by", "beam-disas -bytecode"),
        ("beam-disas walks:fac", "beam-disas walks:factorial/1"),
        ("eterm -", "eterm -boxed"),
        ("eterm erts_pro", "eterm erts_proc"),
        ("break -function walks:fac", "break -function walks:factorial/1"),
    ],
)
def test_completion(gdb: Gdb, line: str, offered: str) -> None:
    assert offered in completed(gdb, line)


def test_completion_in_quotes(gdb: Gdb) -> None:
    """First up to the closing quote, where GDB sets that itself."""
    line = "beam-break 'odd.Module':'a loop'/1"
    begun = "beam-break 'odd.Module':'a l"
    assert completed(gdb, begun) == [gdb_facts.completed(begun, line)]
    assert completed(gdb, "beam-break 'odd.Module':'a loop'/") == [line]


def test_what_is_offered_is_accepted(gdb: Gdb) -> None:
    gdb.cmd("set max-completions unlimited")
    offers = completed(gdb, "beam-break walks") + completed(gdb, "beam-break 'odd.Module':")
    offers += completed(gdb, "break -function walks:") + completed(gdb, "break -function lists:keyf")
    assert len(offers) > 60
    assert not [offer for offer in offers if re.search("CodeInfoPrologue|codeHeader|codeFooter", offer)]
    for offer in offers:
        said = gdb.cmd(offer)
        assert re.match(r"(Temporary b|B)reakpoint \d+ (in|at) ", said), said
        gdb.cmd("delete $bpnum")


def test_files_for_operations(gdb: Gdb, ebin: Path) -> None:
    assert f"beam-disas -beam {ebin}/walks.beam" in completed(gdb, f"beam-disas -beam {ebin}/wal")


SIGNALS = ("sys_sig_disp", "erts_ssig_disp")


def signal_thread(pid: int) -> int:
    """The thread of a node that waits for signals; OTP 27 has another name for it."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return next(int(task.name) for task in tasks if (task / "comm").read_text().startswith(SIGNALS))


def test_where_erlang_runs_after_ctrl_c(gdb: Gdb) -> None:
    """A thread that runs a process, or that there is none: GDB selects whichever has got the signal."""
    gdb.cmd("continue")
    assert "No thread runs Erlang now. `beam-bt all` shows" in gdb.interrupted()


def stopped_in_c(gdb: Gdb, pid: int, expected: str) -> re.Match[str]:
    """What is told when Ctrl-C comes to a thread of C: the kernel chooses one else. Where that is not as expected the
    node goes on and is stopped again: between two turns no thread runs a process that is always busy."""
    for _ in range(TRIES):
        gdb.cmd("continue")
        ctypes.CDLL(None).tgkill(pid, signal_thread(pid), signal.SIGINT)
        said = gdb.wait_stop().text + gdb.cmd("echo")
        if found := re.search(expected, said, re.M):
            return found
    raise AssertionError(said)


@pytest.mark.parametrize("name", ["busy", "b" * 100])
def test_the_thread_that_runs_erlang(ebin: Path, name: str) -> None:
    rename = f"register({name}, begin Pid = whereis(busy), unregister(busy), Pid end)"
    with running_node(ebin, f"busy:start(), {rename}") as node, Gdb() as gdb:
        gdb.attach(node.pid)
        found = stopped_in_c(gdb, node.pid, r"^Thread (\d+) runs Erlang, <0\.\d+\.0>( busy)?: `thread \1`$")
        assert (found[2] is not None) == (name == "busy")
        gdb.cmd(f"thread {found[1]}")
        assert f" {name}, spawned as " in gdb.cmd("beam-bt")


def test_the_thread_that_works_for_a_process(ebin: Path, tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to takes as long as one likes; a dirty scheduler does it."""
    os.mkfifo(pipe := tmp_path / "pipe")
    opening = f'register(opening, spawn(fun() -> prim_file:open("{pipe}", [read]) end))'
    with running_node(ebin, opening) as node, Gdb() as gdb:
        gdb.attach(node.pid)
        found = stopped_in_c(gdb, node.pid, r"^Thread (\d+) works for <0\.\d+\.0> opening, in C: `thread \1`$")
        gdb.cmd(f"thread {found[1]}")
        assert " opening, spawned as " in gdb.cmd("beam-bt")
