"""In a real AtomVM, which the environment variable ATOMVM names: its executable for one of the targets, of a version
whose native code is of format 1, built to load precompiled code. What programs do natively is what they do interpreted.
On 32-bit ARM it may be built for Thumb code: ATOMVM_TARGET says so if it is, with one of these targets.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jit.__main__ import main as jit
from jit.commands.targets import RUNTIMES
from jit.object.elf_constants import EM
from tests.atomvm import host
from tests.harness.patience import PATIENCE

ATOMVM = os.environ.get("ATOMVM", "")

TARGETS = {EM.ARM: "arm32", EM.AARCH64: "aarch64", EM.RISCV: "riscv64", EM.X86_64: "x86_64"}

pytestmark = pytest.mark.skipif(not ATOMVM, reason="ATOMVM names no AtomVM to run native code in")


def target_of(program: str) -> str:
    """What an executable is for, which its ELF header says, or the user."""
    if named := os.environ.get("ATOMVM_TARGET"):
        return named
    machine = Path(program).read_bytes()[18:20]
    return TARGETS[EM(int.from_bytes(machine, "little"))]


@pytest.fixture(scope="module")
def target() -> str:
    return target_of(ATOMVM)


def run(target: str, beam: Path) -> list[str]:
    """What a program prints, and how it ends; without what the VM says of libraries that are not there."""
    ran = subprocess.run(
        [*host.TOOLS[target][1], ATOMVM, beam],
        capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert "no compatible architecture" not in ran.stderr
    return [ran.stdout, f"status {ran.returncode}"]


@pytest.mark.parametrize("options", [[], ["--dwarf"], ["--target", ",".join(RUNTIMES["atomvm"].processors)]])
def test_as_interpreted(program: Path, tmp_path: Path, target: str, options: list[str]) -> None:
    words = ["--runtime", "atomvm", "--target", target, *options]
    assert jit(["compile", *words, str(program), "-o", str(tmp_path)]) == 0
    interpreted, native = run(target, program), run(target, tmp_path / program.name)
    assert interpreted[0].count("\n") >= 19
    assert native == interpreted
