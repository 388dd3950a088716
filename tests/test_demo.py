"""`python -m demo` as a newcomer runs it: on a pipe, on a terminal, interrupted, and where ptrace is forbidden."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from demo import ptrace
from tests.harness.patience import PATIENCE

REPOSITORY = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "demo")

pytestmark = pytest.mark.skipif(shutil.which("erl") is None, reason="not installed: erl")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo compiles its module: by this, its node is known among others."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def run(*options: str, prepare: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*COMMAND, *options), cwd=REPOSITORY, preexec_fn=prepare, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=4 * PATIENCE,
    )  # fmt: skip


def left_behind(folder: Path) -> list[str]:
    """What still runs or lies there: processes by id, files by name."""
    processes = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True).stdout.split()
    return processes + [path.name for path in folder.iterdir()]


def answer(said: str, command: str) -> str:
    """What GDB printed after a command."""
    return said.partition(f"(gdb) {command}\n")[2].partition("(gdb) ")[0]


def test_everything_is_shown_and_nothing_stays(own_folder: Path) -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    assert "\033" not in done.stdout
    assert "JITed symbol file" not in done.stdout + done.stderr
    assert re.search(r"^schedulers: +1 normal", answer(done.stdout, "beam-info"), re.M)
    assert re.search(r"^#\d+ +0x\w+ in shop:open/1\+\d+ at .*shop.erl:\d+\n +y0 = \d+$", done.stdout, re.M)
    assert "hit Breakpoint 1, shop:price/1 ()" in answer(done.stdout, "continue")
    stack = answer(done.stdout, "bt")
    assert re.match(r"#0  shop:price/1 \(x0={.*,\d+}\) at shop.erl:\d+\n", stack)
    assert re.search(r" lists:foldl.*\n.* shop:total/2 .*\n.* shop:order/3 .*\n.* shop:open/1 \(x0=\d+\)", stack)
    assert answer(done.stdout, "eterm 687").startswith("42\n")
    assert "hit Temporary breakpoint 2, lists:foldl/3 ()" in done.stdout
    assert left_behind(own_folder) == []


def test_an_erlang_for_32_bit_arm(own_folder: Path) -> None:
    done = run("--arm32")
    assert done.returncode == 0, done.stderr
    assert "\033" not in done.stdout
    assert re.search(r"^flavour: +interpreter$", answer(done.stdout, "beam-info"), re.M)
    assert re.search(r"^architecture: +arm32, 32 bits$", answer(done.stdout, "beam-info"), re.M)
    stack = answer(done.stdout, "bt")
    current = r"#0  0x\w+ in process_main \(\)\n#1  0x\w+ in shop:price/1 \(x0={diamond,.*\) at shop.erl:\d+\n"
    assert re.match(current, stack)
    assert re.search(r" lists:foldl.*\n.* shop:total/2 .*\n.* shop:order/3 .*\n.* shop:open/1 \(x0=\d+\)", stack)
    assert answer(done.stdout, "eterm 687").startswith("42\n")
    assert f"Value returned is {3 << 70}\n" in answer(done.stdout, "beam-finish")
    assert re.search(r"^#0 .* in phash2_1 \(\)\n.*process_main.*\n.* shop:price/1 ", done.stdout, re.M)
    assert done.stdout.rpartition("(gdb) beam-breakpoints\n")[2].startswith("No Erlang breakpoints.\n")
    assert left_behind(own_folder) == []


def test_an_interrupted_demo_leaves_nothing(own_folder: Path) -> None:
    with subprocess.Popen(COMMAND, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as demo:
        assert demo.stdout is not None
        while b"gdb" not in demo.stdout.readline():
            pass
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(PATIENCE) == 128 + signal.SIGTERM
    deadline = time.monotonic() + PATIENCE
    while left_behind(own_folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_behind(own_folder) == []


def forbid_ptrace() -> None:
    """As the seccomp profile of a container does (seccomp(2), filter mode)."""
    set_no_new_privileges, set_seccomp, filter_mode, no_permission, ptrace_number = 38, 22, 2, 0x00050001, 101
    instructions = (
        (0x20, 0, 0, 0),  # load the number of the system call
        (0x15, 0, 1, ptrace_number),
        (0x06, 0, 0, no_permission),
        (0x06, 0, 0, 0x7FFF0000),  # allow
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *one) for one in instructions))
    program = ctypes.create_string_buffer(struct.pack("<H6xQ", len(instructions), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None).prctl
    assert prctl(set_no_new_privileges, 1, 0, 0, 0) == 0
    assert prctl(set_seccomp, filter_mode, program, 0, 0) == 0


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the number of the system call is that of x86-64")
def test_forbidden_ptrace_is_explained(own_folder: Path) -> None:
    done = run(prepare=forbid_ptrace)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"demo: GDB could not attach to the node. {ptrace.advice(ptrace.scope())}"
    assert left_behind(own_folder) == []


def test_a_terminal_gets_colours() -> None:
    shown, terminal = os.openpty()
    with subprocess.Popen(COMMAND, cwd=REPOSITORY, stdin=terminal, stdout=terminal, stderr=terminal) as demo:
        os.close(terminal)
        said = b""
        while chunk := _read(shown):
            said += chunk
    os.close(shown)
    assert demo.returncode == 0
    assert b"\033[33mshop:price/1\033[m" in said


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the last writer has closed it
        return b""


@pytest.mark.parametrize(("scope", "what"), [(None, "--cap-add=SYS_PTRACE"), (2, "sudo"), (3, "next boot")])
def test_advice_follows_the_setting(scope: int | None, what: str) -> None:
    assert what in ptrace.advice(scope)
