"""Builds that are not usual ones: which kind it is is said, and no table is used for them, even where one would fit.

A usual beam.smp that says it is of another kind stands for them, so what is proved on it are the fields of the table.
Real ones are looked at by the tests of the matrix: see `tests/harness/builds.py`.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from jit.sandbox.sandbox import Sandbox
from tests.gdb.test_beam_info import rows
from tests.harness.erl import READY, Release, running
from tests.harness.gdb import Gdb
from tests.harness.targets import Target, session

#: A flag of every build that means nothing on Linux, and is the longest there is: it makes room for others.
ROOM = b"-D_POSIX_THREAD_SAFE_FUNCTIONS"


def with_constant(beam: Path, path: Path, name: str) -> None:
    """Write a copy of a beam.smp in which a constant is 1."""
    data = bytearray(beam.read_bytes())
    with beam.open("rb") as stream:
        elf = ELFFile(stream)
        symbols = elf.get_section_by_name(".dynsym")
        assert isinstance(symbols, SymbolTableSection)
        found = symbols.get_symbol_by_name(name)
        assert found
        at = next(elf.address_offsets(found[0]["st_value"]))
    assert data[at : at + 4] == bytes(4)
    data[at] = 1
    path.write_bytes(data)
    path.chmod(0o755)


def with_flag(beam: Path, path: Path, flag: str) -> None:
    """Write a copy of a beam.smp that says it was compiled with a flag. Its config.h repeats the flags."""
    data = beam.read_bytes()
    assert ROOM in data
    path.write_bytes(data.replace(ROOM, flag.encode("ascii").ljust(len(ROOM))))
    path.chmod(0o755)


@contextmanager
def attached(beam: Path, release: Release, ebin: Path) -> Iterator[Gdb]:
    """GDB with a node of it that runs processes of stages.erl."""
    expression = f'stages:start(), io:format("{READY}~n")'
    with pytest.MonkeyPatch.context() as patch, tempfile.NamedTemporaryFile() as output:
        for name, value in release.environment().items():
            patch.setitem(os.environ, name, value)
        command = [str(beam), *release.arguments(ebin, expression, "-S", "2:2")]
        with running(command, Path(output.name)) as process, Gdb() as gdb:
            gdb.attach(process.pid)
            yield gdb


@pytest.mark.parametrize(
    ("kind", "how"),
    [("lcnt", "etp_lock_count"), ("lock-check", "etp_lock_check"), ("valgrind", "-DVALGRIND"),
     ("frmptr", "-DERTS_FRMPTR")],
)  # fmt: skip
def test_a_kind_without_a_table(kind: str, how: str, release: Release, ebin: Path, tmp_path: Path) -> None:
    """All the same works by what is proved."""
    beam = tmp_path / "beam.smp"
    (with_flag if how.startswith("-") else with_constant)(release.beam, beam, how)
    with attached(beam, release, ebin) as gdb:
        shown = rows(gdb.cmd("beam-info"))
        assert shown["flavour"] == f"JIT (BeamAsm), {kind} build"
        assert shown["layouts"] == f"fields of {release.erts}, proved on this target"
        gdb.cmd("tbreak -function stages:leaf/3")
        assert gdb.go("continue").reason == "breakpoint-hit"
        assert "stages:round/2" in gdb.cmd("bt")
        assert re.search(r"^#0 .* in stages:leaf/3", gdb.cmd("beam-bt"), re.M)
        assert "built-in table" not in gdb.cmd("beam-info -layout")


def test_a_kind_of_a_release_that_hides_its_symbols(tmp_path: Path) -> None:
    """Its flags are found beside its config.h. Where nothing is proved, each command says the same."""
    beam = tmp_path / "beam.smp"
    with_flag(Sandbox("amd64", 29).ensure().beam, beam, "-DVALGRIND")
    target = Target("amd64", 29, beam)
    with session(target, "attached", target.ebin, "stages:start()") as one:
        shown = rows(one.gdb.cmd("beam-info"))
        assert shown["flavour"] == "JIT (BeamAsm), valgrind build"
        assert not shown["layouts"].startswith("built-in table")
        said = one.gdb.cmd("beam-bt all", check=False)
        if shown["layouts"].startswith("none: "):
            assert "no built-in table for a valgrind build of erts 17.1" in shown["layouts"]
            assert said == shown["layouts"].removeprefix("none: ") + "\n"
        else:
            assert "stages:loop/1" in said
