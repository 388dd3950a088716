"""Other programs' opinions of the object files made here."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from jit.object.elf_constants import EM
from jit.object.target import Target

TARGETS = {
    "elf64-little": Target(8, "little", EM.X86_64),
    "elf64-big": Target(8, "big", EM.PPC64),
    "elf32-little": Target(4, "little", EM.ARM, flags=0x0500_0000),
    "elf32-big": Target(4, "big", EM.PPC),
}


@pytest.fixture(params=list(TARGETS.values()), ids=list(TARGETS))
def target(request: pytest.FixtureRequest) -> Target:
    """Each combination of ELF class and byte order."""
    chosen: Target = request.param
    return chosen


@pytest.fixture
def parse() -> Callable[[bytes], Any]:
    """A reader of ELF files that is not ours."""
    return lambda data: ELFFile(BytesIO(data))


@pytest.fixture
def accepted(tmp_path: Path) -> Callable[[bytes], None]:
    """A check that readelf has nothing to complain about, nor llvm-dwarfdump about the debugging sections."""

    def check(data: bytes) -> None:
        path = tmp_path / "object"
        path.write_bytes(data)
        readelf = subprocess.run(["readelf", "-aW", path], capture_output=True, text=True, check=True)
        assert readelf.stderr == ""
        frames = subprocess.run(["readelf", "-wfliaroL", path], capture_output=True, text=True, check=True)
        assert frames.stderr == ""
        if shutil.which("llvm-dwarfdump") is None:
            pytest.skip("no llvm-dwarfdump")
        verify = subprocess.run(["llvm-dwarfdump", "--verify", path], capture_output=True, text=True)
        assert verify.returncode == 0, verify.stdout
        assert "No errors." in verify.stdout
        assert "error" not in verify.stderr

    return check
