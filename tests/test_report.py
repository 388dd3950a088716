"""`beamgdb report`: what is told of a core file without a prompt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from beamgdb import core_file
from beamgdb.report import SECTIONS
from tests.harness.erl import Release
from tests.harness.gdb import GDB, REPOSITORY, Gdb
from tests.harness.patience import PATIENCE


def report(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "beamgdb", "--gdb", GDB, "report", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **({"HOME": str(folder)} if folder else {})}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=3 * PATIENCE, env=environment, cwd=folder
    )  # fmt: skip


def test_the_core_file_names_its_program(terms_core: Path, release: Release) -> None:
    found = core_file.read(terms_core)
    assert found.program == str(release.beam)
    assert any(path.rpartition("/")[2].startswith("libc.so") for path in found.files())


def test_text(terms_core: Path, tmp_path: Path) -> None:
    """All that the commands print; what lies in the folder where it is run is not run."""
    (tmp_path / ".gdbinit").write_text("shell touch was_run\n")
    done = report(terms_core, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    titles = [line for line in done.stdout.splitlines() if line.startswith("== ")]
    assert titles == [f"== {one.title} ==" for one in SECTIONS[1:]]
    assert done.stdout.startswith("It has not crashed: it was stopped by SIG")
    assert "terms_holder in terms:park/2" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == [".gdbinit"]


def test_json(terms_core: Path, release: Release, start_gdb: Callable[..., Gdb]) -> None:
    """What the commands print as JSON."""
    done = report(terms_core, "--json", "--program", release.beam)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told.pop("errors") == {}
    gdb = start_gdb(str(release.beam), str(terms_core))
    assert told == {one.key: json.loads(gdb.cmd(f"{one.command} -json")) for one in SECTIONS}


def test_a_core_that_is_cut_off(terms_core: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    data = terms_core.read_bytes()
    half.write_bytes(data[: len(data) // 2])
    done = report(half)
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == (1 if done.stderr or "(not known: " in done.stdout else 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/nowhere"], "/nowhere: No such file or directory"),
        ([__file__], f"{__file__}: no core file"),
        ([sys.executable], "a program or library, no core file"),
        (["CORE", "--program", "/nowhere"], "/nowhere: no such program: give the beam.smp that wrote the core file"),
        (["CORE", "--program", "/bin/true"], "the core file is not of /"),
        (["CORE", "--program", __file__], "the core file has no program"),
    ],
)  # fmt: skip
def test_errors(terms_core: Path, arguments: list[str], said: str) -> None:
    done = report(*(str(terms_core) if word == "CORE" else word for word in arguments))
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("beamgdb: ")
