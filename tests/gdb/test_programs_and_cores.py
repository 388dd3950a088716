"""A core file and a program that do not belong together, or one without the other: that is said."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from jit.sandbox.sandbox import Sandbox
from tests.harness import gdb_facts
from tests.harness.erl import Release
from tests.harness.gdb import Gdb, one_line_error

COMMANDS = (
    "beam-bt init", "beam-bt", "beam-info", "xreg", "beam-next", "beam-disas lists:map/2", "beam-break lists:map/2",
)  # fmt: skip


def test_a_core_without_its_program(terms_core: Path, start_gdb: Callable[..., Gdb], release: Release) -> None:
    gdb = start_gdb("-c", str(terms_core))
    if gdb_facts.is_true("finds the program of a core"):
        assert str(release.beam) in gdb.cmd("info files")
        gdb.cmd("file")
    for command in COMMANDS:
        assert "give the BEAM that wrote it" in one_line_error(gdb, command)
    gdb.cmd(f"file {release.beam}")
    assert "init:loop/1" in gdb.cmd("beam-bt init")


@pytest.mark.parametrize("program", ["another Erlang", "no Erlang"])
def test_a_core_of_another_program(
    terms_core: Path, start_gdb: Callable[..., Gdb], release: Release, program: str
) -> None:
    other = Sandbox("amd64", 25 if release.otp == 27 else 27)
    path = other.ensure().beam if program == "another Erlang" else Path("/bin/cat").resolve()
    gdb = start_gdb(str(path), str(terms_core))
    for command in COMMANDS:
        said = one_line_error(gdb, command)
        assert f"the core file is not of {path}: build ids" in said
        assert "give the BEAM that wrote it" in said


def test_a_core_without_its_libraries(terms_core: Path, start_gdb: Callable[..., Gdb], release: Release) -> None:
    """As one of a container: C code ends at the libraries, and all of Erlang is there."""
    gdb = start_gdb("-iex", "set sysroot /nowhere", str(release.beam), str(terms_core))
    assert re.search(r"^\S+ +No +\S*/libc\.so\.6$|^ +No +\S*libc\.so\.6$", gdb.cmd("info sharedlibrary"), re.M)
    assert "init:loop/1" in gdb.cmd("beam-bt init")
    assert "terms:park/2" in gdb.cmd("beam-bt terms_holder")
    assert "terms_holder" in gdb.cmd("beam-ps")
    assert "kernel_sup" in gdb.cmd("beam-tree")
    assert "Heaps and messages of processes take" in gdb.cmd("beam-why")


def test_a_core_of_another_machine(terms_core: Path, start_gdb: Callable[..., Gdb]) -> None:
    path = Sandbox("armhf", 27).ensure().beam
    gdb = start_gdb(str(path), str(terms_core))
    for command in COMMANDS:
        said = one_line_error(gdb, command)
        assert f"the core file is not of {path}: it is elf64-x86-64, and that elf32-littlearm; give the BEAM" in said


def test_no_program(start_gdb: Callable[..., Gdb]) -> None:
    gdb = start_gdb()
    for command in COMMANDS:
        assert "no program is loaded" in one_line_error(gdb, command)
