"""In a real AtomVM, which the environment variable ATOMVM names: its executable for 32-bit ARM, of a version whose
native code is of format 1, built to load precompiled code. What programs do natively is what they do interpreted."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jit.__main__ import main as jit
from tests.harness.patience import PATIENCE

ATOMVM = os.environ.get("ATOMVM", "")

pytestmark = pytest.mark.skipif(not ATOMVM, reason="ATOMVM names no AtomVM for 32-bit ARM to run native code in")


def run(beam: Path) -> list[str]:
    """What a program prints, and how it ends; without what the VM says of libraries that are not there."""
    ran = subprocess.run(
        ["qemu-arm", ATOMVM, beam], capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False
    )
    assert "no compatible architecture" not in ran.stderr
    return [ran.stdout, f"status {ran.returncode}"]


@pytest.mark.parametrize("options", [[], ["--dwarf"]])
def test_as_interpreted(program: Path, tmp_path: Path, options: list[str]) -> None:
    assert jit(["compile", "--runtime", "atomvm", *options, str(program), "-o", str(tmp_path)]) == 0
    interpreted, native = run(program), run(tmp_path / program.name)
    assert interpreted[0].count("\n") >= 19
    assert native == interpreted
