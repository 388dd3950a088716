"""`coverage` counts what each emitter that is not there would bring."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jit.__main__ import main as jit
from jit.erts.arm32.emitters import EMITTERS


def told(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    assert jit(["coverage", *words]) == 0
    return capfd.readouterr().out


def test_everything_native(program: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first, functions, operations = told(capfd, str(program)).splitlines()
    assert first == "1 file"
    assert functions == "7 of 7 functions native (100.0%)"
    assert operations.endswith("operations native (100.0%)")


@pytest.fixture
def _two_emitters_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("put_list", "get_list"):
        monkeypatch.delitem(EMITTERS, name)


@pytest.mark.usefixtures("_two_emitters_to_go")
def test_emitters_to_go(program: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each function counts for all that it lacks, and as alone where that is one thing."""
    count = json.loads(told(capfd, "--json", str(program)))
    # pair/1 lacks put_list, main/1 and swap_pair/1 both.
    assert count["functions"] == 7
    assert count["native_functions"] == 4
    put_list, get_list = count["lacking"]
    assert (put_list["what"], put_list["functions"], put_list["alone"]) == ("put_list", 3, 1)
    assert (get_list["what"], get_list["functions"], get_list["alone"]) == ("get_list", 2, 0)
    # [X|X]; [Y|X]; three elements for format.
    assert put_list["times"] == 1 + 1 + 3
    assert count["operations"] > count["native_operations"] > 0


@pytest.mark.usefixtures("_two_emitters_to_go")
def test_table(program: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = told(capfd, str(program)).splitlines()
    assert lines[1] == "4 of 7 functions native (57.1%)"
    assert lines[4].split(maxsplit=3) == ["times", "functions", "alone", "emitters to go"]
    assert lines[5].split() == ["5", "3", "1", "put_list"]


def test_many_files(stdlib: Path, program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """By several processes as by one; a file that cannot be read is told of."""
    files = [str(stdlib / f"{name}.beam") for name in ("lists", "maps", "queue")]
    assert told(capfd, "--jobs", "2", "--json", *files) == told(capfd, "--jobs", "1", "--json", *files)
    (tmp_path / "empty.beam").touch()
    assert jit(["coverage", str(program), str(tmp_path)]) == 1
    said = capfd.readouterr()
    # On a slow machine there is progress to be told of.
    assert re.search(rf"^jit: {tmp_path}/empty\.beam: ", said.err, re.M)
    assert said.out.startswith("1 file\n7 of 7 ")
