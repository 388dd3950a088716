"""A module's name, which its file tells, is no path: nothing is written but where it belongs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.beam.damage import renamed
from tests.codegen.native_node import PATIENCE, python_jit

SOURCE = """
-module(%s).
-export([main/0]).
main() -> io:format("~s", [?MODULE_STRING]).
"""


def module(name: str, folder: Path) -> Path:
    """module.beam, with a module of that name, which is quoted."""
    source = folder / "module.erl"
    source.write_text(SOURCE % name, encoding="utf-8")
    expression = (
        f'{{ok, _, Code}} = compile:file("{source}", [binary, no_error_module_mismatch]), '
        f'ok = file:write_file("{folder}/module.beam", Code), halt().'
    )
    subprocess.run(["erl", "-noshell", "-eval", expression], check=True, timeout=PATIENCE)
    return folder / "module.beam"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("{folder}/outside/y", "there is a slash in it"),
        ("../../../outside/y", "there is a slash in it"),
        ("sub/y", "there is a slash in it"),
        ("", "it is none"),
        ("two\nlines", "there are characters in it that cannot be printed"),
        ("nul\0", "there are characters in it that cannot be printed"),
        ("a" * 254, "it would have 259 bytes, and 255 are the most"),
        ("å" * 126, "it would have 257 bytes, and 255 are the most"),
        ("native", "has the name of the glue's own"),
    ],
)
def test_run_refuses(program: Path, tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "outside").mkdir()
    beam = tmp_path / "module.beam"
    beam.write_bytes(renamed(program.read_bytes(), name.format(folder=tmp_path)))
    before = sorted(tmp_path.rglob("*"))
    ran = python_jit("run", str(beam))
    (line,) = ran.stderr.splitlines()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert line.startswith(f"jit: {beam}: ")
    assert line.endswith(why)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["b" * 250, "'two words'", "'..'"])
def test_run(tmp_path: Path, name: str) -> None:
    """Names that are strange, but those of files."""
    ran = python_jit("run", str(module(name, tmp_path)))
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", name.strip("'"))


def test_compile_names_files_as_they_are_named(tmp_path: Path) -> None:
    """Also one whose name is as long as names can be."""
    beam = module("'../../outside'", tmp_path)
    long = beam.rename(tmp_path / f"{'l' * 250}.beam")
    ran = python_jit("compile", str(long), "-o", str(tmp_path / "made/here"))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [path for path in (tmp_path / "made").rglob("*") if path.is_file()] == [tmp_path / "made/here" / long.name]


def test_dump_reads_no_source_that_is_no_file(tmp_path: Path) -> None:
    """What a file calls its source may be a device, a pipe that nobody writes to, or no name at all."""
    for name in ("/dev/zero", f"{tmp_path}/pipe", "a\\0b", "x" * 300, "/proc/kmsg"):
        source = tmp_path / "odd.erl"
        source.write_text(f'-module(odd).\n-export([f/1]).\n-file("{name}", 7).\nf(X) -> X + 1.\n', encoding="utf-8")
        subprocess.run(["erlc", "-o", tmp_path, source], check=True, timeout=PATIENCE)
        (tmp_path / "pipe").unlink(missing_ok=True)
        subprocess.run(["mkfifo", "-m", "600", tmp_path / "pipe"], check=True)
        ran = python_jit("dump", str(tmp_path / "odd.beam"))
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ":8\n" in ran.stdout
        assert python_jit("elf", str(tmp_path / "odd.beam"), "-o", str(tmp_path / "odd.elf")).returncode == 0
