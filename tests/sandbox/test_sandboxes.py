"""Foreign Erlangs as users run them. What is not in the user's cache is fetched first."""

from __future__ import annotations

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from io import RawIOBase
from pathlib import Path

import pytest

from jit.sandbox import Sandbox, debuggee
from tests.harness import gdb as harness
from tests.harness.patience import PATIENCE

ARMHF_25, ARMHF_27, ARM64_27, AMD64_25, AMD64_27, *_ = PAIRS = (
    ("armhf", 25),
    ("armhf", 27),
    ("arm64", 27),
    ("amd64", 25),
    ("amd64", 27),
    ("armhf", 29),
    ("arm64", 29),
    ("amd64", 29),
)
#: As what GDB must take a program.
MACHINES = {"armhf": "arm", "amd64": "i386:x86-64"}
#: What must be loaded: the C library, Erlang's NIF, OpenSSL's module, and a library that Erlang loads if it finds it.
LIBRARIES = {"libc.so.6", "crypto.so", "legacy.so", "libsctp.so.1"}
TICK = 'io:format("ready~n"), spawn(fun F() -> receive after 100 -> io:format("tick~n"), F() end end)'


def command(name: str, pair: tuple[str, int], *rest: str) -> list[str]:
    arch, otp = pair
    return [sys.executable, "-m", "beamgdb.sandbox", name, "--arch", arch, "--otp", str(otp), *rest]


