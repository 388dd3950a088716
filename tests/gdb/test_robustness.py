"""Bad memory, Ctrl-C, other programs: an answer or one line, and always the prompt."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gdb.stages import read_backtrace, read_backtraces
from tests.harness.erl import Node, Release, running_node
from tests.harness.gdb import Gdb, one_line_error
from tests.harness.gdb_facts import is_true
from tests.harness.gdbserver import attached
from tests.harness.patience import PATIENCE

QUESTIONS = (
    "beam-bt", "beam-bt all", "beam-ps", "beam-process", "beam-ets", "beam-info", "xreg", "yreg", "freg", "eterm 1",
)  # fmt: skip
COMMANDS = (*QUESTIONS, "beam-step", "beam-next", "beam-finish")
PROCESSES = 10000


@pytest.mark.parametrize("command", COMMANDS)
def test_a_program_that_is_no_beam(start_other: Gdb, command: str) -> None:
    assert "no beam.smp" in one_line_error(start_other, command)


@pytest.fixture(scope="module")
def start_other() -> Iterator[Gdb]:
    """A session with another program, running."""
    with Gdb("/bin/cat") as gdb:
        gdb.cmd("set startup-with-shell off")
        gdb.go("starti")
        yield gdb


def test_no_program_at_all() -> None:
    with Gdb() as gdb:
        for command in (*COMMANDS, "p $_xreg(0)", "p $_eterm(1)"):
            assert one_line_error(gdb, command)
        assert gdb.cmd("complete beam-bt x") == ""


def test_a_beam_that_does_not_run(release: Release) -> None:
    with Gdb(str(release.beam)) as gdb:
        for command in COMMANDS:
            assert "not being run" in one_line_error(gdb, command)
        assert gdb.cmd("complete beam-bt x") == ""


def test_a_process_that_has_ended(ebin: Path) -> None:
    with running_node(ebin, "busy:start()") as node, Gdb() as gdb:
        gdb.attach(node.pid)
        gdb.cmd("beam-info")
        gdb.cmd("kill")
        for command in COMMANDS:
            assert "not being run" in one_line_error(gdb, command)


@pytest.mark.skipif(is_true("ends with a stub"), reason="this GDB itself ends then, by an internal error")
@pytest.mark.parametrize("command", ["beam-ps", "beam-process init"])
def test_a_stub_that_ends_meanwhile(ebin: Path, command: str) -> None:
    """Nothing can be read from then on: what there is no more is not told as what never was."""
    with running_node(ebin, "ok") as node, attached(node.pid) as (server, address), Gdb() as gdb:
        gdb.go(f"target remote {address}")
        gdb.cmd("beam-info")
        gdb.ended_in("session:Session.refresh_code", server)
        assert "the connection to the target is closed" in one_line_error(gdb, command)
        assert "the program is not being run" in one_line_error(gdb, command)


# -- Ctrl-C -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowded(ebin: Path) -> Iterator[Node]:
    many = f"[spawn(fun() -> receive never -> N end end) || N <- lists:seq(1, {PROCESSES})]"
    with running_node(ebin, f"busy:start(), {many}") as node:
        yield node


def test_interrupting_a_long_command(crowded: Node) -> None:
    with Gdb() as gdb:
        gdb.attach(crowded.pid)
        gdb.cmd("beam-info")
        for lines in (1, 100, 1000):
            said = gdb.cmd_interrupted("beam-bt all", after=lines)
            assert "Traceback" not in said
            assert said.endswith("Quit\n")
            # Not all that it had to say before it heeded the signal.
            assert lines <= len(said.splitlines()) < lines + 3 * PROCESSES
            assert not gdb.running
        assert read_backtrace(gdb.cmd("beam-bt init")).functions


def counted(gdb: Gdb, command: str) -> tuple[str, int]:
    """What a command prints, and how many functions Python calls for it: what `tests.harness.work` counts, in GDB."""
    see = "lambda frame, event, what: calls.__setitem__(0, calls[0] + (event in ('call', 'c_call')))"
    gdb.cmd(f"python import sys; calls = [0]; see = {see}")
    said = gdb.cmd(f"python sys.setprofile(see); gdb.execute({command!r}); sys.setprofile(None)", timeout=4 * PATIENCE)
    return said, int(gdb.cmd("python print(calls[0])"))


def test_ten_thousand_processes(crowded: Node) -> None:
    with Gdb() as gdb:
        gdb.attach(crowded.pid)
        gdb.cmd("beam-info")
        said, of_all = counted(gdb, "beam-bt all")
        shown = read_backtraces(said)
        assert len(shown) > PROCESSES
        assert of_all < 2000 * PROCESSES
        # One is found without reading the others.
        assert counted(gdb, "beam-bt busy")[1] < 20_000
        count = len(gdb.cmd("complete beam-bt ").splitlines())
        assert 0 < count <= len(shown) + 2


# -- garbage ----------------------------------------------------------------------------------------------------------


def test_garbage_on_a_heap_and_a_stack(ebin: Path) -> None:
    """Random words, those that look like terms among them, all over a process."""
    with running_node(ebin, "terms:start(), words:start(), busy:start()") as node, Gdb() as gdb:
        gdb.attach(node.pid)
        words = {name: int(word, 16) for name, word in re.findall(r"^word (\w+) ([0-9a-f]+)$", node.said, re.M)}
        heap = [word & ~7 for word in words.values() if abs(word - words["tuple"]) < 1 << 18]
        low, high = min(heap), max(heap)
        assert high - low > 1000
        chance = random.Random(25)
        for share in (0.02, 0.3, 1.0):
            lines = [
                f"write({address:#x}, ({garbage(chance, low, high):#x}).to_bytes(8, 'little'))"
                for address in range(low, high, 8)
                if chance.random() < share
            ]
            for start in range(0, len(lines), 200):
                gdb.cmd(f"python write = gdb.selected_inferior().write_memory; {'; '.join(lines[start : start + 200])}")
            for command in ("beam-bt words_holder", "beam-bt all", "beam-bt -limit 5 words_holder"):
                said = gdb.cmd(command)
                assert "Traceback" not in said
                assert "internal error" not in said
                assert " init, spawned as" in said or "words_holder" in command
            for word in words.values():
                said = gdb.cmd(f"eterm {word:#x}")
                assert len(said) < 1 << 20
                assert "Traceback" not in said


def garbage(chance: random.Random, low: int, high: int) -> int:
    """A word: anything, or a pointer into the damaged memory with any tag, or a header."""
    kind = chance.randrange(3)
    if kind == 0:
        return chance.getrandbits(64)
    if kind == 1:
        return chance.randrange(low, high, 8) | chance.choice((0, 1, 2))
    return chance.randrange(1 << 12) << 6 | chance.randrange(16) << 2


def test_another_process_after_a_detach(busy_node: Node, terms_node: Node) -> None:
    """What was learnt of one VM is not said of the next."""
    with Gdb() as gdb:
        gdb.attach(terms_node.pid)
        assert "terms_holder" in gdb.cmd("beam-bt terms_holder")
        gdb.cmd("detach")
        assert "not being run" in one_line_error(gdb, "beam-bt terms_holder")
        gdb.attach(busy_node.pid)
        assert "no process is registered" in one_line_error(gdb, "beam-bt terms_holder")
        assert "init" in gdb.cmd("beam-bt init")


def test_a_node_that_is_killed_while_it_stands(ebin: Path) -> None:
    """What is kept of its memory is no answer any more, and what cannot be read is nobody's fault: GDB itself sees only
    when it is to resume it that there is nothing."""
    with running_node(ebin, "busy:start()") as node, Gdb() as gdb:
        gdb.attach(node.pid)
        assert "<0.0.0>" in gdb.cmd("beam-ps")
        os.kill(node.pid, signal.SIGKILL)
        threads, deadline = Path(f"/proc/{node.pid}/task"), time.monotonic() + PATIENCE
        while any(") Z " not in (one / "stat").read_text() for one in threads.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        ended = f"process {node.pid} has ended while GDB had it stopped"
        for command in ("beam-ps", "beam-bt init", "beam-info", "beam-verify", "beam-process init", "p $_eterm(15)"):
            assert one_line_error(gdb, command).startswith(ended)
        for command in ("bt", "bt full"):
            said = gdb.cmd(command, check=False)
            assert said.count(f"beamgdb: {ended}") == 1
            assert "Python Exception" not in said
        gdb.cmd("kill")
        assert "the program is not being run" in one_line_error(gdb, "beam-ps")
