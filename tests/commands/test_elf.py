"""`elf`: where it writes, and what names become there."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jit.__main__ import main as jit
from tests.codegen.native_node import PYTHON_JIT, erlc
from tests.harness.gdb import batch
from tests.harness.patience import PATIENCE

MAGIC = b"\x7fELF"


def test_not_over_what_it_reads(program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one = Path(shutil.copy(program, tmp_path / "one.beam"))
    assert jit(["elf", str(one), "-o", str(one)]) == 1
    assert capfd.readouterr().err == f"jit: {one}: would be overwritten: name another file with -o\n"
    assert one.read_bytes() == program.read_bytes()


def test_through_a_link(program: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("there")
    assert jit(["elf", str(program), "-o", str(link)]) == 0
    assert link.is_symlink()
    assert (tmp_path / "there").read_bytes().startswith(MAGIC)


def test_into_a_pipe(program: Path, tmp_path: Path) -> None:
    """What is no file, as a device, is written to, and stays what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        assert jit(["elf", str(program), "-o", str(pipe)]) == 0
        assert read.result(timeout=PATIENCE).startswith(MAGIC)
    assert pipe.is_fifo()


def test_into_what_other_programs_read(program: Path) -> None:
    """/dev/stdout that is a pipe is a link to no path."""
    with subprocess.Popen([*PYTHON_JIT, "elf", program, "-o", "/dev/stdout"], stdout=subprocess.PIPE) as process:
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert said.startswith(MAGIC)


def test_names_that_command_a_terminal(tmp_path: Path) -> None:
    """GDB shows names of DWARF as they are, also without the extension."""
    source, elf = tmp_path / "named.erl", tmp_path / "named.elf"
    source.write_text(
        "-module(named).\n-export(['\\e[31m\\x{202e}f'/0]).\n-file(\"\\e]0;title\\7\\x{202e}lre.erl\\n\\x{9b}\", 1).\n"
        "'\\e[31m\\x{202e}f'() -> ok.\n"
    )
    assert jit(["elf", str(erlc(source, tmp_path)), "-o", str(elf)]) == 0
    said = batch(str(elf), "-ex", "info sources", "-ex", "info functions", "-ex", "info line *0")
    assert r"\x{1b}]0;title\x{7}\x{202e}lre.erl\x{a}\x{9b}" in said
    assert r"named:'\e[31m\x{202e}f'/0" in said
    assert all(line.isprintable() for line in said.replace("\t", " ").splitlines())
