"""Programs whose loader and libraries are changed: they run with these, and debuggers see that."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from jit.sandbox.errors import SandboxError
from jit.sandbox.own_loader import use_own_loader
from tests.harness.patience import PATIENCE

LOADER = Path("/lib64/ld-linux-x86-64.so.2")
LIBC = Path("/lib/x86_64-linux-gnu/libc.so.6")


def said(*command: object) -> str:
    words = [str(word) for word in command]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE).stdout


def build_id(program: Path) -> str:
    return next(line for line in said("readelf", "-n", program).splitlines() if "Build ID" in line)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A copy of `cat`, and folders `loader` and `libraries` with copies of the host's."""
    for source, folder in ((LOADER, "loader"), (LIBC, "libraries")):
        (tmp_path / folder).mkdir()
        shutil.copy(source, tmp_path / folder)
    return Path(shutil.copy("/bin/cat", tmp_path / "cat"))


def test_runs_with_its_own_loader_and_libraries(program: Path) -> None:
    before = build_id(program)
    loader, libraries = program.parent / "loader" / LOADER.name, program.parent / "libraries"
    assert use_own_loader(program, loader, [Path("/no/such/folder"), libraries])

    mapped = {line.split(maxsplit=5)[-1] for line in said(program, "/proc/self/maps").splitlines()}
    assert {str(program), str(loader), str(libraries / LIBC.name)} <= mapped
    assert not {str(LIBC), str(LIBC.resolve()), str(LOADER), str(LOADER.resolve())} & mapped
    assert build_id(program) == before


def test_debuggers_read_the_new_loader(program: Path) -> None:
    loader = program.parent / "loader" / LOADER.name
    use_own_loader(program, loader, [program.parent / "libraries"])

    assert str(loader) in said("readelf", "-p", ".interp", program)
    assert f"Requesting program interpreter: {loader}]" in said("readelf", "-lW", program)


def test_program_without_room_for_the_paths(program: Path) -> None:
    image = program.read_bytes()
    with pytest.raises(SandboxError, match=r"cat cannot be made to run here: no room for paths of \d+ bytes"):
        use_own_loader(program, LOADER, [Path("/" + "x" * 5000)])
    assert program.read_bytes() == image


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", LIBC.read_bytes()[:4]])
def test_other_files_stay_as_they_are(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert not use_own_loader(file, LOADER, [])
    assert file.read_bytes() == content
