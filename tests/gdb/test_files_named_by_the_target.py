"""Modules whose names are paths, or too long for a file; and files that are no .beam files: no file of another folder
is taken for a module's, and nothing is waited for, or read whole, that has no end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jit.beam.text import atom_text
from tests.beam.damage import renamed
from tests.harness.erl import running_node
from tests.harness.gdb import Gdb, one_line_error

LOAD = """
Load = fun(Name, File) ->
    {ok, Code} = file:read_file(File),
    {module, _} = erlang:load_module(list_to_atom(Name), Code)
end"""
#: Names of modules, and whether they are found by them.
NAMES = {
    "a" * 250: True,
    "b" * 251: False,
    "c" * 254: False,
    "å" * 126: False,
    ".": True,
    "..": True,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def gdb(ebin: Path, folder: Path) -> Iterator[Gdb]:
    (folder / "search").mkdir()
    files = {f"{folder}/absolute": f"{folder}/absolute.beam", "../beside": f"{folder}/beside.beam"}
    for number, (name, found) in enumerate(NAMES.items()):
        files[name] = f"{folder}/search/{name}.beam" if found else f"{folder}/{number}.beam"
    for name, file in files.items():
        Path(file).write_bytes(renamed((ebin / "busy.beam").read_bytes(), name))
    loads = ", ".join(f'Load({list(map(ord, name))}, "{file}")' for name, file in files.items())
    with running_node(ebin, f"{LOAD}, {loads}, busy:start()") as node, Gdb() as session:
        session.cmd(f"set solib-search-path {folder}/search")
        session.attach(node.pid)
        yield session


def test_no_path(gdb: Gdb, folder: Path) -> None:
    """The files are there, but not where a module's file is looked for."""
    for module in (f"{folder}/absolute", "../beside"):
        first, *code = gdb.cmd(f"beam-disas '{module}':start/0").splitlines()
        assert first.endswith(" bytes")
        assert code


@pytest.mark.parametrize("module", NAMES)
def test_names(gdb: Gdb, folder: Path, module: str) -> None:
    first, *code = gdb.cmd(f"beam-disas {atom_text(module)}:start/0").splitlines()
    assert code
    assert first.endswith(f"; operations of {folder}/search/{module}.beam" if NAMES[module] else " bytes")


def test_no_file(gdb: Gdb, ebin: Path, folder: Path) -> None:
    """One line; a pipe that nobody writes to is not waited for."""
    pipe, sparse, zeros = folder / "pipe.beam", folder / "sparse.beam", folder / "zeros.beam"
    os.mkfifo(pipe)
    subprocess.run(["truncate", "-s", "40G", sparse], check=True)
    zeros.symlink_to("/dev/zero")
    for path in (pipe, zeros, folder):
        assert one_line_error(gdb, f"beam-disas -beam {path} busy:start/0").endswith(f"{path}: not a file")
    said = one_line_error(gdb, f"beam-disas -beam {sparse} busy:start/0")
    assert said.splitlines()[0] == f"{sparse}: larger than 67108864 bytes, the most that is read of such a file"
    assert "move" in gdb.cmd(f"beam-disas -beam {ebin}/busy.beam busy:start/0")
