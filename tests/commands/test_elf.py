"""`elf`: where it writes."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jit.__main__ import main as jit

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
        assert read.result(timeout=60).startswith(MAGIC)
    assert pipe.is_fifo()
