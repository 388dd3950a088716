"""`compile`: what users see of it, and what becomes of files when something goes wrong."""

from __future__ import annotations

import functools
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jit.__main__ import main as jit
from jit.codegen.compile import compile_module
from jit.commands import compile
from jit.erts.glue import write_facts
from tests.codegen.native_node import PATIENCE, PYTHON_JIT, erlc

NATIVE_ERL = Path(compile.__file__).parents[1] / "erts/glue/native.erl"
SMALL = ("proplists", "orddict", "queue")
#: The command line, impatient: it tells of the progress at once.
IMPATIENT = """
import sys
from jit.__main__ import main
from jit.commands import progress
progress.PATIENCE = 0
sys.exit(main(sys.argv[1:]))
"""


def test_sum(program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert jit(["compile", str(program), "-o", str(tmp_path / "deep/native")]) == 0
    said = capfd.readouterr()
    assert said.out == f"program.beam: 7 of 7 functions native (100%), written to {tmp_path}/deep/native\n"
    assert said.err == ""
    assert (tmp_path / "deep/native/program.beam").stat().st_size > program.stat().st_size


def test_a_folder_and_a_damaged_file(program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The damaged one is told of in a line, and the others are compiled."""
    (tmp_path / "app/ebin").mkdir(parents=True)
    shutil.copy(program, tmp_path / "app/ebin")
    (tmp_path / "app/damaged.beam").write_bytes(program.read_bytes()[:-100])
    out = tmp_path / "native"
    assert jit(["compile", str(tmp_path / "app"), str(tmp_path / "missing.beam"), "-o", str(out), "-v"]) == 1
    said = capfd.readouterr()
    damaged, missing = said.err.splitlines()
    assert damaged.startswith(f"jit: {tmp_path}/app/damaged.beam: ")
    assert missing == f"jit: {tmp_path}/missing.beam: No such file or directory"
    assert said.out.startswith("program.beam: 7 of 7 functions native\n")
    assert [path.name for path in out.iterdir()] == ["program.beam"]


def test_nothing_native_is_copied(tmp_path: Path) -> None:
    write_facts(tmp_path)
    beam = erlc(NATIVE_ERL, tmp_path, "-I", str(tmp_path))
    assert jit(["compile", str(beam), "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/native.beam").read_bytes() == beam.read_bytes()


def test_refusals(program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No file is lost, and none compiled twice."""

    def refused(*words: str | Path) -> str:
        assert jit(["compile", *map(str, words)]) == 1
        (line,) = capfd.readouterr().err.splitlines()
        return line

    for name in ("one", "two", "empty"):
        (tmp_path / name).mkdir()
    one, two = (shutil.copy(program, tmp_path / name) for name in ("one", "two"))
    assert refused(one, "-o", tmp_path / "one") == f"jit: {one}: would be overwritten: name another folder with -o"
    assert "have the same name" in refused(one, two, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "there is no .beam file in this folder" in refused(tmp_path / "empty")
    assert refused(one, "-o", two) == f"jit: {two}: File exists"
    assert jit(["compile", str(one), "-o", str(tmp_path / "native")]) == 0
    capfd.readouterr()
    assert "has native code already" in refused(tmp_path / "native/program.beam", "-o", tmp_path / "out")
    assert Path(one).read_bytes() == program.read_bytes()


def test_a_full_disk(program: Path, tmp_path: Path) -> None:
    """A file is written whole or not at all: the old one is still there."""
    out = tmp_path / "native"
    assert jit(["compile", str(program), "-o", str(out)]) == 0
    before = (out / "program.beam").read_bytes()
    ran = subprocess.run(
        [*PYTHON_JIT, "compile", "--stress", str(program), "-o", str(out)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"jit: {out}/program.beam: cannot be written: File too large\n"
    assert (out / "program.beam").read_bytes() == before
    assert len(list(out.iterdir())) == 1


def test_an_error_of_the_compiler(
    program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says where it is, and stops no other file."""
    write_facts(tmp_path)
    other = erlc(NATIVE_ERL, tmp_path, "-I", str(tmp_path))

    def failing(module, *rest, **options):  # type: ignore[no-untyped-def]
        return 1 // 0 if module.name == "program" else compile_module(module, *rest, **options)

    monkeypatch.setattr(compile, "compile_module", failing)
    assert jit(["compile", str(program), str(other), "-o", str(tmp_path / "out"), "--jobs", "1"]) == 1
    said = capfd.readouterr()
    assert said.err.startswith(f"jit: {program}: an error of the compiler, please report it:\nTraceback")
    assert said.err.endswith("ZeroDivisionError: integer division or modulo by zero\n")
    assert said.out.startswith("native.beam: 0 of ")


@pytest.mark.parametrize("to", ["everybody", "worker"])
def test_interrupted(stdlib: Path, tmp_path: Path, to: str) -> None:
    """Ctrl-C, or a process that is killed: one line, no half file, and nothing is left running."""
    out = tmp_path / "native"
    command = [*PYTHON_JIT, "compile", "--jobs", "2", str(stdlib), "-o", str(out)]
    # Who runs the tests in the background may have had Ctrl-C ignored, which is inherited.
    heeds = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heeds
    ) as process:
        deadline = time.monotonic() + PATIENCE
        while not (out.exists() and any(out.glob("*.beam"))):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2
        if to == "everybody":
            os.killpg(process.pid, signal.SIGINT)
        else:
            os.kill(int(children[0]), signal.SIGKILL)
        _, said = process.communicate(timeout=PATIENCE)
    *progress, last = said.splitlines()
    assert all(re.fullmatch(r"jit: \d+ of \d+ files", line) for line in progress)
    if to == "everybody":
        assert (process.returncode, last) == (130, "jit: interrupted")
    else:
        assert process.returncode == 1
        assert last == "jit: a process was killed, perhaps for want of memory: try it with --jobs 1"
    assert not any(Path("/proc", child).exists() for child in children)
    assert all(path.suffix == ".beam" and not path.name.startswith(".") for path in out.iterdir())


def test_progress_in_a_file(stdlib: Path, tmp_path: Path) -> None:
    """A line now and then: here there is time for one."""
    files = [str(stdlib / f"{name}.beam") for name in SMALL]
    command = [sys.executable, "-c", IMPATIENT, "compile", *files, "-o", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert ran.stderr == "jit: 1 of 3 files\n"
    assert ran.stdout.startswith("3 files: ")


def test_progress_on_a_terminal(stdlib: Path, tmp_path: Path) -> None:
    """A line that changes, is not there while something may be told of a file, and is gone in the end."""
    master, slave = pty.openpty()
    files = [str(stdlib / f"{name}.beam") for name in SMALL]
    command = [sys.executable, "-c", IMPATIENT, "compile", *files, "-o", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=slave) as process:
        os.close(slave)
        assert process.wait(PATIENCE) == 0
    said = os.read(master, 1 << 16).decode()
    os.close(master)
    clear = "\r\x1b[K"
    lines = (f"{clear}{done} of 3 files: {name}.beam{clear}" for done, name in ((1, "proplists"), (2, "orddict")))
    assert said == "".join(lines)


@pytest.mark.parametrize("words", [[], ["compile"], ["compile", "a.beam", "--otp", "26"], ["compile", "a.beam", "-j0"]])
def test_wrong_usage(capfd: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert jit(words) == 2
    assert capfd.readouterr().err.startswith("usage: python -m jit")


@pytest.mark.parametrize("command", ["compile", "run", "dump", "coverage", "elf", "glue"])
def test_help(capfd: pytest.CaptureFixture[str], command: str) -> None:
    """It has examples."""
    assert jit([command, "--help"]) == 0
    said = capfd.readouterr().out
    assert said.startswith(f"usage: python -m jit {command} ")
    assert f"\n  python -m jit {command} " in said