def done(name: str, pair: tuple[str, int], *rest: str, **options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ERL_CRASH_DUMP": "/dev/null", **options}
    return subprocess.run(
        command(name, pair, *rest), capture_output=True, text=True, timeout=2 * PATIENCE, env=environment
    )


def evaluated(pair: tuple[str, int], expression: str) -> subprocess.CompletedProcess[str]:
    return done("run", pair, "--", "-noinput", "-eval", expression)


@pytest.fixture(scope="session", autouse=True)
def _fetched() -> None:
    for pair in PAIRS:
        Sandbox(*pair).ensure()


@pytest.mark.parametrize("pair", PAIRS)
def test_runs_with_its_own_libraries_and_the_programs_of_the_host(pair: tuple[str, int]) -> None:
    """os:cmd needs erl_child_setup, a host name inet_gethost, crypto a library of another package."""
    says = """
        {ok, {hostent, "localhost", _, _, _, [_ | _]}} = inet:gethostbyname("localhost"),
        [{<<"OpenSSL">>, _, _} | _] = crypto:info_lib(),
        {ok, _} = file:read_file(code:which(crypto)),
        Source = filename:join([code:lib_dir(stdlib), "src", "lists.erl"]),
        io:format("~s ~p ~s", [erlang:system_info(otp_release), filelib:is_file(Source), os:cmd("echo from a shell")]),
        halt(3).
    """
    ran = evaluated(pair, says)
    assert (ran.stdout, ran.stderr, ran.returncode) == (f"{pair[1]} true from a shell\n", "", 3)


def test_arguments_and_input_are_those_of_erl() -> None:
    says = """
        Line = io:get_line(""),
        io:format("~p ~p ~p", [Line, init:get_plain_arguments(), erlang:system_info(schedulers)]),
        halt().
    """
    words = command("run", ARMHF_25, "--", "+S", "3", "-noshell", "-eval", says, "-extra", "a b", "--", "")
    ran = subprocess.run(words, input="typed\n", capture_output=True, text=True, timeout=PATIENCE)
    assert ran.stdout == '"typed\\n" ["a b","--",[]] 3'


def test_run_becomes_the_emulator() -> None:
    """What is sent to the process that was started reaches Erlang."""
    words = command("run", ARMHF_27, "--", "-noinput", "-eval", TICK + ".")
    with subprocess.Popen(words, stdout=subprocess.PIPE) as node:
        assert node.stdout
        assert node.stdout.readline() == b"ready\n"
        node.send_signal(signal.SIGTERM)  # Erlang stops in good order
        assert node.wait(PATIENCE) == 0


def test_shell_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(command("shell", ARMHF_25), stdin=theirs, stdout=theirs, stderr=theirs) as shell:
        os.close(theirs)
        said = b""
        while b"1> " not in said:  # what is typed before may be thrown away
            said += os.read(ours, 4096)
        os.write(ours, b"100 + 11.\n")
        while b"\n111\r" not in said:
            said += os.read(ours, 4096)
        os.write(ours, b"halt(5).\n")
        assert shell.wait(PATIENCE) == 5
    os.close(ours)


def test_compiles_for_its_release(tmp_path: Path) -> None:
    source = tmp_path / "answer.erl"
    source.write_text("-module(answer).\n-export([get/0]).\nget() -> 42.\n")
    assert done("erlc", ARMHF_25, "--", "-o", str(tmp_path), str(source)).returncode == 0
    ran = done("run", ARMHF_25, "--", "-noinput", "-pa", str(tmp_path), "-eval", "halt(answer:get()).")
    assert ran.returncode == 42
    wrong = tmp_path / "wrong.erl"
    wrong.write_text("-module(wrong).\nget() -> .\n")
    failed = done("erlc", ARMHF_25, "--", str(wrong))
    assert failed.returncode == 1
    assert "syntax error" in failed.stdout


def test_crash_leaves_a_core_file(tmp_path: Path) -> None:
    folder = tmp_path / "made/cores"  # which is not there yet
    ran = done("run", ARMHF_27, "--core-dir", str(folder), "--", "-noinput", "-eval", "erlang:halt(abort).")
    assert ran.returncode == -signal.SIGABRT
    (core,) = folder.glob("qemu_beam.smp_*.core")
    said = harness.batch(str(Sandbox(*ARMHF_27).beam), str(core))
    # The command in a core has 80 characters at most (ELF_PRARGSZ, elfcore.h).
    assert f"Core was generated by `{str(Sandbox(*ARMHF_27).beam)[:70]}" in said
    assert said.count("[New LWP") > 10  # schedulers of each kind


@pytest.mark.parametrize("pair", [ARMHF_27, AMD64_25, AMD64_27])
def test_gdb_debugs_it(pair: tuple[str, int]) -> None:
    """Stopped in the C function of an Erlang call: the machine, the libraries, the NIF."""
    sandbox = Sandbox(*pair)
    words = ["-nx", "-batch", "-iex", "set width 0", "-ex", "break erts_exit"]
    words += ["-ex", "run" if sandbox.native else "continue", "-ex", "info sharedlibrary", "-ex", "show architecture"]
    says = "crypto:info_lib(), halt(0, [{flush, false}])."
    ran = done("gdb", pair, *[f"--gdb-arg={word}" for word in words], "--", "-noinput", "-eval", says)
    assert f'currently "{MACHINES[pair[0]]}' in ran.stdout
    assert "in erts_exit" in ran.stdout
    libraries = [line for line in ran.stdout.splitlines() if line.startswith("0x") and "Yes" in line]
    paths = [Path(line.split()[-1]) for line in libraries]
    assert {path.name for path in paths} >= LIBRARIES
    assert [path for path in paths if not path.resolve().is_relative_to(sandbox.root.resolve())] == []


def test_ctrl_c_stops_erlang_which_then_goes_on() -> None:
    """The stub of qemu-user hears no Ctrl-C, and stops one thread only: the relay picks a scheduler's."""
    ours, theirs = os.pipe()
    with (
        os.fdopen(ours, "rb", buffering=0) as output,
        os.fdopen(theirs, "wb") as sink,
        debuggee(Sandbox(*ARMHF_27), ["-noinput", "-eval", TICK + "."], stdout=sink) as node,
        harness.Gdb(*node.gdb_arguments(), load=None) as gdb,
    ):
        gdb.wait_stop()  # at the first instruction
        gdb.cmd("continue")
        assert output.readline() == b"ready\n"
        for _ in range(3):
            assert output.readline() == b"tick\n"
            assert gdb.interrupt().results["signal-name"] == "SIGINT"
            read_all(output)
            assert not select.select([output], [], [], 0.5)[0], "a stopped Erlang does not tick"
            gdb.cmd("continue")
        assert output.readline() == b"tick\n"
        assert node.packets["vCont"] > 3
    assert node.process.returncode is not None


def read_all(stream: RawIOBase) -> None:
    """Read what is there."""
    while select.select([stream], [], [], 0.2)[0]:
        stream.read(4096)


def test_nothing_is_left_of_a_node_whose_debugger_is_gone(tmp_path: Path) -> None:
    """Neither if GDB ends nor if all is killed: the stub alone would let the program run on."""
    for how in ("-ex=quit", None):
        words = command("gdb", ARMHF_25, "--gdb-arg=-nx", "--", "-noinput", "-eval", TICK + ".", "-mark", str(tmp_path))
        words[words.index("--") : words.index("--")] = [how] if how else []
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as ran:
            if how is None:
                wait_for(lambda: emulators(tmp_path))
                ran.kill()
            ran.communicate(timeout=PATIENCE)
        wait_for(lambda: not emulators(tmp_path))


def emulators(mark: Path) -> list[str]:
    """The processes with an argument that marks them."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"qemu-arm") and bytes(mark) in words:
            found.append(file.parent.name)
    return found


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_port_is_taken_before_anything_is_shown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ran = done("gdb", ARMHF_25, "--port", port, "--", "-noinput")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"beamgdb.sandbox: port {port} of 127.0.0.1 is taken")


def test_erl_that_refuses_its_arguments_is_no_node() -> None:
    ran = done("gdb", ARMHF_25, "--", "+Q")
    assert ran.returncode == 1
    assert "Erlang ended before GDB could be connected to it" in ran.stderr


def test_needs_no_network_when_fetched(tmp_path: Path) -> None:
    ran = subprocess.run(
        command("run", ARMHF_25, "--", "-noinput", "-eval", "halt(7)."),
        env={**os.environ, "BEAMGDB_DEBIAN": "http://127.0.0.1:1/debian", "TMPDIR": str(tmp_path)},
        timeout=PATIENCE,
    )
    assert ran.returncode == 7
