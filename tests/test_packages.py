"""The source archive and the wheel: what is in them, and that what is unpacked or installed from them works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import capstone
import elftools
import prompt_toolkit
import pygdbmi
import pytest
import wcwidth

from beamgdb import __version__
from tests.harness.erl import Node
from tests.harness.gdb import REPOSITORY
from tests.harness.patience import PATIENCE

#: What is not of the repository: what tools and `make` leave there.
NOT_OURS: Final = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist", "erl_crash.dump"
)
FIB: Final = """
-module(fib).
-export([main/1]).
main([N]) -> io:format("~b~n", [fib(list_to_integer(N))]).
fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository's files: building writes into their folder."""
    return Path(shutil.copytree(REPOSITORY, tmp_path_factory.mktemp("packages") / "sources", ignore=NOT_OURS))


@pytest.fixture(scope="module")
def built(sources: Path) -> Path:
    """The folder of the source archive and of the wheel, which is made from the archive."""
    before = files_in(sources)
    said(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(sources.parent), str(sources))
    shutil.rmtree(sources / "beamgdb.egg-info")
    assert files_in(sources) == before
    return sources.parent


@pytest.fixture(scope="module")
def unpacked(built: Path) -> Path:
    """The folder of the unpacked source archive."""
    (archive,) = built.glob("*.tar.gz")
    shutil.unpack_archive(archive, built / "unpacked")
    (folder,) = (built / "unpacked").iterdir()
    return folder


@pytest.fixture(scope="module")
def installed(built: Path) -> Path:
    """The `bin` folder of a virtual environment in which the wheel is installed."""
    (wheel,) = built.glob("*.whl")
    said(sys.executable, "-m", "venv", str(built / "venv"))
    said(str(built / "venv/bin/python"), "-m", "pip", "install", "-q", "--no-index", "--no-deps", str(wheel))
    (packages,) = (built / "venv").glob("lib/python3*/site-packages")
    for package in (
        capstone,
        elftools,
        prompt_toolkit,
        pygdbmi,
        wcwidth,
    ):  # without a network, what it depends on comes from here
        assert package.__file__
        folder = Path(package.__file__).parent
        for one in (
            folder,
            *folder.parent.glob(f"{package.__name__}-*.dist-info"),
        ):  # a package may ask for its version
            (packages / one.name).symlink_to(one)
    return built / "venv/bin"


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def said(*command: str, folder: Path | None = None) -> str:
    """What a command prints that succeeds. It runs in a folder that has nothing to do with the repository."""
    dropped = {"PYTHONPATH", "VIRTUAL_ENV", "BEAMGDB_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    done = subprocess.run(
        command, cwd=folder or "/", env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=4 * PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_source_archive_is_the_repository(sources: Path, unpacked: Path) -> None:
    assert files_in(sources) - files_in(unpacked) == set()
    more = {name for name in files_in(unpacked) - files_in(sources) if not name.startswith("beamgdb.egg-info/")}
    assert more == {"PKG-INFO"}
    for program in (".ci/run", "tools/genop"):
        assert os.access(unpacked / program, os.X_OK)


def test_the_wheel_is_two_packages_and_their_data(sources: Path, built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = {f"{package}/{name}" for package in ("beamgdb", "jit") for name in files_in(sources / package)}
    for_shells = {f"beamgdb-{__version__}.data/data/share/{name}" for name in files_in(sources / "share")}
    assert names == ours | for_shells


@pytest.mark.skipif(shutil.which("erl") is None, reason="not installed: erl")
def test_the_demo_of_an_unpacked_archive(unpacked: Path) -> None:
    environment = f"VIRTUAL_ENV={sys.prefix}"
    shown = said("env", environment, sys.executable, "-m", "demo", folder=unpacked)
    assert "spawned as shop:open/1" in shown
    assert "hit Breakpoint 1, shop:price/1 ()" in shown


def test_the_command_of_an_installed_wheel(installed: Path, busy_node: Node) -> None:
    screen = subprocess.run([installed / "beamgdb", "999999999"], capture_output=True, text=True, timeout=PATIENCE)
    assert screen.stderr == "beamgdb: 999999999 is no process\n"  # so it has all that it needs
    loader = said(str(installed / "beamgdb"), "--print-loader").strip()
    assert loader.startswith(str(installed.parent / "lib"))
    look = ("-nx", "-batch", "-ex", "beam-bt busy", "-p", str(busy_node.pid))
    for shown in (said(str(installed / "beamgdb"), *look), said("gdb-multiarch", "-ix", loader, *look)):
        assert "Process <0." in shown
        assert " busy:" in shown


def test_what_an_installed_wheel_has_for_shells(installed: Path) -> None:
    share = installed.parent / "share"
    assert (share / "man/man1/beamgdb.1").read_text().startswith(".TH BEAMGDB 1 ")
    asked = f"""source {share}/bash-completion/completions/beamgdb
        COMP_WORDS=(beamgdb rep) COMP_CWORD=1 COMP_LINE="beamgdb rep"; _shtab_beamgdb beamgdb rep beamgdb
        echo "${{COMPREPLY[*]}}" """
    assert said("bash", "-c", asked) == "report\n"


def test_native_code_from_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "fib.erl").write_text(FIB)
    run = (str(installed / "python"), "-m", "jit", "run", "--otp", "25", "fib.erl", "20")
    assert said(*run, folder=tmp_path) == "6765\n"
    assert files_in(tmp_path) == {"fib.erl"}
