"""The folder where this GDB's symbol files are, as long as it lives.

It is locked meanwhile, which ends with the process, however that ends: so a GDB that starts knows which folders were
left behind. (A number of a process would not do: that may be of another one by then.)
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "beamgdb-symbols-"
_NAME = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}")
"""What `tempfile.mkdtemp` makes of the prefix."""

_FILE = re.compile(r"erlang-\d+\.elf")
"""Names of symbol files. A folder in which there is anything else is none of ours."""

ATTEMPTS = 16


class SymbolFolder:
    """The folder. There is none before it is needed."""

    def __init__(self) -> None:
        self._folder: tuple[Path, int] | None = None
        """The folder, and a descriptor that keeps it locked."""
        self._files = 0

    @property
    def path(self) -> Path | None:
        """The folder, None if there is none yet."""
        return self._folder[0] if self._folder else None

    def new_file(self) -> Path:
        """Where a symbol file may be written, as GDB calls it: without symbolic links. Raises OSError."""
        self._files += 1
        return self._ensured() / f"erlang-{self._files}.elf"

    def _ensured(self) -> Path:
        for _ in range(ATTEMPTS):
            if self._folder is None:
                made = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
                # A GDB that starts just now may take it for one that was left behind, and remove it.
                descriptor = _locked(made)
                self._folder = (made, descriptor) if descriptor is not None else None
            if self._folder is not None:
                return self._folder[0]
        raise OSError(f"no folder for symbol files can be kept in {tempfile.gettempdir()}")

    def remove(self) -> None:
        """GDB ends."""
        if self._folder is not None:
            _remove(*self._folder)
            self._folder = None


def remove_left_behind() -> None:
    """Remove what GDBs of this user have left that were killed."""
    with contextlib.suppress(OSError):
        for found in _candidates():
            descriptor = _locked(found)
            if descriptor is not None:
                _remove(found, descriptor)


def _candidates() -> Iterator[Path]:
    with os.scandir(tempfile.gettempdir()) as entries:
        yield from (Path(entry.path) for entry in entries if _NAME.fullmatch(entry.name))


def _locked(folder: Path) -> int | None:
    """A descriptor with which the folder is locked; None if that is no folder of this user, is locked by another
    process, or gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(folder.lstat(), status):
                return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def _remove(folder: Path, descriptor: int) -> None:
    with contextlib.suppress(OSError):
        names = os.listdir(descriptor)
        if all(_FILE.fullmatch(name) for name in names):
            for name in names:
                os.unlink(name, dir_fd=descriptor)
            folder.rmdir()
    os.close(descriptor)
