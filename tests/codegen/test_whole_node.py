"""Whole nodes run natively: kernel and stdlib from the boot on, with a shell in which one works."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jit.erts.boot import arguments, write_boot
from jit.sandbox import Sandbox
from tests.codegen.native_node import PATIENCE, compile_native, erlc, library, node, node_says
from tests.harness.erl import SETTINGS
from tests.harness.releases import MOST_TESTS

SOURCES = Path(__file__).with_name("whole_node")
#: What is under test: all of these have native code in the node that works with them.
WORKING = (
    "array dict erl_eval erl_lint erl_parse erl_pp erl_scan gb_sets gb_trees gen gen_event gen_server gen_statem "
    "io_lib io_lib_format io_lib_fread io_lib_pretty lists maps orddict ordsets proc_lib proplists queue servers sets "
    "sofs string supervisor sys unicode_util work".split()
)
RUN = """
    io:format("~w~n", [work:run()]),
    case erlang:function_exported(native, modules, 0) of
        true -> io:format("native ~w~n", [native:modules()]);
        false -> ok
    end,
    halt().
"""
QUIET = ("-kernel", "logger_level", "none")


def working(otp: int) -> list[Path]:
    """Those of stdlib."""
    return [path for name in WORKING if (path := library(otp, "stdlib") / f"{name}.beam").exists()]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modules of this test, as the compiler makes them."""
    folder = tmp_path_factory.mktemp("plain")
    for source in SOURCES.glob("*.erl"):
        erlc(source, folder)
    return folder


@pytest.fixture(scope="module")
def system(otp: int, plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of kernel and stdlib, and the modules of this test, native; the glue; a boot script that begins with it. Of
    a release that has not all tests, just what works."""
    folder = tmp_path_factory.mktemp(f"system-{otp}")
    whole = [library(otp, "kernel"), library(otp, "stdlib")]
    compile_native([*(whole if otp in MOST_TESTS else working(otp)), *plain.glob("*.beam")], folder, otp)
    write_boot(Sandbox("armhf", otp).ensure().otp_root / "bin/start.boot", folder)
    return folder


@pytest.fixture(scope="module")
def interpreted(otp: int, plain: Path) -> str:
    """What the work gives without native code."""
    return node_says(otp, "-pa", str(plain), *QUIET, "-eval", RUN)


@pytest.mark.each_release
def test_real_work(otp: int, interpreted: str, system: Path) -> None:
    answer, _, modules = node_says(otp, *arguments(system), *QUIET, "-eval", RUN).partition("native ")
    assert answer == interpreted
    missing = set(WORKING) - set(modules.strip(" []\n").split(","))
    assert not missing


@pytest.fixture(scope="module")
def stressed(otp: int, plain: Path, system: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The system with the modules that work collecting garbage and yielding wherever that can happen."""
    folder = tmp_path_factory.mktemp(f"stressed-{otp}")
    compile_native([*working(otp), *plain.glob("*.beam")], folder, otp, "--stress")
    for path in system.iterdir():
        if not (folder / path.name).exists():
            (folder / path.name).symlink_to(path)
    return folder


def test_real_work_under_stress(otp: int, interpreted: str, stressed: Path) -> None:
    native = node_says(otp, *arguments(stressed), *QUIET, "-eval", RUN)
    assert native.partition("native ")[0] == interpreted


class Shell:
    """An Erlang shell on a terminal."""

    def __init__(self, terminal: int) -> None:
        self.terminal = terminal
        self.said = ""

    def until(self, text: str) -> str:
        """What it says up to a text."""
        end = time.monotonic() + PATIENCE
        while text not in self.said:
            ready, _, _ = select.select([self.terminal], [], [], max(0, end - time.monotonic()))
            assert ready, f"{text!r} is not in {self.said!r}"
            self.said += os.read(self.terminal, 65536).decode(errors="replace")
        before, _, self.said = self.said.partition(text)
        return before

    def ask(self, expression: str, answer: str) -> None:
        """Type an expression and see its value, in a line of its own."""
        os.write(self.terminal, f"{expression}\n".encode())
        self.until(f"\n{answer}\r\n")
        self.until("> ")


@contextmanager
def shell(otp: int, folder: Path, *words: str) -> Iterator[Shell]:
    master, slave = pty.openpty()
    environment = {**os.environ, **SETTINGS, "TERM": "dumb", "HOME": str(folder)}
    command = Sandbox("armhf", otp).ensure().command(words)
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=folder) as process:
        os.close(slave)
        try:
            yield Shell(master)
            assert process.wait(timeout=PATIENCE) == 0
        finally:
            process.kill()
            os.close(master)


def test_shell(otp: int, system: Path, tmp_path: Path) -> None:
    """A node that is native all over: its shell evaluates, compiles a module and runs it."""
    (tmp_path / "servers.erl").write_bytes((SOURCES / "servers.erl").read_bytes())
    with shell(otp, tmp_path, *arguments(system)) as session:
        session.until("> ")
        session.ask("lists:sort(fun(A, B) -> A > B end, lists:seq(1, 5)).", "[5,4,3,2,1]")
        session.ask("F = fun(N) when N > 1 -> N * 2; (_) -> none end, [F(X) || X <- [1, 2]].", "[none,4]")
        session.ask("1 / 0.", "** exception error: an error occurred when evaluating an arithmetic expression")
        session.ask("length(native:modules()) > 60.", "true")
        session.ask("c(servers).", "{ok,servers}")
        session.ask("{ok, _} = servers:start_server(), servers:pingpong(100).", "pong")
        os.write(session.terminal, b"q().\n")


def test_one_folder_serves_as_before_without_the_glue(otp: int, interpreted: str, system: Path) -> None:
    ran = node(otp, "-pa", str(system), *QUIET, "-eval", RUN.replace("native", "nothing"))
    assert (ran.returncode, ran.stdout) == (0, interpreted)
