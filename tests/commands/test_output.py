"""Output that nobody takes, of all command lines, in a shell as users have it: one line, no traceback."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.patience import PATIENCE

REPOSITORY = Path(__file__).parents[2]
#: Those that write much or little, and what argparse writes.
WRITERS = (
    "jit dump PROGRAM",
    "jit coverage PROGRAM",
    "beamgdb.sandbox list",
    "beamgdb --print-loader",
    "jit --help",
    "jit run --help",
    "beamgdb.sandbox --help",
    "jit.otp.layouts --help",
    "demo --help",
)
#: Those that write an error, and their exit statuses.
FAILING = {
    "jit dump missing.beam": 1,
    "jit compile missing.beam": 1,
    "jit nonsense": 2,
    "beamgdb.sandbox run --arch vax --otp 25": 1,
    "jit.otp.layouts missing": 1,
    "beamgdb --gdb missing": 1,
}


@pytest.mark.parametrize("words", WRITERS)
def test_full(program: Path, tmp_path: Path, words: str) -> None:
    status, (line,) = shell(program, tmp_path, f"{words} >/dev/full")
    assert status == 1
    assert line.removeprefix("python -m ") == f"{words.split()[0]}: No space left on device"


@pytest.mark.parametrize("words", WRITERS)
def test_closed(program: Path, tmp_path: Path, words: str) -> None:
    assert shell(program, tmp_path, f"{words} >&-") == (0, [])


@pytest.mark.parametrize("words", WRITERS)
def test_nobody_reads(program: Path, tmp_path: Path, words: str) -> None:
    """Quiet, with the status that shells give a program which SIGPIPE has ended."""
    read, write = os.pipe()
    os.close(read)
    try:
        assert shell(program, tmp_path, words, stdout=write) == (128 + signal.SIGPIPE, [])
    finally:
        os.close(write)


@pytest.mark.parametrize("words", FAILING)
def test_errors_that_nobody_can_read(program: Path, tmp_path: Path, words: str) -> None:
    """They do not go where the output does, and the status is what it is otherwise."""
    assert len(shell(program, tmp_path, words)[1]) in (1, 2)
    for redirection in (">output 2>/dev/full", ">output 2>&-"):
        assert shell(program, tmp_path, f"{words} {redirection}") == (FAILING[words], [])
        assert (tmp_path / "output").read_bytes() == b""


@pytest.mark.parametrize("name", ["two\nlines.beam", "\x1b[31mred.beam", "no\udcfftext.beam"])
def test_names_that_are_no_text(program: Path, tmp_path: Path, name: str) -> None:
    """What is said of a file is one line, and commands no terminal."""
    file = tmp_path / "ebin" / name
    file.parent.mkdir()
    shutil.copy(program, file)
    status, said = shell(program, tmp_path, "jit compile -v ebin -o native >output")
    first, *_ = (tmp_path / "output").read_text().splitlines()
    assert (status, said) == (0, [])
    assert first.endswith(".beam: 7 of 7 functions native")
    assert first.isprintable()
    status, said = shell(program, tmp_path, f"jit dump {shlex.quote(str(file))} >output")
    assert (status, said) == (0, [])
    assert (tmp_path / "output").read_text().splitlines()[0].endswith(".beam: 7 of 7 functions native")
    file.write_bytes(b"damaged")
    for words in (f"jit dump {shlex.quote(str(file))}", "jit compile ebin -o native", "jit coverage ebin >output"):
        status, (line,) = shell(program, tmp_path, words)
        assert status == 1
        assert line.isprintable()
        assert line.endswith(".beam: not a .beam file: it does not begin with an IFF form of type BEAM")


def shell(program: Path, folder: Path, words: str, stdout: int | None = None) -> tuple[int, list[str]]:
    """The exit status of a command line, and what it says on standard error."""
    command = f"{sys.executable} -m {words.replace('PROGRAM', str(program))}"
    # Python without buffers does not find out at its end what cannot be written.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["sh", "-c", command],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        cwd=folder,
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    return done.returncode, done.stderr.splitlines()
