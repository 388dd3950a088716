"""What was found in a build is kept for the next session; a damaged file is as good as none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beamgdb.interpreter import build_cache
from beamgdb.interpreter.build_cache import Found
from beamgdb.interpreter.points import Point
from jit.system.cache_folder import cache_folder
from tests.interpreter.handlers import ROLES

BUILD = "92446891ebe5a213f610131e1c000e16f3b7b390"
POINT, CALLING = Point((("r4", 0), ("sp+20", 8)), stack="r7"), Point((("Process.current", -12),), stack=None)
FOUND = Found(ROLES[27], {(0, False): POINT, (2, False): POINT, (2, True): CALLING})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    own = tmp_path / "deep" / "cache"
    monkeypatch.setenv("BEAMGDB_CACHE", str(own))
    return own


def file(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def test_what_is_kept_comes_back() -> None:
    assert build_cache.load(BUILD) is None
    build_cache.save(BUILD, FOUND)
    assert build_cache.load(BUILD) == FOUND


def test_the_folder_is_that_of_the_xdg_specification(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BEAMGDB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "beamgdb"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/joe")
    assert cache_folder() == Path("/home/joe/.cache/beamgdb")


def test_another_build_has_nothing() -> None:
    build_cache.save(BUILD, FOUND)
    assert build_cache.load(BUILD.replace("9", "8")) is None


@pytest.mark.parametrize("build_id", [None, "", "../../etc/passwd", "XYZ"])
def test_without_a_build_id_nothing_is_kept(build_id: str | None, folder: Path) -> None:
    build_cache.save(build_id, FOUND)
    assert build_cache.load(build_id) is None
    assert not folder.exists()


def test_a_file_cut_short_is_ignored_and_made_anew(folder: Path) -> None:
    build_cache.save(BUILD, FOUND)
    whole = file(folder).read_text()
    for length in range(0, len(whole), 7):
        file(folder).write_text(whole[:length])
        assert build_cache.load(BUILD) is None
    build_cache.save(BUILD, FOUND)
    assert build_cache.load(BUILD) == FOUND


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 1),
        ("build_id", "00" * 20),
        ("roles", {"stack": "r7"}),
        ("roles", []),
        ("kinds", []),
        ("kinds", [[[["r4"]], True]]),
        ("points", [[0, 0, 5]]),
        ("points", [["x", 0, 0]]),
        ("points", 3),
    ],
)
def test_a_damaged_file_is_ignored(folder: Path, key: str, value: object) -> None:
    build_cache.save(BUILD, FOUND)
    content = json.loads(file(folder).read_text())
    file(folder).write_text(json.dumps(content | {key: value}))
    assert build_cache.load(BUILD) is None


def test_a_folder_that_cannot_be_made_is_no_error(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("a file is in the way")
    build_cache.save(BUILD, FOUND)
    assert build_cache.load(BUILD) is None


def test_nothing_half_written_is_left(folder: Path) -> None:
    build_cache.save(BUILD, FOUND)
    build_cache.save(BUILD, FOUND)
    assert len(list(folder.iterdir())) == 1
