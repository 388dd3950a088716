"""The cache: each folder is made once, and only complete ones are used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jit.sandbox import cache
from jit.sandbox.errors import SandboxError
from jit.system.cache_folder import cache_folder
from tests.harness.patience import PATIENCE

#: A process that makes a folder slowly, or waits for another that does.
MAKER = """
import sys, time, pathlib
from jit.sandbox import cache

folder, made = map(pathlib.Path, sys.argv[1:])
def make(new, kept):
    with made.open("a") as file:
        file.write("made\\n")
    time.sleep(1)
    (new / "content").write_text("whole")
cache.complete(folder, make)
print((folder / "content").read_text())
"""


def writer(text: str) -> Callable[[Path, Path], None]:
    def write(new: Path, kept: Path) -> None:
        (new / "content").write_text(text)

    return write


def never(new: Path, kept: Path) -> None:
    raise AssertionError("made twice")


def test_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    cache.complete(folder, writer("one"))
    cache.complete(folder, never)
    assert (folder / "content").read_text() == "one"


def test_is_made_again_on_request(tmp_path: Path) -> None:
    cache.complete(tmp_path / "folder", writer("one"))
    cache.complete(tmp_path / "folder", writer("two"), again=True)
    assert (tmp_path / "folder/content").read_text() == "two"


def test_an_interrupted_one_is_not_there_and_what_it_kept_is_used(tmp_path: Path) -> None:
    def interrupted(new: Path, kept: Path) -> None:
        (new / "half").touch()
        (kept / "fetched").write_text("long fetched")
        raise KeyboardInterrupt

    def resumed(new: Path, kept: Path) -> None:
        (new / "content").write_text((kept / "fetched").read_text())

    folder = tmp_path / "folder"
    with pytest.raises(KeyboardInterrupt):
        cache.complete(folder, interrupted)
    assert not folder.exists()

    cache.complete(folder, resumed)
    assert sorted(path.name for path in folder.iterdir()) == ["complete.json", "content"]
    assert (folder / "content").read_text() == "long fetched"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "folder.lock"]


@pytest.mark.parametrize("mark", [None, "", "[]", '{"format": 0, "path": "elsewhere"}'])
def test_a_broken_one_is_made_anew(tmp_path: Path, mark: str | None) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").touch()
    if mark is not None:
        (folder / "complete.json").write_text(mark)
    cache.complete(folder, writer("new"))
    assert (folder / "content").read_text() == "new"
    assert not (folder / "old").exists()


def test_one_that_was_moved_is_made_anew(tmp_path: Path) -> None:
    """Programs in it know where they are."""
    cache.complete(tmp_path / "here", writer("here"))
    (tmp_path / "here").rename(tmp_path / "there")
    assert not cache.is_complete(tmp_path / "there")


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKER, str(tmp_path / "folder"), str(tmp_path / "made")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=PATIENCE)[0] for process in processes] == ["whole\n", "whole\n"]
    assert (tmp_path / "made").read_text() == "made\n"


def test_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxError, match="cannot write the cache"):
        cache.complete(tmp_path / "file" / "folder", never)


def test_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/she")
    for name in ("BEAMGDB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder() == Path("/home/she/.cache/beamgdb")
    monkeypatch.setenv("XDG_CACHE_HOME", "/fast")
    assert cache_folder() == Path("/fast/beamgdb")
    monkeypatch.setenv("BEAMGDB_CACHE", "/own")
    assert cache_folder() == Path("/own")


def test_two_paths_to_one_folder_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made by one of them would else be made anew by the other, again and again."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").symlink_to("here")
    for path in ("here", "there"):
        monkeypatch.setenv("BEAMGDB_CACHE", str(tmp_path / path))
        cache.complete(cache_folder() / "folder", writer(path))
    assert (tmp_path / "here/folder/content").read_text() == "here"
