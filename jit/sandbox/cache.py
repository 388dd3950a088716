"""The folder that keeps sandboxes: each is made once, by one process, and what is half made is never taken for it."""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jit.sandbox.errors import SandboxError

#: Raised when what is in a finished folder changes, so that older ones are made anew.
FORMAT = 3
_MARK = "complete.json"


def is_complete(folder: Path) -> bool:
    """Whether `folder` has been finished, by this format, and for the place where it is now."""
    try:
        return bool(json.loads((folder / _MARK).read_text()) == _mark(folder))
    except (OSError, ValueError):
        return False


def _mark(folder: Path) -> dict[str, object]:
    # Programs in a sandbox know its path.
    return {"format": FORMAT, "path": str(folder)}


def complete(folder: Path, make: Callable[[Path, Path], None], *, again: bool = False) -> None:
    """See to it that `folder` is complete: if it is not, or if `again`, a new one takes its place.

    `make` fills the new one, which lies beside `folder` until then. Its second argument is a folder for what should be
    kept if it is interrupted. Raises SandboxError when they cannot be written.
    """
    if not again and is_complete(folder):
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_name(folder.name + ".lock")):
            if again or not is_complete(folder):
                _replace(folder, make)
    except OSError as error:
        raise SandboxError(f"cannot write the cache (BEAMGDB_CACHE sets where it is): {error}") from error


def _replace(folder: Path, make: Callable[[Path, Path], None]) -> None:
    partial, kept = folder.with_name(folder.name + ".partial"), folder.with_name(folder.name + ".kept")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir()
    kept.mkdir(exist_ok=True)
    make(partial, kept)
    (partial / _MARK).write_text(json.dumps(_mark(folder)))
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    shutil.rmtree(kept)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`; the kernel lets go of it when this process ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another process is making {path.stem}: waiting for it", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
