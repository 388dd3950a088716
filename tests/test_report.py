"""`beamgdb report`: what is told of a core file without a prompt."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from beamgdb import core_file
from beamgdb.report import SECTIONS
from tests.harness.erl import Release
from tests.harness.gdb import GDB, REPOSITORY, Gdb
from tests.harness.gdb_facts import is_true
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


@pytest.mark.parametrize("word", [4, 8])
@pytest.mark.parametrize(
    ("signals", "died"),
    [((11, 11, 11), 100), ((6, 0, 0), 100), ((0, 0, 6), 102), ((0, 0, 0), None), ((), None)],
    ids=["Linux", "qemu-7", "qemu-10", "no-signal", "no-threads"],
)
def test_the_thread_that_died(word: int, signals: tuple[int, ...], died: int | None, tmp_path: Path) -> None:
    """Linux has it first, and says its signal of all; qemu 10 has it anywhere, and says it of that one alone."""
    path = tmp_path / "core"
    path.write_bytes(core_of(word, signals))
    death = core_file.read(path).death
    assert (death.thread if death else None) == died
    assert death is None or death.signal in signals


def core_of(word: int, signals: tuple[int, ...]) -> bytes:
    """A core file with nothing but the status of threads 100, 101 and so on."""
    code, is_long = ("Q", True) if word == 8 else ("I", False)
    note = b"".join(
        struct.pack("<III8s", 5, 16 + 2 * word + 4, core_file.NT_PRSTATUS, b"CORE")
        + struct.pack(f"<3IHxx2{code}i", signal, 0, 0, signal, 0, 0, 100 + number)
        for number, signal in enumerate(signals)
    )
    head, entry = (64, 56) if is_long else (52, 32)
    ident = core_file.ELF_MAGIC + bytes((2 if is_long else 1, 1, 1)) + bytes(9)
    words = struct.pack(f"<HHI3{code}I6H", core_file.ET_CORE, 0, 1, 0, head, 0, 0, head, entry, 1, 0, 0, 0)
    at, size = head + entry, len(note)
    segment = (struct.pack("<II6Q", 4, 4, at, 0, 0, size, size, 4) if is_long
               else struct.pack("<8I", 4, at, 0, 0, size, size, 4, 4))  # fmt: skip
    return ident + words + segment + note


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
    assert "The core file is cut off: " in done.stdout
    assert done.returncode == (1 if done.stderr or "(not known: " in done.stdout else 0)


def test_a_core_that_gdb_refuses(terms_core: Path, release: Release, tmp_path: Path) -> None:
    """What GDB itself says of it is told."""
    data = bytearray(terms_core.read_bytes())
    data[54:56] = bytes(2)  # e_phentsize: none that there can be
    (tmp_path / "core").write_bytes(data)
    done = report(tmp_path / "core", "--program", release.beam)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(r"GDB does not take the core file: .*is not a core dump: ", done.stderr), done.stderr
    assert len(done.stderr.splitlines()) == 1


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
    if "no program" in said and is_true("finds the program of a core"):
        # GDB takes the one that the core file names instead of what is none.
        assert (done.returncode, done.stderr) == (0, "")
        return
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("beamgdb: ")
