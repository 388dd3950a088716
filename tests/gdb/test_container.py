"""A node whose program is not where GDB looks for it: in a container, and after an upgrade."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jit.sandbox.sandbox import Sandbox
from tests.gdb.stages import SOON, functions, read_frames
from tests.harness.erl import READY, Release, installed_release, running
from tests.harness.gdb import Gdb, GdbError, one_line_error
from tests.harness.targets import Target


def can_unshare(what: str = "-rm") -> bool:
    """Whether this user may have something of his own, a file system if no other is named."""
    return subprocess.run(["unshare", what, "true"], stderr=subprocess.DEVNULL).returncode == 0


@contextmanager
def node_of(release: Release, beam: Path, ebin: Path, folder: Path, before: str = "true") -> Iterator[int]:
    """The process of a node, whose program is `beam`, begun after a command of the shell in a file system of its own
    if that is given."""
    own = ["unshare", "-rm"] if before != "true" else []
    arguments = release.arguments(ebin, f'stages:start(), io:format("{READY}~n").', "-S", "1:1")
    variables = {name: release.environment()[name] for name in ("ROOTDIR", "BINDIR", "EMU", "PROGNAME")}
    setting = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    begin = f"{before} && {setting} exec {shlex.join([str(beam), *arguments])}"
    with running([*own, "bash", "-c", begin], folder / "said") as process:
        yield process.pid


@pytest.mark.skipif(not can_unshare(), reason="this machine lets no user have a file system of his own")
def test_a_program_that_only_the_container_has(ebin: Path, tmp_path: Path) -> None:
    """GDB reads it through the process. That of OTP 29 hides its symbols, so its file is read here as well."""
    beam = Target("amd64", 29).sandbox.beam
    top, inside = next(one for one in beam.parents if one.name == "root"), tmp_path / "only_inside"
    inside.mkdir()
    there = inside / beam.relative_to(top)
    release = Release(there.parents[2], there.parent.parent.name.removeprefix("erts-"), 29)
    mount = f"mount --bind {shlex.quote(str(top))} {shlex.quote(str(inside))}"
    with node_of(release, there, ebin, tmp_path, mount) as pid, Gdb() as gdb:
        gdb.attach(pid)
        assert "target:" in gdb.cmd("info inferiors")
        gdb.cmd("beam-break stages:third/1")
        assert gdb.go("continue", timeout=SOON).reason == "breakpoint-hit"
        assert functions(read_frames(gdb.cmd("bt 1"))) == ["stages:third/1"]


@pytest.mark.skipif(not can_unshare("-rpf"), reason="this machine lets no user have processes of his own")
def test_a_signal_from_outside(ebin: Path, tmp_path: Path) -> None:
    """The kernel has no number for who sent it."""
    ready = f'io:format("{READY}~n").'
    command = ["unshare", "-rpf", "--kill-child", "erl", "-noinput", "-pa", str(ebin), "-eval", ready]
    with running(command, tmp_path / "said") as process, Gdb() as gdb:
        (pid,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        gdb.attach(int(pid))
        os.kill(int(pid), signal.SIGABRT)
        assert gdb.go("continue", timeout=SOON).results["signal-name"] == "SIGABRT"
        sent = "SIGABRT was sent by a process outside of its container: the node did not crash"
        assert json.loads(gdb.cmd("beam-why -json"))["suspects"] == [sent]


def test_a_program_that_was_deleted(ebin: Path, tmp_path: Path) -> None:
    """Where GDB finds it no more, its process still has it."""
    release, beam = installed_release(), tmp_path / "beam.smp"
    shutil.copy(release.beam, beam)
    with node_of(release, beam, ebin, tmp_path) as pid, Gdb() as gdb:
        beam.unlink()
        gdb.attach(pid)
        program = f"file /proc/{pid}/exe"
        if "No symbol" in gdb.cmd("p &enif_alloc", check=False):
            with pytest.raises(GdbError, match=program):
                gdb.cmd("beam-info")
            gdb.cmd(program)
        assert "Process <0.0.0> init" in gdb.cmd("beam-bt init")


def test_symbols_of_another_file(ebin: Path, tmp_path: Path) -> None:
    """What the user has done is said, not that the program is another one."""
    release = installed_release()
    with node_of(release, release.beam, ebin, tmp_path) as pid, Gdb() as gdb:
        gdb.attach(pid)
        for other, whose in ((" /bin/ls", "of \\S+/ls"), ("", "of no file")):
            gdb.cmd(f"symbol-file{other}", check=False)
            with pytest.raises(GdbError, match=f"GDB has the symbols {whose}, not of the program: `symbol-file /"):
                gdb.cmd("beam-info")
        another = Sandbox("amd64", 25 if release.otp == 27 else 27).ensure().beam
        gdb.cmd(f"symbol-file {another}")
        said = f"GDB has the symbols of {another}, not of the program: `symbol-file {release.beam}`"
        assert said in one_line_error(gdb, "beam-info")
        gdb.cmd(f"file {another}")
        said = rf"^process {pid} does not run {another}: build ids \w+ and \w+ differ; `file /proc/{pid}/exe`$"
        for command in ("beam-ps", "beam-bt", "beam-info"):
            assert re.search(said, one_line_error(gdb, command), re.M)
        # That is where the other program was.
        gdb.cmd(f"symbol-file {release.beam}")
        assert re.search(said, one_line_error(gdb, "beam-ps"), re.M)
        gdb.cmd(f"file {release.beam}")
        assert "Process <0.0.0> init" in gdb.cmd("beam-bt init")
